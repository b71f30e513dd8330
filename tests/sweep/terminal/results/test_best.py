"""The marks of the best rows."""

from __future__ import annotations

from typing import Any

import pytest

from l2sweep.sweep.terminal.results.best import marks


def row(low: float, middle: float, high: float, repeats: int = 3, **changes: Any) -> dict[str, Any]:
    """Return a row of loads with a throughput and that of its slowest and fastest repeat."""
    ends = {"_min": low, "": middle, "_max": high}
    rates = {f"{name}{end}": value for name in ("mib_per_s", "keys_per_s") for end, value in ends.items()}
    shared: dict[str, Any] = {"phase": "load", "cache_state": "cold", "profile": None, "status": "ok"}
    shared |= {"lookup_max_hit_rate": 0.0, "lookup_answered_by": None, "trace": None}
    return {**shared, **rates, "measured_processes": repeats, **changes}


def marks_of(*rows: dict[str, Any], adapters: list[str] | None = None) -> list[str]:
    return marks(rows, adapters or ["fs"] * len(rows))


def test_the_highest_throughput_is_the_best_and_overlapping_ones_are_not_told_apart() -> None:
    assert marks_of(row(1, 2, 3), row(8, 9, 10), row(7, 8, 8.5), row(7, 7.5, 7.9)) == ["", "*", "~", ""]


def test_a_single_repeat_tells_no_overlap() -> None:
    assert marks_of(row(9, 9, 9, repeats=1), row(8, 8, 8, repeats=1)) == ["*", ""]


def test_a_row_that_is_not_compared_has_no_mark() -> None:
    best, good = row(98, 99, 100), row(8, 9, 10)
    fast = [{"status": "1 of 3 rounds not ok"}, {"profile": "flamegraph:wall"}, {"trace": "a.lct 0123"}]
    for change in fast:
        assert marks_of({**best, **change}, good, row(1, 2, 3)) == ["", "*", ""]
    for control in ("fio", "control"):
        assert marks_of(best, good, row(1, 2, 3), adapters=[control, "fs", "fs"]) == ["", "*", ""]
    assert marks_of(good) == [""]
    assert marks_of(row(0, 0, 0), row(0, 0, 0)) == ["", ""]


@pytest.mark.parametrize("change", [{"phase": "store"}, {"cache_state": "warm"}, {"cache_state": "claimed"}])
def test_other_phases_and_states_are_not_compared(change: dict[str, Any]) -> None:
    assert marks_of(row(1, 2, 3), row(8, 9, 10), row(98, 99, 100, **change)) == ["", "*", ""]


def test_lookups_are_compared_by_keys_and_with_the_same_share_of_hits() -> None:
    lookups = [
        row(1, rate, 9, phase="lookup", mib_per_s=None, lookup_max_hit_rate=share)
        for rate, share in ((2, 0.0), (3, 0.0), (9, 0.5))
    ]
    assert marks_of(*lookups) == ["~", "*", ""]


def test_lookups_that_were_answered_differently_are_not_compared() -> None:
    lookups = [
        row(1, rate, 9, phase="lookup", mib_per_s=None, lookup_answered_by=answered_by)
        for rate, answered_by in ((2, "server"), (3, "server"), (9, "client_cache"))
    ]
    assert marks_of(*lookups) == ["~", "*", ""]
