"""A whole point in the process of the tests, over LMCache's real fs and mock adapters."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_fs import (
    FailingClose,
    FaultyFs,
    LosingLater,
    LostStore,
    NeverDeleting,
    RaisingStore,
    WrongBytesLater,
)
from lmcache.lmcache_native import Bitmap
from lmcache.v1.distributed.internal_api import L2StoreResult
from small_job import KEY_BYTES, NAMESPACE, fs_spec, mock_spec, small_job, small_workload

from l2sweep.bench import clock
from l2sweep.bench import phase as phase_module
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.adapter.verbs import Submit
from l2sweep.bench.benchmarks import lmcache_adapter, own_keys
from l2sweep.bench.benchmarks.lmcache_adapter import AdapterBenchmark
from l2sweep.bench.checks import stored_keys
from l2sweep.bench.clock import RoundClock, RoundTiming
from l2sweep.bench.job import Job
from l2sweep.bench.messages import (
    AdapterCreated,
    CleaningUp,
    Finished,
    Message,
    Note,
    PhaseEnded,
    PhaseStarted,
    RoundMeasured,
)
from l2sweep.bench.versions import lmcache_version, torch_version
from l2sweep.errors import RequestError

RunJob = Callable[[Job], tuple[Finished, list[Message]]]
STORE_ONLY = {"phases": ("store",), "delete_after": False}


@pytest.fixture
def run_job(log: LogWatch) -> RunJob:
    """Run a job, and return its last message and the messages before it."""

    def run(job: Job) -> tuple[Finished, list[Message]]:
        reported: list[Message] = []
        return AdapterBenchmark(job, reported.append, log).run(), reported

    return run


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Use an adapter with a fault in place of the one that LMCache would create."""
    return lambda adapter: monkeypatch.setattr(lmcache_adapter.adapters, "create", lambda *_: adapter)


def stored_files(folder: Path) -> int:
    return len(list((folder / "kv").iterdir()))


def rounds(messages: list[Message], phase: str) -> list[RoundMeasured]:
    return [one for one in messages if isinstance(one, RoundMeasured) and one.phase == phase]


def test_a_point_reports_each_step_and_leaves_no_key(run_job: RunJob, tmp_path: Path) -> None:
    finished, messages = run_job(small_job(fs_spec(tmp_path)))
    phase = [PhaseStarted, RoundMeasured, RoundMeasured, RoundMeasured, PhaseEnded]
    assert [type(message) for message in messages] == [AdapterCreated, *phase, *phase, *phase]
    assert isinstance(messages[0], AdapterCreated)
    assert messages[0].adapter_class == "FSL2Adapter"
    assert [message.phase for message in messages if isinstance(message, PhaseStarted)] == [
        "store",
        "lookup",
        "load",
    ]
    assert {one.status for one in messages if isinstance(one, RoundMeasured)} == {"ok"}
    assert [one.verified_keys for one in rounds(messages, "load")] == [0, 4, 4]
    assert (finished.exit_code, finished.detail) == (0, "")
    assert (finished.keys_removed, finished.keys_stay) == (True, False)
    assert finished.peak_rss_bytes > 2**20
    assert stored_files(tmp_path) == 0


