"""The result table of a sweep, with a row per point and phase."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from l2sweep.analysis.control import adapter_name_of_row
from l2sweep.analysis.statistics import PhaseSummary
from l2sweep.sweep.terminal.numbers import milliseconds, number

_PARAMETERS = (
    "adapter_type",
    "num_keys",
    "in_flight",
    "data_size_kb",
    "lookup_max_hit_rate",
    "rounds",
    "warmup_rounds",
    "seed",
    "only",
    "cache_mode",
)
_ALWAYS = ("adapter_type", "num_keys", "in_flight", "data_size_kb")
# Columns with the numbers of a phase.
_NUMBERS: dict[str, Callable[[PhaseSummary], str | None]] = {
    "MiB/s": lambda one: number(one.mib_per_s, 1),
    "MiB/s elapsed": lambda one: _if_other(one.mib_per_s, one.mib_per_s_elapsed),
    "keys/s": lambda one: number(one.keys_per_s, 1),
    "keys/s elapsed": lambda one: _if_other(one.keys_per_s, one.keys_per_s_elapsed),
    "p50 ms": lambda one: milliseconds(one.durations.percentile(50)),
    "p99 ms": lambda one: milliseconds(one.durations.percentile(99)),
    "hit rate": lambda one: number(one.actual_hit_rate, 3),
    "durable MiB/s": lambda one: number(one.durable_mib_per_s, 1),
    "page cache": lambda one: one.cache_state,
    "rounds ended": lambda one: str(one.auto) if one.auto and str(one.auto) else None,
}
# Shown if a phase has a value.
_OPTIONAL = ("MiB/s elapsed", "keys/s elapsed", "durable MiB/s", "page cache", "rounds ended")

Results = Sequence[tuple[Mapping[str, Any], Sequence[PhaseSummary]]]


def print_sweep_table(console: Console, results: Results) -> None:
    """Print the result table of a sweep, and mark lookups that were meant to miss or had false answers.

    No number is cut off. If the terminal is too narrow, the parameters that are the same in every point are
    printed above the table, and empty columns are omitted.

    Args:
        console: The console to print to.
        results: For each point, its row of the data set ``points`` and the statistics of its phases.
    """
    table = sweep_table(results)
    if _full_width(console, table) > console.width:
        console.print(Text("All points: " + _constants(results)), soft_wrap=True)
        table = sweep_table(results, always=(), empty=False)
    # A rich console cuts a table to its width. A wider console lets the terminal wrap the lines instead.
    wide = Console(
        file=console.file,
        force_terminal=console.is_terminal,
        quiet=console.quiet,
        highlight=False,
        width=max(console.width, _full_width(console, table)),
    )
    wide.print(table)
    if note := _miss_note(results):
        console.print(Text(note), soft_wrap=True)
    for point, summaries in results:
        for summary in summaries:
            if note := _false_answers_note(summary):
                console.print(Text(f"point {point['point_index']}: {note}", style="red"), soft_wrap=True)


def _miss_note(results: Results) -> str:
    """Return a sentence if lookups were meant to miss: a hit rate of 0 is then the expected result."""
    rates = {
        point["lookup_max_hit_rate"]
        for point, summaries in results
        if any(summary.phase == "lookup" for summary in summaries)
    }
    if 0 not in rates:
        return ""
    which = "every lookup" if len(rates) == 1 else "every lookup of these points"
    return f"lookup_max_hit_rate=0: {which} was meant to miss"


def _false_answers_note(summary: PhaseSummary) -> str:
    """Return a sentence about the false answers of a lookup phase; empty if there are none."""
    counts = {
        "false hits (found, but never stored)": summary.false_hits,
        "false misses (stored, but not found)": summary.false_misses,
    }
    found = [f"{count} {name}" for name, count in counts.items() if count]
    return f"{summary.phase}: {', '.join(found)}" if found else ""


def _if_other(completed: float | None, elapsed: float | None) -> str | None:
    """Return a throughput over elapsed time if it is not that of the completed rounds."""
    return None if elapsed == completed else number(elapsed, 1)


def _full_width(console: Console, table: Table) -> int:
    """Return the width of a table in which nothing is cut off."""
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum


def sweep_table(results: Results, always: Sequence[str] = _ALWAYS, *, empty: bool = True) -> Table:
    """Return the result table of a sweep.

    Parameters that are the same in every point are omitted, except those in ``always``.

    Args:
        results: For each point, its row of the data set ``points`` and the statistics of its phases.
        always: Parameters that are shown even if they are the same in every point.
        empty: Whether to show empty columns.
    """
    described = [_description(point) for point, _ in results]
    names = list(dict.fromkeys(name for one in described for name in one))
    shown = [name for name in names if name in always or len({one.get(name, "-") for one in described}) > 1]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("point", justify="right")
    for name in shown:
        is_text = name.startswith("adapter") or name == "only"
        table.add_column(Text(name), justify="left" if is_text else "right", overflow="fold")
    table.add_column("phase")
    all_summaries = [summary for _, summaries in results for summary in summaries]
    numbers = {
        title: of
        for title, of in _NUMBERS.items()
        if (empty and title not in _OPTIONAL) or any(of(one) not in (None, "-") for one in all_summaries)
    }
    for title in numbers:
        table.add_column(title, justify="right")
    table.add_column("status", overflow="fold")
    for (point, summaries), one in zip(results, described, strict=True):
        parameters = [str(point["point_index"]), *(one.get(name, "-") for name in shown)]
        if not summaries:
            blanks = ["-"] * (1 + len(numbers))
            table.add_row(*map(Text, parameters), *blanks, Text(point["status"], style="red"))
        for summary in summaries:
            texts = [of(summary) or "-" for of in numbers.values()]
            table.add_row(*map(Text, parameters), summary.phase, *texts, _status(point, summary))
    return table


def _constants(results: Results) -> str:
    """Return those of the always shown parameters that are the same in every point."""
    described = [_description(point) for point, _ in results]
    first = described[0] if described else {}
    constant = [name for name in _ALWAYS if all(one.get(name) == first.get(name) for one in described)]
    return ", ".join(f"{name}={first[name]}" for name in constant if name in first)


def _description(point: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of a point and the fields of its adapter spec, as texts."""
    parameters = {name: str(point[name]) for name in _PARAMETERS}
    parameters["adapter_type"] = adapter_name_of_row(point)
    return {**parameters, **_fields(json.loads(point["adapter_spec"]), "adapter")}


def _fields(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {name: str(value)}
    return {
        field: text
        for key, item in value.items()
        if (name, key) != ("adapter", "type")
        for field, text in _fields(item, f"{name}.{key}").items()
    }


def _status(point: Mapping[str, Any], summary: PhaseSummary) -> Text:
    text = Text("ok")
    if summary.status != "ok":
        text = Text(summary.status, style="red" if point["status"] != "ok" else "yellow")
    return text.append(", profiled", style="yellow") if point["profile"] else text
