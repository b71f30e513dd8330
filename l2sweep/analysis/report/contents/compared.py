"""Section 3, other sweeps: comparison with the base, and history over nights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RatioRow:
    """A row of the forest plot: a ratio of durations, candidate to base. 1.1 is 10% longer.

    Attributes:
        name: What is compared in words, such as ``fs load at 32768 KiB, 4 in flight``.
        settings: By which settings it differs from the other points of its adapter; may be empty.
        adapter: Name of the adapter.
        phase: store, lookup or load.
        cache_state: State of the page cache.
        is_total: Whether it is a mean over all points of an adapter and phase.
        is_control: Whether it is a control.
        points: Number of points.
        ratio: The ratio of medians.
        low: Lower end of its 95% interval.
        high: Upper end.
        q: Its p-value with the false discovery rate controlled; None without a test.
        verdict: slower, faster, same or inconclusive.
        reason: Why it is inconclusive; else empty.
        base_s: Median duration of a round in the base; None of a total.
        candidate_s: The same of the candidate.
    """

    name: str
    settings: str
    adapter: str
    phase: str
    cache_state: str | None
    is_total: bool
    is_control: bool
    points: int
    ratio: float
    low: float
    high: float
    q: float | None
    verdict: str
    reason: str
    base_s: float | None
    candidate_s: float | None


@dataclass(frozen=True)
class Compared:
    """The comparison with the base.

    Attributes:
        headline: The answer in one line, as ``l2sweep compare`` gives it.
        verdict: slower, faster, same or inconclusive.
        host_changes: What the controls show, in words; empty if they did not move.
        threshold: A smaller change is no finding: 0.05 is 5%.
        rows: The totals, then the points, those with the largest change first, then the controls.
        all_points: Number of compared points and phases, of which ``rows`` has at most 60.
        new_failures: What fails now and did not fail in the base, a sentence each.
        notes: What was not compared, a sentence each.
    """

    headline: str
    verdict: str
    host_changes: tuple[str, ...]
    threshold: float
    rows: tuple[RatioRow, ...]
    all_points: int
    new_failures: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LevelChange:
    """A change of the level of a series.

    Attributes:
        night: Position of the night with which the new level begins.
        date: Its day, in UTC: ``2026-11-24``.
        before_s: Median duration on the level before.
        after_s: Median duration on the new level.
        percent: By how much the duration changed: above 0 is slower.
        environment: What changed in the environment there.
    """

    night: int
    date: str
    before_s: float
    after_s: float
    percent: float
    environment: tuple[str, ...]


@dataclass(frozen=True)
class NightSeries:
    """The durations of a point and phase over nights.

    Attributes:
        name: The point and phase in words.
        point_id: Id of the point.
        adapter: Name of the adapter.
        is_control: Whether it is a control.
        phase: store, lookup or load.
        cache_state: State of the page cache.
        duration_s: The median duration of each night; None where the night has none.
        changes: The changes of the level, oldest first.
    """

    name: str
    point_id: str
    adapter: str
    is_control: bool
    phase: str
    cache_state: str | None
    duration_s: tuple[float | None, ...]
    changes: tuple[LevelChange, ...]


@dataclass(frozen=True)
class Nights:
    """The history over nights.

    Attributes:
        sweep_ids: The nights, oldest first.
        began: The start of each night, in ISO 8601 and UTC.
        series: The series, those with the largest newest change first, at most 24.
        all_series: Number of series with a value, of which ``series`` is a choice.
        changed: Number of series whose level has changed.
        note: Such as that there are too few nights to find changes; empty if there is nothing to say.
    """

    sweep_ids: tuple[str, ...]
    began: tuple[str, ...]
    series: tuple[NightSeries, ...]
    all_series: int
    changed: int
    note: str