def test_store_and_load_use_different_regions_of_one_buffer(
    run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = lmcache_adapter.buffers.region
    made = []

    def region(*arguments: Any, **options: Any) -> Any:
        made.append((arguments[0], make(*arguments, **options)))
        return made[-1][1]

    monkeypatch.setattr(lmcache_adapter.buffers, "region", region)
    run_job(small_job(mock_spec()))
    (buffer, store), (same_buffer, load) = made
    assert buffer is same_buffer
    assert not np.shares_memory(store.slots, load.slots)


def test_the_keys_stay_if_they_should(run_job: RunJob, tmp_path: Path) -> None:
    finished, _ = run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    assert (finished.exit_code, finished.keys_removed, finished.keys_stay) == (0, False, False)
    assert stored_files(tmp_path) == 12


def test_a_load_in_a_later_process_finds_the_keys_and_checks_them(run_job: RunJob, tmp_path: Path) -> None:
    run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    finished, messages = run_job(small_job(fs_spec(tmp_path), phases=("load",)))
    assert finished.exit_code == 0
    assert [one.verified_keys for one in rounds(messages, "load")] == [0, 4, 4]
    assert stored_files(tmp_path) == 0


def test_a_job_without_phases_deletes_the_keys(run_job: RunJob, tmp_path: Path) -> None:
    run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    finished, messages = run_job(small_job(fs_spec(tmp_path), phases=()))
    assert {type(message) for message in messages} == {AdapterCreated, CleaningUp}
    assert (finished.exit_code, finished.keys_removed) == (0, True)
    assert stored_files(tmp_path) == 0


def test_the_versions_are_those_of_this_process(log: LogWatch) -> None:
    accepted = AdapterBenchmark(small_job(mock_spec()), print, log).accepted()
    assert (accepted.lmcache_version, accepted.torch_version) == (lmcache_version(), torch_version())


def test_a_wrong_spec_is_refused_before_anything_is_created(log: LogWatch, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"adapter\.bas_path"):
        AdapterBenchmark(small_job({**fs_spec(tmp_path), "bas_path": "x"}), print, log)
    assert list(tmp_path.iterdir()) == []


def test_a_load_of_keys_that_were_never_stored_fails(run_job: RunJob, tmp_path: Path) -> None:
    finished, _ = run_job(small_job(fs_spec(tmp_path), phases=("load",)))
    assert finished.exit_code == 1
    assert finished.detail.startswith("load: 2 of 2 rounds failed: 0 of 4 keys loaded")


def test_each_phase_that_failed_is_in_the_detail(run_job: RunJob) -> None:
    workload = small_workload(lookup_max_hit_rate=1.0)
    finished, _ = run_job(small_job(mock_spec(), workload, phases=("lookup", "load")))
    assert finished.detail == (
        "lookup: 2 of 2 rounds failed: 0 keys found, 4 expected; 0 false hits, 4 false misses; "
        "load: 2 of 2 rounds failed: 0 of 4 keys loaded"
    )


def test_the_last_warning_of_lmcache_is_in_the_detail_of_a_failure(
    run_job: RunJob, log: LogWatch, use: Callable[[Any], None], tmp_path: Path
) -> None:
    class WarningClose(RaisingStore):
        def close(self) -> None:
            logging.getLogger("lmcache.test").warning("closed with a warning")
            super().close()

    use(WarningClose(tmp_path, 3))
    finished, _ = run_job(small_job(fs_spec(tmp_path), phases=("store",)))
    assert finished.detail == (
        "store: 1 of 2 rounds failed: submit_store_task raised RuntimeError: the disk is on fire; "
        "closed with a warning"
    )


def test_a_failure_in_a_warm_up_round_does_not_fail_the_point(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(RaisingStore(tmp_path, 1))
    finished, messages = run_job(small_job(fs_spec(tmp_path), phases=("store",)))
    assert [one.status for one in rounds(messages, "store")] == ["error", "ok", "ok"]
    assert (finished.exit_code, finished.detail) == (0, "")


@pytest.mark.parametrize(("keys_stored", "exit_code"), [(False, 0), (True, 1)])
def test_misses_fail_a_lookup_only_if_the_point_has_stored_its_keys(
    run_job: RunJob, keys_stored: bool, exit_code: int
) -> None:
    finished, messages = run_job(small_job(mock_spec(), phases=("lookup",), keys_stored=keys_stored))
    assert [one.status for one in rounds(messages, "lookup")] == ["error"] * 3
    assert finished.exit_code == exit_code


def test_keys_of_an_earlier_run_are_deleted_before_a_store(run_job: RunJob, tmp_path: Path) -> None:
    again = {**STORE_ONLY, "fresh_namespace": False, "delete_before": True}
    run_job(small_job(fs_spec(tmp_path), **again))
    finished, messages = run_job(small_job(fs_spec(tmp_path), **again))
    assert finished.exit_code == 0
    assert [one.status for one in rounds(messages, "store")] == ["ok"] * 3


def test_a_store_is_not_measured_while_its_keys_are_stored(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    again = {**STORE_ONLY, "fresh_namespace": False, "delete_before": False}
    run_job(small_job(fs_spec(tmp_path), **again))
    finished, messages = run_job(small_job(fs_spec(tmp_path), **again))
    assert finished.exit_code == 1
    assert finished.detail == (
        f"store: 12 keys of namespace {NAMESPACE!r} are still stored after they were deleted"
    )
    assert rounds(messages, "store") == []


def test_an_adapter_that_cannot_delete_keeps_the_keys_of_an_earlier_run(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(NeverDeleting(tmp_path))
    again = {"phases": ("store",), "fresh_namespace": False, "delete_before": True}
    finished, messages = run_job(small_job(fs_spec(tmp_path), **again))
    assert (finished.exit_code, finished.keys_removed, finished.keys_stay) == (0, False, True)
    assert messages[-1] == Note("NeverDeleting cannot delete: 12 keys may stay")
    use(NeverDeleting(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path), **again))
    assert finished.exit_code == 1
    assert finished.detail == (
        f"store: 12 keys of namespace {NAMESPACE!r} are already stored, and NeverDeleting cannot delete; "
        "choose another namespace (namespace=...)"
    )
    assert rounds(messages, "store") == []


class ClockOfRoundTwo(RoundClock):
    """Times out at once in the second round, and never in the others."""

    rounds = 0

    def time(self, submits: list[Submit]) -> RoundTiming:
        self.rounds += 1
        self.timeout_s = 0.02 if self.rounds == 2 else 60.0
        return super().time(submits)


def test_after_a_submit_that_never_completes_no_later_phase_is_run(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase_module, "RoundClock", ClockOfRoundTwo)
    monkeypatch.setattr(clock, "LATE_GRACE_S", 0.02)
    closed = []

    class Lost(LostStore):
        def close(self) -> None:
            closed.append(self)
            super().close()

    adapter = Lost(tmp_path, 3, 4)
    use(adapter)
    finished, messages = run_job(small_job(fs_spec(tmp_path)))
    assert closed == []  # close() of a real adapter would wait for the submit
    adapter.close()
    assert [one.status for one in rounds(messages, "store")] == ["ok", "timeout", "error"]
    later = rounds(messages, "lookup") + rounds(messages, "load")
    assert {(one.status, one.detail) for one in later} == {
        ("error", "not run: submits of an earlier phase never completed")
    }
    assert (finished.exit_code, finished.keys_removed) == (1, False)
    assert finished.detail.startswith(
        "store: 2 of 2 rounds failed: 2 of 2 submits did not complete in time; "
    )


def test_a_lookup_of_earlier_keys_that_never_completes_ends_the_point(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    closed = []

    class LostLookup(FaultyFs):
        def close(self) -> None:
            closed.append(self)
            super().close()

        async def _execute_lookup(self, keys: Any, task_id: int) -> None:
            return

    adapter = LostLookup(tmp_path)
    use(adapter)
    job = small_job(fs_spec(tmp_path), fresh_namespace=False, timeout_s={"lookup": 0.02})
    finished, messages = run_job(job)
    assert closed == []
    adapter.close()
    assert finished.detail == "the lookup of keys of earlier runs failed: timed out"
    assert [type(message) for message in messages] == [AdapterCreated]


def test_a_phase_that_should_be_cold_and_is_warm_is_not_measured(run_job: RunJob) -> None:
    # In memory: another test cannot drop these pages meanwhile.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        cold = {"cache_paths": (f"{folder}/kv",), "max_resident_fraction": 0.5}
        finished, messages = run_job(small_job(fs_spec(Path(folder)), phases=("store", "load"), **cold))
    assert finished.exit_code == 1
    assert finished.detail.startswith("load: not run, because 100.0% of its pages are in the page cache")
    started = [one for one in messages if isinstance(one, PhaseStarted)]
    assert [(one.phase, one.resident_fraction) for one in started] == [("store", 0.0), ("load", 1.0)]
    assert [(one.phase, one.resident_fraction) for one in messages if isinstance(one, PhaseEnded)] == [
        ("store", 1.0)
    ]
    assert rounds(messages, "load") == []


def test_without_cache_paths_no_page_is_counted(run_job: RunJob, tmp_path: Path) -> None:
    _, messages = run_job(small_job(fs_spec(tmp_path)))
    assert {one.resident_fraction for one in messages if isinstance(one, PhaseStarted | PhaseEnded)} == {None}


def test_a_buffer_that_cannot_be_allocated_fails_the_point(run_job: RunJob) -> None:
    finished, messages = run_job(small_job(mock_spec(), small_workload(num_keys=2**40)))
    assert finished.exit_code == 1
    assert finished.detail.startswith("cannot allocate the L1 buffer of ")
    assert messages == []


def test_an_adapter_that_cannot_be_created_fails_the_point(run_job: RunJob, tmp_path: Path) -> None:
    (tmp_path / "kv").write_text("a file, and not a folder")
    finished, messages = run_job(small_job(fs_spec(tmp_path)))
    assert finished.detail.startswith("the adapter could not be created: FileExistsError")
    assert messages == []


def test_an_error_of_close_is_a_note_and_not_a_failure(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(FailingClose(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path)))
    assert finished.exit_code == 0
    assert messages[-1] == Note("adapter.close() failed: RuntimeError: already closed")


def problems(messages: list[Message]) -> list[str]:
    return [message.problem for message in messages if isinstance(message, PhaseEnded)]


class VoidStore(FaultyFs):
    """Moves the first key of a submit, and reports all."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        self._key_to_path(keys[0]).write_bytes(objects[0].byte_array)
        with self._lock:
            self._completed_store_tasks[task_id] = L2StoreResult(True, len(keys) * KEY_BYTES)
        self._store_efd.notify()


class UnloadableFs(FaultyFs):
    """Has no load."""

    def submit_load_task(self, keys: Any, objects: Any) -> int:
        raise NotImplementedError("no load here")


class LoadlessFs(FaultyFs):
    """Never completes a load."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        return


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.02)


@pytest.mark.parametrize("phases", [("store",), ("store", "lookup", "load")])
def test_a_store_whose_keys_are_not_found_is_a_problem_of_the_phase(
    run_job: RunJob,
    use: Callable[[Any], None],
    tmp_path: Path,
    short_wait: None,
    phases: tuple[str, ...],
) -> None:
    use(VoidStore(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path), phases=phases))
    assert problems(messages)[0] == "store: 6 of 12 stored keys are not found by a lookup"
    assert finished.exit_code == 1
    assert finished.detail.startswith("store: 6 of 12 stored keys are not found by a lookup")


def test_a_store_alone_whose_keys_are_found_and_correct_is_no_problem(
    run_job: RunJob, tmp_path: Path
) -> None:
    finished, messages = run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    assert (finished.exit_code, problems(messages)) == (0, [""])
    assert not [message for message in messages if isinstance(message, Note)]


def test_stored_keys_that_cannot_be_checked_because_a_load_raises_are_a_note(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(UnloadableFs(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    assert (finished.exit_code, problems(messages)) == (0, [""])
    (note,) = [message for message in messages if isinstance(message, Note)]
    assert note.text == (
        "store: its bytes were not checked, because a load failed: "
        "submit_load_task raised NotImplementedError: no load here"
    )


def test_stored_keys_whose_load_never_completes_are_a_problem_and_nothing_else_is_done(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    adapter = LoadlessFs(tmp_path)
    use(adapter)
    limits = {"store": 10.0, "lookup": 10.0, "load": 0.02}
    finished, messages = run_job(small_job(fs_spec(tmp_path), phases=("store",), timeout_s=limits))
    adapter.close()
    assert problems(messages) == ["store: the load of stored keys failed: timed out"]
    assert (finished.exit_code, finished.keys_removed, finished.keys_left) == (1, False, None)
    assert stored_files(tmp_path) == 12  # an adapter that never completes a task is left alone


def test_a_store_that_failed_is_not_looked_up(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(RaisingStore(tmp_path, *range(1, 7)))
    finished, messages = run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    assert problems(messages) == [""]
    assert finished.detail.startswith("store: 2 of 2 rounds failed")


def test_the_memory_of_a_store_holds_no_payload_when_its_keys_are_checked(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    held = []

    class Watching(FaultyFs):
        def submit_store_task(self, keys: Any, objects: Any) -> int:
            self.memory = [one.byte_array for one in objects]
            return int(super().submit_store_task(keys, objects))

        def submit_lookup_and_lock_task(self, keys: Any, group_layout_descs: Any) -> int:
            held.append(any(np.frombuffer(one, dtype=np.uint8).any() for one in self.memory))
            return int(super().submit_lookup_and_lock_task(keys, group_layout_descs))

    use(Watching(tmp_path))
    run_job(small_job(fs_spec(tmp_path), phases=("store", "load")))
    assert held
    assert not any(held)


def test_deleted_keys_are_looked_up_and_none_is_left(run_job: RunJob, tmp_path: Path) -> None:
    finished, _ = run_job(small_job(fs_spec(tmp_path)))
    assert (finished.keys_removed, finished.keys_left) == (True, 0)


def test_keys_that_are_not_deleted_are_not_looked_up(run_job: RunJob, tmp_path: Path) -> None:
    finished, _ = run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    assert finished.keys_left is None


def test_keys_that_are_left_after_a_deletion_fail_the_process_and_are_named(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path, short_wait: None
) -> None:
    class DeletesNothing(FaultyFs):
        def delete(self, keys: Any) -> None:
            return

    use(DeletesNothing(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path)))
    sentence = (
        f"12 of 12 keys of namespace {NAMESPACE!r} are still found after they were deleted "
        f"(fs, {tmp_path / 'kv'})"
    )
    assert (finished.exit_code, finished.detail) == (1, sentence)
    assert (finished.keys_removed, finished.keys_stay, finished.keys_left) == (False, False, 12)
    assert Note(sentence) in messages


def test_a_process_that_failed_reports_each_step_of_its_deletion(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(RaisingStore(tmp_path, 2))
    finished, messages = run_job(small_job(fs_spec(tmp_path)))
    steps = [message for message in messages if isinstance(message, CleaningUp)]
    assert len(steps) > 5  # the sentinel, the others, both again, and the adapter is closed
    assert {step.detail for step in steps} == {finished.detail}
    assert messages[-len(steps) :] == steps
    assert finished.keys_removed


def test_stores_and_loads_at_the_same_time_are_checked_too(run_job: RunJob, tmp_path: Path) -> None:
    # Long rounds, as payload is made between them. No key of a lookup is stored, so others are looked up.
    workload = small_workload(data_size_kb=256, num_keys=8, lookup_max_hit_rate=0.0)
    finished, messages = run_job(small_job(fs_spec(tmp_path), workload, concurrent=True))
    assert (finished.exit_code, finished.detail, finished.keys_left) == (0, "", 0)
    phases = [one.phase for one in messages if isinstance(one, PhaseEnded)]
    assert phases == ["store", "lookup", "load", "mixed_store", "mixed_load"]
    for phase in ("mixed_store", "mixed_load"):
        measured = rounds(messages, phase)
        assert [(one.status, one.keys_ok) for one in measured] == [("ok", 16)] * 3
        assert all(one.beside_fraction and 0.5 <= one.beside_fraction <= 1 for one in measured)
    assert [one.verified_keys for one in rounds(messages, "mixed_load")] == [16, 16, 16]
    assert list((tmp_path / "kv").glob("*")) == []


def test_a_store_beside_loads_whose_keys_are_lost_counts_nothing(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(LosingLater(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path), concurrent=True))
    problems = {one.phase: one.problem for one in messages if isinstance(one, PhaseEnded)}
    assert finished.exit_code == 1
    assert problems.pop("mixed_store").endswith("stored keys are not found by a lookup")
    assert set(problems.values()) == {""}


def test_a_store_beside_loads_of_wrong_bytes_counts_nothing(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(WrongBytesLater(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path), concurrent=True))
    problems = {one.phase: one.problem for one in messages if isinstance(one, PhaseEnded)}
    assert finished.exit_code == 1
    assert "are loaded back with wrong bytes" in problems["mixed_store"]
    assert problems["store"] == problems["load"] == ""


def test_where_keys_are_left_is_found_inside_a_spec() -> None:
    inner = {"type": "fs", "base_path": "/mnt/kv"}
    assert own_keys._storage_of({"type": "fault_inject", "inner": inner}) == "fault_inject, /mnt/kv"
    assert own_keys._storage_of({"type": "resp", "host": "h", "password": "p"}) == "resp"


def test_a_false_hit_in_a_lookup_alone_fails_it_although_misses_are_allowed(
    run_job: RunJob, tmp_path: Path
) -> None:
    run_job(small_job(fs_spec(tmp_path), small_workload(rounds=3), **STORE_ONLY))  # more keys than expected
    alone = {"phases": ("lookup",), "keys_stored": False, "delete_after": False}
    finished, _ = run_job(small_job(fs_spec(tmp_path), **alone))
    assert finished.exit_code == 1
    assert finished.detail.startswith("lookup: 1 of 2 rounds failed: 2 false hits")


def test_an_error_in_a_lookup_alone_fails_it_although_misses_are_allowed(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ErrorInEachRound(RoundClock):
        def time(self, submits: list[Submit]) -> RoundTiming:
            return replace(super().time(submits), error="a rule was broken")

    monkeypatch.setattr(phase_module, "RoundClock", ErrorInEachRound)
    finished, _ = run_job(small_job(mock_spec(), phases=("lookup",), keys_stored=False, delete_after=False))
    assert finished.exit_code == 1
    assert finished.detail.startswith("lookup: 2 of 2 rounds failed: a rule was broken")


class DeadServerFs(FaultyFs):
    """Finds, stores and deletes nothing, and reports no error, as the resp adapter without its server."""

    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        with self._lock:
            self._completed_lookup_tasks[task_id] = Bitmap(len(keys))
        self._lookup_efd.notify()

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        with self._lock:
            self._completed_store_tasks[task_id] = L2StoreResult(False, 0)
        self._store_efd.notify()

    def delete(self, keys: Any) -> None:
        return


ALONE = {"phases": ("lookup",), "keys_stored": False, "delete_after": False}


@pytest.mark.parametrize("hit_rate", [0.0, 0.5, 1.0])
def test_a_lookup_alone_without_a_server_is_a_problem_although_misses_are_allowed(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path, short_wait: None, hit_rate: float
) -> None:
    use(DeadServerFs(tmp_path))
    workload = small_workload(lookup_max_hit_rate=hit_rate)
    finished, messages = run_job(small_job(fs_spec(tmp_path), workload, **ALONE))
    (problem,) = problems(messages)
    assert problem.endswith("the store failed")
    assert (finished.exit_code, finished.detail) == (1, problem)


@pytest.mark.parametrize("hit_rate", [0.0, 0.5, 1.0])
def test_a_lookup_alone_of_an_empty_store_is_confirmed_and_leaves_no_sentinel(
    run_job: RunJob, tmp_path: Path, hit_rate: float
) -> None:
    workload = small_workload(lookup_max_hit_rate=hit_rate)
    finished, messages = run_job(small_job(fs_spec(tmp_path), workload, **ALONE))
    assert (finished.exit_code, problems(messages)) == (0, [""])
    assert stored_files(tmp_path) == 0


def test_a_lookup_alone_of_stored_keys_stores_nothing(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    adapter = RaisingStore(tmp_path, 1)
    use(adapter)
    finished, messages = run_job(small_job(fs_spec(tmp_path), **ALONE))
    assert (finished.exit_code, problems(messages)) == (0, [""])
    assert adapter._tasks == 0
    assert stored_files(tmp_path) == 12


def test_rounds_that_found_keys_count_although_the_sentinel_before_them_could_not_be_stored(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    run_job(small_job(fs_spec(tmp_path), small_workload(rounds=1), **STORE_ONLY))  # not the last round
    use(RaisingStore(tmp_path, 1))
    workload = small_workload(warmup_rounds=1, rounds=2, lookup_max_hit_rate=0.5)
    finished, messages = run_job(small_job(fs_spec(tmp_path), workload, **ALONE))
    assert [one.keys_ok for one in rounds(messages, "lookup")] == [2, 2, 2]
    assert (finished.exit_code, problems(messages)) == (0, [""])
    (note,) = [message for message in messages if isinstance(message, Note)]
    assert note.text.startswith("lookup: no sentinel was found before its rounds: submit_store_task raised")


def test_keys_whose_deletion_cannot_be_proven_fail_the_process_and_are_not_removed(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path, short_wait: None
) -> None:
    run_job(small_job(fs_spec(tmp_path), **STORE_ONLY))
    use(DeadServerFs(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path), phases=()))
    assert (finished.exit_code, finished.keys_removed, finished.keys_left) == (1, False, None)
    assert finished.detail.startswith(
        f"12 keys of namespace {NAMESPACE!r} may be left (fs, {tmp_path / 'kv'}): no stored key is found, "
    )
    assert Note(finished.detail) in messages
    assert stored_files(tmp_path) == 12


def test_an_adapter_that_cannot_delete_keeps_the_sentinel_of_a_lookup_alone_and_says_so(
    run_job: RunJob, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(NeverDeleting(tmp_path))
    finished, messages = run_job(small_job(fs_spec(tmp_path), **ALONE))
    assert finished.exit_code == 0
    assert messages[-1] == Note("NeverDeleting cannot delete: 1 key may stay")
