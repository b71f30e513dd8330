"""What a benchmark process is asked to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PHASES = ("store", "lookup", "load")


@dataclass(frozen=True)
class PointRequest:
    """One point, as a benchmark process needs to know it.

    Attributes:
        adapter_spec: The spec that goes to LMCache word for word, credentials included.
        phases: The operations to run in this process, in the order of ``PHASES``.
        num_keys: Keys in one submit.
        in_flight: Submits in one round.
        data_size_kb: KiB of payload in a key.
        rounds: Measured rounds of each operation.
        warmup_rounds: Rounds before them.
        lookup_max_hit_rate: Share of a lookup round's keys that were stored, 0 to 1.
        namespace: Model name in every key.
        fresh_namespace: Nobody can have stored in this namespace before.
        seed: The payload follows from it and the key index.
        verify: Check every byte of every measured load round.
        delete_before: Delete the point's keys before the first store.
        delete_after: Delete the point's keys at the end.
        l1_align_bytes: Alignment of the L1 buffer.
        l1_use_hugepages: Take the L1 buffer from the pool of 2 MiB pages.
        timeout_s: For each phase, the seconds that a round may take.
        keys_stored: The point's store came before, perhaps in another process: its keys must be there.
        cache_paths: Folders, files and devices whose pages in the page cache are looked at; none: nothing is.
        max_resident: Share of those pages, 0 to 1, with which a lookup or load may begin; None: any.
        flush_paths: What is flushed after each store round, timed apart.
    """

    adapter_spec: dict[str, Any]
    phases: tuple[str, ...]
    num_keys: int
    in_flight: int
    data_size_kb: int
    rounds: int
    warmup_rounds: int
    lookup_max_hit_rate: float
    namespace: str
    fresh_namespace: bool
    seed: int
    verify: bool
    delete_before: bool
    delete_after: bool
    l1_align_bytes: int
    l1_use_hugepages: bool
    timeout_s: Mapping[str, float]
    keys_stored: bool = False
    cache_paths: tuple[str, ...] = ()
    max_resident: float | None = None
    flush_paths: tuple[str, ...] = ()

    @property
    def data_size_bytes(self) -> int:
        """Bytes of payload in a key."""
        return self.data_size_kb * 1024

    @property
    def keys_per_round(self) -> int:
        """Keys in all submits of a round."""
        return self.num_keys * self.in_flight

    @property
    def total_rounds(self) -> int:
        """Rounds of each operation, warm-up included."""
        return self.warmup_rounds + self.rounds

    def to_json(self) -> str:
        """Return the request as one JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PointRequest:
        """Read what :meth:`to_json` wrote."""
        fields = json.loads(text)
        for name in ("phases", "cache_paths", "flush_paths"):
            fields[name] = tuple(fields.get(name, ()))
        return cls(**fields)
