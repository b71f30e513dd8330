"""The fio benchmark, with real runs of fio: it counts like an adapter and deletes only its own files."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import RunL2Sweep

pytestmark = pytest.mark.usefixtures("fio")
SMALL = ("adapter=fio", "num_keys=4", "data_size_kb=1024", "rounds=2")


def test_fio_stores_and_loads_as_many_bytes_as_an_adapter_and_leaves_nothing(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("-m", *SMALL, "in_flight=1,20", "adapter.use_odirect=true")
    assert run.exit_code == 0, run.err
    assert set(run.points["isolation"]) == {"forkserver"}
    assert set(run.rounds["phase"]) == {"store", "load"}
    assert (run.rounds["bytes_ok"] == run.rounds["num_keys"] * run.rounds["in_flight"] * 2**20).all()
    assert (run.rounds["duration_s"] > 0).all()
    assert set(run.points["cache_state"]) == {"bypassed"}
    assert run.points["lmcache_version"].isna().all()
    assert not (run.results_dir / "scratch").exists()


def test_a_load_of_files_that_were_not_stored_fails(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*SMALL, "only=load", "namespace=mine")
    assert run.exit_code == 1
    assert set(run.rounds["status"]) == {"error"}
    assert run.rounds["duration_s"].isna().all()
    assert (run.rounds["bytes_ok"] == 0).all()
    stored = run_l2sweep(*SMALL, "only=store", "namespace=mine")
    assert stored.exit_code == 0, stored.out
    assert run_l2sweep(*SMALL, "only=load", "namespace=mine").exit_code == 0


def test_only_its_own_files_are_removed(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    victim = tmp_path / "victim" / "precious"
    victim.parent.mkdir()
    victim.write_text("x")
    run = run_l2sweep(*SMALL, "namespace=x/../../victim", f"scratch_dir={tmp_path}/kv")
    assert run.exit_code == 0, run.out
    assert victim.read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "victim"]
    folder = tmp_path / "kv" / "fio-kept"
    folder.mkdir(parents=True)
    (folder / "notes").write_text("y")
    run_l2sweep(*SMALL, "namespace=kept", f"scratch_dir={tmp_path}/kv")
    assert [path.name for path in folder.iterdir()] == ["notes"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (('adapter_json={"type":"fio"}',), "adapter.base_path=null: must be a folder"),
        (("adapter=fio", "+adapter.direct=true"), "adapter.direct: the fio adapter does not read this field"),
        (("adapter=fio", "adapter.use_odirect=yes"), "adapter.use_odirect=yes: must be true or false"),
        (("adapter=fio", "only=lookup"), "only=lookup: must be store or load with adapter=fio"),
    ],
)
def test_a_request_that_fio_cannot_serve_is_refused_in_one_line(
    run_l2sweep: RunL2Sweep, options: tuple[str, ...], named: str
) -> None:
    run = run_l2sweep(*options)
    assert run.exit_code == 2
    assert named in run.err
    assert len(run.err.splitlines()) == 1
    assert not run.results_dir.exists()


def test_a_colon_in_the_path_or_the_namespace_is_part_of_the_name(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep(*SMALL, f"adapter.base_path='{tmp_path}/a:b'", "namespace='c:d'", "keep_data=true")
    assert run.exit_code == 0, run.err
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} >= {"a:b"}
    assert not (tmp_path / "a").exists()
    assert any(path.is_file() for path in (tmp_path / "a:b" / "fio-c:d").iterdir())
