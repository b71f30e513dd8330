"""Print the rows of a command as a table, Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from l2sweep.errors import printable

MISSING = "-"
"""What a table shows where a value is missing."""


def as_text(value: Any) -> str:
    """Return a value as a table shows it; ``-`` where it is missing."""
    if _is_missing(value):
        return MISSING
    return printable(str(value))


@dataclass(frozen=True)
class Column:
    """A column of the output.

    Attributes:
        name: Key of the value in a row, and its name in CSV and JSON, with its unit.
        title: Header of the column in a table.
        show: Returns the value as a table shows it.
        is_number: Whether a table aligns it to the right.
        is_folded: Whether a table may fold long texts into lines.
        omitted_as: The place of this column in the order in which columns are omitted from a table that is
            wider than the terminal, from 1; 0: it is always shown.
    """

    name: str
    title: str
    show: Callable[[Any], str] = as_text
    is_number: bool = True
    is_folded: bool = False
    omitted_as: int = 0


def number(decimals: int) -> Callable[[Any], str]:
    """Return a function that shows a number with a fixed number of decimals.

    Args:
        decimals: Digits behind the point.
    """
    return lambda value: MISSING if _is_missing(value) else f"{value:.{decimals}f}"


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], output_format: str) -> None:
    """Print rows to standard output.

    Args:
        rows: The rows, as mappings from the name of a column to its value.
        columns: The columns, in their order. CSV and JSON have their values unrounded.
        output_format: table, markdown, csv or json.
    """
    {"table": _print_table, "markdown": _print_markdown, "csv": _print_csv, "json": _print_json}[
        output_format
    ](rows, columns)


def json_text(value: Any) -> str:
    """Return a value as JSON, with missing numbers as null and times in ISO 8601.

    Args:
        value: Mappings, sequences, texts, numbers and times.
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    from l2sweep.sweep.terminal.console import make_console
    from l2sweep.sweep.terminal.results import layout

    console = make_console(quiet=False)
    shown = [
        layout.Column(
            column.title,
            [column.show(row.get(column.name)) for row in rows],
            is_text=not column.is_number,
            is_folded=column.is_folded,
            omitted_as=column.omitted_as,
        )
        for column in columns
    ]
    table, omitted = layout.laid_out(shown, console.width)
    table.print(console)
    if omitted:
        print(f"not shown for lack of width: {', '.join(omitted)} (--format csv has all columns)")


def _print_markdown(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    lines = [[column.title for column in columns]]
    lines.append(["---:" if column.is_number else "---" for column in columns])
    lines += [[column.show(row.get(column.name)) for column in columns] for row in rows]
    for cells in lines:
        print(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")


def _print_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_plain(row.get(column.name)) for column in columns])


def _print_json(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    print(json_text([{column.name: row.get(column.name) for column in columns} for row in rows]))


def _is_missing(value: Any) -> bool:
    # Only NaN and NaT differ from themselves.
    return value is None or (not isinstance(value, (str, bytes)) and bool(value != value))


def _plain(value: Any) -> Any:
    """Return a value that JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # a number or an array of numpy
        return _plain(value.tolist())
    if _is_missing(value) or (isinstance(value, float) and math.isinf(value)):
        return None
    return value.isoformat() if isinstance(value, datetime) else value
