"""Store and load through LMCache's storage manager, with the interface of an adapter's verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmcache.v1.distributed.api import ObjectKey

from l2sweep.bench.adapter.contract import ContractError, set_positions, shortfall
from l2sweep.bench.adapter.verbs import Completion, Load, Lookup, Store, Submit, Verb
from l2sweep.bench.storage_manager.adapter import ManagedAdapter

_GROUP = 0  # a prefetch has one group of keys


class ManagedStoreVerb(Store):
    """``finish_write`` until the store controller has finished the tasks of all keys.

    Its success is the keys that L2 notified as stored.
    """

    _adapter: ManagedAdapter
    submit_call = "finish_write"
    release_call = "delete_l1_keys"
    moves_in_place = False

    def prepare(self, submits: Sequence[Submit]) -> None:
        """Write the payload of a round into L1."""
        self._adapter.l1.write(submits)

    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Count the keys that L2 has, and their bytes there."""
        result = self._adapter.store_result(raw)
        # Without a serde, L2 must have every byte; a slot may be larger.
        least = 1 if self._adapter.has_serde else self._data_size_bytes
        stored = [sizes for sizes in result.stored.values() if min(sizes) >= least]
        moved = len(stored) * self._data_size_bytes
        is_failed = result.failed_keys > 0
        requested = len(submit.keys) * self._data_size_bytes
        return Completion(
            keys_ok=len(stored),
            bytes_ok=moved,
            ok_positions=None,
            failed=is_failed,
            shortfall="" if is_failed else shortfall(moved, requested),
            stored_bytes=sum(map(sum, stored)),
        )

    def release(self, submit: Submit, completion: Completion) -> None:
        """Remove the keys from L1, so that a load must read L2."""
        self._adapter.l1.drop_written(submit.keys)


class PrefetchVerb(Load):
    """A prefetch task until it is done. Its success is the keys that it read from L2."""

    _adapter: ManagedAdapter
    submit_call = "submit_prefetch_task"
    drain_call = "query_prefetch_status"
    moves_in_place = False

    def prepare(self, submits: Sequence[Submit]) -> None:
        """Fill the memory of L1 with zeros, so that no payload of an earlier round is found there."""
        if not self._adapter.shares_l1:
            self._adapter.l1.blank()

    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Count the keys that were read from L2, and copy their payload out of L1.

        Raises:
            ContractError: Keys were in L1 before, or the result is not what LMCache declares.
        """
        num_keys = len(submit.keys)
        hits, from_l1, from_l2 = (
            set_positions(cells[_GROUP], num_keys)
            for cells in (raw.hit_cells, raw.l1_hit_cells, raw.l2_hit_cells)
        )
        keys = [submit.keys[position] for position in hits]
        self._adapter.l1.read(keys, [submit.objects[position] for position in hits])
        if from_l1:
            raise ContractError(
                f"{len(from_l1)} of {num_keys} keys were in L1 before, so they were not read from L2"
            )
        loaded = set(keys)
        missing = [key for key in submit.keys if key not in loaded]
        return Completion(
            len(from_l2),
            len(from_l2) * self._data_size_bytes,
            from_l2,
            evicted_keys=self._behind_evicted(missing),
            loaded_from=self._adapter.sources.take(keys),
        )

    def _behind_evicted(self, missing: Sequence[ObjectKey]) -> int:
        """Return how many keys were not loaded because they, or a key before them, are evicted."""
        if not missing:
            return 0
        evicted = self._adapter.evicted_anywhere(missing)
        first = next((place for place, key in enumerate(missing) if key in evicted), len(missing))
        return len(missing) - first


MANAGED_VERBS: dict[str, type[Verb]] = {"store": ManagedStoreVerb, "lookup": Lookup, "load": PrefetchVerb}
