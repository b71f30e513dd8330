"""What a sweep will run, in which order, and what it leaves out and why: made before anything runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from l2sweep.config.constraints import Constraint
from l2sweep.config.point import PointConfig, SweepConfig
from l2sweep.errors import RequestError

WhyInfeasible = Callable[[PointConfig], str]


@dataclass(frozen=True)
class PlannedPoint:
    """A point with its place in the sweep.

    Attributes:
        index: Its number, from 0; each repeat has a number of its own.
        cell: Its position in the grid, from 0; all repeats of a point share it.
        repeat: Which repeat of the grid, from 0.
        config: What to measure.
        attempt: How often it has been begun, this time included.
    """

    index: int
    cell: int
    repeat: int
    config: PointConfig
    attempt: int = 1


@dataclass(frozen=True)
class LeftOut:
    """A point that is not run, and why.

    Attributes:
        as_asked: A constraint of the request leaves it out, and not this machine.
    """

    config: PointConfig
    reason: str
    as_asked: bool


@dataclass(frozen=True)
class Plan:
    """A whole sweep.

    Attributes:
        points: In the order in which they are run.
        left_out: Points of the grid that are not run.
    """

    points: tuple[PlannedPoint, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def configs(self) -> Iterator[PointConfig]:
        """Every point of the grid, those left out as well."""
        yield from (planned.config for planned in self.points)
        yield from (left.config for left in self.left_out)

    def require_a_point(self) -> None:
        """See that there is something to run.

        Raises:
            RequestError: With why every point was left out.
        """
        if not self.points:
            reasons = dict.fromkeys(one.reason for one in self.left_out)
            raise RequestError([f"no point is left to run: {'; '.join(reasons) or 'the grid is empty'}"])


def make_plan(
    grid: Iterable[PointConfig], sweep: SweepConfig, infeasible: WhyInfeasible, first_index: int
) -> Plan:
    """Make the plan of a sweep.

    Args:
        grid: Every point, checked.
        sweep: Its constraints, repeats and order.
        infeasible: Says why a point cannot be run here; an empty text where it can.
        first_index: The number of the first point.

    Raises:
        RequestError: A constraint cannot be evaluated, or a point is infeasible and ``on_infeasible=fail``.
    """
    constraints = [Constraint.parse(text) for text in sweep.constraints]
    kept: list[PointConfig] = []
    left_out: list[LeftOut] = []
    for point in grid:
        unmet = _unmet(constraints, point)
        reason = unmet or infeasible(point)
        if reason and not unmet and sweep.on_infeasible == "fail":
            raise RequestError([f"{reason} (on_infeasible=fail)"])
        if reason:
            left_out.append(LeftOut(point, reason, as_asked=bool(unmet)))
        else:
            kept.append(point)
    order = _ordered(range(len(kept)), sweep.repeats, sweep.order, sweep.order_seed)
    points = (
        PlannedPoint(first_index + number, position, repeat, kept[position])
        for number, (repeat, position) in enumerate(order)
    )
    return Plan(tuple(points), tuple(left_out))


def _unmet(constraints: Sequence[Constraint], point: PointConfig) -> str:
    if not constraints:
        return ""
    fields = {**asdict(point), "adapter": point.spec_identity}
    for constraint in constraints:
        try:
            if not constraint.holds(fields):
                return f"constraint {constraint.text}"
        except ValueError as error:
            raise RequestError([f"constraints: {error}"]) from error
    return ""


def _ordered(positions: Sequence[int], repeats: int, order: str, seed: int) -> list[tuple[int, int]]:
    """Return (repeat, position) pairs in the order in which they are run.

    ``grid``: each point's repeats one after another. ``random``: all mixed. ``interleaved``: the whole grid
    for each repeat, each time in another order, so that a drift of the machine does not fall on one point.
    """
    shuffle = random.Random(seed).shuffle
    if order == "interleaved":
        pairs = []
        for repeat in range(repeats):
            round_of_the_grid = list(positions)
            shuffle(round_of_the_grid)
            pairs += [(repeat, position) for position in round_of_the_grid]
        return pairs
    pairs = [(repeat, position) for position in positions for repeat in range(repeats)]
    if order == "random":
        shuffle(pairs)
    return pairs
