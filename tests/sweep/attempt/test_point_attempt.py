"""One attempt at a point: its processes, its rows, and the keys that it leaves."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fake_process import FakeProcess, round_measured
from fake_starter import ACCEPTED, CREATED, Answer, FakeStarter, crash, refuse, rounds, succeed
from sample_rows import point_row
from shipped import point

import l2sweep
from l2sweep.bench.block_devices import DeviceCounters
from l2sweep.bench.job import Job
from l2sweep.bench.messages import (
    CleaningUp,
    Finished,
    Message,
    Note,
    PhaseStarted,
    RendezvousOpened,
    RoundMeasured,
)
from l2sweep.bench.page_cache import Residency
from l2sweep.config.cache import CacheConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError
from l2sweep.records.environment import Machine, Storage
from l2sweep.records.owner import is_held
from l2sweep.records.storage.layout import is_date
from l2sweep.sweep.attempt import host_attempt, point_attempt, process_steps
from l2sweep.sweep.attempt.host_attempt import SweepContext
from l2sweep.sweep.attempt.point_attempt import PointResult, run_attempt
from l2sweep.sweep.cache.devices import StorageStack
from l2sweep.sweep.cache.drop import CacheDrop
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.state.journal import JournalEntry
from l2sweep.sweep.state.owned_files import OwnedFiles

MACHINE = Machine("bench-1", "Linux 6.1", "EPYC", 8, 2**36)
DISK = Storage("ext4", "/", "rw", None)


@pytest.fixture(autouse=True)
def _on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every path be on a disk whose page cache the kernel reports."""
    monkeypatch.setattr(Storage, "behind", lambda path: DISK)


@dataclass
class Attempt:
    """A point to run with fake processes.

    Attributes:
        folder: Folder of the results and of the data.
        answer: Returns what the process of a job reports.
        messages: The messages that were passed on.
    """

    folder: Path
    answer: Callable[[Job], Answer | BaseException] = succeed
    messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.starter = FakeStarter(lambda job: self.answer(job))

    def run(self, on_message: Callable[[Message], None] | None = None, **changes: Any) -> PointResult:
        spec = {"type": "fs", "base_path": str(self.folder / "kv")}
        config = point(adapter=spec, num_keys=2, data_size_kb=64, rounds=2)
        planned = PlannedPoint(3, 3, 0, replace(config, **changes), attempt=2)
        sweep = SweepConfig(sweep_id="mine", results_dir=str(self.results_dir))
        context = SweepContext(sweep, MACHINE, None, self.starter.start)
        return run_attempt(context, planned, on_message or self.messages.append)

    @property
    def results_dir(self) -> Path:
        return self.folder / "results"

    @property
    def journals(self) -> list[Path]:
        return sorted(self.results_dir.rglob("running-*"))

    @property
    def records(self) -> list[str]:
        """The records, without the folder of today's date."""
        files = (path.relative_to(self.results_dir) for path in self.results_dir.rglob("*.parquet"))
        return sorted("/".join(part for part in file.parts if not is_date(part)) for file in files)

    @property
    def log(self) -> str:
        return (self.results_dir / "sweeps" / "mine" / "point-00003.2.log").read_text()


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path)


RECORDS = ["points/mine/mine.00003.2.parquet", "rounds/mine/mine.00003.2.parquet"]


def test_a_point_that_succeeds_is_recorded_and_leaves_no_journal(attempt: Attempt) -> None:
    result = attempt.run()
    assert (result.exit_code, result.point["status"]) == (0, "ok")
    assert [(row["phase"], row["round"]) for row in result.rounds] == [
        (phase, number) for phase in ("store", "lookup", "load") for number in (1, 2)
    ]
    assert attempt.records == RECORDS
    assert len(l2sweep.load_rounds(attempt.results_dir)) == 6
    assert attempt.journals == []
    assert len(attempt.starter.jobs) == 1  # its process has deleted the keys


def test_the_journal_is_locked_before_the_process_starts(attempt: Attempt) -> None:
    held: list[bool] = []

    def look(job: Job) -> Answer:
        (journal,) = attempt.journals
        held.append(is_held(journal))
        assert attempt.log == ""
        return succeed(job)

    attempt.answer = look
    attempt.run()
    assert held == [True]


