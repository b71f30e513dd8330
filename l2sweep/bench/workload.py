"""The workload of a point: how many keys are moved, how large they are, and how often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """The workload of a point. The launcher, the benchmark process and the rows share it.

    Attributes:
        num_keys: Number of keys in one submit.
        in_flight: Number of submits in one round.
        data_size_kb: Payload of a key in KiB.
        rounds: Number of measured rounds of each phase; with ``precision``, at most.
        warmup_rounds: Number of warm-up rounds before the measured rounds; with ``warmup_auto``, at most.
        lookup_max_hit_rate: Fraction of the keys of a lookup round that were stored, 0 to 1.
        seed: Seed of the payload.
        l1_align_bytes: Alignment of the L1 buffer in bytes.
        l1_use_hugepages: Whether the L1 buffer uses 2 MiB huge pages.
        precision: Half-width of the 95% interval of the median duration, divided by the median, at which the
            measured rounds of a phase end; None: the number of rounds is fixed.
        max_seconds: Seconds after which they end as well; None: no limit.
        warmup_auto: Whether the warm-up rounds end as soon as their durations stop drifting.
    """

    num_keys: int
    in_flight: int
    data_size_kb: int
    rounds: int
    warmup_rounds: int
    lookup_max_hit_rate: float
    seed: int
    l1_align_bytes: int
    l1_use_hugepages: bool
    precision: float | None = None
    max_seconds: float | None = None
    warmup_auto: bool = False

    @property
    def data_size_bytes(self) -> int:
        """Payload of a key in bytes."""
        return self.data_size_kb * 1024

    @property
    def keys_per_round(self) -> int:
        """Number of keys in all submits of a round."""
        return self.num_keys * self.in_flight

    @property
    def round_bytes(self) -> int:
        """Payload of all keys of a round in bytes."""
        return self.keys_per_round * self.data_size_bytes

    @property
    def total_rounds(self) -> int:
        """Number of rounds of each phase, including warm-up rounds; at most, where it is not fixed."""
        return self.warmup_rounds + self.rounds

    @property
    def rounds_are_open(self) -> bool:
        """Whether a phase may run fewer rounds than ``total_rounds``."""
        return self.precision is not None or self.warmup_auto
