"""Results folders of earlier releases are read, listed, resumed, and compared with new sweeps.

``tests/data/results_v2`` was written by commit d7998f7, with schema version 2: ``v2-single`` (one point, no
manifest), ``v2-done``, ``v2-cold``, and ``v2-killed``, whose launcher was killed during point 2 of 4.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, RunL2Sweep
from sample_rows import point_row, round_row

import l2sweep
from l2sweep.records.owner import Host
from l2sweep.records.schema import POINTS, RENAMED_COLUMNS, ROUNDS, SCHEMA_VERSION
from l2sweep.records.writer import write_point

OLD_RESULTS = ROOT / "tests" / "data" / "results_v2"
KILLED_NAMESPACE = "l2sweep-15f19f25e78030ea-v2-killed-2-1-4d8531"


@pytest.fixture
def old_results(tmp_path: Path) -> Path:
    """Copy the old results folder to where ``run_l2sweep`` runs."""
    return shutil.copytree(OLD_RESULTS, tmp_path / "results")


def test_old_rounds_are_read_with_derived_columns() -> None:
    rounds = l2sweep.load_rounds(OLD_RESULTS)
    assert set(ROUNDS.names) <= set(rounds.columns)
    assert len(rounds) == sum(pq.read_metadata(file).num_rows for file in OLD_RESULTS.glob("rounds/*"))
    assert set(rounds["status"]) == {"ok"}
    assert rounds["keys_per_s"].gt(0).all()
    assert rounds["mib_per_s"].notna().equals(rounds["phase"] != "lookup")


def test_old_points_are_read_with_the_new_column_names() -> None:
    points = l2sweep.load_points(OLD_RESULTS)
    assert list(points.columns)[: len(POINTS.names)] == POINTS.names
    for old, new in RENAMED_COLUMNS.items():
        files = sorted(OLD_RESULTS.glob("points/*"))
        old_values = [value for file in files for value in pq.read_table(file)[old].to_pylist()]
        expected = sorted(value for value in old_values if value is not None)
        assert expected, old
        assert sorted(points[new].dropna()) == expected


def test_status_lists_old_sweeps(run_l2sweep: RunL2Sweep, old_results: Path) -> None:
    status = run_l2sweep("status", f"--results-dir={old_results}")
    assert status.exit_code == 0, status.err
    rows = {line.split()[0]: line.split()[1:] for line in status.out.splitlines()[1:-1]}
    done = ["2", "2", "0", "0", "0"]
    assert rows == {"v2-cold": done, "v2-done": done, "v2-killed": ["4", "2", "0", "0", "2"]}


def test_a_new_sweep_of_the_same_points_has_the_old_point_ids(
    run_l2sweep: RunL2Sweep, old_results: Path
) -> None:
    again = run_l2sweep(
        *("-m", "adapter=mock", "num_keys=2,4", "data_size_kb=64", "rounds=2", "sweep_id=v3-done")
    )
    assert again.exit_code == 0, again.err
    by_sweep = again.points.groupby("sweep_id")["point_id"].agg(list)
    assert by_sweep["v3-done"] == by_sweep["v2-done"]
    assert again.points["adapter_create_s"].notna().all()  # old and new files in one folder
    rounds = again.rounds[again.rounds["sweep_id"].isin(["v2-done", "v3-done"])]
    assert rounds.groupby(["point_id", "phase"])["sweep_id"].nunique().eq(2).all()


def test_an_old_sweep_is_resumed_with_its_old_options(run_l2sweep: RunL2Sweep, old_results: Path) -> None:
    # Point 3 takes 19 s. Record it, so that only point 2 (9 s) is left.
    measured = {"sweep_id": "v2-killed", "point_id": "ef1f911c646bb105", "point_index": 3}
    write_point(old_results, "v2-killed.00003.1", [round_row(**measured)], [point_row(**measured)])
    journal = old_results / "sweeps" / "v2-killed" / "running-00002.1.4d8531.json"
    killed = json.loads(journal.read_text())
    journal.write_text(json.dumps({**killed, "host": asdict(Host.here())}))

    resumed = run_l2sweep("resume=v2-killed")

    assert resumed.exit_code == 0, resumed.err
    assert f"keys of namespace {KILLED_NAMESPACE}" in resumed.out
    assert not journal.exists()
    points = resumed.points[resumed.points["sweep_id"] == "v2-killed"]
    assert points["point_index"].tolist() == [0, 1, 2, 3]
    assert points["point_id"].tolist()[2] == "15f19f25e78030ea"
    assert set(points["status"]) == {"ok"}
    (file,) = old_results.glob("points/date=*/v2-killed/*")  # compacted, with the columns of this release
    schema = pq.read_schema(file)
    assert schema.metadata[b"l2sweep.schema_version"] == str(SCHEMA_VERSION).encode()
    assert schema.names == POINTS.names
    assert pq.read_metadata(file).num_rows == 4
    assert not list(old_results.glob("points/v2-killed.*"))


def test_the_journal_of_a_point_on_another_host_is_kept(run_l2sweep: RunL2Sweep, old_results: Path) -> None:
    again = run_l2sweep("adapter=mock", "num_keys=2")
    assert again.exit_code == 0, again.err
    assert KILLED_NAMESPACE not in again.out
    assert list(old_results.glob("sweeps/v2-killed/running-*"))
