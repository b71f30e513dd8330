"""Tell whether the host changed, and what remains of a difference beside that of a control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.analysis.compare.tested import Estimate, Limits, Tested
from l2sweep.analysis.compare.verdict import in_words


@dataclass(frozen=True)
class ControlChange:
    """A control, or one of its points, that moved.

    Attributes:
        adapter: Name of the control.
        control_of: ``disk`` or ``harness``.
        phase: store, lookup or load.
        ratio: Ratio of medians.
        estimate: The difference.
        point: Index of the point of the control; None for all of its points together.
    """

    adapter: str
    control_of: str
    phase: str
    ratio: float
    estimate: Estimate
    point: int | None = None

    @property
    def words(self) -> str:
        """The change in words, such as ``fio load takes 12% longer``."""
        return f"{self.adapter} {self.phase} {in_words(self.ratio)}"


def relevant(changes: Sequence[ControlChange], phase: str, control: int | None) -> tuple[ControlChange, ...]:
    """Return the changes that may explain a difference.

    That of the harness concerns everything. Of the disk it is the control of the same size and depth, or all
    points of a control in the same phase. A phase that no control has is measured beside the largest change.

    Args:
        changes: The controls that moved.
        phase: Phase of the difference.
        control: Index of the control of the same size, depth and phase; None if there is none.
    """
    of_harness = [change for change in changes if change.control_of == "harness"]
    of_disk = [change for change in changes if change.control_of != "harness"]
    of_phase = [change for change in of_disk if change.phase == phase and change.point in (None, control)]
    if not of_phase and control is None:
        largest = sorted(of_disk, key=lambda change: -abs(change.estimate.difference))
        of_phase = largest[:1] if phase not in {change.phase for change in of_disk} else []
    return (*of_harness, *of_phase)


def explanation(own: Estimate, ratio: float, changes: Sequence[ControlChange], limits: Limits) -> str:
    """Return the change of a control beside which a finding is none any more; empty if it stays one.

    Args:
        own: The difference of the finding.
        ratio: Its ratio of medians.
        changes: The changes that may explain it.
        limits: What counts as a finding. Its level is the largest p-value of what remains.
    """
    for change in changes:
        remains, relative = own.beside(change.estimate), ratio / change.ratio
        is_large = max(relative, 1 / relative) >= 1 + limits.threshold
        same_direction = (remains.difference > 0) == (relative > 1) == (ratio > 1)
        if not (is_large and same_direction and remains.p <= limits.level):
            return f"{change.words}; relative to it the ratio is {relative:.2f}"
    return ""


def control_changes(
    tested: Tested,
    names: Sequence[tuple[str, str]],
    kinds: Mapping[str, str],
    limits: Limits,
    one_by_one: bool,
) -> list[ControlChange]:
    """Return the controls that moved.

    Args:
        tested: Tested differences.
        names: Adapter and phase of each.
        kinds: Names of the controls, and what each of them measures.
        limits: What counts as a finding.
        one_by_one: Whether each difference is that of one point.
    """
    return [
        ControlChange(
            adapter,
            kinds[adapter],
            phase,
            float(tested.ratio[index]),
            tested.estimate(index),
            index if one_by_one else None,
        )
        for index, (adapter, phase) in enumerate(names)
        if adapter in kinds and tested.is_finding(index, limits)
    ]


def control_of_each(
    points: Sequence[Point], controls: Sequence[Point], kinds: Mapping[str, str]
) -> list[int | None]:
    """Return for each point the index of the control of its size, depth, number of keys and phase, if any.

    In a fleet, it is that of the same host.

    One of the disk is preferred, then one in the same state of the page cache. The harness is no measure of
    how long a store or a load takes.
    """
    by_shape: dict[tuple[object, ...], list[int]] = {}
    for index, control in enumerate(controls):
        if kinds[control.adapter] == "disk":
            by_shape.setdefault(_shape(control), []).append(index)
    return [
        min(
            by_shape.get(_shape(point), []),
            key=lambda index: controls[index].cache_state != point.cache_state,
            default=None,
        )
        for point in points
    ]


def _shape(point: Point) -> tuple[object, ...]:
    return point.phase, point.num_keys, point.in_flight, point.data_size_kb, point.fleet_host
