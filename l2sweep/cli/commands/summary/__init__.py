"""``l2sweep summary``: print the table of results of sweeps that were recorded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from l2sweep.cli.command_options import (
    SELECTORS,
    format_option,
    over_option,
    phase_option,
    results_dir_option,
    where_option,
)
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    from rich.text import Text

_CHART_WIDTH = 100
"""Columns of a chart in a wider terminal: more do not make it clearer."""


@click.command(epilog=SELECTORS)
@click.argument("selector", default="latest")
@results_dir_option
@click.option(
    "--by",
    metavar="COLUMN,...",
    help="Summarise rounds with the same values in these columns, such as adapter_type,adapter.num_workers. "
    "Default: a row for each point and phase. Phases and states of the page cache are never pooled.",
)
@where_option
@phase_option
@click.option("--wide", is_flag=True, help="Show all columns, however wide the table becomes.")
@click.option("--repeats", is_flag=True, help="Show each repeat as a row of its own.")
@click.option("--plot", is_flag=True, help="Draw throughput against what varies, and mark the knee.")
@over_option("With --plot, what", "clients")
@format_option()
def command(
    selector: str,
    results_dir: str,
    by: str | None,
    where: str | None,
    phase: str | None,
    wide: bool,
    repeats: bool,
    plot: bool,
    over: str,
    output_format: str,
) -> None:
    """Summarise recorded sweeps: the table that a sweep prints at its end, from its records.

    SELECTOR names the sweeps; by default the latest one. Several sweeps are pooled point by point. CSV and
    JSON have all columns with unrounded numbers, explained in docs/analysis.md.

    \b
    Examples:
      l2sweep summary
      l2sweep summary latest --phase load --where 'in_flight >= 4'
      l2sweep summary latest --plot --over size
      l2sweep summary latest --plot --over clients
      l2sweep summary name:nightly~0..6 --wide --format markdown
      l2sweep summary latest --repeats --format csv
    """
    if plot and output_format not in ("table", "markdown"):
        raise click.UsageError(f"--plot: draws nothing into --format {output_format}; use table or markdown")
    if over and not plot:
        raise click.UsageError(f"--over {over}: needs --plot")
    from l2sweep.cli.commands.summary.rows import recorded_rows

    columns = [name.strip() for name in by.split(",")] if by else None
    rows = recorded_rows(selector, results_dir, by=columns, where=where, phase=phase, each_repeat=repeats)
    if not rows:
        raise RequestError([f"summary: {selector}: no measured round and no process meets the conditions"])
    charts = _charts(selector, results_dir, where, phase, over) if plot else []
    if output_format == "table":
        from l2sweep.sweep.terminal.console import make_console
        from l2sweep.sweep.terminal.results.result_table import print_result_table

        print_result_table(make_console(quiet=False), rows, wide=wide, each_repeat=repeats)
    elif output_format == "markdown":
        _print_markdown(rows, wide, repeats)
    else:
        _print_data(rows, output_format, repeats)
    _print_charts(charts, is_markdown=output_format == "markdown")


def _charts(
    selector: str, results_dir: str, where: str | None, phase: str | None, over: str
) -> list[Text | str]:
    from l2sweep.cli.commands.summary.charts import phase_charts
    from l2sweep.sweep.terminal.console import make_console, takes_only_ascii

    return phase_charts(
        selector,
        results_dir,
        where=where,
        phase=phase,
        over=over,
        width=min(_CHART_WIDTH, make_console(quiet=False).width),
        is_ascii=takes_only_ascii(sys.stdout),
    )


def _print_charts(charts: Sequence[Text | str], *, is_markdown: bool) -> None:
    from l2sweep.sweep.terminal.console import make_console

    console = make_console(quiet=False)
    for chart in charts:
        print()
        if isinstance(chart, str):
            console.print(chart, highlight=False, markup=False)
        elif is_markdown:
            print(f"```text\n{chart.plain}\n```")
        else:
            console.print(chart, soft_wrap=True)


def _print_markdown(rows: Sequence[Any], wide: bool, repeats: bool) -> None:
    from l2sweep.cli.row_output import Column, print_rows
    from l2sweep.sweep.terminal.results.result_table import (
        adapter_lines,
        constants,
        notes,
        result_columns,
    )

    if same := constants(rows, each_repeat=repeats):
        print(f"All points: {same}\n")
    for line in adapter_lines(rows, wide=wide):
        print(f"{line}\n")
    shown = result_columns(rows, wide=wide, each_repeat=repeats)
    columns = [Column(one.title, one.title.replace("\n", " "), is_number=not one.is_text) for one in shown]
    titles = [one.title for one in shown]
    texts = zip(*(one.texts for one in shown), strict=True)
    print_rows([dict(zip(titles, of_row, strict=True)) for of_row in texts], columns, "markdown")
    for note, _ in notes(rows):
        print(f"\n{note}")


def _print_data(rows: Sequence[Any], output_format: str, repeats: bool) -> None:
    from l2sweep.cli.commands.summary.rows import as_data
    from l2sweep.cli.row_output import Column, print_rows

    data = as_data(rows, each_repeat=repeats)
    print_rows(data, [Column(name, name) for name in data[0]], output_format)
