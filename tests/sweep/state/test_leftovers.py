"""Keys of points whose launcher died are removed; those of a live launcher or another host are not."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fake_starter import ACCEPTED, CREATED, Answer, FakeStarter
from shipped import point

from l2sweep import interrupts
from l2sweep.bench.job import Job
from l2sweep.bench.messages import Finished
from l2sweep.errors import BenchError
from l2sweep.records.files import half_written
from l2sweep.records.owner import Host
from l2sweep.sweep.state.journal import Journal, JournalEntry, journal_file
from l2sweep.sweep.state.leftovers import Removal, leftovers, remove_keys, remove_leftovers

RESP = {"type": "resp", "host": "h", "port": 1, "password": "hunter2"}


def job_of(spec: dict[str, Any]) -> Job:
    return point(adapter=spec, num_keys=2, data_size_kb=64).job("killed")


def abandon(results_dir: Path, spec: dict[str, Any], *, python: str | None = None, **host: str) -> Path:
    """Write the journal of a launcher that died, and return its path."""
    job = job_of(spec)
    file = journal_file(results_dir / "sweeps" / "killed", 0, 1, "0a")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(JournalEntry(Host(**{**asdict(Host.here()), **host}), job, python).to_json())
    return file


def finish(**result: Any) -> Answer:
    exit_code = result.pop("exit_code", 0)
    return Answer([ACCEPTED, CREATED, Finished(exit_code, "", 1 << 20, **result)], status=(exit_code, 0))


def test_a_journal_without_a_lock_is_a_leftover(tmp_path: Path) -> None:
    file = abandon(tmp_path, {"type": "mock"}, python="/venvs/a/bin/python")
    found, unreadable = leftovers(str(tmp_path))
    assert (list(found), unreadable) == ([file], [])
    assert (found[file].python, found[file].job) == ("/venvs/a/bin/python", job_of({"type": "mock"}))


def test_the_journal_of_a_live_launcher_is_no_leftover(tmp_path: Path) -> None:
    file = journal_file(tmp_path / "sweeps" / "mine", 0, 1, "0a")
    journal = Journal(file, job_of({"type": "mock"}), None)
    journal.begin()
    assert leftovers(str(tmp_path)) == ({}, [])
    journal.end(keys_remain=True)
    assert len(leftovers(str(tmp_path))[0]) == 1


@pytest.mark.parametrize(
    ("host", "is_found"),
    [
        ({"name": "another", "machine_id": "1" * 32, "boot_id": "0" * 8}, False),
        ({"name": "another", "boot_id": "0" * 8}, False),  # two containers with the same image
        ({"boot_id": "0" * 8}, True),  # this host before a reboot
    ],
)
def test_the_journal_of_another_host_is_no_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: dict[str, str], is_found: bool
) -> None:
    here = replace(Host.here(), machine_id="2" * 32)
    monkeypatch.setattr(Host, "here", lambda: here)
    file = abandon(tmp_path, {"type": "mock"}, **host)
    found, unreadable = leftovers(str(tmp_path))
    assert (list(found), unreadable) == ([file] if is_found else [], [])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1, "started": "5"}'])
def test_an_unreadable_journal_is_reported_and_the_others_are_read(tmp_path: Path, content: str) -> None:
    abandon(tmp_path, {"type": "mock"})
    unreadable = tmp_path / "sweeps" / "killed" / "running-00000.1.json"
    unreadable.write_text(content)
    found, sentences = leftovers(str(tmp_path))
    assert len(found) == 1
    assert sentences == [f"{unreadable} cannot be read: the keys of a run that died may remain"]


def test_a_missing_results_folder_has_no_leftovers(tmp_path: Path) -> None:
    assert leftovers(str(tmp_path / "results")) == ({}, [])


def test_a_leftover_gets_the_credentials_of_the_same_spec(tmp_path: Path) -> None:
    file = abandon(tmp_path, RESP)
    found = leftovers(str(tmp_path))[0][file]
    assert found.lacks_credentials
    other = {**RESP, "port": 2}
    assert found.with_credentials([other]).job.adapter_spec["password"] == "***"
    complete = found.with_credentials([other, RESP])
    assert complete.job.adapter_spec == RESP
    assert not complete.lacks_credentials


def test_a_leftover_without_credentials_keeps_its_spec(tmp_path: Path) -> None:
    found = JournalEntry(Host.here(), job_of({"type": "mock"}), None)
    assert found.with_credentials([RESP, {"type": "mock"}]) is found


def test_keys_are_deleted_by_a_process_that_runs_no_phase_in_the_same_interpreter() -> None:
    starter = FakeStarter(lambda _: finish(keys_removed=True))
    job = job_of({"type": "mock"})
    assert remove_keys(job, "/venvs/a/bin/python", starter.start) is Removal.DONE
    (started,) = starter.jobs
    assert (started.phases, started.delete_after, started.namespace) == ((), True, job.namespace)
    assert starter.limits[0].python == "/venvs/a/bin/python"


@pytest.mark.parametrize(
    ("answer", "removal"),
    [
        (finish(keys_removed=True), Removal.DONE),
        (finish(keys_stay=True), Removal.UNSUPPORTED),
        (finish(exit_code=1), Removal.FAILED),
        (Answer([ACCEPTED], status=(-9, 0)), Removal.FAILED),
        (FileNotFoundError("/no/such/python"), Removal.FAILED),
        (BenchError("the fork server ended"), Removal.FAILED),
    ],
)
def test_the_result_of_a_removal(answer: Answer | BaseException, removal: Removal) -> None:
    starter = FakeStarter(lambda _: answer)
    assert remove_keys(job_of({"type": "mock"}), None, starter.start) is removal


def unfinished_key(folder: Path, job: Job) -> Path:
    """Create the file of a key that LMCache's fs adapter has not finished."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{job.namespace}@1@0@ab.tmp"
    file.touch()
    return file


