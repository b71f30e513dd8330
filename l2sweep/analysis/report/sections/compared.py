"""Section 3: the comparison with the base, and the history over nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from l2sweep.analysis.compare.headline import counted, listed, point_name, total_name
from l2sweep.analysis.compare.result import Comparison, ComparisonResult, PointComparison, TotalComparison
from l2sweep.analysis.compare.rows.settings import settings_of_each
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.history.change_points import MIN_NIGHTS
from l2sweep.analysis.history.changes import PointHistory
from l2sweep.analysis.report.contents.compared import Compared, LevelChange, Nights, NightSeries, RatioRow

MOST_ROWS = 60
"""Rows of the forest plot: more are not legible."""
MOST_SERIES = 24


def compared(result: ComparisonResult | None) -> Compared | None:
    """Return the comparison with the base; None without one.

    Args:
        result: The comparison.
    """
    if result is None:
        return None
    settings = settings_of_each([one.point for one in (*result.points, *result.controls)])
    of_points = [
        _point_row(one, words, is_control=False)
        for one, words in zip(result.points, settings[: len(result.points)], strict=True)
    ]
    of_points.sort(key=lambda row: -max(row.ratio, 1 / row.ratio))
    of_controls = [
        _point_row(one, words, is_control=True)
        for one, words in zip(result.controls, settings[len(result.points) :], strict=True)
    ]
    totals = [_total_row(one) for one in (*result.totals, *result.control_totals)]
    rows = [*totals, *of_points, *of_controls]
    return Compared(
        headline=result.headline,
        verdict=result.verdict,
        host_changes=result.host_changes,
        threshold=result.threshold,
        rows=tuple(rows[:MOST_ROWS]),
        all_points=len(of_points) + len(of_controls),
        new_failures=tuple(
            f"{one.point.adapter + ' ' if one.point else ''}{one.phase} fails in "
            f"{counted(one.processes, 'process', 'es')}: {one.reason}"
            for one in result.new_failures
        ),
        notes=tuple(_notes(result, len(rows))),
    )


def _notes(result: ComparisonResult, rows: int) -> list[str]:
    notes = []
    if rows > MOST_ROWS:
        notes.append(f"Shown: {MOST_ROWS} of {rows} ratios, the totals and those with the largest change.")
    for side, name in enumerate(("base", "candidate")):
        failed = [one.reason for one in result.failures if one.side == side]
        if failed:
            number = counted(len(failed), "process", "es")
            notes.append(
                f"{number} of the {name} failed and count nowhere: {listed([*dict.fromkeys(failed)])}."
            )
    for points, name in ((result.only_base, "base"), (result.only_candidate, "candidate")):
        if points:
            kinds = dict.fromkeys(f"{one.adapter} {one.phase} ({one.cache_state or '-'})" for one in points)
            number = counted(len(points), "point")
            notes.append(f"{number} only in the {name}, and not compared: {listed([*kinds])}.")
    return notes


def _point_row(one: PointComparison, settings: str, *, is_control: bool) -> RatioRow:
    point = one.point
    return _row(
        one,
        name=point_name(point),
        settings=settings,
        kind=(point.adapter, point.phase, point.cache_state),
        points=1,
        is_total=False,
        is_control=is_control,
        seconds=(one.base_s, one.candidate_s),
    )


def _total_row(one: TotalComparison) -> RatioRow:
    return _row(
        one,
        name=total_name(one),
        settings="",
        kind=(one.adapter, one.phase, one.cache_state),
        points=one.points,
        is_total=True,
        is_control=bool(one.control_of),
        seconds=(None, None),
    )


def _row(
    one: Comparison,
    *,
    name: str,
    settings: str,
    kind: tuple[str, str, str | None],
    points: int,
    is_total: bool,
    is_control: bool,
    seconds: tuple[float | None, float | None],
) -> RatioRow:
    adapter, phase, cache_state = kind
    return RatioRow(
        name=name,
        settings=settings,
        adapter=adapter,
        phase=phase,
        cache_state=cache_state,
        is_total=is_total,
        is_control=is_control,
        points=points,
        ratio=one.ratio,
        low=one.low,
        high=one.high,
        q=one.q,
        verdict=one.verdict,
        reason=one.reason,
        base_s=seconds[0],
        candidate_s=seconds[1],
    )


def nights(histories: Sequence[PointHistory], began: Mapping[str, datetime]) -> Nights | None:
    """Return the history of the points that the last night has; None with fewer than two nights of one.

    Args:
        histories: The series.
        began: When each night began, by its id.
    """
    known = [one for one in histories if one.durations_s[-1] is not None and len(one.known_s) > 1]
    if not known:
        return None
    ids = known[0].nights
    short = sum(not one.is_long_enough for one in known)
    note = ""
    if short:
        note = (
            f"{short} of {counted(len(known), 'series', '')} have fewer than {MIN_NIGHTS} nights, too few "
            "to find a change of the level."
        )
    shown = known[:MOST_SERIES]
    if len(shown) < len(known):
        note += f" Shown: {len(shown)} of {len(known)} series, those with the largest newest change first."
    return Nights(
        sweep_ids=ids,
        began=tuple(began[one].isoformat() if one in began else "" for one in ids),
        series=tuple(_series(one) for one in shown),
        all_series=len(known),
        changed=sum(one.last_change is not None for one in known),
        note=note.strip(),
    )


def _series(one: PointHistory) -> NightSeries:
    point = one.point
    return NightSeries(
        name=point_name(point),
        point_id=point.point_id,
        adapter=point.adapter,
        is_control=point.adapter in CONTROLS,
        phase=point.phase,
        cache_state=point.cache_state,
        duration_s=one.durations_s,
        changes=tuple(
            LevelChange(
                night=one.nights.index(change.since),
                date=change.since_date,
                before_s=change.before_s,
                after_s=change.after_s,
                percent=change.percent,
                environment=change.environment,
            )
            for change in one.changes
        ),
    )
