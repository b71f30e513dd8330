"""What a dead run left is removed by the next, and what a living one owns is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from conftest import RunL2Sweep, start_l2sweep, wait_for
from shipped import point

from l2sweep.bench.request import PointRequest
from l2sweep.process.bench_process import BenchProcess, OnOutput, ProcessLimits
from l2sweep.records.files import half_written, remove_half_written
from l2sweep.records.owner import Host, is_held, open_held
from l2sweep.sweep.journal import Journal, journal_file, leftovers, remove_leftovers

Faulty = Callable[[str], str]
Begin = Callable[..., tuple[Path, Journal]]


@pytest.fixture
def request_of_a_point(tmp_path: Path) -> PointRequest:
    spec = {"type": "fs", "base_path": str(tmp_path / "kv")}
    return point(adapter=spec, num_keys=2, data_size_kb=64).request("test")


@pytest.fixture
def begin(tmp_path: Path, request_of_a_point: PointRequest) -> Iterator[Begin]:
    """Have this process write a point into its journal."""
    begun = []

    def begin(token: str = "0a", python: str | None = None) -> tuple[Path, Journal]:
        path = journal_file(tmp_path / "sweeps" / "mine", 0, 1, token)
        begun.append(Journal(path, replace(request_of_a_point, namespace=f"l2sweep-{token}"), python))
        begun[-1].begin()
        return path, begun[-1]

    yield begin
    for journal in begun:
        journal.end(True, never_start)


def never_start(request: PointRequest, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
    pytest.fail("no process is needed")


def abandon(path: Path, **changes: object) -> None:
    """Have a journal look as that of a run that died."""
    words = json.loads(path.read_text())
    path.unlink()  # the lock goes with the old file
    path.write_text(json.dumps({**words, **changes}))


def test_a_point_is_left_over_once_its_launcher_is_dead(tmp_path: Path, begin: Begin) -> None:
    path, _journal = begin()
    assert is_held(path)
    assert leftovers(str(tmp_path)) == ([], [])
    abandon(path)
    (left,), unreadable = leftovers(str(tmp_path))
    assert (left.request.namespace, unreadable) == ("l2sweep-0a", [])


def test_a_point_of_another_host_is_left_to_it(
    tmp_path: Path, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = replace(Host.here(), machine_id="2" * 32)
    monkeypatch.setattr(Host, "here", lambda: here)
    path, _journal = begin()
    abandon(path, host={"name": "another", "machine_id": "1" * 32, "boot_id": "0" * 8})
    assert leftovers(str(tmp_path)) == ([], [])
    abandon(path, host={**asdict(Host.here()), "name": "another", "boot_id": "0" * 8})
    assert leftovers(str(tmp_path)) == ([], [])  # as two containers of one image
    abandon(path, host={**asdict(Host.here()), "boot_id": "0" * 8})
    assert len(leftovers(str(tmp_path))[0]) == 1  # this host, booted anew


def test_runs_of_the_same_attempt_have_a_journal_each(begin: Begin) -> None:
    first, _ = begin()
    second, journal = begin("0b")
    journal.end(True, never_start)
    assert first.exists()
    assert not second.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1, "started": "5"}'])
def test_a_journal_that_cannot_be_read_is_named_and_stops_nothing(
    run_l2sweep: RunL2Sweep, tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "results" / "sweeps" / "old"
    folder.mkdir(parents=True)
    (folder / "running-00000.1.json").write_text(content)
    run = run_l2sweep("-m", "adapter=mock", "num_keys=2", "data_size_kb=64", "rounds=1")
    assert run.exit_code == 0, run.err
    assert "running-00000.1.json cannot be read" in run.out


def test_what_an_adapter_cannot_delete_is_said_to_stay_and_never_to_be_removed(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Faulty
) -> None:
    run = run_l2sweep("-m", faulty("NeverDeleting"), "num_keys=2", "data_size_kb=64", "rounds=1")
    assert run.exit_code == 0, run.out + run.err
    assert (
        "[Note] NeverDeleting cannot delete: 4 keys may stay"
        in run.points["log_file"].map(lambda name: (run.results_dir / name).read_text()).str.cat()
    )
    assert list(run.results_dir.rglob("running-*")) == []  # nothing that a later run could do


def test_the_next_run_says_of_a_dead_one_that_its_adapter_cannot_delete(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Faulty
) -> None:
    spec = json.loads(faulty("NeverDeleting").partition("=")[2])
    killed(tmp_path, faulty("HangingStore"))
    (journal,) = (tmp_path / "results").rglob("running-*.json")
    words = json.loads(journal.read_text())
    journal.write_text(json.dumps({**words, "request": {**words["request"], "adapter_spec": spec}}))
    run = run_l2sweep("adapter=mock", "num_keys=2", "data_size_kb=64", "rounds=1")
    assert run.exit_code == 0, run.err
    assert ", left by a run that died, stay: the adapter cannot delete" in run.out
    assert list(run.results_dir.rglob("running-*")) == []


def test_a_single_point_removes_what_a_dead_one_left(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Faulty
) -> None:
    killed(tmp_path, faulty("HangingStore"))
    (stored, _) = (tmp_path / "kv").glob("*.data")
    stored.with_suffix(".tmp").touch()  # as LMCache's fs adapter leaves a key that it was writing
    others = tmp_path / "kv" / f"other-{stored.with_suffix('.tmp').name}"
    others.touch()
    run = run_l2sweep("adapter=mock", "num_keys=2", "data_size_kb=64", "rounds=1")
    assert ", left by a run that died, were removed" in run.out
    assert list((tmp_path / "kv").iterdir()) == [others]


def test_keys_are_removed_by_the_interpreter_that_stored_them(tmp_path: Path, begin: Begin) -> None:
    path, _journal = begin(python="/venvs/a/bin/python")
    asked: list[str | None] = []

    def start(request: PointRequest, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
        asked.append(limits.python)
        raise InterruptedError  # no more is of interest

    abandon(path)
    assert "could not be removed" in remove_leftovers(str(tmp_path), start)[0]
    assert asked == ["/venvs/a/bin/python"]


def test_a_file_that_is_being_written_is_not_removed_as_half_written(tmp_path: Path) -> None:
    folder = tmp_path / "rounds"
    folder.mkdir()
    written = half_written(folder, "mine.00000.1")
    with open_held(written):
        remove_half_written(tmp_path)
        assert written.exists()
    host = Host.here()
    foreign = folder / f".mine.{host.name}-{host.machine_id[:8]}.{host.boot_id[:8]}.1.another-.00000000.tmp"
    foreign.touch()
    remove_half_written(tmp_path)
    assert list(folder.iterdir()) == [foreign]


def test_what_cannot_be_removed_stops_nothing(run_l2sweep: RunL2Sweep, tmp_path: Path, begin: Begin) -> None:
    path, _journal = begin(python="/no/such/python")
    abandon(path)
    (tmp_path / "results").mkdir()
    (tmp_path / "sweeps").rename(tmp_path / "results" / "sweeps")
    run = run_l2sweep("-m", "adapter=mock", "num_keys=2", "data_size_kb=64", "rounds=1")
    assert run.exit_code == 0, run.err
    assert "left by a run that died, could not be removed" in run.out
    assert len(list((tmp_path / "results").rglob("running-*"))) == 1


def killed(tmp_path: Path, *options: str) -> None:
    """Run a single point that hangs in its second store, and kill it."""
    process = start_l2sweep(
        tmp_path, *options, "num_keys=2", "data_size_kb=64", "rounds=2", "warmup_rounds=0", FAULT_AT="2"
    )
    drain = threading.Thread(target=process.communicate)
    drain.start()
    wait_for(lambda: len(list((tmp_path / "kv").glob("*.data"))) == 2 or None)
    process.kill()
    drain.join()
