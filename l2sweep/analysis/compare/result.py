"""The result of a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from l2sweep.analysis.compare.rows.environment import Difference
from l2sweep.analysis.compare.rows.failures import Failure
from l2sweep.analysis.compare.rows.samples import Point

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["slower", "faster", "same", "inconclusive"]
NOTHING_SLOWER, SOMETHING_SLOWER, INCONCLUSIVE = 0, 1, 3
"""Exit codes. Where nothing can be compared, it is that of a RequestError."""


@dataclass(frozen=True)
class Comparison:
    """One comparison: of a point, or of all points of an adapter in a phase. A ratio of 1.1 is 10 % longer.

    Attributes:
        ratio: Ratio of the medians, candidate to base; of several points the geometric mean.
        low: Lower limit of its 95 % interval, by the bootstrap.
        high: Upper limit.
        p: p-value of the moderated t-test; None if there are too few processes for a test.
        q: The same with the false discovery rate controlled.
        visible_ratio: The smallest ratio that would be significant if it were the only one.
        control_ratio: Ratio of the control of the same size, depth and phase; None if there is none.
        verdict: slower, faster, same or inconclusive.
        reason: Why it is inconclusive; else empty.
    """

    ratio: float
    low: float
    high: float
    p: float | None
    q: float | None
    visible_ratio: float | None
    control_ratio: float | None
    verdict: Verdict
    reason: str

    @property
    def relative_ratio(self) -> float | None:
        """The ratio relative to that of the control; None if there is no control."""
        return None if self.control_ratio is None else self.ratio / self.control_ratio


@dataclass(frozen=True)
class PointComparison(Comparison):
    """The comparison of a point in a phase.

    Attributes:
        point: The point and phase.
        base_s: Median of the processes of the base, of the median round of each.
        candidate_s: The same of the candidate.
        base_processes: Number of processes.
        candidate_processes: Number of processes.
        base_nights: Number of sweeps.
        candidate_nights: Number of sweeps.
        rank_p: p-value of the Mann-Whitney U test of the processes.
        least_rank_p: The smallest p-value that this number of processes can have in that test.
        repeats_needed: If inconclusive: how many processes per sweep would be enough to see a change of the
            threshold; None if no number is known to be enough.
    """

    point: Point
    base_s: float
    candidate_s: float
    base_processes: int
    candidate_processes: int
    base_nights: int
    candidate_nights: int
    rank_p: float
    least_rank_p: float
    repeats_needed: int | None


@dataclass(frozen=True)
class TotalComparison(Comparison):
    """The comparison of all points of an adapter in a phase together.

    Attributes:
        adapter: Adapter type; ``control`` for the control adapter.
        phase: store, lookup or load.
        cache_state: State of the page cache.
        points: Number of points.
        control_of: What the adapter is a control of: ``disk`` or ``harness``; empty if it is none.
        lookup_answered_by: What answered the lookups, as in :class:`Point`.
    """

    adapter: str
    phase: str
    cache_state: str | None
    points: int
    control_of: str = ""
    lookup_answered_by: str | None = None


@dataclass(frozen=True)
class NewFailure:
    """A point that fails in the candidate, and not in the base.

    Attributes:
        point: The point; None if none of its processes has a round.
        point_id: Id of the point.
        phase: The phase in which it fails.
        processes: Number of processes that failed.
        reason: How the first of them ended.
    """

    point: Point | None
    point_id: str
    phase: str
    processes: int
    reason: str


@dataclass(frozen=True)
class ComparisonResult:
    """Whether the candidate is slower than the base.

    Attributes:
        base: Ids of the sweeps of the base.
        candidate: Ids of the sweeps of the candidate.
        threshold: A smaller change is no finding: 0.05 is 5 %.
        level: A q of at most this is significant.
        points: Each point and phase that both have, except those of controls.
        totals: Each adapter and phase, over its points.
        controls: The points of the controls.
        control_totals: Each control and phase.
        host_changes: What the controls show, in words such as ``fio load takes 12% longer``; empty if they
            did not move.
        environment: What differs between the environments.
        new_failures: What fails in the candidate and not in the base.
        failures: All processes that failed, of both sides.
        only_base: Points and phases that only the base has.
        only_candidate: Points and phases that only the candidate has.
    """

    base: tuple[str, ...]
    candidate: tuple[str, ...]
    threshold: float
    level: float
    points: tuple[PointComparison, ...]
    totals: tuple[TotalComparison, ...]
    controls: tuple[PointComparison, ...]
    control_totals: tuple[TotalComparison, ...]
    host_changes: tuple[str, ...]
    environment: tuple[Difference, ...]
    new_failures: tuple[NewFailure, ...]
    failures: tuple[Failure, ...]
    only_base: tuple[Point, ...]
    only_candidate: tuple[Point, ...]

    @property
    def host_changed(self) -> bool:
        """Whether a control moved, so that a difference need not come from LMCache."""
        return bool(self.host_changes)

    @property
    def verdict(self) -> Verdict:
        """slower if anything is slower; faster if only that; same if all is; else inconclusive."""
        found = {one.verdict for one in (*self.points, *self.totals)}
        for verdict in ("slower", "faster"):
            if verdict in found:
                return verdict
        return "same" if found == {"same"} else "inconclusive"

    @property
    def is_loud(self) -> bool:
        """Whether there is something to report: slower, newly failing, or a changed host."""
        return self.verdict == "slower" or bool(self.new_failures) or self.host_changed

    @property
    def counts(self) -> Counter[str]:
        """How many points have each verdict."""
        return Counter(one.verdict for one in self.points)

    @property
    def headline(self) -> str:
        """The answer in one line."""
        from l2sweep.analysis.compare.headline import headline

        return headline(self)

    def exit_code(self, *, strict: bool = False) -> int:
        """Return the exit code of the command.

        Args:
            strict: Whether an inconclusive point, without one that is slower, has a code of its own.
        """
        if self.verdict == "slower" or self.new_failures:
            return SOMETHING_SLOWER
        return INCONCLUSIVE if strict and self.counts["inconclusive"] else NOTHING_SLOWER

    def to_frame(self) -> pd.DataFrame:
        """Return one row per point and phase, controls last."""
        import pandas as pd

        return pd.DataFrame(records([*self.points, *self.controls]))


def records(comparisons: Sequence[Comparison]) -> list[dict[str, object]]:
    """Return comparisons as flat rows, the fields of the point first."""
    rows = []
    for one in comparisons:
        own = {field.name: getattr(one, field.name) for field in fields(one)}
        point = own.pop("point", None)
        of_point = {field.name: getattr(point, field.name) for field in fields(Point)} if point else {}
        numbers = [field.name for field in fields(Comparison)]
        rest = {name: value for name, value in own.items() if name not in numbers}
        rows.append(
            {
                **of_point,
                **rest,
                **{name: own[name] for name in numbers[:-2]},
                "relative_ratio": one.relative_ratio,
                "verdict": one.verdict,
                "reason": one.reason,
            }
        )
    return rows
