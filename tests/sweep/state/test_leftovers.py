"""Keys of points whose launcher died are removed; those of a live launcher or another host are not."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fake_starter import ACCEPTED, CREATED, Answer, FakeStarter
from shipped import point

from l2sweep import interrupts
from l2sweep.bench.job import Job
from l2sweep.bench.messages import Finished
from l2sweep.bench.trace.requests import TraceReplay
from l2sweep.errors import BenchError
from l2sweep.records.files import half_written
from l2sweep.records.owner import Host
from l2sweep.sweep.state.journal import Journal, JournalEntry, journal_file
from l2sweep.sweep.state.leftovers import (
    Removal,
    leftovers,
    leftovers_in_words,
    remove_keys,
    remove_leftovers,
)

RESP = {"type": "resp", "host": "h", "port": 1, "password": "hunter2"}


def job_of(spec: dict[str, Any]) -> Job:
    return point(adapter=spec, num_keys=2, data_size_kb=64).job("killed-0-1-0a0a0a")


def abandon(results_dir: Path, spec: dict[str, Any], *, python: str | None = None, **host: str) -> Path:
    """Write the journal of a launcher that died, and return its path."""
    job = job_of(spec)
    file = journal_file(results_dir / "sweeps" / "killed", 0, 1, "0a0a0a")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(JournalEntry(Host(**{**asdict(Host.here()), **host}), job, python).to_json())
    return file


PLUGIN = {"type": "plugin", "module_path": "evil", "class_name": "Evil"}


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
    assert found.spec_in([other]) is None
    assert found.spec_in([other, RESP]) == RESP


def test_keys_are_deleted_by_a_process_that_runs_no_phase_in_the_same_interpreter() -> None:
    starter = FakeStarter(lambda _: finish(keys_removed=True))
    job = job_of({"type": "mock"})
    assert remove_keys(job, "/venvs/a/bin/python", starter.start) is Removal.DONE
    (started,) = starter.jobs
    assert (started.phases, started.delete_after, started.namespace) == ((), True, job.namespace)
    assert starter.limits[0].python == "/venvs/a/bin/python"
    assert (job.timeout_s["lookup"], started.timeout_s["lookup"]) == (60, 10)


def test_the_keys_of_the_storage_manager_are_deleted_through_it_with_those_stored_beside_loads() -> None:
    starter = FakeStarter(lambda _: finish(keys_removed=True))
    job = replace(job_of({"type": "mock"}), through="storage_manager", concurrent=True)
    assert remove_keys(job, None, starter.start) is Removal.DONE
    (started,) = starter.jobs
    assert (started.through, started.kv_rank) == ("storage_manager", job.kv_rank)
    assert started.key_layout.owned == job.key_layout.owned


def test_the_keys_of_a_trace_are_deleted_without_the_trace() -> None:
    starter = FakeStarter(lambda _: finish(keys_removed=True))
    job = replace(job_of({"type": "mock"}), trace=TraceReplay("/gone.jsonl", "", 1.0, 500))
    entry = JournalEntry.from_json(JournalEntry(Host.here(), job, None).to_json())
    assert remove_keys(entry.job, None, starter.start) is Removal.DONE
    assert starter.jobs[0].key_layout.stored == range(500)


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
        (finish(exit_code=1), "may remain: their deletion is not proven; the next run tries again", True),
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


def change(file: Path, **job: Any) -> None:
    """Change fields of the job in a journal."""
    entry = JournalEntry.from_json(file.read_text())
    file.write_text(replace(entry, job=replace(entry.job, **job)).to_json())


def removed_all() -> FakeStarter:
    return FakeStarter(lambda _: finish(keys_removed=True))


def left_alone(results_dir: Path, file: Path, specs: list[dict[str, Any]] | None = None) -> str:
    """Remove leftovers, and return the sentence for a journal that starts no process and stays."""
    starter = removed_all()
    (sentence,) = remove_leftovers(str(results_dir), starter.start, specs or [])
    assert (starter.jobs, file.exists()) == ([], True)
    return sentence


def test_the_interpreter_in_a_journal_is_never_run(tmp_path: Path) -> None:
    abandon(tmp_path, {"type": "mock"}, python="/tmp/evil.sh")
    starter = removed_all()
    (sentence,) = remove_leftovers(str(tmp_path), starter.start, pythons=[None, "/venvs/b/bin/python"])
    assert [limits.python for limits in starter.limits] == [None]
    assert sentence.endswith("were removed")


def test_the_interpreter_that_the_user_requests_as_well_is_run(tmp_path: Path) -> None:
    abandon(tmp_path, {"type": "mock"}, python="/venvs/a/bin/python")
    starter = removed_all()
    remove_leftovers(str(tmp_path), starter.start, pythons=["/venvs/b/bin/python", "/venvs/a/bin/python"])
    assert [limits.python for limits in starter.limits] == ["/venvs/a/bin/python"]


def test_keys_that_only_another_interpreter_can_remove_are_reported_with_it(tmp_path: Path) -> None:
    file = abandon(tmp_path, {"type": "mock"}, python="/venvs/a/bin/python")
    starter = FakeStarter(lambda _: finish(exit_code=1))
    (sentence,) = remove_leftovers(str(tmp_path), starter.start)
    assert sentence.endswith("without the interpreter of that run: repeat with python=/venvs/a/bin/python")
    assert file.exists()


def test_no_other_program_of_a_journal_reaches_the_process(tmp_path: Path) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    change(
        file, profile_mode="cpu", profile_stem="/etc/x", profile_scripts_dir="/tmp/evil", folder="/tmp/evil"
    )
    starter = removed_all()
    remove_leftovers(str(tmp_path), starter.start)
    (job,) = starter.jobs
    assert (job.profile_mode, job.profile_stem, job.profile_scripts_dir, job.folder) == ("", "", "", "")


def test_code_in_the_spec_of_a_journal_is_loaded_only_if_the_user_requests_it(tmp_path: Path) -> None:
    file = abandon(tmp_path, PLUGIN)
    assert "its adapter may run code: plugin; a run with the same adapter" in left_alone(tmp_path, file)
    other = {**PLUGIN, "class_name": "Other"}
    assert "its adapter may run code: plugin" in left_alone(tmp_path, file, [other])
    starter = removed_all()
    remove_leftovers(str(tmp_path), starter.start, [other, PLUGIN])
    assert [job.adapter_spec for job in starter.jobs] == [PLUGIN]
    assert not file.exists()


@pytest.mark.parametrize(
    "namespace",
    [
        "bench-model",
        "l2sweep-15f19f25e78030ea",
        "l2sweep-15f19f25e78030ea-other-0-1-0a0a0a",
        "l2sweep-15f19f25e78030ea-killed-1-1-0a0a0a",
        "l2sweep-15f19f25e78030ea-killed-0-2-0a0a0a",
        "l2sweep-15f19f25e78030ea-killed-0-1-0b0b0b",
    ],
)
def test_only_the_namespace_of_the_journals_own_run_is_removed(tmp_path: Path, namespace: str) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    change(file, namespace=namespace)
    assert "other runs may use this namespace" in left_alone(tmp_path, file, [{"type": "mock"}])


@pytest.mark.parametrize("mode", [0o666, 0o622])
def test_a_journal_that_others_can_write_is_named_and_left(tmp_path: Path, mode: int) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    file.chmod(mode)
    sentence = left_alone(tmp_path, file)
    assert sentence.startswith(f"{file} is ignored: every user can write" if mode == 0o666 else str(file))
    assert sentence.endswith("; nothing is removed because of it")


def test_a_journal_behind_a_link_is_named_and_left(tmp_path: Path) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    elsewhere = file.rename(tmp_path / "elsewhere.json")
    file.symlink_to(elsewhere)
    assert left_alone(tmp_path, file).startswith(f"{file} is ignored: it is a symbolic link")


def test_a_fifo_in_place_of_a_journal_is_named_and_does_not_block(tmp_path: Path) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    file.unlink()
    os.mkfifo(file, 0o600)
    assert left_alone(tmp_path, file).startswith(f"{file} is ignored: it is not a regular file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_the_journal_of_another_user_is_named_and_left(tmp_path: Path) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    os.chown(file, 65534, 65534)
    assert left_alone(tmp_path, file).startswith(f"{file} is ignored: it belongs to user 65534")


def test_a_folder_of_data_that_is_a_link_is_left_alone_unless_the_user_requests_it(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "kv").symlink_to(tmp_path / "precious")
    spec = {"type": "fs", "base_path": str(tmp_path / "kv")}
    file = abandon(tmp_path, spec)
    assert f"{tmp_path}/kv is a symbolic link" in left_alone(tmp_path, file)
    assert remove_leftovers(str(tmp_path), removed_all().start, [spec])[0].endswith("were removed")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_a_folder_of_data_that_belongs_to_another_user_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kv").mkdir()
    os.chown(tmp_path / "kv", 65534, 65534)
    file = abandon(tmp_path, {"type": "fs", "base_path": str(tmp_path / "kv")})
    assert f"{tmp_path}/kv belongs to another user" in left_alone(tmp_path, file)


def test_links_below_the_folder_of_data_are_not_followed(tmp_path: Path) -> None:
    job = job_of({"type": "fs", "base_path": str(tmp_path / "kv")})
    outside = unfinished_key(tmp_path / "precious", job)
    (tmp_path / "kv").mkdir()
    (tmp_path / "kv" / "link").symlink_to(tmp_path / "precious")
    inside = unfinished_key(tmp_path / "kv" / "below", job)
    remove_keys(job, None, removed_all().start)
    assert outside.exists()
    assert not inside.exists()


def test_files_that_only_begin_like_a_key_are_kept(tmp_path: Path) -> None:
    job = job_of({"type": "fs", "base_path": str(tmp_path / "kv")})
    foreign = unfinished_key(tmp_path / "kv", job).with_name(f"{job.namespace}@letter.txt")
    foreign.touch()
    remove_keys(job, None, removed_all().start)
    assert list((tmp_path / "kv").iterdir()) == [foreign]


def test_kept_keys_of_a_run_that_died_are_named_with_the_command_that_removes_them(tmp_path: Path) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    change(file, delete_after=False)
    sentence = left_alone(tmp_path, file, [{"type": "mock"}])
    assert "remain: keep_data=true, and their run died; to remove them: python -m l2sweep clean" in sentence
    assert f"--results-dir {tmp_path} --sweep-id killed; to keep them: remove {file}" in sentence
    assert leftovers_in_words(str(tmp_path)) == [sentence]
    starter = removed_all()
    remove_leftovers(str(tmp_path), starter.start, remove_kept=True)
    assert [job.delete_after for job in starter.jobs] == [True]
    assert not file.exists()


def test_only_the_sweep_that_is_asked_for_is_cleaned(tmp_path: Path) -> None:
    file = abandon(tmp_path, {"type": "mock"})
    starter = removed_all()
    assert remove_leftovers(str(tmp_path), starter.start, sweep_id="other") == []
    assert (starter.jobs, file.exists()) == ([], True)


def test_keys_that_the_next_run_removes_are_named_with_a_command_as_well(tmp_path: Path) -> None:
    abandon(tmp_path, {"type": "mock"})
    (sentence,) = leftovers_in_words(str(tmp_path))
    assert "the next run removes them, or python -m l2sweep clean" in sentence
