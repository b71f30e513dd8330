"""Records of every schema version are read and compacted.

``tests/data/results_v2`` is described in ``tests/end_to_end/test_old_results.py``. The others were written
by ``-m adapter=mock num_keys=2,4 data_size_kb=64 rounds=2``: version 1 by commits 82cd077
(``v1-first-done``) and 255ab5e (``v1-done``), version 3 by 45e5d20, and version 4 by 8ade723, which still
wrote the files of all sweeps into one folder. Versions 5 (the commit before 74e68e9) and 6 (011f5e6)
compacted their sweep when it ended. The names of the host and the kernel were replaced.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

import l2sweep
from l2sweep.records.last_attempts import last_attempts
from l2sweep.records.schema import POINTS, RENAMED_COLUMNS, ROUNDS, SCHEMA_VERSION
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.sweeps import list_sweeps

DATA = ROOT / "tests" / "data"
VERSIONS = ("1", "2", "3", "4")
COMPACTED_VERSIONS = ("5", "6")


@pytest.fixture
def all_versions(tmp_path: Path) -> Path:
    """Return one folder with the records of all versions."""
    for version in VERSIONS:
        shutil.copytree(DATA / f"results_v{version}", tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("version", [*VERSIONS, *COMPACTED_VERSIONS])
def test_records_of_each_version_are_read(version: str) -> None:
    folder = DATA / f"results_v{version}"
    files = sorted(folder.rglob("*.parquet"))
    assert {pq.read_schema(file).metadata[b"l2sweep.schema_version"].decode() for file in files} == {version}
    rounds, points = l2sweep.load_rounds(folder), l2sweep.load_points(folder)
    for frame, columns, name in ((rounds, ROUNDS, "rounds"), (points, POINTS, "points")):
        assert list(frame.columns[: len(columns)]) == columns.names
        assert len(frame) == sum(
            pq.read_metadata(file).num_rows for file in folder.glob(f"{name}/**/*.parquet")
        )
    assert set(points["status"]) == {"ok"}
    assert points["adapter_create_s"].gt(0).all()
    assert rounds["keys_per_s"].gt(0).all()
    assert rounds["adapter.mock_bandwidth_gb"].notna().any()


def test_sweeps_of_all_versions_are_listed_and_their_attempts_are_known(all_versions: Path) -> None:
    found = {one.sweep_id: (one.points, one.ok, one.failed) for one in list_sweeps(all_versions)}
    assert found.pop("v2-single") == (1, 1, 0)
    assert set(found.values()) == {(2, 2, 0)}
    assert len(found) == 7
    for sweep_id in found:
        assert last_attempts(str(all_versions), sweep_id, reads_rounds=True) == {0: (1, "ok"), 1: (1, "ok")}


def test_compacted_records_of_all_versions_have_the_same_rows_and_one_schema(all_versions: Path) -> None:
    before = l2sweep.load_rounds(all_versions), l2sweep.load_points(all_versions)
    for one in list_sweeps(all_versions):
        assert one.is_compacted == (one.points == 1)
        assert compact_sweep(all_versions, one.sweep_id).files_before == 2 * one.points
        assert compact_sweep(all_versions, one.sweep_id).files_before == 0
    assert all(one.is_compacted for one in list_sweeps(all_versions))
    pd.testing.assert_frame_equal(l2sweep.load_rounds(all_versions), before[0])
    pd.testing.assert_frame_equal(l2sweep.load_points(all_versions), before[1])
    for name, columns in (("rounds", ROUNDS), ("points", POINTS)):
        plain = pd.read_parquet(all_versions / name)
        assert list(plain.columns) == [*columns.names, "date"]  # none is left in an earlier place
        assert len(plain) == len(before[name == "points"])
    assert not set(plain.columns) & set(RENAMED_COLUMNS)
    files = list(all_versions.rglob("*.parquet"))
    assert len(files) == 2 * len(before[1]["sweep_id"].unique())
    for file in files:
        assert pq.read_schema(file).metadata[b"l2sweep.schema_version"] == str(SCHEMA_VERSION).encode()


@pytest.mark.parametrize("version", COMPACTED_VERSIONS)
def test_a_sweep_that_an_earlier_version_compacted_is_listed_and_keeps_its_rows(
    tmp_path: Path, version: str
) -> None:
    shutil.copytree(DATA / f"results_v{version}", tmp_path, dirs_exist_ok=True)
    before = l2sweep.load_rounds(tmp_path), l2sweep.load_points(tmp_path)
    (listed,) = list_sweeps(tmp_path)
    assert (listed.points, listed.ok, listed.failed, listed.is_compacted) == (2, 2, 0, True)
    assert last_attempts(str(tmp_path), listed.sweep_id, reads_rounds=True) == {0: (1, "ok"), 1: (1, "ok")}
    compact_sweep(tmp_path, listed.sweep_id)
    pd.testing.assert_frame_equal(l2sweep.load_rounds(tmp_path), before[0])
    pd.testing.assert_frame_equal(l2sweep.load_points(tmp_path), before[1])
    for file in tmp_path.rglob("*.parquet"):
        assert pq.read_schema(file).metadata[b"l2sweep.schema_version"] == str(SCHEMA_VERSION).encode()