def test_two_attempts_have_different_keys(attempt: Attempt) -> None:
    attempt.run()
    attempt.run()
    first, second = attempt.starter.jobs
    assert first.namespace != second.namespace
    assert first.namespace.startswith(f"l2sweep-{attempt_id(attempt)}-mine-3-2-")


def attempt_id(attempt: Attempt) -> str:
    return str(l2sweep.load_points(attempt.results_dir)["point_id"].iloc[0])


def test_messages_are_passed_on_without_credentials_and_notes_are_logged(attempt: Attempt) -> None:
    spec = {"type": "fs", "base_path": str(attempt.folder / "kv"), "password": "hunter2"}
    attempt.answer = lambda job: Answer([Note("AUTH hunter2"), Finished(0, "", 1)], b"warning: hunter2\n")
    attempt.run(adapter_spec=spec)
    assert attempt.messages == [Note("AUTH ***"), Finished(0, "", 1)]
    assert sorted(attempt.log.splitlines()) == ["[Note] AUTH ***", "warning: ***"]


def test_the_limits_of_a_point_apply_to_its_process(attempt: Attempt) -> None:
    attempt.run(memory_limit_mib=3, deadline_s=7.0, python="/other/python", lmcache_log_level="DEBUG")
    (limits,) = attempt.starter.limits
    assert (limits.memory_limit_bytes, limits.deadline_s) == (3 << 20, 7.0)
    assert (limits.python, limits.lmcache_log_level) == ("/other/python", "DEBUG")


def test_a_point_without_a_memory_limit_has_none(attempt: Attempt) -> None:
    attempt.run()
    assert attempt.starter.limits[0].memory_limit_bytes is None


def test_the_rounds_before_a_crash_are_recorded(attempt: Attempt) -> None:
    attempt.answer = crash
    result = attempt.run()
    assert (result.exit_code, result.point["status"]) == (1, "crashed")
    assert result.point["detail"] == "killed by SIGKILL during store; last output: boom"
    assert l2sweep.load_rounds(attempt.results_dir)["round"].tolist() == [1]
    assert "boom" in attempt.log


def test_after_a_crash_the_rows_are_written_before_the_keys_are_deleted(attempt: Attempt) -> None:
    recorded: list[list[str]] = []

    def look(job: Job) -> Answer:
        if not job.phases:
            recorded.append(attempt.records)
            assert len(attempt.journals) == 1
        return crash(job)

    attempt.answer = look
    attempt.run()
    assert recorded == [RECORDS]
    measured, cleaning = attempt.starter.jobs
    assert (cleaning.namespace, cleaning.delete_after) == (measured.namespace, True)
    assert attempt.journals == []


def test_keys_that_cannot_be_deleted_leave_an_unlocked_journal(attempt: Attempt) -> None:
    attempt.answer = lambda job: crash(job) if job.phases else BenchError("the fork server ended")
    assert attempt.run().keys_remain
    (journal,) = attempt.journals
    assert not is_held(journal)


def test_a_store_that_is_silent_while_keys_are_deleted_is_not_tried_again_by_this_run(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_attempt, "REMOVAL_SILENCE_S", 0.0)
    cleaning = CleaningUp("store: hunter2 failed")
    silent = [ACCEPTED, CREATED, PhaseStarted("store"), *rounds("store", 2), cleaning]
    attempt.answer = lambda job: Answer(silent, b"connection refused\n", (-15, 0), hangs=True)
    spec = {"type": "fs", "base_path": str(attempt.folder / "kv"), "password": "hunter2"}
    result = attempt.run(adapter_spec=spec)
    assert (result.exit_code, result.point["status"]) == (1, "failed")
    assert result.point["detail"] == (
        "store: *** failed; connection refused; the process was ended, because its store did not answer "
        "for 0 s while keys were deleted"
    )
    assert len(result.rounds) == 2
    assert (len(attempt.starter.jobs), len(attempt.journals), result.keys_remain) == (1, 1, True)


def test_the_process_that_deletes_the_keys_of_a_failed_point_must_not_be_silent(attempt: Attempt) -> None:
    attempt.answer = crash
    attempt.run()
    assert [limits.removal_silence_s for limits in attempt.starter.limits] == [5.0, 5.0]


