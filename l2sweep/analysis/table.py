"""The table of a sweep: a row for each point and operation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from l2sweep.analysis.numbers import milliseconds, number
from l2sweep.analysis.statistics import OperationSummary, percentile

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
)
# Columns that are shown where a point has something to show in them.
_OPTIONAL: dict[str, Callable[[OperationSummary], str | None]] = {
    "durable MiB/s": lambda one: None if one.durable_mib_per_s is None else number(one.durable_mib_per_s, 1),
    "page cache": lambda one: one.cache_state,
}
_ALWAYS = ("adapter_type", "num_keys", "in_flight", "data_size_kb")


def sweep_table(results: Sequence[tuple[Mapping[str, Any], Sequence[OperationSummary]]]) -> Table:
    """Return the table of a sweep.

    Parameters that are the same in every point are left out, but for the few that say what was measured.

    Args:
        results: For each point its row of the data set ``points`` and its operations.
    """
    described = [_description(point) for point, _ in results]
    names = list(dict.fromkeys(name for one in described for name in one))
    shown = [name for name in names if name in _ALWAYS or len({one.get(name, "-") for one in described}) > 1]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("point", justify="right")
    for name in shown:
        is_text = name.startswith("adapter") or name == "only"
        table.add_column(Text(name), justify="left" if is_text else "right", overflow="fold")
    table.add_column("operation")
    for title in ("MiB/s", "keys/s", "p50 ms", "p99 ms", "hit rate"):
        table.add_column(title, justify="right")
    all_summaries = [summary for _, summaries in results for summary in summaries]
    optional = [title for title, of in _OPTIONAL.items() if any(map(of, all_summaries))]
    for title in optional:
        table.add_column(title, justify="right")
    table.add_column("status", overflow="fold")
    for (point, summaries), one in zip(results, described, strict=True):
        parameters = [str(point["point_index"]), *(one.get(name, "-") for name in shown)]
        if not summaries:
            blanks = ["-"] * (6 + len(optional))
            table.add_row(*map(Text, parameters), *blanks, Text(point["status"], style="red"))
        for summary in summaries:
            numbers = [*_numbers(summary), *(_OPTIONAL[title](summary) or "-" for title in optional)]
            table.add_row(*map(Text, parameters), summary.operation, *numbers, _status(point, summary))
    return table


def _description(point: Mapping[str, Any]) -> dict[str, str]:
    """Return a point's parameters and the fields of its adapter's spec, as texts."""
    parameters = {name: str(point[name]) for name in _PARAMETERS}
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


def _numbers(summary: OperationSummary) -> list[str]:
    p50, p99 = (percentile(summary.durations_s, percent) for percent in (50, 99))
    return [
        number(summary.mib_per_s, 1),
        number(summary.ops_per_s, 1),
        milliseconds(p50),
        milliseconds(p99),
        number(summary.actual_hit_rate, 3),
    ]


def _status(point: Mapping[str, Any], summary: OperationSummary) -> Text:
    if summary.status == "ok":
        return Text("ok")
    return Text(summary.status, style="red" if point["status"] != "ok" else "yellow")
