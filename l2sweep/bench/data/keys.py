"""The key indices that each round of a phase uses.

Store, lookup and load share one range of indices, with the layout of ``lmcache bench l2``
(``run_l2_adapter_bench`` of LMCache 0.5.6). So a phase that runs alone finds the keys that another process
stored. Round ``r``, counted from 0 with warm-up rounds first, stores and loads ``keys_per_round`` indices,
starting at ``r * keys_per_round``. A lookup round uses ``int(keys_per_round * rate)`` stored indices; its
other indices are after the range that can be stored and are never stored. Where the number of rounds is not
fixed, the ranges are those of the most rounds, and the store phase writes the first part of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from l2sweep.bench.workload import Workload

# An adapter that finds keys without looking finds the first of them; the others are for one that guesses.
_NEVER_STORED = 4


@dataclass(frozen=True)
class KeyLayout:
    """The indices of a point's keys.

    Attributes:
        workload: Gives the number of keys, and the fraction of a lookup's keys that were stored.
        stored_rounds: Number of rounds that the store phase ran; None: as many as it may run.
        is_concurrent: Whether more keys are stored later, while those of the store phase are loaded.
        trace_keys: Number of keys of the trace that is replayed instead of rounds; None: there are rounds.
    """

    workload: Workload
    stored_rounds: int | None = None
    is_concurrent: bool = False
    trace_keys: int | None = None

    @property
    def storable(self) -> range:
        """All indices that store rounds may write."""
        if self.trace_keys is not None:
            return range(self.trace_keys)
        return range((self.workload.total_rounds + len(self.later_rounds)) * self.workload.keys_per_round)

    @property
    def later_rounds(self) -> range:
        """The rounds behind the store phase that may be stored while others are loaded: four times as many.

        Stores that are faster than the loads beside them go on, see ``bench/mixed/rounds.py``.
        """
        total = self.workload.total_rounds
        return range(total, 5 * total if self.is_concurrent else total)

    @property
    def stored(self) -> range:
        """All indices that the rounds of the store phase wrote, or that a trace may have written."""
        if self.trace_keys is not None:
            return range(self.trace_keys)
        rounds = self.workload.total_rounds if self.stored_rounds is None else self.stored_rounds
        return range(rounds * self.workload.keys_per_round)

    @property
    def owned(self) -> range:
        """All indices that may be stored when the point ends: its keys to delete."""
        return self.storable if self.is_concurrent else self.stored

    @property
    def never_stored(self) -> range:
        """Some indices behind all those that a phase uses."""
        first_unused = 2 * len(self.storable)  # the misses of all lookup rounds are at most as many
        return range(first_unused, first_unused + _NEVER_STORED)

    @property
    def hits_per_round(self) -> int:
        """Number of keys of a lookup round that were stored."""
        return int(self.workload.keys_per_round * self.workload.lookup_max_hit_rate)

    def transfer_round(self, round_index: int) -> list[list[int]]:
        """Return the indices of a store or load round, one list per submit.

        Args:
            round_index: Counted from 0, warm-up rounds first.
        """
        base = round_index * self.workload.keys_per_round
        return self._split(list(range(base, base + self.workload.keys_per_round)))

    def lookup_round(self, round_index: int) -> list[list[int]]:
        """Return the indices of a lookup round, one list per submit: first the hits, then the misses.

        Args:
            round_index: Counted from 0, warm-up rounds first.
        """
        hits = self.hits_per_round
        misses = self.workload.keys_per_round - hits
        hit_base = round_index * hits
        miss_base = len(self.storable) + round_index * misses
        return self._split([*range(hit_base, hit_base + hits), *range(miss_base, miss_base + misses)])

    def _split(self, indices: list[int]) -> list[list[int]]:
        return [
            indices[i : i + self.workload.num_keys] for i in range(0, len(indices), self.workload.num_keys)
        ]
