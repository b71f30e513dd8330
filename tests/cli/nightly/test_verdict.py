"""Tests of l2sweep.cli.nightly.verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_nights import small_night, write_nights
from made_sweeps import MadeSweep

from l2sweep.cli.nightly.message import print_tables
from l2sweep.cli.nightly.settings import Limits
from l2sweep.cli.nightly.summary import NightRecords
from l2sweep.cli.nightly.verdict import Verdict, judge

FS_IS_SLOW = {("fs", "load", 8192): 1.2}
FIO_IS_SLOW = {**FS_IS_SLOW, ("fio", "load"): 1.3}


def verdict(results_dir: Path, *tonight: MadeSweep, quiet: int = 10, **changes: object) -> Verdict:
    nights = [*(small_night(number, **changes) for number in range(quiet)), *tonight]
    written = write_nights(results_dir, nights)
    return judge(NightRecords.of(results_dir, written[-1]), Limits())


def test_a_quiet_night_has_no_problem(tmp_path: Path) -> None:
    found = verdict(tmp_path)
    assert (found.problems, found.slower, found.failed) == ((), (), ())
    assert found.lines[1].startswith("nothing slower: ")


def test_a_slow_point_is_named_with_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"kernel": "Linux 6.8"}
    found = verdict(tmp_path, small_night(10, factors=FS_IS_SLOW, changes=changes))
    assert "1 point is slower than in the last 7 nights" in found.problems
    (slower,) = found.slower
    assert (slower.point.adapter, slower.point.phase, slower.point.data_size_kb) == ("fs", "load", 8192)
    assert 15 < slower.percent < 25
    assert slower.change is None
    print_tables(found)
    out, _ = capsys.readouterr()
    assert f"{slower.percent:.1f}%  tonight" in out
    assert "Changed in the environment (tonight): kernel Linux 6.1 → Linux 6.8" in out


def test_since_when_a_point_is_slow_follows_from_the_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = [
        small_night(number, factors=FS_IS_SLOW, changes={"lmcache_version": "0.5.7"}) for number in (10, 11)
    ]
    found = verdict(tmp_path, *slow)
    (slower,) = found.slower
    assert slower.change is not None
    assert slower.change.since_date == "2026-11-11"
    print_tables(found)
    assert "Changed in the environment (2026-11-11): LMCache 0.5.6 → 0.5.7" in capsys.readouterr().out


def test_a_slow_disk_is_the_host_and_no_point_is_blamed(tmp_path: Path) -> None:
    found = verdict(tmp_path, small_night(10, factors=FIO_IS_SLOW))
    assert found.slower == ()
    (problem,) = found.problems
    assert problem.startswith("the host changed: fio load takes ")
    assert problem.endswith("longer; do not blame an LMCache release for slow results of this night")


def test_a_faster_disk_is_no_problem(tmp_path: Path) -> None:
    assert verdict(tmp_path, small_night(10, factors={("fio", "load"): 0.7})).problems == ()


def test_a_slow_control_is_reported_once(tmp_path: Path) -> None:
    found = verdict(tmp_path, small_night(10, factors={("fio", "load"): 3.0}))
    assert len(found.problems) == 1  # and not by min_control_fraction as well


def test_the_first_night_and_a_night_of_other_points_are_no_problem(tmp_path: Path) -> None:
    assert verdict(tmp_path / "first", quiet=1).problems == ()
    other = verdict(tmp_path / "other", small_night(3, sizes_kb=(65536,)), quiet=3)
    assert other.problems == ()
    assert other.lines[1].startswith("not comparable: ")