def test_keys_whose_deletion_is_proven_later_do_not_remain(attempt: Attempt) -> None:
    attempt.answer = lambda job: crash(job) if job.phases else succeed(job)
    assert not attempt.run().keys_remain
    assert attempt.journals == []


def test_keys_that_the_adapter_cannot_delete_leave_no_journal(attempt: Attempt) -> None:
    attempt.answer = lambda job: Answer([ACCEPTED, CREATED, Finished(0, "", 1, keys_stay=True)])
    attempt.run()
    assert (attempt.journals, len(attempt.starter.jobs)) == ([], 1)


@pytest.mark.parametrize("changes", [{"keep_data": True}, {"only": "store"}])
def test_a_point_that_keeps_its_data_has_no_journal_and_deletes_nothing(
    attempt: Attempt, changes: dict[str, Any]
) -> None:
    attempt.answer = crash
    assert not attempt.run(**changes).keys_remain
    assert (attempt.journals, len(attempt.starter.jobs)) == ([], 1)


def test_a_refused_spec_is_recorded_and_nothing_is_deleted(attempt: Attempt) -> None:
    attempt.answer = refuse
    result = attempt.run()
    assert (result.exit_code, result.point["status"]) == (2, "refused")
    assert result.point["detail"] == "adapter.base_path: must not be empty"
    assert attempt.records == RECORDS[:1]
    assert (attempt.journals, len(attempt.starter.jobs)) == ([], 1)


def test_a_process_that_died_before_it_created_the_adapter_left_no_keys(attempt: Attempt) -> None:
    attempt.answer = lambda job: Answer([ACCEPTED], status=(-11, 0))
    assert attempt.run().point["status"] == "crashed"
    assert (attempt.journals, len(attempt.starter.jobs)) == ([], 1)


