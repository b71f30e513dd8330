"""A whole point through LMCache's real StorageManager, in the process of the tests, over real adapters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from faulty_fs import FaultyFs, LosingLater, LostStore, LyingLoad, RaisingStore, WrongBytesLater
from lmcache.v1.distributed import storage_manager as lmcache_storage_manager
from lmcache.v1.distributed.internal_api import L2StoreResult
from lmcache.v1.distributed.l2_adapters.mock_l2_adapter import MockL2Adapter
from lmcache.v1.distributed.storage_controllers import L2EvictionController
from small_job import KEY_BYTES, fs_spec, mock_spec, small_job, small_workload

from l2sweep.bench import clock
from l2sweep.bench.adapter.create import object_keys
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.benchmarks.storage_manager import StorageManagerBenchmark
from l2sweep.bench.checks import stored_keys
from l2sweep.bench.job import Job
from l2sweep.bench.messages import AdapterCreated, Finished, Message, Note, PhaseEnded, RoundMeasured
from l2sweep.bench.storage_manager import stores
from l2sweep.bench.workload import Workload
from l2sweep.errors import RequestError

RunJob = Callable[[Job], tuple[Finished, list[Message]]]
Use = Callable[[Any], None]


class DroppingStore(FaultyFs):
    """Reports a store of all bytes, notifies nobody, and stores nothing."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        with self._lock:
            self._completed_store_tasks[task_id] = L2StoreResult(True, sum(one.get_size() for one in objects))
        self._store_efd.notify()


class RecordedEviction(L2EvictionController):
    """The eviction controller of LMCache, which a test can also run once."""

    created: ClassVar[list[RecordedEviction]] = []

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.created.append(self)

    def run_once(self) -> None:
        for state in self._adapter_states:
            self._check_and_evict(state)


class HalfStore(FaultyFs):
    """Stores the first half of the keys, and reports success with their bytes."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        half = len(keys) // 2
        await super()._execute_store(keys[:half], objects[:half], task_id)


class FailingStore(FaultyFs):
    """Logs why, and reports each store as failed."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        logging.getLogger("lmcache.tests").warning("the disk is full")
        with self._lock:
            self._completed_store_tasks[task_id] = L2StoreResult(False, 0)
        self._store_efd.notify()


class SlowNotification(FaultyFs):
    """Notifies its listeners 50 ms after its result can be collected."""

    def _notify_keys_stored(self, keys: Any, sizes: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, super()._notify_keys_stored, keys, sizes)


class SilentStore(FaultyFs):
    """Never notifies its listeners, as a plugin may."""

    def _notify_keys_stored(self, keys: Any, sizes: Any) -> None:
        return


