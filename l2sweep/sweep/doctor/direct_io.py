"""Whether O_DIRECT is really in force: judged by the pages and the device reads of a load, not by the spec.

The keys were stored just before, in the same process. With buffered I/O their pages are in the page cache,
and the load reads nothing from the device. With O_DIRECT there is no page, and the device delivers every
byte.
"""

from __future__ import annotations

from collections.abc import Sequence

from l2sweep.config.point import PointConfig
from l2sweep.process.report import ProcessReport
from l2sweep.sweep.cache.coldness import (
    BYPASSED,
    WARM,
    CacheEvidence,
    CacheJudge,
    smallest_device_read_fraction,
)
from l2sweep.sweep.cache.devices import StorageStack
from l2sweep.sweep.doctor.steps import DIRECT, FAILED, LOAD, NOT_POSSIBLE, OK, Step, measured
from l2sweep.sweep.rows import effective_odirect


def direct_step(point: PointConfig, stacks: Sequence[StorageStack], report: ProcessReport) -> Step:
    """Return whether O_DIRECT was in force.

    Args:
        point: The point.
        stacks: What is below each path that holds its data.
        report: The report of the process that stored and loaded.
    """
    one = measured(report, LOAD)
    if reason := _why_not_possible(point, stacks):
        return Step(DIRECT, NOT_POSSIBLE, reason)
    if one is None or not one.bytes_ok:
        return Step(DIRECT, NOT_POSSIBLE, "nothing was loaded")
    read, resident = smallest_device_read_fraction(report.rounds), report.resident_at_end.get(LOAD)
    judge = CacheJudge(point, stacks, CacheEvidence(resident_at_end=resident), cold_requested=False)
    state = judge.phase_state(LOAD, report.rounds)
    seen = ", ".join(
        text
        for text, value in (
            (f"{_percent(read)} of the loaded bytes came from the device", read),
            (f"{_percent(resident)} of their pages are in the page cache", resident),
        )
        if value is not None
    )
    if state == BYPASSED:
        return Step(DIRECT, OK, f"in force: {seen}")
    if state != WARM and (read is None or resident is None):
        return Step(DIRECT, NOT_POSSIBLE, f"the kernel does not report enough to tell ({seen or 'nothing'})")
    return Step(DIRECT, FAILED, f"not in force, the I/O is buffered{_because(point, stacks)}: {seen}")


def _why_not_possible(point: PointConfig, stacks: Sequence[StorageStack]) -> str:
    """Return why O_DIRECT cannot be judged; empty if it can."""
    traits = point.traits
    if not traits.asks_for_direct:
        return "the spec does not ask for it"
    if not traits.cached_paths:
        return "no file or device of this machine is known to hold the data (cache.paths can name it)"
    elsewhere = [stack.memory or stack.server or stack.unknown for stack in stacks]
    return next((f"the data are on {place}" for place in elsewhere if place), "")


def _because(point: PointConfig, stacks: Sequence[StorageStack]) -> str:
    if effective_odirect(point) is False:
        size = f"data_size_kb={point.data_size_kb}"
        return f" (the adapter falls back to it: {size} is no multiple of the block of the file system)"
    if any(stack.is_buffered_below for stack in stacks):
        return " (by a loop device: make it with losetup --direct-io=on)"
    return ""


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{fraction:.0%}"