def full_disk(*arguments: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_rows_that_cannot_be_written_are_an_error_and_the_keys_are_deleted(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_attempt, "write_point", full_disk)
    attempt.answer = crash
    with pytest.raises(BenchError) as failed:
        attempt.run()
    assert str(failed.value) == (
        f"results_dir={attempt.results_dir}: a point was not recorded: No space left on device"
    )
    assert [job.phases for job in attempt.starter.jobs] == [("store", "lookup", "load"), ()]
    assert attempt.journals == []


def test_without_a_log_no_process_is_started(attempt: Attempt) -> None:
    attempt.results_dir.write_text("a file")
    with pytest.raises(BenchError, match=r"a point was not recorded: /.*/results/.*: Not a directory"):
        attempt.run()
    assert attempt.starter.jobs == []


def test_a_process_that_cannot_be_started_is_an_error(attempt: Attempt) -> None:
    attempt.answer = lambda job: BenchError("forking is not safe")
    with pytest.raises(BenchError, match="forking is not safe"):
        attempt.run()
    assert attempt.records == []


@pytest.mark.parametrize("phase", ["store", "load"])
def test_an_operating_system_error_of_a_start_is_an_error_and_the_keys_are_deleted(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    monkeypatch.setattr(host_attempt, "choose_drop", lambda *_, **__: FakeDrop(attempt))
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory", "/gone/python")
    attempt.answer = lambda job: missing if phase in job.phases else succeed(job)
    with pytest.raises(BenchError, match=r"a point could not be run: .*No such file.*: '/gone/python'"):
        attempt.run(cache=CacheConfig(mode="cold"))
    assert attempt.starter.jobs[-1].phases == ()
    assert attempt.journals == []


def test_an_attempt_ends_after_every_error(attempt: Attempt) -> None:
    def fail(message: Message) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        attempt.run(on_message=fail)
    assert attempt.starter.jobs[-1].phases == ()
    assert attempt.journals == []


class Interrupted(FakeProcess):
    """A process during which the user presses Ctrl-C after its messages."""

    def read(self) -> Iterator[Message]:
        yield from super().read()
        raise KeyboardInterrupt


def test_a_stopped_point_keeps_its_rounds_and_its_keys_are_deleted(attempt: Attempt) -> None:
    def start(job: Job, limits: Any, on_output: Any) -> FakeProcess:
        if not job.phases:
            return FakeStarter().start(job, limits, on_output)
        measured = [ACCEPTED, CREATED, PhaseStarted("store"), round_measured()]
        return Interrupted(measured, limits=limits, on_output=on_output)

    attempt.starter.start = start
    result = attempt.run()
    assert (result.exit_code, result.point["status"]) == (130, "stopped")
    assert result.point["detail"] == "stopped by the user during store"
    assert l2sweep.load_rounds(attempt.results_dir)["round"].tolist() == [1]
    assert attempt.journals == []


def test_an_interrupt_while_keys_are_deleted_leaves_an_unlocked_journal(attempt: Attempt) -> None:
    attempt.answer = lambda job: crash(job) if job.phases else KeyboardInterrupt()
    result = attempt.run()
    assert result.point["status"] == "crashed"
    assert attempt.records == RECORDS
    (journal,) = attempt.journals
    assert not is_held(journal)


@pytest.mark.parametrize(
    ("reads", "difference"), [((100, 350), 250), ((None, None), None), ((1, None), None)]
)
def test_the_reads_of_the_block_device_during_the_process_are_recorded(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, reads: Sequence[int | None], difference: int | None
) -> None:
    values = iter(reads)

    def of(devices: Sequence[str]) -> DeviceCounters | None:
        value = next(values)
        return None if value is None else DeviceCounters(value, 0)

    monkeypatch.setattr(DeviceCounters, "of", of)
    assert attempt.run().point["block_device_read_bytes"] == difference


class FakeDrop(CacheDrop):
    """Remember how many processes had started at each drop."""

    name = "fake"

    def __init__(self, attempt: Attempt, error: BaseException | None = None) -> None:
        self.attempt = attempt
        self.error = error
        self.started: list[int] = []

    def why_unusable(self) -> str:
        return ""

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        self.started.append(len(self.attempt.starter.jobs))
        if self.error is not None:
            raise self.error


def run_cold(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None
) -> tuple[PointResult, FakeDrop]:
    method = FakeDrop(attempt, error)
    monkeypatch.setattr(host_attempt, "choose_drop", lambda cache, is_local: method)
    return attempt.run(cache=CacheConfig(mode="cold", drop_before=["lookup", "load"])), method


def statuses(result: PointResult) -> list[tuple[str, str]]:
    return [(row["phase"], row["status"]) for row in result.points]


def test_a_cold_point_drops_the_page_cache_before_its_lookup_and_its_load(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, method = run_cold(attempt, monkeypatch)
    assert statuses(result) == [("store", "ok"), ("lookup", "ok"), ("load", "ok")]
    assert sorted(set(method.started)) == [1, 2]
    assert [row["cache_state"] for row in result.points] == [None, "cold", "cold"]
    assert [row["cache_method"] for row in result.points] == [None, "fake", "fake"]
    assert {row["cache_state"] for row in result.rounds if row["phase"] == "load"} == {"cold"}
    assert attempt.journals == []


def test_a_load_from_memory_is_warm_and_fails(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_memory(job: Job) -> Answer:
        if "load" not in job.phases:
            return succeed(job)
        loads = [replace(one, device_read_bytes=0) for one in rounds("load", 2)]
        finished = Finished(0, "", 1, keys_removed=True)
        return Answer([ACCEPTED, CREATED, PhaseStarted("load", 0.0), *loads, finished])

    attempt.answer = from_memory
    result, _ = run_cold(attempt, monkeypatch)
    assert (result.exit_code, result.point["phase"], result.point["status"]) == (1, "load", "warm")
    assert result.point["detail"] == "load: not cold: only 0.0% of round 1 came from the device"


def test_one_load_round_from_memory_makes_the_phase_warm_and_the_others_stay_cold(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def once_from_memory(job: Job) -> Answer:
        if "load" not in job.phases:
            return succeed(job)
        first, second = rounds("load", 2)
        return Answer(
            [ACCEPTED, CREATED, PhaseStarted("load", 0.0), first, replace(second, device_read_bytes=0)]
        )

    attempt.answer = once_from_memory
    result, _ = run_cold(attempt, monkeypatch)
    assert result.points[-1]["cache_state"] == "warm"
    assert [row["cache_state"] for row in result.rounds if row["phase"] == "load"] == ["cold", "warm"]


def test_the_processes_of_a_point_observe_its_lowest_devices(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = StorageStack(DISK, devices=("vda", "vdb"))
    monkeypatch.setattr(StorageStack, "below", lambda path: stack)
    run_cold(attempt, monkeypatch)
    assert [job.block_devices for job in attempt.starter.jobs] == [("vda", "vdb")] * 3


def test_the_devices_of_several_paths_are_observed_only_if_all_are_known(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"/a": ("vda",), "/b": ("vdb", "vda"), "/c": ()}
    monkeypatch.setattr(StorageStack, "below", lambda path: StorageStack(DISK, devices=known[path]))
    attempt.run(cache=CacheConfig(paths=["/a", "/b"]))
    attempt.run(cache=CacheConfig(paths=["/a", "/c"]))
    assert [job.block_devices for job in attempt.starter.jobs] == [("vda", "vdb"), ()]


def test_a_lookup_whose_pages_stayed_is_warm_and_fails(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_steps, "residency", lambda paths, namespace: Residency(2, 2, 0))
    result, _ = run_cold(attempt, monkeypatch)
    assert statuses(result)[1] == ("lookup", "warm")
    assert result.points[1]["detail"] == "lookup: not cold: 100.0% of its pages were in the page cache"


def test_a_drop_that_fails_ends_the_point_and_its_keys_are_deleted(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = run_cold(attempt, monkeypatch, BenchError("cache.command: exit code 1"))
    assert statuses(result) == [("store", "ok"), ("lookup", "failed")]
    assert (result.point["detail"], result.exit_code) == ("cache.command: exit code 1", 1)
    assert [job.phases for job in attempt.starter.jobs] == [("store",), ()]
    assert attempt.journals == []


def test_an_interrupt_during_a_drop_stops_the_point(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = run_cold(attempt, monkeypatch, KeyboardInterrupt())
    assert statuses(result) == [("store", "ok"), ("lookup", "stopped")]
    assert result.exit_code == 130
    assert attempt.records == RECORDS


def test_after_a_process_that_did_not_finish_no_other_runs(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt.answer = crash
    result, method = run_cold(attempt, monkeypatch)
    assert statuses(result) == [("store", "crashed")]
    assert method.started == []


def test_after_a_process_that_failed_the_next_one_runs(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_first(job: Job) -> Answer:
        if job.phases != ("store",):
            return succeed(job)
        return Answer([ACCEPTED, CREATED, Finished(1, "store: 1 of 2 rounds failed", 1)], status=(1, 0))

    attempt.answer = fail_first
    result, _ = run_cold(attempt, monkeypatch)
    assert [status for _, status in statuses(result)] == ["failed", "ok", "ok"]
    assert result.point["phase"] == "store"


def test_on_a_file_system_that_hides_pages_no_pages_are_counted(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Storage, "behind", lambda path: Storage("overlay"))
    run_cold(attempt, monkeypatch)
    assert {job.cache_paths for job in attempt.starter.measured} == {()}
    assert {job.hides_pages for job in attempt.starter.measured} == {True}
    monkeypatch.setattr(Storage, "behind", lambda path: DISK)
    run_cold(attempt, monkeypatch)
    assert attempt.starter.measured[-1].cache_paths == (str(attempt.folder / "kv"),)
    assert not attempt.starter.measured[-1].hides_pages


def test_a_result_shows_the_first_process_that_is_not_ok() -> None:
    rows = [point_row(phase="store"), point_row(phase="lookup", status="warm"), point_row(status="failed")]
    assert PointResult(rows, []).point is rows[1]
    assert PointResult(rows[:1], []).point is rows[0]


@pytest.mark.parametrize(
    ("of_processes", "exit_code"),
    [
        (["ok", "ok"], 0),
        (["ok", "failed"], 1),
        (["warm"], 1),
        (["timeout", "ok"], 1),
        (["refused"], 2),
        (["failed", "stopped"], 130),
    ],
)
def test_the_exit_code_of_a_point_is_that_of_its_worst_process(
    of_processes: list[str], exit_code: int
) -> None:
    assert PointResult([point_row(status=status) for status in of_processes], []).exit_code == exit_code


def test_a_point_that_keeps_its_data_has_a_journal_while_it_runs(attempt: Attempt) -> None:
    kept: list[bool] = []

    def look(job: Job) -> Answer:
        (journal,) = attempt.journals
        kept.append(JournalEntry.from_json(journal.read_text()).is_kept)
        return succeed(job)

    attempt.answer = look
    attempt.run(keep_data=True)
    assert (kept, attempt.journals) == ([True], [])


@pytest.mark.parametrize("is_created", [True, False])
def test_a_file_is_owned_as_soon_as_the_adapter_has_created_it(attempt: Attempt, is_created: bool) -> None:
    device = attempt.folder / "device"
    owned: list[bool] = []

    def create_and_die(job: Job) -> Answer:
        device.write_text("filled by the adapter")
        return Answer([ACCEPTED, CREATED] if is_created else [ACCEPTED], status=(-9, 0))

    def look(message: Message) -> None:
        owned.append(OwnedFiles.load(str(attempt.results_dir)).contains(device))

    attempt.answer = create_and_die
    attempt.run(look, adapter_spec={"type": "raw_block", "device_path": str(device)})
    assert owned == ([False, True] if is_created else [False])
    assert OwnedFiles.load(str(attempt.results_dir)).contains(device) is is_created


def opened(answer: Callable[[Job], Answer], job: Job) -> Answer:
    """Let the first client listen before it does anything else."""
    given = answer(job)
    is_first = job.rendezvous is not None and job.rendezvous.rank == 0
    return replace(given, messages=[RendezvousOpened(4711), *given.messages]) if is_first else given


def test_each_client_has_a_journal_and_rows_of_its_own(attempt: Attempt) -> None:
    journals: list[str] = []

    def look(job: Job) -> Answer:
        journals[:] = [path.name.rpartition("-")[2] for path in attempt.journals]
        assert all("token" not in path.read_text() for path in attempt.journals)
        return opened(succeed, job)

    attempt.answer = look
    result = attempt.run(clients=3)
    assert result.exit_code == 0
    assert journals == ["c000.json", "c001.json", "c002.json"]
    assert attempt.journals == []
    assert [(row["client"], row["clients"], row["status"]) for row in result.points] == [
        (client, 3, "ok") for client in range(3)
    ]
    assert len(result.rounds) == 3 * 6
    assert [row["namespace"].rpartition("-")[2] for row in result.points] == ["c000", "c001", "c002"]
    assert all(row["start_skew_s"] == 0.0 for row in result.rounds)
    shown = [message for message in attempt.messages if isinstance(message, RoundMeasured)]
    assert [(one.phase, one.round) for one in shown] == [
        (phase, number) for phase in ("store", "lookup", "load") for number in (1, 2)
    ]
    assert {one.keys_requested for one in shown} == {6}


def test_a_client_that_crashes_fails_the_point_and_the_keys_of_all_are_deleted(attempt: Attempt) -> None:
    def one_crashes(job: Job) -> Answer:
        is_second = job.rendezvous is not None and job.rendezvous.rank == 1
        return opened(crash if is_second else succeed, job)

    attempt.answer = one_crashes
    result = attempt.run(clients=2)
    assert result.exit_code == 1
    assert {row["status"] for row in result.points} == {"crashed"}
    assert {row["detail"] for row in result.points} == {
        "client 1: killed by SIGKILL during store; last output: boom"
    }
    rounds = {(row["client"], row["phase"], row["round"]): row for row in result.rounds}
    assert rounds[0, "store", 1]["status"] == rounds[1, "store", 1]["status"] == "ok"
    assert rounds[0, "store", 2]["status"] == "error"
    assert rounds[0, "store", 2]["detail"] == f"client 1: crashed: {result.points[0]['detail'][10:]}"
    deleted = [job.namespace for job in attempt.starter.jobs if not job.phases]
    assert [namespace.rpartition("-")[2] for namespace in deleted] == [
        "c001"
    ]  # the other one deleted its own
    assert attempt.journals == []
