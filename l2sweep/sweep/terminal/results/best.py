"""Mark the best rows of each phase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from l2sweep.analysis.control import CONTROLS

BEST, AS_GOOD, NO_MARK = "*", "~", ""
EXPLANATION = {
    BEST: "* highest throughput of its phase, among the rows that are ok",
    AS_GOOD: "~ not told apart from it: the throughputs of their repeats overlap",
}

Numbers = Mapping[str, Any]


def marks(rows: Sequence[Numbers], adapters: Sequence[str]) -> list[str]:
    """Return the mark of each row.

    Rows are compared if they have the same phase and state of the page cache, and lookups if they have the
    same share of hits and were answered alike. A row that is not ok, was profiled, replays a trace, or is one
    of a control is not compared. There is no mark where nothing is compared.

    Args:
        rows: The numbers of each row, as ``summarise_groups`` returns them.
        adapters: For each row, the name of its adapter.
    """
    compared: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for position, (row, adapter) in enumerate(zip(rows, adapters, strict=True)):
        is_candidate = row["status"] == "ok" and row["profile"] is None and adapter not in CONTROLS
        is_candidate = is_candidate and row["trace"] is None  # its throughput is that of the trace
        if is_candidate and _throughput(row) > 0:
            share = row["lookup_max_hit_rate"] if row["phase"] == "lookup" else None
            compared[row["phase"], row["cache_state"], row["lookup_answered_by"], share].append(position)
    found = [NO_MARK] * len(rows)
    for positions in compared.values():
        if len(positions) < 2:
            continue
        best = max(positions, key=lambda position: _throughput(rows[position]))
        for position in positions:
            if position == best:
                found[position] = BEST
            elif _has_spread(rows[best]) and _has_spread(rows[position]):
                overlaps = _of(rows[position], "_max") >= _of(rows[best], "_min")
                found[position] = AS_GOOD if overlaps else NO_MARK
    return found


def _throughput(row: Numbers) -> float:
    return _of(row, "")


def _of(row: Numbers, suffix: str) -> float:
    value = row[f"{'keys_per_s' if row['phase'] == 'lookup' else 'mib_per_s'}{suffix}"]
    return 0.0 if value is None else float(value)


def _has_spread(row: Numbers) -> bool:
    return bool(row["measured_processes"] > 1)
