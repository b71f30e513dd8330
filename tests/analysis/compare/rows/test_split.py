"""The rows of a sweep are split by the values of a column."""

from __future__ import annotations

from typing import Any

import pytest
from made_sweeps import MadeSweep, Rows, tables, together

from l2sweep.analysis.compare.rows.split import in_order, mixed_releases, split


def with_releases(*releases: str | None, **changes: Any) -> Rows:
    """Return one sweep in which each of its three repeats has another release."""
    rounds, points = MadeSweep(1, **changes).lists()
    for row in (*rounds, *points):
        row["release"] = releases[row["repeat"]]
    return tables(rounds, points)


def test_each_value_gets_its_rows_and_the_oldest_release_is_first() -> None:
    rounds, points = with_releases("0.5.10", "0.5.3", "0.5.7rc2")
    parts = split(rounds, points, "release")
    assert [part.value for part in parts] == ["0.5.3", "0.5.7rc2", "0.5.10"]
    for part in parts:
        assert part.rounds["release"].unique().to_pylist() == [part.value]
        assert part.points["release"].unique().to_pylist() == [part.value]
    assert sum(len(part.rounds) for part in parts) == len(rounds)


def test_where_no_release_was_asked_for_it_is_the_installed_one() -> None:
    rounds, points = with_releases("0.5.3", None, None)
    assert [part.value for part in split(rounds, points, "release")] == ["0.5.3", "0.5.6"]


def test_an_attempt_has_the_value_of_the_first_process_that_knows_it() -> None:
    rounds, points = MadeSweep(1, adapters=("fs",), sizes_kb=(4,), depths=(1,), repeats=2).lists()
    # A cold point has a process for each phase, and the second one ended before it knew its LMCache.
    cold = [{**point, "phase": phase} for point in points for phase in ("store", "load")]
    cold[1]["lmcache_version"] = None
    cold[2]["lmcache_version"] = cold[3]["lmcache_version"] = None
    (part,) = split(*tables(rounds, cold), "lmcache_version")
    assert (part.value, set(part.points["point_index"].to_pylist())) == ("0.5.6", {0})
    assert set(part.rounds["point_index"].to_pylist()) == {0}


def test_values_that_are_no_versions_are_in_the_order_of_their_dates() -> None:
    rows = together(
        MadeSweep(2, changes={"kernel": "alpine"}).rows(), MadeSweep(1, changes={"kernel": "debian"}).rows()
    )
    assert [part.value for part in split(*rows, "kernel")] == ["debian", "alpine"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0.5.10", "0.5.9", "0.5.9rc1", "0.5.9.dev3"], ["0.5.9.dev3", "0.5.9rc1", "0.5.9", "0.5.10"]),
        (["0.5.7.post1", "0.5.7"], ["0.5.7", "0.5.7.post1"]),
        ([16, 2, 4.5], [2, 4.5, 16]),
        ([True, False], [False, True]),
    ],
)
def test_numbers_and_versions_are_in_their_order(values: list[Any], expected: list[Any]) -> None:
    assert in_order(values, {}) == expected


def test_a_point_that_was_measured_with_several_releases_is_noticed() -> None:
    assert mixed_releases(with_releases("0.5.3", "0.5.6", "0.5.3")[0]) == ["0.5.3", "0.5.6"]
    assert mixed_releases(with_releases("0.5.3", None, None)[0]) == ["0.5.3", "the installed one"]


def test_sweeps_of_one_release_each_are_not_mixed() -> None:
    one, two = (MadeSweep(number, changes={"release": f"0.5.{number}"}).rows()[0] for number in (3, 6))
    assert mixed_releases(together((one, one), (two, two))[0]) == []
    assert mixed_releases(MadeSweep(1).rows()[0].drop_columns("release")) == []
