"""The options that say what a point is driven through: the adapter alone, or LMCache's storage manager."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from l2sweep.bench.job import ADAPTER, STORAGE_MANAGER
from l2sweep.config.options import STRICT, point_option
from l2sweep.config.workload.options import AUTO, WorkloadOptions

_MOST_PREFETCHES = 256  # each has a thread that waits for it


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ThroughOptions(WorkloadOptions):
    """What a point is driven through."""

    through: Literal["adapter", "storage_manager"] = point_option(
        ADAPTER, "storage_manager: LMCache's L1, its controllers and a serde are between, as in production"
    )
    serde_tolerance: Annotated[float, Field(gt=0, le=1)] | None = point_option(
        None, "largest relative error of a loaded number with a serde; null: that of the serde", rare=True
    )

    concurrent: bool = point_option(
        False, "true: then also load keys while others are stored, from a second thread"
    )

    @property
    def is_managed(self) -> bool:
        """Whether the storage manager is between."""
        return self.through == STORAGE_MANAGER

    @property
    def through_measured(self) -> dict[str, Any]:
        """The part of an identity that these options are, only where they differ from their defaults."""
        measured: dict[str, Any] = {"through": self.through} if self.is_managed else {}
        if self.serde_tolerance is not None:
            measured["serde_tolerance"] = self.serde_tolerance
        if self.concurrent:
            measured["concurrent"] = True
        return measured

    def through_contradictions(
        self, only: str | None, l1_align_bytes: int, *, hugepages: bool, is_cold: bool
    ) -> Iterator[str]:
        """Yield a sentence for each combination of options that the storage manager cannot run.

        Args:
            only: The option with this name, as are the others.
            l1_align_bytes: Alignment of the keys in L1.
            hugepages: The option ``l1_use_hugepages``.
            is_cold: Whether each phase is a process of its own.
        """
        if self.concurrent:
            yield from self._concurrent_contradictions(only, is_cold=is_cold)
        if not self.is_managed:
            return
        if only == "lookup":
            yield (
                "only=lookup: must be store or load with through=storage_manager, whose prefetch looks up "
                "the keys itself"
            )
        if self.in_flight > _MOST_PREFETCHES:
            yield (
                f"in_flight={self.in_flight}: must be at most {_MOST_PREFETCHES} with through=storage_manager"
            )
        if l1_align_bytes & (l1_align_bytes - 1):
            yield (
                f"l1_align_bytes={l1_align_bytes}: must be a power of two with through=storage_manager, "
                "whose L1 needs one"
            )
        if hugepages:
            yield (
                "l1_use_hugepages=true: must be false with through=storage_manager: without CUDA, LMCache's "
                "L1 uses ordinary pages and does not say so"
            )

    def _concurrent_contradictions(self, only: str | None, *, is_cold: bool) -> Iterator[str]:
        if only is not None:
            yield f"concurrent=true: must be false with only={only}, because it needs both phases"
        if is_cold:
            yield "concurrent=true: must be false with cache=cold, where each phase is a process of its own"
        for name in ("rounds", "warmup_rounds"):
            if getattr(self, name) == AUTO:
                yield f"{name}=auto: must be a number with concurrent=true"
