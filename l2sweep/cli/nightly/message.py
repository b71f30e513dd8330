"""Print the numbers behind the problems of a night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from l2sweep.analysis.history.tonight import SlowerPoint
from l2sweep.cli.nightly.verdict import Verdict
from l2sweep.cli.row_output import Column, number, print_rows
from l2sweep.errors import printable

_MOST_ROWS = 20
_LONGEST_DETAIL = 60
_POINT = (
    Column("adapter_type", "adapter", is_number=False),
    Column("num_keys", "keys"),
    Column("in_flight", "in flight"),
    Column("data_size_kb", "KiB"),
    Column("phase", "phase", is_number=False),
)
_SLOWER = (
    *_POINT,
    Column("cache_state", "cache", is_number=False),
    Column("before_ms", "before ms", number(2)),
    Column("tonight_ms", "tonight ms", number(2)),
    Column("percent", "slower by", lambda value: f"{value:.1f}%"),
    Column("since", "since", is_number=False),
)
_FAILED = (
    *_POINT,
    Column("status", "status", is_number=False),
    Column("detail", "detail", lambda text: printable(str(text or ""))[:_LONGEST_DETAIL], is_number=False),
    Column("log_file", "log", lambda path: str(path or "").rpartition("/")[2], is_number=False),
)


def print_tables(verdict: Verdict) -> None:
    """Print what is slower, by how much, since when and what changed there, and what was not measured.

    Args:
        verdict: The verdict on the night.
    """
    if verdict.slower:
        print()
        _print_table(list(map(_slower_row, verdict.slower)), _SLOWER)
        _print_environments(verdict)
    if verdict.failed:
        print()
        _print_table(verdict.failed, _FAILED)


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    print_rows(rows[:_MOST_ROWS], columns, "table")
    if len(rows) > _MOST_ROWS:
        print(f"... and {len(rows) - _MOST_ROWS} more")


def _slower_row(slower: SlowerPoint) -> dict[str, Any]:
    point = slower.point
    return {
        **asdict(point),
        "adapter_type": point.adapter,
        "before_ms": slower.before_s * 1000,
        "tonight_ms": slower.tonight_s * 1000,
        "percent": slower.percent,
        "since": slower.change.since_date if slower.change else "tonight",
    }


def _print_environments(verdict: Verdict) -> None:
    """Print what changed in the environment, once for each night since when a point is slower."""
    changed: dict[str, dict[str, None]] = {}
    for point in verdict.slower:
        if point.change:
            changed.setdefault(point.change.since_date, {}).update(dict.fromkeys(point.change.environment))
        else:
            changed.setdefault("tonight", {}).update(dict.fromkeys(verdict.environment))
    for since, texts in changed.items():
        what = "; ".join(texts) or "nothing that is recorded"
        print(f"Changed in the environment ({since}): {printable(what)}")
