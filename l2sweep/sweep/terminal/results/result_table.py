"""Print the table of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from l2sweep.bench.job import STORAGE_MANAGER
from l2sweep.sweep.terminal.results.beside import beside_notes
from l2sweep.sweep.terminal.results.best import EXPLANATION, NO_MARK
from l2sweep.sweep.terminal.results.layout import Column, laid_out
from l2sweep.sweep.terminal.results.result_columns import BLANK, NUMBERS, PROCESSES, status_of
from l2sweep.sweep.terminal.results.result_rows import (
    ALWAYS_NAMED,
    ResultRow,
    columns_of,
    fields_of_adapters,
    short_names,
    varied,
)

MOST_COLUMNS = 120
"""Width of the table in characters, unless it is asked to be wide."""


def print_result_table(
    console: Console, rows: Sequence[ResultRow], *, wide: bool = False, each_repeat: bool = False
) -> None:
    """Print the table, with what is the same in all rows above it, and notes below it.

    No number is cut off: lines are longer than the terminal if they must.

    Args:
        console: The console to print to.
        rows: The rows.
        wide: Whether to show all columns, however wide the table becomes.
        each_repeat: Whether each row is one repeat.
    """
    if same := constants(rows, each_repeat=each_repeat):
        console.print(Text(f"All points: {same}"), soft_wrap=True)
    for line in adapter_lines(rows, wide=wide):
        console.print(Text(line), soft_wrap=True)
    columns = result_columns(rows, wide=wide, each_repeat=each_repeat)
    most = min(MOST_COLUMNS, console.width)
    table, omitted = laid_out(columns, 10_000 if wide else most)
    table.print(console)
    for note, style in notes(rows):
        console.print(Text(note, style=style), soft_wrap=True)
    if omitted:
        note = f"not shown for lack of width: {', '.join(omitted)} (l2sweep summary --wide)"
        console.print(Text(note), soft_wrap=True)


def result_columns(
    rows: Sequence[ResultRow], *, wide: bool = False, each_repeat: bool = False
) -> list[Column]:
    """Return the columns of the table.

    Args:
        rows: The rows.
        wide: Whether to return those that only a wide table shows.
        each_repeat: Whether each row is one repeat.
    """
    all_numbers = [row.numbers for row in rows]
    columns = [Column(NO_MARK, [row.mark for row in rows], is_text=True)]
    if each_repeat and len({one["sweep_id"] for one in all_numbers}) > 1:
        columns.append(Column("sweep", [one["sweep_id"] for one in all_numbers], is_text=True))
    if all(one["point_index"] is not None for one in all_numbers):
        columns.append(Column("point", [str(one["point_index"]) for one in all_numbers]))
    if each_repeat:
        columns.append(Column("repeat", [str(one["repeat"]) for one in all_numbers]))
    if wide:
        columns.append(Column("point_id", [one["point_id"] for one in all_numbers], is_text=True))
    names = varied(rows) if wide else columns_of(rows)
    for name, title in short_names(names).items():
        texts = [row.parameters.get(name, BLANK) for row in rows]
        is_text = not all(_is_number(text) for text in texts)
        columns.append(Column(title, texts, is_text=is_text, is_parameter=True))
    columns.append(Column("phase", [one["phase"] for one in all_numbers], is_text=True))
    if not each_repeat and _repeats(rows) is None:
        columns.append(Column(_sample_name(rows), [PROCESSES.show(one) for one in all_numbers]))
    for number in NUMBERS:
        if wide or not number.is_wide:
            texts = [number.show(one) for one in all_numbers]
            columns.append(Column(number.title, texts, omitted_as=number.omitted_as))
    ends = [one["rounds_ended"] or BLANK for one in all_numbers]
    columns.append(Column("rounds ended", ends, is_text=True, is_folded=True))
    shown = [one for one in columns if not rows or set(one.texts) - {BLANK, NO_MARK}]
    states = Column(
        "status",
        [status_of(row) for row in rows],
        is_text=True,
        is_folded=True,
        style=lambda position: _style(rows[position]),
    )
    return [*shown, states]


def constants(rows: Sequence[ResultRow], *, each_repeat: bool = False) -> str:
    """Return those of the most important parameters that are the same in every row, and the repeats.

    Args:
        rows: The rows.
        each_repeat: Whether each row is one repeat.
    """
    different = set(varied(rows))
    first = rows[0].parameters if rows else {}
    same = {name: first[name] for name in ALWAYS_NAMED if name in first and name not in different}
    if "through" not in different and first.get("through") == STORAGE_MANAGER:
        same["through"] = STORAGE_MANAGER
    repeats = None if each_repeat else _repeats(rows)
    if repeats is not None:
        same[_sample_name(rows)] = repeats
    return ", ".join(f"{name}={value}" for name, value in same.items())


def adapter_lines(rows: Sequence[ResultRow], *, wide: bool = False) -> list[str]:
    """Return a line for each adapter with the fields of its spec that differ from those of other adapters.

    Args:
        rows: The rows.
        wide: Whether the table has columns for them, so that there is no line.
    """
    return [
        f"{adapter}: {', '.join(f'{name}={value}' for name, value in fields.items())}"
        for adapter, fields in ({} if wide else fields_of_adapters(rows)).items()
    ]


def notes(rows: Sequence[ResultRow]) -> list[tuple[str, str]]:
    """Return the lines below the table, with their style.

    They explain the marks, name lookups that were meant to miss, and lookups with false answers.
    """
    used = {row.mark for row in rows}
    found = [(text, "") for mark, text in EXPLANATION.items() if mark in used]
    if note := _miss_note(rows):
        found.append((note, ""))
    found += [(note, "") for note in beside_notes([row.numbers for row in rows])]
    for row in rows:
        of_row = ((_false_answers_note(row.numbers), "red"), (_eviction_note(row.numbers), ""))
        index = row.numbers["point_index"]
        name = row.numbers["point_id"] if index is None else index
        found += [(f"point {name}: {note}", style) for note, style in of_row if note]
    return found


def _sample_name(rows: Sequence[ResultRow]) -> str:
    """Return what the processes of a row are: the repeats of its point, unless it pools several points."""
    return "processes" if any(row.pools_points for row in rows) else "repeats"


def _repeats(rows: Sequence[ResultRow]) -> str | None:
    """Return the number of processes of every row; None if they differ."""
    counts = {PROCESSES.show(row.numbers) for row in rows}
    return counts.pop() if len(counts) == 1 else None


def _miss_note(rows: Sequence[ResultRow]) -> str:
    """Return a sentence if lookups were meant to miss: a hit rate of 0 is then the expected result."""
    lookups = [row.numbers for row in rows if row.numbers["phase"] == "lookup"]
    rates = {None if one["trace"] else one["lookup_max_hit_rate"] for one in lookups}
    if 0 not in rates:
        return ""
    which = "every lookup" if len(rates) == 1 else "every lookup of these points"
    return f"lookup_max_hit_rate=0: {which} was meant to miss"


def _false_answers_note(numbers: Mapping[str, Any]) -> str:
    """Return a sentence about the false answers of a lookup phase; empty if there are none."""
    counts = {
        "false hits (found, but never stored)": numbers["false_hits"],
        "false misses (stored, but not found)": numbers["false_misses"],
    }
    found = [f"{int(count)} {name}" for name, count in counts.items() if count]
    return f"{numbers['phase']}: {', '.join(found)}" if found else ""


def _eviction_note(numbers: Mapping[str, Any]) -> str:
    """Return a sentence about the keys that were evicted before a load phase; empty if none were."""
    count = int(numbers["evicted_keys"] or 0)
    keys = f"{count} key{'s' * (count > 1)}"
    return f"{numbers['phase']}: {keys} not loaded, because LMCache had evicted them" if count else ""


def _is_number(text: str) -> bool:
    return text == BLANK or text.replace(".", "", 1).isdigit()


def _style(row: ResultRow) -> str:
    if row.numbers["status"] != "ok":
        return "red" if row.is_failed else "yellow"
    return "yellow" if row.numbers["profile"] else ""