@pytest.fixture
def run_job(log: LogWatch, monkeypatch: pytest.MonkeyPatch) -> RunJob:
    """Run a job, and return its last message and the messages before it."""
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.2)
    monkeypatch.setattr(stores, "_NOTIFICATION_S", 0.2)
    monkeypatch.setattr(clock, "LATE_GRACE_S", 0.2)

    def run(job: Job) -> tuple[Finished, list[Message]]:
        reported: list[Message] = []
        return StorageManagerBenchmark(job, reported.append, log).run(), reported

    return run


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Let the storage manager use an adapter with a fault in place of the one that it would create."""

    def use_one(adapter: Any) -> None:
        monkeypatch.setattr(lmcache_storage_manager, "create_l2_adapter", lambda *_: adapter)

    return use_one


@pytest.fixture
def evict_after_store(monkeypatch: pytest.MonkeyPatch, log: LogWatch) -> RunJob:
    """Run a job whose eviction runs between the last store round and the checks of the store."""
    monkeypatch.setattr(lmcache_storage_manager, "L2EvictionController", RecordedEviction)
    RecordedEviction.created.clear()

    def run(job: Job) -> tuple[Finished, list[Message]]:
        reported: list[Message] = []

        def report(message: Message) -> None:
            reported.append(message)
            if isinstance(message, RoundMeasured) and (message.phase, message.round) == ("store", 3):
                RecordedEviction.created[0].run_once()

        return StorageManagerBenchmark(job, report, log).run(), reported

    return run


def small_mock() -> dict[str, Any]:
    """Return the spec of a mock adapter that holds 16 keys, and evicts half of them from 8 on."""
    eviction = {"eviction_policy": "LRU", "trigger_watermark": 0.5, "eviction_ratio": 0.5}
    return {**mock_spec(), "max_size_gb": 16 * KEY_BYTES / 2**30, "eviction": eviction}


def several(first: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    return {**first, "more_adapters": {str(number): one for number, one in enumerate(others, start=2)}}


def second_fs(folder: Path) -> dict[str, Any]:
    return fs_spec(folder / "second")


def managed_job(spec: dict[str, Any], workload: Workload | None = None, **changes: Any) -> Job:
    return small_job(spec, workload, **{"through": "storage_manager", "phases": ("store", "load"), **changes})


def rounds(messages: list[Message], phase: str) -> list[RoundMeasured]:
    return [one for one in messages if isinstance(one, RoundMeasured) and one.phase == phase]


def statuses(messages: list[Message], phase: str) -> list[str]:
    return [one.status for one in rounds(messages, phase)]


def problems(messages: list[Message]) -> list[str]:
    return [one.problem for one in messages if isinstance(one, PhaseEnded)]


@pytest.mark.parametrize("spec", ["fs", "mock"])
def test_a_point_moves_every_key_into_l2_and_back(run_job: RunJob, tmp_path: Path, spec: str) -> None:
    finished, messages = run_job(managed_job(fs_spec(tmp_path) if spec == "fs" else mock_spec()))
    assert (finished.exit_code, finished.detail) == (0, "")
    assert finished.keys_removed
    created = [one.adapter_class for one in messages if isinstance(one, AdapterCreated)]
    assert created == ["FSL2Adapter" if spec == "fs" else "MockL2Adapter"]
    for phase in ("store", "load"):
        assert statuses(messages, phase) == ["ok", "ok", "ok"]
        for one in rounds(messages, phase):
            assert (one.keys_ok, one.bytes_ok, one.detail) == (4, 4 * KEY_BYTES, "")
            assert len(one.submit_latency_s) == 2
            assert one.stored_bytes == (4 * KEY_BYTES if phase == "store" else None)
    assert [one.verified_keys for one in rounds(messages, "load")] == [0, 4, 4]
    assert list((tmp_path / "kv").glob("*")) == []


def test_the_stored_files_hold_the_payload_under_keys_of_one_rank(run_job: RunJob, tmp_path: Path) -> None:
    job = managed_job(fs_spec(tmp_path), phases=("store",), delete_after=False)
    assert run_job(job)[0].exit_code == 0
    (path,) = (tmp_path / "kv").glob(f"*@{object_keys([5], 'test', 1)[0].chunk_hash.hex()}.data")
    assert f"@{1:08x}@" in path.name or "@1@" in path.name or "@0x" in path.name
    finished, messages = run_job(managed_job(fs_spec(tmp_path), phases=("load",), delete_after=False))
    assert finished.exit_code == 0
    assert statuses(messages, "load") == ["ok", "ok", "ok"]


def test_a_second_store_of_the_same_keys_moves_nothing_and_says_so(run_job: RunJob, tmp_path: Path) -> None:
    job = managed_job(fs_spec(tmp_path), phases=("store",), delete_after=False)
    assert run_job(job)[0].exit_code == 0
    finished, messages = run_job(job)
    assert finished.exit_code == 1
    assert statuses(messages, "store") == ["error", "error", "error"]
    assert rounds(messages, "store")[1].detail.startswith(
        "0 of 4 keys stored: LMCache reports success without"
    )


def test_fp8_halves_the_stored_bytes_and_stays_within_its_tolerance(run_job: RunJob, tmp_path: Path) -> None:
    finished, messages = run_job(managed_job({**fs_spec(tmp_path), "serde": {"type": "fp8"}}))
    assert (finished.exit_code, finished.detail) == (0, "")
    assert [one.stored_bytes for one in rounds(messages, "store")] == [2 * KEY_BYTES] * 3
    assert [one.bytes_ok for one in rounds(messages, "store")] == [4 * KEY_BYTES] * 3
    assert statuses(messages, "load") == ["ok", "ok", "ok"]
    assert [one.verified_keys for one in rounds(messages, "load")] == [0, 4, 4]


@pytest.mark.parametrize("verify", [False, True])
def test_a_tolerance_that_fp8_does_not_reach_fails_each_load(
    run_job: RunJob, tmp_path: Path, verify: bool
) -> None:
    spec = {**fs_spec(tmp_path), "serde": {"type": "fp8"}}
    finished, messages = run_job(managed_job(spec, serde_tolerance=0.01, verify=verify))
    assert finished.exit_code == 1
    assert statuses(messages, "load") == ["error", "error", "error"]
    assert (
        "4 sampled keys have numbers with a relative error above 0.01" in rounds(messages, "load")[0].detail
    )


def test_encryption_changes_no_bit(run_job: RunJob, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    (tmp_path / "master").write_bytes(b"m" * 32)
    serde = {"type": "aesgcm", "master_key_path": str(tmp_path / "master")}
    finished, messages = run_job(managed_job({**fs_spec(tmp_path), "serde": serde}))
    assert (finished.exit_code, finished.detail) == (0, "")
    assert all(one.stored_bytes > 4 * KEY_BYTES for one in rounds(messages, "store") if one.stored_bytes)
    assert [one.verified_keys for one in rounds(messages, "load")] == [0, 4, 4]


def test_a_serde_that_lmcache_refuses_is_refused(log: LogWatch, tmp_path: Path) -> None:
    for serde, named in (
        ({"type": "gzip"}, "adapter.serde: Unknown serde type 'gzip'"),
        ({"type": "fp8", "fp8_dtype": "float9"}, "adapter.serde: Unknown torch dtype"),
        ({"type": "fp8", "fp8_dtyp": "float8_e5m2"}, "adapter.serde.fp8_dtyp: LMCache's fp8 serde does not"),
    ):
        job = managed_job({**fs_spec(tmp_path), "serde": serde})
        with pytest.raises(RequestError, match=named):
            StorageManagerBenchmark(job, lambda _: None, log)


def test_an_eviction_that_would_evict_nothing_is_not_measured(run_job: RunJob, tmp_path: Path) -> None:
    spec = {**fs_spec(tmp_path), "eviction": {"eviction_policy": "LRU"}}
    finished, messages = run_job(managed_job(spec))
    assert finished.exit_code == 1
    assert finished.detail.startswith("adapter.eviction: FSL2Adapter has no capacity")
    assert not rounds(messages, "store")


def test_a_store_that_drops_its_keys_counts_nothing(run_job: RunJob, use: Use, tmp_path: Path) -> None:
    use(DroppingStore(tmp_path))
    finished, messages = run_job(managed_job(fs_spec(tmp_path)))
    assert finished.exit_code == 1
    assert problems(messages)[0] == "store: 12 of 12 stored keys are not found by a lookup"
    assert statuses(messages, "load") == ["error", "error", "error"]


def test_a_store_of_half_of_the_keys_is_partial(run_job: RunJob, use: Use, tmp_path: Path) -> None:
    use(HalfStore(tmp_path))
    finished, messages = run_job(managed_job(fs_spec(tmp_path)))
    assert finished.exit_code == 1
    assert {one.status for one in rounds(messages, "store")} == {"partial"}
    assert [one.keys_ok for one in rounds(messages, "store")] == [2, 2, 2]


def test_a_store_that_raises_fails_at_once_and_not_after_its_time_limit(
    run_job: RunJob, use: Use, tmp_path: Path
) -> None:
    use(RaisingStore(tmp_path, 1, 2))
    _, messages = run_job(managed_job(fs_spec(tmp_path)))
    failed = rounds(messages, "store")[0]
    assert failed.status in ("error", "partial")
    assert failed.keys_ok < 4
    assert "submits failed" in failed.detail
    assert failed.duration_s is not None


def test_a_failed_store_says_what_the_adapter_logged_and_lists_no_keys(
    run_job: RunJob, use: Use, tmp_path: Path
) -> None:
    use(FailingStore(tmp_path))
    _, messages = run_job(managed_job(fs_spec(tmp_path)))
    assert statuses(messages, "store") == ["error", "error", "error"]
    assert rounds(messages, "store")[1].detail == (
        "0 of 4 keys stored, 2 of 2 submits failed; the disk is full"
    )


@pytest.mark.parametrize("adapter", [SlowNotification, SilentStore])
def test_late_or_missing_notifications_lose_no_stored_key(
    run_job: RunJob, use: Use, tmp_path: Path, adapter: type[FaultyFs]
) -> None:
    use(adapter(tmp_path))
    finished, messages = run_job(managed_job(fs_spec(tmp_path)))
    assert (finished.exit_code, finished.detail) == (0, "")
    assert [one.stored_bytes for one in rounds(messages, "store")] == [4 * KEY_BYTES] * 3


def test_a_load_that_moves_nothing_finds_no_payload_in_l1(run_job: RunJob, use: Use, tmp_path: Path) -> None:
    use(LyingLoad(tmp_path, *range(1, 100)))
    one_round = small_workload(rounds=1, warmup_rounds=0)  # its keys get the same memory
    finished, messages = run_job(managed_job(fs_spec(tmp_path), one_round))
    assert finished.exit_code == 1
    assert statuses(messages, "store") == ["ok"]
    assert [one.keys_ok for one in rounds(messages, "load")] == [0]


def test_a_store_that_never_completes_times_out_and_ends_the_phase(
    run_job: RunJob, use: Use, tmp_path: Path
) -> None:
    use(LostStore(tmp_path, *range(1, 100)))
    job = managed_job(fs_spec(tmp_path), timeout_s={"store": 0.2, "load": 0.2})
    finished, messages = run_job(job)
    assert finished.exit_code == 1
    assert statuses(messages, "store") == ["timeout", "error", "error"]
    assert statuses(messages, "load") == ["error", "error", "error"]


def test_a_lookup_finds_its_answer_although_the_prefetch_controller_takes_the_signals(
    run_job: RunJob, tmp_path: Path
) -> None:
    job = managed_job(fs_spec(tmp_path), phases=("store",), fresh_namespace=False, delete_before=True)
    finished, messages = run_job(job)
    assert (finished.exit_code, finished.detail) == (0, "")
    assert finished.keys_left == 0
    assert statuses(messages, "store") == ["ok", "ok", "ok"]


def test_stores_and_loads_at_the_same_time_are_rows_of_their_own(run_job: RunJob, tmp_path: Path) -> None:
    workload = small_workload(data_size_kb=256, num_keys=8)  # long rounds, as payload is made between them
    finished, messages = run_job(managed_job(fs_spec(tmp_path), workload, concurrent=True))
    assert (finished.exit_code, finished.detail) == (0, "")
    for phase in ("mixed_store", "mixed_load"):
        measured = rounds(messages, phase)
        assert [one.status for one in measured] == ["ok", "ok", "ok"]
        assert [(one.round, one.is_warmup) for one in measured] == [(1, True), (2, False), (3, False)]
        assert all(one.beside_fraction and 0.5 <= one.beside_fraction <= 1 for one in measured)
        assert [one.keys_ok for one in measured] == [16, 16, 16]
    assert [one.verified_keys for one in rounds(messages, "mixed_load")] == [16, 16, 16]
    assert [one.stored_bytes for one in rounds(messages, "mixed_store")] == [workload.round_bytes] * 3
    assert finished.keys_left == 0
    assert list((tmp_path / "kv").glob("*")) == []


def test_stores_that_drop_keys_while_others_are_loaded_count_nothing(
    run_job: RunJob, use: Use, tmp_path: Path
) -> None:
    use(LosingLater(tmp_path))
    finished, messages = run_job(managed_job(fs_spec(tmp_path), concurrent=True))
    assert finished.exit_code == 1
    assert statuses(messages, "store") == statuses(messages, "load") == ["ok", "ok", "ok"]
    assert statuses(messages, "mixed_store") == ["error", "error", "error"]
    assert {one.keys_ok for one in rounds(messages, "mixed_store")} == {0}


def test_what_was_evicted_before_its_load_does_not_count_and_its_store_does(
    evict_after_store: RunJob,
) -> None:
    finished, messages = evict_after_store(managed_job(small_mock()))
    assert finished.exit_code == 1
    assert statuses(messages, "store") == ["ok", "ok", "ok"]
    assert problems(messages) == ["", ""]
    assert Note("store: LMCache has evicted 6 of 12 stored keys") in messages
    loads = rounds(messages, "load")
    assert [one.status for one in loads] == ["error", "partial", "ok"]
    assert [one.keys_ok for one in loads] == [0, 2, 4]
    assert [one.evicted_keys for one in loads] == [4, 2, 0]
    assert [one.duration_s is None for one in loads] == [True, True, False]
    assert [len(one.submit_latency_s) for one in loads[::2]] == [0, 2]
    assert loads[1].detail == "2 of 4 keys loaded, 2 not, because LMCache evicted them or a key before them"
    assert (finished.keys_left, finished.keys_removed) == (0, True)


def test_a_key_that_is_lost_is_not_excused_by_the_eviction_of_others(
    evict_after_store: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evict_and_lose(controller: RecordedEviction) -> None:
        run_once(controller)
        (state,) = controller._adapter_states
        state.adapter._memory_objects.pop(object_keys([10], "test", 1)[0])

    run_once = RecordedEviction.run_once
    monkeypatch.setattr(RecordedEviction, "run_once", evict_and_lose)
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.2)
    _, messages = evict_after_store(managed_job(small_mock()))
    assert problems(messages)[0] == "store: 1 of 12 stored keys are not found by a lookup"
    last = rounds(messages, "load")[2]
    assert (last.status, last.keys_ok, last.evicted_keys) == ("partial", 2, 0)


def test_each_key_is_stored_in_all_adapters_and_loaded_from_the_first(
    run_job: RunJob, tmp_path: Path
) -> None:
    finished, messages = run_job(managed_job(several(fs_spec(tmp_path), second_fs(tmp_path))))
    assert (finished.exit_code, finished.detail) == (0, "")
    assert [one.stored_bytes for one in rounds(messages, "store")] == [2 * 4 * KEY_BYTES] * 3
    assert [one.bytes_ok for one in rounds(messages, "store")] == [4 * KEY_BYTES] * 3
    assert [one.loaded_from for one in rounds(messages, "load")] == [[4, 0]] * 3
    assert (finished.keys_left, finished.keys_removed) == (0, True)
    assert list((tmp_path / "kv").glob("*")) == list((tmp_path / "second" / "kv").glob("*")) == []


def test_what_the_first_adapter_evicted_is_loaded_from_the_second(
    evict_after_store: RunJob, tmp_path: Path
) -> None:
    finished, messages = evict_after_store(managed_job(several(small_mock(), second_fs(tmp_path))))
    assert (finished.exit_code, finished.detail) == (0, "")
    loads = rounds(messages, "load")
    assert [one.loaded_from for one in loads] == [[0, 4], [2, 2], [4, 0]]
    assert [(one.status, one.evicted_keys) for one in loads] == [("ok", 0)] * 3


def test_a_key_that_is_evicted_between_its_lookup_and_its_load_is_no_lost_key(
    run_job: RunJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def evict_and_load(adapter: MockL2Adapter, keys: Any, objects: Any) -> Any:
        RecordedEviction.created[0].run_once()
        return submit_load_task(adapter, keys, objects)

    submit_load_task = MockL2Adapter.submit_load_task
    monkeypatch.setattr(MockL2Adapter, "submit_load_task", evict_and_load)
    monkeypatch.setattr(lmcache_storage_manager, "L2EvictionController", RecordedEviction)
    RecordedEviction.created.clear()
    _, messages = run_job(managed_job(several(small_mock(), second_fs(tmp_path))))
    loads = rounds(messages, "load")
    assert (loads[0].keys_ok, loads[0].evicted_keys) == (0, 4)
    assert [one.status for one in loads] == ["error", "ok", "ok"]
    assert loads[1].loaded_from == [2, 2]


@pytest.mark.parametrize(
    ("second", "statuses_of_stores", "problem"),
    [
        (HalfStore, {"partial"}, ""),
        (DroppingStore, {"ok"}, "16 of 16 stored keys are not found by a lookup"),
        (WrongBytesLater, {"ok"}, "of 4 sampled keys are loaded back with wrong bytes"),
    ],
)
def test_a_fault_of_the_second_adapter_is_found_although_loads_use_the_first(
    run_job: RunJob,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    second: type[FaultyFs],
    statuses_of_stores: set[str],
    problem: str,
) -> None:
    adapters = iter((FaultyFs(tmp_path), second(tmp_path / "second")))
    monkeypatch.setattr(lmcache_storage_manager, "create_l2_adapter", lambda *_: next(adapters))
    workload = small_workload(rounds=3)  # the last one is later than the 12 keys of WrongBytesLater
    job = managed_job(several(fs_spec(tmp_path), second_fs(tmp_path)), workload)
    finished, messages = run_job(job)
    assert finished.exit_code == 1
    assert set(statuses(messages, "store")) == statuses_of_stores
    assert statuses(messages, "load") == ["ok"] * 4
    found = problems(messages)[0]
    assert found.endswith(problem)
    assert found.startswith("store: adapter 2: ") == bool(problem)