def test_unfinished_keys_of_the_namespace_are_removed(tmp_path: Path) -> None:
    job = job_of({"type": "fs", "base_path": str(tmp_path / "kv")})
    unfinished = unfinished_key(tmp_path / "kv", job)
    foreign = tmp_path / "kv" / f"other-{unfinished.name}"
    foreign.touch()
    remove_keys(job, None, FakeStarter(lambda _: finish(keys_removed=True)).start)
    assert list((tmp_path / "kv").iterdir()) == [foreign]


def test_unfinished_keys_of_a_shared_namespace_are_kept(tmp_path: Path) -> None:
    job = replace(job_of({"type": "fs", "base_path": str(tmp_path / "kv")}), fresh_namespace=False)
    unfinished = unfinished_key(tmp_path / "kv", job)
    remove_keys(job, None, FakeStarter(lambda _: finish(keys_removed=True)).start)
    assert unfinished.exists()


def test_unfinished_keys_are_kept_if_the_removal_failed(tmp_path: Path) -> None:
    job = job_of({"type": "fs", "base_path": str(tmp_path / "kv")})
    unfinished = unfinished_key(tmp_path / "kv", job)
    remove_keys(job, None, FakeStarter(lambda _: finish(exit_code=1)).start)
    assert unfinished.exists()


@pytest.mark.parametrize(
    ("answer", "words", "is_kept"),
    [
        (finish(keys_removed=True), "were removed", False),
        (finish(keys_stay=True), "remain: the adapter cannot delete", False),
        (finish(exit_code=1), "could not be removed", True),
    ],
)
def test_each_removal_is_reported_and_a_failed_one_is_tried_again_later(
    tmp_path: Path, answer: Answer, words: str, is_kept: bool
) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    namespace = job_of({"type": "mock"}).namespace
    sentences = remove_leftovers(str(tmp_path), FakeStarter(lambda _: answer).start)
    assert sentences == [f"keys of namespace {namespace}, left by an earlier run, {words}"]
    assert file.exists() == is_kept


def test_without_credentials_no_process_is_started_and_the_journal_stays(tmp_path: Path) -> None:
    file = abandon(tmp_path, RESP)
    starter = FakeStarter()
    (sentence,) = remove_leftovers(str(tmp_path), starter.start, [{"type": "mock"}])
    assert sentence.endswith(f"remain: the adapter needs credentials ({file})")
    assert (starter.jobs, file.exists()) == ([], True)


def test_the_process_gets_the_credentials_of_the_request(tmp_path: Path) -> None:
    file = abandon(tmp_path, RESP)
    starter = FakeStarter(lambda _: finish(keys_removed=True))
    remove_leftovers(str(tmp_path), starter.start, iter([RESP]))
    assert starter.jobs[0].adapter_spec == RESP
    assert not file.exists()


def test_unfinished_files_of_l2sweep_are_removed(tmp_path: Path) -> None:
    (tmp_path / "rounds").mkdir()
    half_written(tmp_path / "rounds", "killed.00000.1").touch()
    assert remove_leftovers(str(tmp_path), FakeStarter().start) == []
    assert list((tmp_path / "rounds").iterdir()) == []


def test_a_pending_interrupt_stops_the_removal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    monkeypatch.setattr(interrupts._STATE, "is_pending", True)
    starter = FakeStarter()
    with pytest.raises(KeyboardInterrupt):
        remove_leftovers(str(tmp_path), starter.start)
    assert (starter.jobs, file.exists()) == ([], True)
