"""The columns of the table of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from l2sweep.sweep.terminal.results.digits import at_place, place_of, rounded
from l2sweep.sweep.terminal.results.result_rows import ResultRow

Numbers = Mapping[str, Any]

BLANK = "-"


@dataclass(frozen=True)
class Number:
    """A column with a number.

    Attributes:
        title: Its header.
        show: Returns the text of a row; ``-`` if there is none.
        is_wide: Whether only a wide table shows it.
        omitted_as: The place of this column in the order in which columns are omitted from a table that is
            too wide, from 1; 0: it is always shown.
    """

    title: str
    show: Callable[[Numbers], str]
    is_wide: bool = False
    omitted_as: int = 0


def _rate(name: str, unit: str = "") -> Callable[[Numbers], str]:
    def show(row: Numbers) -> str:
        return _with_unit(rounded(row[name], *_spread(row, name)), unit)

    return show


def _throughput(row: Numbers) -> str:
    name, unit = ("keys_per_s", "keys/s") if row["phase"] == "lookup" else ("mib_per_s", "MiB/s")
    return _rate(name, unit)(row)


def _elapsed(row: Numbers) -> str:
    """Return the throughput over elapsed time if it is not that of the completed rounds."""
    name, unit = ("keys_per_s", "keys/s") if row["phase"] == "lookup" else ("mib_per_s", "MiB/s")
    value = row[f"{name}_elapsed"]
    return BLANK if value == row[name] else _with_unit(rounded(value), unit)


def _rate_range(name: str) -> Callable[[Numbers], str]:
    def show(row: Numbers) -> str:
        low, high = _spread(row, name)
        if low is None or high is None or row[name] is None:
            return BLANK
        place = place_of(row[name], low, high)
        return f"{at_place(low, place)}..{at_place(high, place)}"

    return show


def _milliseconds(name: str) -> Callable[[Numbers], str]:
    """Return a function that shows a duration; one that may be larger because of time-outs with ``>=``."""

    def show(row: Numbers) -> str:
        low, high = _of_medians(row) if name == "median_s" else (None, None)
        return _with_bound(row, name, rounded(_ms(row[name]), low, high))

    return show


def _median_range(first: str, last: str) -> Callable[[Numbers], str]:
    """Return a function that shows two durations, between which a median is."""

    def show(row: Numbers) -> str:
        low, high, median = _ms(row[first]), _ms(row[last]), _ms(row["median_s"])
        if low is None or high is None or median is None or row["measured_processes"] < 2:
            return BLANK
        place = place_of(median, *_of_medians(row))
        ends = (_with_bound(row, first, at_place(low, place)), _with_bound(row, last, at_place(high, place)))
        return "..".join(ends)

    return show


def _count(name: str) -> Callable[[Numbers], str]:
    return lambda row: BLANK if row[name] is None else str(int(row[name]))


def _hit_rate(row: Numbers) -> str:
    return BLANK if row["actual_hit_rate"] is None else f"{row['actual_hit_rate']:.3f}"


def _answered_by(row: Numbers) -> str:
    """Return what answered a lookup, if it was not the place that holds the data."""
    answered_by = row["lookup_answered_by"]
    return BLANK if answered_by in (None, "server") else str(answered_by)


def _of_clients(name: str) -> Callable[[Numbers], str]:
    return lambda row: BLANK if row.get(name) is None else rounded(row[name])


def _share(name: str) -> Callable[[Numbers], str]:
    return lambda row: BLANK if row.get(name) is None else f"{row[name]:.2f}"


def _skewed(row: Numbers) -> str:
    if not row.get("skewed_rounds"):
        return BLANK
    return f"{row['skewed_rounds']} of {row['rounds_of_clients']}"


PROCESSES = Number("processes", _count("processes"))
NUMBERS = (
    Number("throughput", _throughput),
    Number("all\nactive", _of_clients("all_active_rate"), omitted_as=5),
    Number("sum of\nclients", _of_clients("sum_of_client_rates"), omitted_as=6),
    Number("fair-\nness", _share("client_fairness")),
    Number("scaling", _share("client_scaling")),
    Number("start skew\nms", lambda row: rounded(_ms(row.get("start_skew_s"))), is_wide=True),
    Number("skewed\nrounds", _skewed),
    Number("MiB/s\nmin..max", _rate_range("mib_per_s"), is_wide=True),
    Number("over time\nelapsed", _elapsed),
    Number("keys/s", _rate("keys_per_s"), is_wide=True),
    Number("keys/s\nmin..max", _rate_range("keys_per_s"), is_wide=True),
    Number("durable\nMiB/s", _rate("durable_mib_per_s"), omitted_as=1),
    Number("median\nms", _milliseconds("median_s")),
    Number("min..max\nms", _median_range("median_min_s", "median_max_s"), omitted_as=4),
    Number("median ms\n95% interval", _median_range("median_low_s", "median_high_s"), is_wide=True),
    Number("p50\nms", _milliseconds("p50_s"), is_wide=True),
    Number("p95\nms", _milliseconds("p95_s"), is_wide=True),
    Number("p99\nms", _milliseconds("p99_s"), is_wide=True),
    Number("submit\np50 ms", _milliseconds("submit_p50_s"), omitted_as=3),
    Number("submit\np95 ms", _milliseconds("submit_p95_s"), is_wide=True),
    Number("submit\np99 ms", _milliseconds("submit_p99_s")),
    Number("rounds", _count("rounds"), is_wide=True),
    Number("failed\nrounds", _count("failed_rounds"), is_wide=True),
    Number("timed out\nrounds", _count("timed_out_rounds"), is_wide=True),
    Number("hit\nrate", _hit_rate, omitted_as=2),
    Number("page\ncache", lambda row: row["cache_state"] or BLANK),
    Number("answered\nby", _answered_by),
)
"""The columns with numbers, in their order. A column that is empty in every row is not shown."""


def status_of(row: ResultRow) -> str:
    """Return what the last column shows."""
    return f"{row.numbers['status']}{', profiled' if row.numbers['profile'] else ''}"


def _spread(row: Numbers, name: str) -> tuple[float | None, float | None]:
    if row["measured_processes"] < 2 or f"{name}_min" not in row:
        return None, None
    return row[f"{name}_min"], row[f"{name}_max"]


def _of_medians(row: Numbers) -> tuple[float | None, float | None]:
    if row["measured_processes"] < 2:
        return None, None
    return _ms(row["median_min_s"]), _ms(row["median_max_s"])


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _with_bound(row: Numbers, name: str, text: str) -> str:
    return f">= {text}" if name in row["lower_bounds"].split() else text


def _with_unit(text: str, unit: str) -> str:
    return text if text == BLANK or not unit else f"{text} {unit}"
