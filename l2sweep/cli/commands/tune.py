"""``l2sweep tune``: recommend settings, and say whether the device or LMCache limits them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from l2sweep.cli.command_options import (
    SELECTORS,
    format_option,
    over_option,
    percent,
    results_dir_option,
    where_option,
)
from l2sweep.cli.row_output import MISSING, Column, json_text, number, print_rows
from l2sweep.errors import BenchError

_WIDTH = 120


@click.command(epilog=SELECTORS)
@click.argument("selector", default="latest")
@click.option(
    *("--for", "phase"),
    type=click.Choice(["load", "store", "lookup"]),
    default="load",
    show_default=True,
    help="The phase to recommend settings for.",
)
@click.option(
    "--at",
    type=click.Choice(["cold", "hot", "claimed", "uncontrolled"]),
    default="cold",
    show_default=True,
    help="State of the page cache; O_DIRECT that was confirmed is cold. A store has none.",
)
@over_option("What")
@click.option(
    "--within",
    default="5%",
    show_default=True,
    metavar="PERCENT",
    help="The smallest setting whose throughput is at most this much below the best is recommended.",
)
@where_option
@results_dir_option
@format_option()
def command(
    selector: str,
    phase: str,
    at: str,
    over: str,
    within: str,
    where: str | None,
    results_dir: str,
    output_format: str,
) -> None:
    """Recommend settings from what sweeps measured: which, how much, and what limits them.

    For each adapter: the options with the least loss in their worst workload, the smallest in_flight (or
    another setting) within 5% of the best, and the share of what fio reaches on the same storage. Nothing is
    read between or beyond the settings that were measured.

    \b
    Examples:
      l2sweep experiment=tune scratch_dir=/mnt/nvme/l2sweep
      l2sweep tune latest --for load --at cold
      l2sweep tune name:tune --for store --over num_workers --where "data_size_kb >= 4096"
    """
    fraction = _fraction(within)
    from l2sweep.analysis.tune.curve_rows import curve_rows
    from l2sweep.analysis.tune.processes import POINT_COLUMNS, ROUND_COLUMNS
    from l2sweep.analysis.tune.recommendation import recommend
    from l2sweep.analysis.tune.sentences import lines_within, sentences
    from l2sweep.records.reader import load_points, load_rounds
    from l2sweep.records.selectors import select

    selection = select(selector, results_dir)
    chosen: dict[str, Any] = {"sweep": list(selection.sweep_ids), "where": where}
    try:
        rounds = load_rounds(selection.results_dir, phase=phase, columns=ROUND_COLUMNS, **chosen)
        points = load_points(selection.results_dir, columns=POINT_COLUMNS, **chosen)
    except FileNotFoundError as error:
        raise BenchError(f"tune: {error}") from None
    found = recommend(rounds, phase=phase, at=at, over=over, within=fraction, points=points)
    lines, rows = sentences(found), curve_rows(found)
    if output_format == "json":
        print(json_text({"recommendation": lines, "curve": rows}))
        return
    if output_format == "csv":
        print_rows(rows, [*_all_columns(rows)], output_format)
        return
    if output_format == "table":
        from l2sweep.sweep.terminal.console import make_console

        lines = lines_within(lines, min(_WIDTH, make_console(quiet=False).width))
    print("\n".join(lines))
    print()
    has_releases = len({row["lmcache_version"] for row in rows} - {None}) > 1
    print_rows([{**row, **_as_shown(row)} for row in rows], _columns(phase, has_releases), output_format)


def _fraction(text: str) -> float:
    value = percent(text)
    if value >= 1:
        raise click.BadParameter(f"--within: {text} must be below 100%")
    return value


def _columns(phase: str, has_releases: bool) -> list[Column]:
    return [
        Column("adapter_type", "adapter", is_number=False),
        *([Column("lmcache_version", "LMCache", is_number=False)] if has_releases else []),
        Column("options", "options", is_number=False, is_folded=True),
        Column("data_size_kb", "KiB"),
        Column("num_keys", "keys"),
        Column("in_flight", "in flight"),
        Column("rate", "keys/s" if phase == "lookup" else "MiB/s", number(1)),
        Column("interval", "95% interval", omitted_as=5),
        Column("counted", "n", omitted_as=4),
        Column("queue_depth", "at device", number(1), omitted_as=2),
        Column("fio_share", "of fio", _as_percent, omitted_as=3),
        Column("fio_best", "of best fio", omitted_as=1),
        Column("mark", "", is_number=False),
    ]


def _as_shown(row: dict[str, Any]) -> dict[str, str]:
    """Return the columns of the table that are made of several values."""
    has_interval = row["rate_low"] is not None
    best = row["fio_best_share"]
    marks = ["knee" if row["is_knee"] else "", "failed" if row["failed_processes"] else ""]
    return {
        "interval": f"{row['rate_low']:.1f} to {row['rate_high']:.1f}" if has_interval else MISSING,
        "counted": str(row["processes"])
        if not row["failed_processes"]
        else f"{row['processes']} of {row['processes'] + row['failed_processes']}",
        "fio_best": MISSING if best is None else f"{best:.0%} @{row['fio_best_threads']}",
        "mark": " ".join(filter(None, marks)),
    }


def _as_percent(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0%}"


def _all_columns(rows: Sequence[dict[str, Any]]) -> list[Column]:
    return [Column(name, name) for name in rows[0]]
