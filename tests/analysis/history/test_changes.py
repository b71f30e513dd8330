"""Tests of l2sweep.analysis.history.changes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from made_sweeps import tables
from sample_rows import point_row, round_row

from l2sweep.analysis.history.changes import PointHistory, histories

FIRST = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)
NOISE = [1.0, 1.01, 0.99, 1.005, 0.995, 1.012, 0.99, 1.0, 1.01, 0.995, 1.003, 0.998, 1.007, 0.99]


def nights(levels: Mapping[str, list[float]], **changes: Any) -> list[PointHistory]:
    """Return the histories of adapters with a level in each night; ``changes`` come with night 10."""
    rounds, points = [], []
    for index, (adapter, of_nights) in enumerate(levels.items()):
        for night, level in enumerate(of_nights):
            own = {"sweep_id": f"night-{night}", "started_at": FIRST + timedelta(days=night)}
            own |= {"adapter_type": adapter, "point_id": f"id-{adapter}", "point_index": index}
            points.append(point_row(**own, **(changes if night >= 10 else {})))
            rounds += [
                round_row("load", number, **own, duration_s=level * NOISE[night]) for number in (2, 3, 4)
            ]
    round_table, point_table = tables(rounds, points)
    return histories(round_table, lambda: point_table)


def test_a_change_names_the_night_the_size_and_the_environment() -> None:
    found = nights({"fs": [1.0] * 10 + [1.2] * 4}, lmcache_version="0.5.7")
    (change,) = found[0].changes
    assert (change.since, change.since_date) == ("night-10", "2026-11-11")
    assert change.environment == ("LMCache 0.5.6 → 0.5.7",)
    before = statistics.median(NOISE[:10])
    after = statistics.median(1.2 * noise for noise in NOISE[10:14])
    assert (change.before_s, change.after_s) == (pytest.approx(before), pytest.approx(after))
    assert change.percent == pytest.approx((after / before - 1) * 100)
    assert found[0].durations_s[0] == 1.0
    assert found[0].nights[-1] == "night-13"


def test_the_largest_change_is_first_and_quiet_points_are_last() -> None:
    quiet, up, down = [1.0] * 14, [1.0] * 10 + [1.2] * 4, [1.0] * 10 + [0.5] * 4
    found = nights({"a": quiet, "fs": up, "mock": down})
    assert [history.point.adapter for history in found] == ["mock", "fs", "a"]
    assert found[2].last_change is None


def test_an_earlier_change_of_the_environment_is_not_named() -> None:
    found = nights({"fs": [1.0] * 8 + [1.2] * 6}, lmcache_version="0.5.7")
    assert found[0].last_change is not None
    assert found[0].last_change.environment == ()


def test_a_short_series_has_no_changes() -> None:
    (found,) = nights({"fs": [1.0, 1.0, 2.0, 2.0]})
    assert (found.is_long_enough, found.changes) == (False, ())


def test_no_rounds_have_no_history() -> None:
    round_table, point_table = tables([], [])
    assert histories(round_table, lambda: point_table) == []


def test_points_are_not_read_where_nothing_changed() -> None:
    round_table, _ = tables(
        [round_row("load", rounds=1, sweep_id=f"night-{night}") for night in range(20)], []
    )
    assert len(histories(round_table, lambda: pytest.fail("points were read"))) == 1
