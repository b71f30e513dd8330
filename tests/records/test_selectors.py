"""Tests of l2sweep.records.selectors and l2sweep.records.sweeps."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sample_rows import point_row, round_row

from l2sweep.errors import RequestError
from l2sweep.records import sweeps
from l2sweep.records.selectors import select
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.storage.layout import record_path
from l2sweep.records.sweeps import begun_sweeps, list_sweeps
from l2sweep.records.writer import write_point

START = datetime(2026, 1, 1, tzinfo=UTC)
# The names are not in the order of the nights.
NIGHTS = ("zebra", "yak", "x-1.2", "wolf", "viper", "urchin")
OTHER = "baseline"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write records of six nights, of which the second is compacted, and one other sweep before the last."""
    folder = tmp_path_factory.mktemp("written")
    for day, sweep_id in enumerate([*NIGHTS[:-1], OTHER, NIGHTS[-1]]):
        write_sweep(folder, sweep_id, START + timedelta(days=day), "base" if sweep_id == OTHER else "nightly")
    compact_sweep(folder, NIGHTS[1])
    return folder


@pytest.fixture
def results(written: Path, tmp_path: Path) -> Path:
    """Return a copy of these records, which a test may change."""
    return shutil.copytree(written, tmp_path, dirs_exist_ok=True)


def write_sweep(results_dir: Path, sweep_id: str, began: datetime, name: str, failed: int = 0) -> None:
    """Write a sweep of three points. The first one that runs is point 2."""
    for place, index in enumerate((2, 0, 1)):
        same = {
            "sweep_id": sweep_id,
            "sweep_name": name,
            "point_index": index,
            "started_at": began + timedelta(minutes=place),
        }
        status = "failed" if index < failed else "ok"
        row = point_row(**same, status=status, wall_s=30.0)
        write_point(results_dir, f"{sweep_id}.{index:05d}.1", [round_row("store", 1, **same)], [row])
        os.utime(record_path(results_dir, "points", f"{sweep_id}.{index:05d}.1"), (place, place))


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("wolf", ["wolf"]),
        ("x-1.2", ["x-1.2"]),
        ("latest", ["urchin"]),
        ("latest~0", ["urchin"]),
        ("latest~1", ["baseline"]),
        ("latest~1..2", ["viper", "baseline"]),
        ("latest~5..99", ["zebra", "yak"]),
        ("name:nightly", ["urchin"]),
        ("name:nightly~1", ["viper"]),
        ("name:nightly~1..3", ["x-1.2", "wolf", "viper"]),
        ("name:nightly~1..7", ["zebra", "yak", "x-1.2", "wolf", "viper"]),
        ("name:base", ["baseline"]),
        ("name:base~0..7", ["baseline"]),
        ("name:base~0..9999999999999", ["baseline"]),
        (f"latest~5..{'9' * 5000}", ["zebra", "yak"]),
        ("latest~0000001", ["baseline"]),
    ],
)
def test_a_selector_selects_sweeps_oldest_first(results: Path, selector: str, expected: list[str]) -> None:
    assert select(selector, results).sweep_ids == tuple(expected)
    elsewhere = select(f"{results}@{selector}", "nowhere")
    assert (elsewhere.results_dir, elsewhere.sweep_ids) == (results, tuple(expected))


