"""``l2sweep summary``: print the table of results of sweeps that were recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from l2sweep.cli.command_options import (
    SELECTORS,
    format_option,
    phase_option,
    results_dir_option,
    where_option,
)
from l2sweep.errors import RequestError


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
@format_option()
def command(
    selector: str,
    results_dir: str,
    by: str | None,
    where: str | None,
    phase: str | None,
    wide: bool,
    repeats: bool,
    output_format: str,
) -> None:
    """Summarise recorded sweeps: the table that a sweep prints at its end, from its records.

    SELECTOR names the sweeps; by default the latest one. Several sweeps are pooled point by point. CSV and
    JSON have all columns with unrounded numbers, explained in docs/analysis.md.

    \b
    Examples:
      l2sweep summary
      l2sweep summary latest --phase load --where 'in_flight >= 4'
      l2sweep summary name:nightly~0..6 --wide --format markdown
      l2sweep summary latest --repeats --format csv
    """
    from l2sweep.cli.summary_rows import recorded_rows

    columns = [name.strip() for name in by.split(",")] if by else None
    rows = recorded_rows(selector, results_dir, by=columns, where=where, phase=phase, each_repeat=repeats)
    if not rows:
        raise RequestError([f"summary: {selector}: no measured round and no process meets the conditions"])
    if output_format == "table":
        from l2sweep.sweep.terminal.console import make_console
        from l2sweep.sweep.terminal.results.result_table import print_result_table

        print_result_table(make_console(quiet=False), rows, wide=wide, each_repeat=repeats)
    elif output_format == "markdown":
        _print_markdown(rows, wide, repeats)
    else:
        _print_data(rows, output_format, repeats)


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
    from l2sweep.cli.row_output import Column, print_rows
    from l2sweep.cli.summary_rows import as_data

    data = as_data(rows, each_repeat=repeats)
    print_rows(data, [Column(name, name) for name in data[0]], output_format)
