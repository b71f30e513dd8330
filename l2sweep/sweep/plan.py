"""The plan of a sweep: which points run, in which order, and which are skipped."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

from l2sweep.analysis.constraints import Constraint
from l2sweep.config.point import PointConfig
from l2sweep.config.reading import POINT_OPTIONS
from l2sweep.config.sweep import SweepConfig
from l2sweep.credentials import redact_override
from l2sweep.errors import RequestError, shown

WhyInfeasible = Callable[[PointConfig], str]
"""Returns why a point cannot run on this machine; empty if it can."""


_MOST_REASONS = 5  # that are listed; a shortage has other numbers in each point


@dataclass(frozen=True)
class PlannedPoint:
    """A point and its place in the sweep.

    Attributes:
        index: Number of the point, from 0. Each repeat has its own.
        cell: Position in the grid, without skipped points, from 0. All repeats of a point share it.
        repeat: Number of the repeat, from 0.
        config: The options of the point.
        attempt: Number of the attempt, from 1.
        rank: Number of the host of a fleet that measures it; None: any hosts do.
    """

    index: int
    cell: int
    repeat: int
    config: PointConfig
    attempt: int = 1
    rank: int | None = None


@dataclass(frozen=True)
class SkippedPoint:
    """A point of the grid that does not run.

    Attributes:
        config: The options of the point.
        reason: Why it is skipped.
        as_asked: Whether a constraint of the request excludes it, on any machine.
    """

    config: PointConfig
    reason: str
    as_asked: bool


@dataclass(frozen=True)
class Plan:
    """All points of a sweep.

    Attributes:
        points: The points that run, in their order.
        skipped: The points of the grid that do not run.
    """

    points: tuple[PlannedPoint, ...]
    skipped: tuple[SkippedPoint, ...]

    @property
    def configs(self) -> Iterator[PointConfig]:
        """The options of every point, including skipped points."""
        yield from (planned.config for planned in self.points)
        yield from (skipped.config for skipped in self.skipped)

    def require_a_point(self) -> None:
        """Check that at least one point runs.

        Raises:
            RequestError: All points are skipped. The message contains the reasons.
        """
        if not self.points:
            counts = Counter(skipped.reason for skipped in self.skipped).most_common()
            reasons = [f"{count} skipped: {reason}" for reason, count in counts[:_MOST_REASONS]]
            if others := sum(count for _, count in counts[_MOST_REASONS:]):
                reasons.append(f"{others} skipped for other reasons")
            raise RequestError([f"no point is left to run: {'; '.join(reasons) or 'the grid is empty'}"])


def make_plan(
    grid: Iterable[PointConfig], sweep: SweepConfig, why_infeasible: WhyInfeasible, first_index: int
) -> Plan:
    """Plan a sweep.

    Args:
        grid: The checked options of every point.
        sweep: The options of the sweep: constraints, repeats, order.
        why_infeasible: Returns why a point cannot run on this machine; empty if it can.
        first_index: Index of the first point.

    Raises:
        RequestError: A constraint cannot be evaluated, or a point is infeasible and ``on_infeasible=fail``.
    """
    constraints = [Constraint.parse(text) for text in sweep.constraints]
    kept: list[PointConfig] = []
    skipped: list[SkippedPoint] = []
    for point in grid:
        excluded = _why_excluded(constraints, point)
        reason = excluded or why_infeasible(point)
        if reason and not excluded and sweep.on_infeasible == "fail":
            raise RequestError([f"{reason} (on_infeasible=fail)"])
        if reason:
            skipped.append(SkippedPoint(point, reason, as_asked=bool(excluded)))
        else:
            kept.append(point)
    order = _run_order(len(kept), sweep.repeats, sweep.order, sweep.order_seed)
    ranks: Sequence[int | None] = range(sweep.cluster.size or 1) if sweep.fleet else (None,)
    points = (
        PlannedPoint(first_index + number, cell, repeat, kept[cell], rank=rank)
        for number, ((repeat, cell), rank) in enumerate(itertools.product(order, ranks))
    )
    return Plan(tuple(points), tuple(skipped))


def _why_excluded(constraints: Sequence[Constraint], point: PointConfig) -> str:
    """Return the first constraint that a point does not meet; empty if it meets all."""
    if not constraints:
        return ""
    fields = _fields(point)
    for constraint in constraints:
        try:
            if not constraint.holds(fields):
                return f"constraint {constraint.text}"
        except ValueError as error:
            named = " ".join(map(redact_override, point.overrides)) or "the default point"
            raise RequestError([f"constraints: {error} (at {shown(named)})"]) from error
    return ""


def _fields(point: PointConfig) -> Mapping[str, Any]:
    """Return what a constraint can use: the options of a point, those below a dot as mappings."""
    options = {name: getattr(point, name) for name in POINT_OPTIONS}
    nested = {name: vars(value) for name, value in options.items() if is_dataclass(value)}
    return {**options, **nested, "adapter": point.spec_identity, "model": point.model}


def _run_order(num_cells: int, repeats: int, order: str, seed: int) -> list[tuple[int, int]]:
    """Return (repeat, cell) of each point, in the order in which the points run.

    ``grid``: all repeats of a cell, then the next cell. ``random``: all points shuffled. ``interleaved``: the
    whole grid once per repeat, shuffled anew each time, so that a slow change of the machine affects all
    cells alike.
    """
    shuffle = random.Random(seed).shuffle
    if order == "interleaved":
        pairs = []
        for repeat in range(repeats):
            cells = list(range(num_cells))
            shuffle(cells)
            pairs += [(repeat, cell) for cell in cells]
        return pairs
    pairs = [(repeat, cell) for cell in range(num_cells) for repeat in range(repeats)]
    if order == "random":
        shuffle(pairs)
    return pairs