@pytest.mark.parametrize(
    ("selector", "problem"),
    [
        ("latest~7", "has only 7 sweeps: urchin, baseline, viper, wolf, x-1.2, and 2 more"),
        ("latest~9999999999999", "has only 7 sweeps: urchin, baseline"),
        ("name:base~1..7", "has only 1 sweeps with name:base: baseline"),
        ("name:night", "has no sweep with this name; it has the names base, nightly"),
        ("wulf", "has no such sweep; did you mean wolf?"),
        ("20260101", "has no such sweep; it has urchin, baseline"),
        ("latest~3..1", "~3..1 must begin with the smaller number"),
        *(
            (text, "must be a sweep id, latest, latest~1, ")
            for text in ("", "name:", "~1", "a b", "latest~-1")
        ),
        *((text, "must be a sweep id, latest, latest~1, ") for text in ("latest~1..", "../up", "wolf~1")),
        ("nowhere@latest", "nowhere has no recorded sweep"),
        ("nowhere@wolf", "nowhere has no recorded sweep"),
    ],
)
def test_a_selector_that_selects_nothing_says_what_exists(results: Path, selector: str, problem: str) -> None:
    with pytest.raises(RequestError) as raised:
        select(selector, results)
    assert str(raised.value).startswith(f"sweep '{selector}': ")
    assert problem in str(raised.value)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the sweeps whose footers are read."""
    opened: list[str] = []
    real = sweeps.opened

    def noted(path: Path) -> object:
        opened.append(path.parent.name)
        return real(path)

    monkeypatch.setattr(sweeps, "opened", noted)
    return opened


def test_one_footer_of_each_sweep_tells_when_it_began(results: Path, opened: list[str]) -> None:
    begun = begun_sweeps(results)
    assert [one.began for one in begun] == [START + timedelta(days=day) for day in range(7)]
    assert len(opened) == 7


@pytest.mark.parametrize(
    ("selector", "read"),
    [
        ("latest", ["urchin"]),
        ("latest~1..2", ["urchin", OTHER, "viper"]),
        ("name:nightly~1", ["urchin", OTHER, "viper"]),
        ("wolf", []),
    ],
)
def test_a_selector_reads_no_night_before_the_ones_that_it_selects(
    results: Path, opened: list[str], selector: str, read: list[str]
) -> None:
    select(selector, results)
    assert opened == read


def test_sweeps_of_earlier_releases_take_their_place_among_the_dates(results: Path) -> None:
    before = begun_sweeps(results)
    for sweep_id in ("zebra", "x-1.2", "urchin"):
        for name in ("points", "rounds"):
            folder = record_path(results, name, f"{sweep_id}.00000.1").parent
            folder.rename(results / name / sweep_id)
    assert begun_sweeps(results) == before
    assert select("latest", results).sweep_ids == ("urchin",)
    assert select("latest~3..4", results).sweep_ids == ("x-1.2", "wolf")


def test_a_sweep_that_is_compacted_while_the_sweeps_are_listed_is_found(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sweeps.opened

    def compacted_before(path: Path) -> object:
        monkeypatch.setattr(sweeps, "opened", real)
        (results / "sweeps").mkdir(exist_ok=True)
        compact_sweep(results, "urchin")
        return real(path)

    monkeypatch.setattr(sweeps, "opened", compacted_before)
    assert select("latest", results).sweep_ids == ("urchin",)


def test_a_sweep_whose_first_file_is_damaged_is_still_known(results: Path) -> None:
    record_path(results, "points", "wolf.00002.1").write_bytes(b"damaged")
    assert select("latest~3", results).sweep_ids == ("wolf",)


def test_sweeps_are_listed_with_what_they_contain(tmp_path: Path) -> None:
    write_sweep(tmp_path, "first", START, "nightly", failed=1)
    write_sweep(tmp_path, "second", START + timedelta(hours=1), "nightly")
    again = {"sweep_id": "first", "sweep_name": "nightly", "point_index": 0, "attempt": 2}
    write_point(tmp_path, "first.00000.2", [], [point_row(**again, started_at=START + timedelta(days=1))])
    worse = {"sweep_id": "second", "sweep_name": "nightly", "point_index": 1, "attempt": 2}
    write_point(tmp_path, "second.00001.2", [], [point_row(**worse, status="crashed", adapter_type="mock")])
    compact_sweep(tmp_path, "second")
    (tmp_path / "sweeps" / "first").mkdir()
    (tmp_path / "sweeps" / "first" / "point.log").write_bytes(bytes(1000))
    first, second = list_sweeps(tmp_path)
    assert (first.sweep_id, first.sweep_name, first.adapters) == ("first", "nightly", ("fs",))
    assert (first.points, first.processes, first.ok, first.failed) == (3, 4, 3, 0)
    assert (first.began, first.ended) == (START, START + timedelta(days=1, seconds=4.7))
    assert (first.wall_s, second.wall_s) == (94.7, 94.7)  # and not the day before the second attempt
    assert (first.is_compacted, second.is_compacted) == (False, True)
    own = [*tmp_path.glob("**/first/*")]
    assert first.num_bytes == sum(file.stat().st_size for file in own)
    assert (second.points, second.processes, second.ok, second.failed) == (3, 4, 2, 1)
    assert second.adapters == ("fs", "mock")


def test_the_list_of_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no records in"):
        list_sweeps(tmp_path / "nowhere")
