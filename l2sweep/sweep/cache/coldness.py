"""Decide whether a phase and each of its rounds was cold, from kernel counters and not from the options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.analysis.control import adapter_name
from l2sweep.bench.job import MIXED_PHASES
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.page_cache import Residency
from l2sweep.config.adapter.kinds import INDEX
from l2sweep.config.point import PointConfig
from l2sweep.sweep.cache.devices import StorageStack

COLD, WARM, BYPASSED, CLAIMED, UNCONTROLLED = "cold", "warm", "bypassed", "claimed", "uncontrolled"

# Not 1.0, because some file systems store the tail of a file elsewhere. The limit for a warm load of a hot
# point mirrors it; between the two limits nothing is certain.
_MIN_COLD_DEVICE_READ_FRACTION = 0.9
_MAX_WARM_DEVICE_READ_FRACTION = 0.1
_BUFFERED_LOOP = " (the kernel reads ahead in the file of a loop device: make it with losetup --direct-io=on)"


@dataclass(frozen=True)
class CacheEvidence:
    """What was measured of the page cache around one phase of a point.

    A value is None where it was not measured, or where the kernel does not report it.

    Attributes:
        method: The method that dropped the page cache; empty where it was not dropped.
        drops_metadata: Whether that method also drops names and inodes, which a lookup of files reads.
        before: Pages before the drop.
        after: Pages after the drop.
        loop_files_stayed: Whether the files of the loop devices below were still in the page cache after it.
        drop_s: Seconds that the drop took.
        resident_at_start: Fraction of the pages that were in the page cache just before the first round.
        resident_at_end: Fraction of the pages that were in the page cache after the last round.
        block_device_read_bytes: Bytes that the lowest block devices read during the phase, for any process.
    """

    method: str = ""
    drops_metadata: bool = False
    before: Residency | None = None
    after: Residency | None = None
    loop_files_stayed: bool = False
    drop_s: float | None = None
    resident_at_start: float | None = None
    resident_at_end: float | None = None
    block_device_read_bytes: int | None = None

    @property
    def resident_after(self) -> float | None:
        """Fraction of the pages in the page cache when the phase began, from the latest measurement."""
        if self.resident_at_start is not None:
            return self.resident_at_start
        return None if self.after is None else self.after.resident_fraction


def device_read_fraction(one: RoundMeasured) -> float | None:
    """Return the bytes of a load round that came from the device, divided by the bytes loaded.

    Two counters are used, and the smaller one decides. The counter of the process includes reads of a loop
    device that memory served. The counter of the lowest block devices includes reads of other processes.

    Args:
        one: The round.

    Returns:
        1 if the device delivered all bytes, 0 if memory did; None if nothing was loaded, or if the kernel
        reports neither counter.
    """
    counters = [one.device_read_bytes, one.block_device_read_bytes]
    known = [counter for counter in counters if counter is not None]
    if one.phase != "load" or not one.bytes_ok or not known:
        return None
    return min(1.0, *(counter / one.bytes_ok for counter in known))


def smallest_device_read_fraction(rounds: Sequence[RoundMeasured]) -> float | None:
    """Return the smallest :func:`device_read_fraction` of the measured load rounds.

    Args:
        rounds: Rounds of one process. Warm-up rounds and rounds of other phases are ignored.

    Returns:
        The fraction; None if no measured round loaded anything, or if that of one of them is unknown.
    """
    fractions = [device_read_fraction(one) for one in _measured_loads(rounds)]
    known = [fraction for fraction in fractions if fraction is not None]
    return min(known) if known and len(known) == len(fractions) else None


@dataclass(frozen=True)
class CacheJudge:
    """Decides the state of the page cache in a phase and in each of its rounds.

    A state is ``cold``; ``warm``; ``bypassed`` (O_DIRECT or a raw device, confirmed by the reads of the
    device); ``claimed`` (a command dropped a cache that cannot be observed from this machine); or
    ``uncontrolled`` (there is such a cache, and nothing dropped it). It is None for a store, which reads
    nothing; for a load that loaded nothing; for a lookup that was not requested cold, or that an index in the
    memory of the process answers; and for an adapter that keeps its data in its process.

    Attributes:
        point: The point.
        stacks: What is below each path that holds the data of the adapter.
        evidence: The measurements around the phase.
        cold_requested: Whether the configuration requires a cold phase.
    """

    point: PointConfig
    stacks: Sequence[StorageStack]
    evidence: CacheEvidence
    cold_requested: bool

    def round_state(self, one: RoundMeasured) -> str | None:
        """Return the state of a round, measured or warm-up, from its own pages and device reads."""
        return self._state(one.phase, one)

    def phase_state(self, phase: str, rounds: Sequence[RoundMeasured]) -> str | None:
        """Return the state of a phase.

        Args:
            phase: store, lookup or load.
            rounds: The rounds of the process. The measured ones of the phase decide.

        Returns:
            The state that all rounds share. If they differ: ``warm`` if one of them is and a cold phase was
            requested, otherwise ``uncontrolled``.
        """
        loads = _measured_loads(rounds) if phase == "load" else []
        if not loads:
            return self._state(phase, None)
        states = {self._state(phase, one) for one in loads}
        if len(states) == 1:
            return states.pop()
        return WARM if self.cold_requested and WARM in states else UNCONTROLLED

    def why_warm(self, phase: str, rounds: Sequence[RoundMeasured]) -> str:
        """Return why a phase that should have been cold is warm.

        Args:
            phase: lookup or load.
            rounds: The rounds of the process.
        """
        if self.evidence.loop_files_stayed:
            files = ", ".join(file for stack in self.stacks for file in stack.loop_files)
            return f"{phase}: not cold: {files}, the file of a loop device, was in the page cache"
        if not self._starts_warm:
            for one in _measured_loads(rounds):
                reasons = self._why_round_is_warm(one)
                if reasons:
                    return f"{phase}: not cold: {', and '.join(reasons)}"
        resident = self.evidence.resident_after or 0.0
        return f"{phase}: not cold: {resident:.1%} of its pages were in the page cache"

    def _why_round_is_warm(self, one: RoundMeasured) -> list[str]:
        reasons = []
        if self._was_read_ahead(one):
            resident = f"{one.resident_at_start_fraction:.1%} of the pages of round {one.round}"
            reasons.append(f"{resident} were in the page cache before it started")
        read = device_read_fraction(one)
        if read is not None and read < _MIN_COLD_DEVICE_READ_FRACTION:
            hint = _BUFFERED_LOOP if any(stack.is_buffered_below for stack in self.stacks) else ""
            reasons.append(f"only {read:.1%} of round {one.round} came from the device{hint}")
        return reasons

    @property
    def _starts_warm(self) -> bool:
        resident = self.evidence.resident_after
        is_resident = resident is not None and resident > self.point.cache.max_resident_fraction
        return self.cold_requested and (is_resident or self.evidence.loop_files_stayed)

    def _was_read_ahead(self, one: RoundMeasured) -> bool:
        """Whether the data of a round that should be cold were in the page cache when it started."""
        resident = one.resident_at_start_fraction
        is_resident = resident is not None and resident > self.point.cache.max_resident_fraction
        return self.cold_requested and is_resident

    def _state(self, phase: str, one: RoundMeasured | None) -> str | None:
        """Return the state of a phase in one of its rounds; of the phase alone if there is no round."""
        traits, by_command = self.point.traits, self.evidence.method == "command"
        if phase == "store" or phase in MIXED_PHASES or traits.kind.lost_because:
            return None  # of stores and loads at the same time, the kernel counts the bytes together
        if phase == "lookup" and traits.kind.lookup_answered_by == INDEX:  # it reads nothing
            return None
        has_unseen_cache = not traits.cached_paths or any(
            stack.server or stack.unknown for stack in self.stacks
        )
        unproven = CLAIMED if by_command else UNCONTROLLED
        if not traits.cached_paths or (has_unseen_cache and not by_command):
            return unproven
        if phase == "lookup":
            if not self.cold_requested:
                return None
            if self._starts_warm:
                return WARM
            return COLD if self.evidence.drops_metadata else unproven
        if self._starts_warm:
            return WARM
        if one is None or not one.bytes_ok:
            return None
        if self._was_read_ahead(one):
            return WARM
        if any(stack.memory for stack in self.stacks):
            return WARM
        read = device_read_fraction(one)
        from_device = read is not None and read >= _MIN_COLD_DEVICE_READ_FRACTION
        if from_device and not has_unseen_cache and self._is_direct:
            return BYPASSED
        if not self.cold_requested:
            return WARM if read is not None and read <= _MAX_WARM_DEVICE_READ_FRACTION else UNCONTROLLED
        if read is None and (has_unseen_cache or self.evidence.resident_after is None):
            return unproven
        if read is not None and not from_device:
            return WARM
        return CLAIMED if has_unseen_cache else COLD

    @property
    def _is_direct(self) -> bool:
        """Whether O_DIRECT was asked for and no page cache holds the data afterwards."""
        at_end = self.evidence.resident_at_end
        not_cached = at_end is not None and at_end <= self.point.cache.max_resident_fraction
        is_buffered_below = any(stack.is_buffered_below for stack in self.stacks)
        return self.point.traits.asks_for_direct and not_cached and not is_buffered_below


def why_never_cold(point: PointConfig) -> str:
    """Return why a point with ``cache=cold`` cannot be measured cold; empty if it can."""
    traits = point.traits
    # The first one last: its kind also has what holds for any other.
    for one in (*traits.more, traits) if point.cache.is_cold else ():
        if one.kind.lost_because:
            return (
                f"cache=cold: the {adapter_name(one.inner)} adapter {one.kind.lost_because}, so no "
                "later process can find what was stored; use cache=hot"
            )
        if traits.more and not one.cached_paths:
            return (
                f"cache=cold: the data of the {adapter_name(one.inner)} adapter are not on this machine, "
                "so they cannot be made cold with the others of more_adapters; use cache=hot"
            )
    if point.cache.is_cold and point.adapter_spec.get("serde") is not None:
        return (
            "cache=cold: with a serde, fewer bytes are read than loaded, so it cannot be proven that all "
            "came from the device; use cache=hot"
        )
    for path in traits.cached_paths if point.cache.is_cold and point.cache.drop_before else ():
        if memory := StorageStack.below(path).memory:
            return (
                f"cache=cold: {path} is on {memory}: memory cannot be cold; "
                "use a folder on a disk, or cache=hot"
            )
    return ""


def why_never_durable(point: PointConfig) -> str:
    """Return why a point with ``cache.store_durable=true`` cannot store durably; empty if it can."""
    for path in point.traits.cached_paths if point.cache.store_durable and "store" in point.phases else ():
        if memory := StorageStack.below(path).memory:
            return (
                f"cache.store_durable=true: {path} is on {memory}: nothing there is durable; "
                "use a folder on a disk, or cache.store_durable=false"
            )
    return ""


def _measured_loads(rounds: Sequence[RoundMeasured]) -> list[RoundMeasured]:
    return [one for one in rounds if one.phase == "load" and not one.is_warmup and one.bytes_ok]
