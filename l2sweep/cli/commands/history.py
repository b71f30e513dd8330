"""``l2sweep history``: the series of each point over nights, and since when it is slower or faster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.cli.command_options import (
    SELECTORS,
    format_option,
    phase_option,
    results_dir_option,
    where_option,
)
from l2sweep.cli.row_output import MISSING, Column, as_text, json_text, number, print_rows
from l2sweep.errors import RequestError, shown

if TYPE_CHECKING:
    from l2sweep.analysis.history.changes import PointHistory

_SPARKLINE = 14
_ID = 8
_HOST = Column(FLEET_HOST, "host", is_number=False)
_COLUMNS = (
    Column("point_id", "point", lambda text: str(text)[:_ID], is_number=False),
    Column("adapter", "adapter", is_number=False),
    Column("num_keys", "keys"),
    Column("in_flight", "in flight"),
    Column("data_size_kb", "KiB"),
    Column("phase", "phase", is_number=False),
    Column("cache_state", "cache", is_number=False, omitted_as=1),
    _HOST,
    Column("first_ms", "first ms", number(2), omitted_as=2),
    Column("last_ms", "last ms", number(2), omitted_as=3),
    Column("change_percent", "change", lambda value: as_text(None if value is None else f"{value:+.1f}%")),
    Column("since", "since", lambda date: MISSING if date is None else str(date)[5:], is_number=False),
    Column("sparkline", "history", is_number=False, omitted_as=4),
)
_CHANGED = Column("changed", "changed in the environment", is_number=False)
_COLUMNS_OF = {
    "table": _COLUMNS,
    "markdown": (*_COLUMNS, _CHANGED),
    "csv": (*_COLUMNS[:-1], Column("nights", "nights"), _CHANGED),
}


@click.command(epilog=SELECTORS)
@click.argument("selector", default="latest")
@results_dir_option
@where_option
@phase_option
@click.option("--points", metavar="ID,...", help="Only the points whose id begins with one of these.")
@click.option("--changed", is_flag=True, help="Only the points and phases whose level has changed.")
@format_option()
def command(
    selector: str,
    results_dir: str,
    where: str | None,
    phase: str | None,
    points: str | None,
    changed: bool,
    output_format: str,
) -> None:
    """Show how the duration of a round has developed from night to night, the largest newest changes first.

    A sweep is a night. If SELECTOR selects one sweep, the history has all sweeps with the same name up to it.
    The change is the newest one: from the median of the nights before it to the median since. Above 0 is
    slower. docs/history.md describes the method.

    \b
    Examples:
      l2sweep history --results-dir ~/l2sweep-nights
      l2sweep history name:nightly --phase load --where "adapter.type == 'fs'" --changed
      l2sweep history name:nightly~0..13 --format json
    """
    from l2sweep.records.reading.without_pandas import keep_pandas_out

    keep_pandas_out()
    from l2sweep.analysis.compare.rows.split import mixed_releases
    from l2sweep.analysis.history.changes import histories
    from l2sweep.analysis.history.environment import POINTS_READ
    from l2sweep.analysis.history.series import ROUNDS_READ
    from l2sweep.records.reader import points_table, rounds_table
    from l2sweep.records.selectors import nights_of

    selection = nights_of(selector, results_dir)
    place, nights = selection.results_dir, selection.sweep_ids
    rounds = rounds_table(place, sweep=nights, phase=phase, columns=(*ROUNDS_READ, "release"), where=where)
    if mixed := mixed_releases(rounds):
        raise RequestError(
            [
                f"history: {shown(selector)} measured the same points with several releases of LMCache "
                f"({', '.join(mixed)}): choose one with --where \"release == '{mixed[0]}'\""
            ]
        )
    found = histories(rounds, lambda: points_table(place, sweep=nights, columns=POINTS_READ))
    prefixes = tuple(points.split(",")) if points else ("",)
    matching = [one for one in found if one.point.point_id.startswith(prefixes)]
    chosen = [one for one in matching if one.known_s]
    if not chosen:
        raise RequestError([f"history: no complete process of {shown(selector)} matches"])
    loud = [one for one in chosen if one.last_change]
    printed = loud if changed else chosen
    if output_format == "json":
        print(json_text([_json_row(one) for one in printed]))
        return
    is_fleet = output_format == "csv" or any(one.point.fleet_host for one in printed)
    columns = [column for column in _COLUMNS_OF[output_format] if is_fleet or column is not _HOST]
    print_rows([_row(one) for one in printed], columns, output_format)
    if output_format == "table":
        _print_notes(chosen, loud)


def _row(history: PointHistory) -> dict[str, Any]:
    from l2sweep.analysis.history.sparkline import sparkline
    from l2sweep.sweep.terminal.console import takes_only_ascii

    point, newest, known_s = history.point, history.last_change, history.known_s
    is_ascii = takes_only_ascii(sys.stdout)
    return {
        **{name: getattr(point, name) for name in ("point_id", "adapter", "num_keys", "in_flight")},
        **{name: getattr(point, name) for name in ("data_size_kb", "phase", "cache_state", FLEET_HOST)},
        "first_ms": known_s[0] * 1000,
        # The last night itself: without a complete process there, an older value is not that of the last.
        "last_ms": None if history.durations_s[-1] is None else history.durations_s[-1] * 1000,
        "nights": len(known_s),
        "change_percent": newest.percent if newest else None,
        "since": newest.since_date if newest else None,
        "changed": "; ".join(newest.environment) if newest else None,
        "sparkline": sparkline(history.durations_s, _SPARKLINE, is_ascii=is_ascii),
    }


def _json_row(history: PointHistory) -> dict[str, Any]:
    row = _row(history)
    del row["sparkline"]
    series = dict(zip(history.nights, history.durations_s, strict=True))
    changes = [
        {
            "since": change.since,
            "date": change.since_date,
            "before_s": change.before_s,
            "after_s": change.after_s,
            "percent": change.percent,
            "environment": change.environment,
        }
        for change in history.changes
    ]
    return {**row, "durations_s": series, "changes": changes}


def _print_notes(chosen: Sequence[PointHistory], loud: Sequence[PointHistory]) -> None:
    """Print how much was examined, and what changed in the environment at each change of a level."""
    nights = len(chosen[0].nights)
    short = sum(not one.is_long_enough for one in chosen)
    print(f"\n{nights} nights, {len(chosen)} points and phases: the level of {len(loud)} has changed")
    if short:
        from l2sweep.analysis.history.change_points import MIN_NIGHTS

        print(f"{short} have fewer than {MIN_NIGHTS} nights, too few to find changes")
    texts: dict[str, dict[str, None]] = {}
    for one in loud:
        if one.last_change:
            since = texts.setdefault(one.last_change.since_date, {})
            since.update(dict.fromkeys(one.last_change.environment))
    for date, changes in sorted(texts.items()):
        print(f"{date}: {'; '.join(changes) or 'nothing that is recorded changed in the environment'}")
