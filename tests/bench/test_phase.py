"""The rounds of a phase and their judgement, with LMCache's real fs adapter and faults in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapters.faulty_adapters import report_all_loaded
from faulty_fs import FaultyFs, HeldStore, LostStore, LyingLoad, RaisingStore
from small_job import KEY_BYTES, NAMESPACE, fs_spec, small_job, small_region, small_workload

from l2sweep.bench import clock
from l2sweep.bench import phase as phase_module
from l2sweep.bench.adapter.create import delete, object_keys
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.adapter.verbs import Submit
from l2sweep.bench.block_devices import DeviceCounters
from l2sweep.bench.clock import RoundClock, RoundTiming
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.page_cache import evict
from l2sweep.bench.phase import Phase
from l2sweep.bench.rendezvous.address import Rendezvous
from l2sweep.bench.rendezvous.meeting import Meeting
from l2sweep.errors import BenchError

MakePhase = Callable[..., Phase]


class ClockOfRoundTwo(RoundClock):
    """Times out at once in the second round, and never in the others."""

    rounds = 0

    def time(self, submits: list[Submit]) -> RoundTiming:
        self.rounds += 1
        self.timeout_s = 0.02 if self.rounds == 2 else 60.0
        return super().time(submits)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kv"


@pytest.fixture
def phase(tmp_path: Path, log: LogWatch) -> Iterator[MakePhase]:
    """Make phases over one folder, each with an adapter of its own, which may have a fault."""
    opened: list[FaultyFs] = []

    def make(name: str, adapter: FaultyFs | None = None, **changes: Any) -> Phase:
        opened.append(adapter or FaultyFs(tmp_path))
        job = small_job(fs_spec(tmp_path), **changes)
        region = None if name == "lookup" else small_region()
        return Phase(job, name, opened[-1], region, Payload(job.workload.seed), log)

    yield make
    for adapter in opened:
        adapter.close()


def file_of(folder: Path, index: int) -> Path:
    (path,) = folder.glob(f"{NAMESPACE}@*@{object_keys([index], NAMESPACE)[0].chunk_hash.hex()}.data")
    return path


def statuses(rounds: list[RoundMeasured]) -> list[str]:
    return [one.status for one in rounds]


def test_a_store_in_which_all_keys_move_is_ok(phase: MakePhase, folder: Path) -> None:
    rounds = list(phase("store").run())
    assert statuses(rounds) == ["ok", "ok", "ok"]
    assert [(one.round, one.is_warmup) for one in rounds] == [(1, True), (2, False), (3, False)]
    for one in rounds:
        assert (one.phase, one.detail, one.flush_s) == ("store", "", None)
        assert (one.keys_requested, one.keys_expected, one.keys_ok) == (4, 4, 4)
        assert one.bytes_requested == one.bytes_ok == 4 * KEY_BYTES
        assert (one.verified_keys, one.mismatched_keys) == (0, 0)
        assert one.duration_s is not None
        assert one.started_at_s is not None
        assert one.duration_s >= max(one.submit_latency_s)
        assert len(one.submit_latency_s) == 2
    assert len(list(folder.iterdir())) == 12


def test_a_store_writes_the_payload_of_each_key(phase: MakePhase, folder: Path) -> None:
    list(phase("store").run())
    for index in (0, 5, 11):
        content = np.fromfile(file_of(folder, index), dtype=np.uint8)
        assert Payload(42).first_difference(content, index) is None


def test_a_store_of_keys_that_are_stored_already_moves_nothing_and_is_an_error(phase: MakePhase) -> None:
    list(phase("store").run())
    rounds = list(phase("store").run())
    assert statuses(rounds) == ["error", "error", "error"]
    assert (rounds[0].keys_ok, rounds[0].bytes_ok) == (0, 0)
    assert rounds[0].detail == (
        "0 of 4 keys stored: LMCache reports success without moving the others, "
        "as it does for keys that are already stored or do not fit"
    )


def test_a_store_in_which_some_keys_move_is_partial(phase: MakePhase) -> None:
    list(phase("store").run())
    again = phase("store")
    delete(again.adapter, [0, 1, 2], NAMESPACE)
    first = next(iter(again.run()))
    assert (first.status, first.keys_ok, first.bytes_ok) == ("partial", 3, 3 * KEY_BYTES)
    assert first.detail.startswith("3 of 4 keys stored: ")


def test_a_store_that_the_adapter_reports_as_failed_is_an_error_with_its_log(
    phase: MakePhase, folder: Path
) -> None:
    store = phase("store")
    folder.rmdir()
    first = next(iter(store.run()))
    assert first.status == "error"
    assert first.detail.startswith("0 of 4 keys stored, 2 of 2 submits failed; ")
    assert "FileNotFoundError" in first.detail


def test_a_failure_before_a_round_is_not_in_its_detail(phase: MakePhase, log: LogWatch) -> None:
    store = phase("store")
    logging.getLogger("lmcache.test").warning("an old failure")
    assert [one.detail for one in store.run()] == ["", "", ""]


def test_an_exception_in_a_submit_is_an_error_even_if_others_complete(
    phase: MakePhase, tmp_path: Path
) -> None:
    rounds = list(phase("store", RaisingStore(tmp_path, 4)).run())
    assert statuses(rounds) == ["ok", "error", "ok"]
    assert rounds[1].detail == "store: submit_store_task raised RuntimeError: the disk is on fire"
    assert (rounds[1].duration_s, rounds[1].keys_ok, rounds[1].bytes_ok) == (None, 2, 2 * KEY_BYTES)


def test_a_submit_that_completes_too_late_is_a_time_out_and_the_next_round_is_run(
    phase: MakePhase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase_module, "RoundClock", ClockOfRoundTwo)
    adapter = HeldStore(tmp_path, 3, 4)
    store = phase("store", adapter)
    rounds = []
    for one in store.run():
        rounds.append(one)
        if one.status == "timeout":
            adapter.release()
    assert statuses(rounds) == ["ok", "timeout", "ok"]
    assert rounds[1].detail == "2 of 2 submits did not complete in time"
    assert (rounds[1].keys_ok, rounds[1].bytes_ok, rounds[1].duration_s) == (0, 0, None)
    assert rounds[1].submit_latency_s == []
    assert not store.stuck
    assert statuses(list(phase("load").run())) == ["ok", "ok", "ok"]  # the late keys are stored


def test_after_a_submit_that_never_completes_no_round_is_run(
    phase: MakePhase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase_module, "RoundClock", ClockOfRoundTwo)
    monkeypatch.setattr(clock, "LATE_GRACE_S", 0.02)
    store = phase("store", LostStore(tmp_path, 3, 4))
    rounds = list(store.run())
    assert statuses(rounds) == ["ok", "timeout", "error"]
    assert rounds[2].detail == "not run: round 2 never completed (2 of 2 submits did not complete)"
    assert (rounds[2].started_at_s, rounds[2].duration_s, rounds[2].keys_ok) == (None, None, 0)
    assert rounds[2].keys_requested == rounds[2].keys_expected == 4
    assert store.stuck


def test_a_round_that_is_not_run_has_the_reason_and_no_numbers(phase: MakePhase) -> None:
    one, last = phase("load").not_run(1, "not run: because of a test")
    assert (one.phase, one.round, one.is_warmup, one.status) == ("load", 2, False, "error")
    assert last.round == 3
    assert one.detail == "not run: because of a test"
    assert (one.started_at_s, one.duration_s, one.submit_latency_s) == (None, None, [])
    assert (one.keys_ok, one.bytes_ok, one.verified_keys) == (0, 0, 0)


def test_rounds_go_on_until_they_are_precise_with_new_keys_each(phase: MakePhase, folder: Path) -> None:
    workload = small_workload(rounds=20, precision=1000.0)
    store = phase("store", workload=workload)
    rounds = list(store.run())
    assert [one.is_warmup for one in rounds] == [True] + [False] * 6
    assert len(list(folder.glob("*.data"))) == 7 * 4
    assert store.schedule.end.ended_by == "precision"
    load = phase("load", workload=workload, stored_rounds=7)
    assert statuses(list(load.run())) == ["ok"] * 7


def test_a_load_ends_with_the_stored_rounds(phase: MakePhase) -> None:
    workload = small_workload(rounds=20, precision=1e-9)
    list(phase("store", workload=small_workload(rounds=7)).run())
    load = phase("load", workload=workload, stored_rounds=8)
    assert statuses(list(load.run())) == ["ok"] * 8
    assert load.schedule.end.ended_by == "stored_rounds"


def test_one_round_stands_for_those_that_are_not_run_where_their_number_is_open(
    phase: MakePhase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase_module, "RoundClock", ClockOfRoundTwo)
    monkeypatch.setattr(clock, "LATE_GRACE_S", 0.02)
    store = phase("store", LostStore(tmp_path, 3, 4), workload=small_workload(rounds=20, precision=1000.0))
    assert statuses(list(store.run())) == ["ok", "timeout", "error"]
    assert store.schedule.end.ended_by == ""


def test_the_memory_of_a_store_is_overwritten_unless_it_may_still_be_in_use(
    phase: MakePhase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase_module, "RoundClock", ClockOfRoundTwo)
    adapter = HeldStore(tmp_path, 4)
    store = phase("store", adapter)
    assert store.region is not None
    last_words = store.region.slots.view(np.uint64)[:, -1]
    is_overwritten = []
    for one in store.run():
        is_overwritten.append((last_words == 0).tolist())
        if one.status == "timeout":
            adapter.release()
    assert is_overwritten == [[True] * 4, [True, True, False, False], [True] * 4]


def test_a_load_that_completes_before_its_bytes_are_there_is_an_error_without_that_latency(
    phase: MakePhase, tmp_path: Path
) -> None:
    class EarlyLoad(FaultyFs):
        """Completes the first of two loads at once, and loads it before the second one completes."""

        async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
            if self.is_faulty():
                self.held = (keys, objects)
                report_all_loaded(self, len(keys), task_id)
                return
            await asyncio.sleep(0.02)
            for key, one in zip(*self.held, strict=True):
                content = np.fromfile(self._key_to_path(key), dtype=np.uint8)
                np.frombuffer(one.byte_array, dtype=np.uint8)[:] = content
            await super()._execute_load(keys, objects, task_id)

    list(phase("store").run())
    one = next(iter(phase("load", EarlyLoad(tmp_path, 1)).run()))
    assert (one.status, one.keys_ok, one.bytes_ok, one.mismatched_keys) == ("error", 2, 2 * KEY_BYTES, 2)
    assert len(one.submit_latency_s) == 1
    assert one.submit_latency_s[0] > 0.01
    assert "1 of 2 submits completed before their bytes were there, first at key 0" in one.detail


def test_a_lookup_finds_the_fraction_of_keys_that_was_stored(phase: MakePhase) -> None:
    list(phase("store").run())
    rounds = list(phase("lookup").run())
    assert statuses(rounds) == ["ok", "ok", "ok"]
    for one in rounds:
        assert (one.keys_requested, one.keys_expected, one.keys_ok) == (4, 2, 2)
        assert (one.bytes_requested, one.bytes_ok) == (0, 0)


def test_a_lookup_that_finds_fewer_keys_is_partial_or_an_error(phase: MakePhase) -> None:
    list(phase("store").run())
    lookup = phase("lookup")
    delete(lookup.adapter, [0, 2, 3], NAMESPACE)  # the hits of the rounds are 0 and 1, 2 and 3, 4 and 5
    rounds = list(lookup.run())
    assert statuses(rounds) == ["partial", "error", "ok"]
    assert rounds[0].detail == "1 keys found, 2 expected; 0 false hits, 1 false misses"
    assert rounds[1].detail == "0 keys found, 2 expected; 0 false hits, 2 false misses"
    assert [(one.false_hits, one.false_misses) for one in rounds] == [(0, 1), (0, 2), (0, 0)]


def test_a_lookup_without_expected_hits_is_ok_if_it_finds_nothing(phase: MakePhase) -> None:
    rounds = list(phase("lookup", workload=small_workload(lookup_max_hit_rate=0.0)).run())
    assert statuses(rounds) == ["ok", "ok", "ok"]
    assert [one.keys_expected for one in rounds] == [0, 0, 0]


def test_a_load_checks_every_byte_of_its_measured_rounds(phase: MakePhase) -> None:
    list(phase("store").run())
    rounds = list(phase("load").run())
    assert statuses(rounds) == ["ok", "ok", "ok"]
    assert [one.verified_keys for one in rounds] == [0, 4, 4]
    assert [one.bytes_ok for one in rounds] == [4 * KEY_BYTES] * 3


def test_a_load_checks_only_a_sample_if_the_check_is_off(phase: MakePhase, folder: Path) -> None:
    list(phase("store").run())
    _flip_byte(file_of(folder, 5), 100)  # not in a sampled word
    rounds = list(phase("load", verify=False).run())
    assert statuses(rounds) == ["ok", "ok", "ok"]
    assert [(one.verified_keys, one.sampled_keys) for one in rounds] == [(0, 4)] * 3


def test_keys_with_wrong_bytes_do_not_count_as_loaded(phase: MakePhase, folder: Path) -> None:
    list(phase("store").run())
    _flip_byte(file_of(folder, 6), 1000)
    _flip_byte(file_of(folder, 7), 5)
    rounds = list(phase("load").run())
    assert statuses(rounds) == ["ok", "partial", "ok"]
    wrong = rounds[1]
    assert (wrong.verified_keys, wrong.mismatched_keys) == (4, 2)
    assert (wrong.keys_ok, wrong.bytes_ok) == (2, 2 * KEY_BYTES)
    assert wrong.detail == (
        "2 of 4 keys loaded; 2 of 4 loaded keys have wrong bytes, first at key 6, byte 1000"
    )


def test_a_load_that_reports_success_but_writes_nothing_is_an_error(phase: MakePhase, tmp_path: Path) -> None:
    list(phase("store").run())
    rounds = list(phase("load", LyingLoad(tmp_path, 3, 4)).run())
    assert statuses(rounds) == ["ok", "error", "ok"]
    assert (rounds[1].mismatched_keys, rounds[1].keys_ok, rounds[1].bytes_ok) == (4, 0, 0)


def test_the_memory_of_a_load_holds_no_bytes_of_an_earlier_round(phase: MakePhase, tmp_path: Path) -> None:
    list(phase("store").run())
    load = phase("load", LyingLoad(tmp_path, 3, 4))
    assert load.region is not None
    words = load.region.slots.view(np.uint64)
    words_that_are_set = [int(np.count_nonzero(words[0])) for _ in load.run()]
    # Without a load, only the sampled words are set: 2 of the 512 words of a page.
    assert words_that_are_set == [512, 2, 512]


def test_a_lookup_that_finds_a_key_that_was_never_stored_is_an_error(phase: MakePhase) -> None:
    list(phase("store", workload=small_workload(rounds=3)).run())  # stores the first 4 of the missing keys
    rounds = list(phase("lookup").run())
    assert statuses(rounds) == ["error", "error", "ok"]
    assert [(one.keys_ok, one.false_hits, one.false_misses) for one in rounds] == [
        (2, 2, 0),
        (2, 2, 0),
        (2, 0, 0),
    ]
    assert rounds[0].detail == "2 false hits, 0 false misses"


def test_a_load_samples_its_keys_in_each_round_even_if_the_check_of_every_byte_is_off(
    phase: MakePhase, tmp_path: Path
) -> None:
    list(phase("store").run())
    rounds = list(phase("load", LyingLoad(tmp_path, 1, 3, 4), verify=False).run())
    assert statuses(rounds) == ["partial", "error", "ok"]
    assert [one.sampled_keys for one in rounds] == [4, 4, 4]
    assert [one.verified_keys for one in rounds] == [0, 0, 0]
    assert [(one.mismatched_keys, one.keys_ok) for one in rounds] == [(2, 2), (4, 0), (0, 4)]
    assert [one.bytes_ok for one in rounds] == [2 * KEY_BYTES, 0, 4 * KEY_BYTES]
    assert rounds[1].detail == (
        "0 of 4 keys loaded; 4 of 4 sampled keys have wrong bytes, first at key 4, byte 0"
    )


def test_the_submits_of_a_store_that_completed_are_kept(phase: MakePhase, tmp_path: Path) -> None:
    store = phase("store", RaisingStore(tmp_path, 4))
    list(store.run())
    assert [(batch.indices, batch.keys_ok) for batch in store.stored] == [
        ([0, 1], 2),
        ([2, 3], 2),
        ([4, 5], 2),
        ([8, 9], 2),
        ([10, 11], 2),
    ]


def test_keys_that_are_missing_make_a_load_partial_or_an_error(phase: MakePhase) -> None:
    list(phase("store").run())
    load = phase("load")
    delete(load.adapter, [1, 4, 5, 6, 7], NAMESPACE)
    rounds = list(load.run())
    assert statuses(rounds) == ["partial", "error", "ok"]
    assert rounds[0].detail.startswith("3 of 4 keys loaded")
    assert (rounds[0].keys_ok, rounds[0].bytes_ok) == (3, 3 * KEY_BYTES)
    assert (rounds[1].keys_ok, rounds[1].verified_keys) == (0, 0)


def test_a_store_round_is_flushed_outside_its_duration(phase: MakePhase, tmp_path: Path) -> None:
    flushed = list(phase("store", flush_paths=(str(tmp_path),)).run())
    assert all(one.flush_s is not None and one.flush_s > 0 for one in flushed)
    loads = list(phase("load", flush_paths=(str(tmp_path),)).run())
    assert [one.flush_s for one in loads] == [None, None, None]


def test_a_store_round_that_cannot_be_flushed_is_an_error(phase: MakePhase, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    first = next(iter(phase("store", flush_paths=(missing,)).run()))
    assert (first.status, first.flush_s) == ("error", None)
    assert first.detail == f"flushing {missing} failed: No such file or directory"


def test_a_store_round_that_is_not_durable_is_an_error_and_has_no_flush(
    phase: MakePhase, tmp_path: Path, folder: Path
) -> None:
    class LosesFiles(FaultyFs):
        def pop_completed_store_tasks(self) -> Any:
            completed = super().pop_completed_store_tasks()
            for path in folder.glob("*.data"):
                path.unlink()
            return completed

    first = next(iter(phase("store", LosesFiles(tmp_path), flush_paths=(str(folder),)).run()))
    assert (first.status, first.flush_s) == ("error", None)
    assert first.detail == (
        f"not durable: the files have 0 bytes after the flush, {4 * KEY_BYTES} were stored"
    )


def test_each_round_has_the_counters_of_the_block_devices(
    phase: MakePhase, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = iter(DeviceCounters(10 * number, 100 * number) for number in range(1, 100))
    monkeypatch.setattr(DeviceCounters, "of", lambda devices: next(sums))
    rounds = list(phase("store", block_devices=("vda",)).run())
    assert [(one.block_device_read_bytes, one.block_device_write_bytes) for one in rounds] == [(10, 100)] * 3
    assert [one.dirty_after_flush_bytes for one in rounds] == [None] * 3


def test_the_pages_of_each_load_round_that_should_be_cold_are_counted_before_it(
    phase: MakePhase, tmp_path: Path, folder: Path
) -> None:
    list(phase("store").run())
    for index in (4, 5, 6):
        evict(str(file_of(folder, index)))
    cold = {"cache_paths": (str(folder),), "max_resident_fraction": 0.01}
    assert [one.resident_at_start_fraction for one in phase("load", **cold).run()] == [1.0, 0.25, 1.0]
    assert [one.resident_at_start_fraction for one in phase("load").run()] == [None] * 3
    assert [one.resident_at_start_fraction for one in phase("lookup", **cold).run()] == [None] * 3


def _flip_byte(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


class Meetings(Meeting):
    """Takes the place of the meeting of several clients, and records what happens around it.

    Args:
        fail_at: Number of the meeting, from 1, from which on the clients do not meet.
    """

    def __init__(self, fail_at: int | None = None) -> None:
        self.events: list[str] = []
        self.left: list[str] = []
        self._fail_at = fail_at
        self._rendezvous = Rendezvous("token", 0, 2)

    def meet(self, limit_s: float) -> None:
        self.events.append("meet")
        if self._fail_at is not None and self.events.count("meet") >= self._fail_at:
            raise BenchError("client 1 left: no memory")

    def leave(self, reason: str) -> None:
        self.left.append(reason)


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Meetings]:
    """Record when a clock runs and when a store is flushed or a load checked."""

    def make(phase: Phase, fail_at: int | None = None) -> Meetings:
        meetings = Meetings(fail_at)
        phase.meeting = meetings
        time_round = RoundClock.time

        def time(clock: RoundClock, submits: list[Submit]) -> RoundTiming:
            meetings.events.append("time")
            return time_round(clock, submits)

        check = phase_module.LoadCheck.check

        def recorded(*arguments: Any, **options: Any) -> Any:
            meetings.events.append("check")
            return check(*arguments, **options)

        monkeypatch.setattr(RoundClock, "time", time)
        monkeypatch.setattr(phase_module.LoadCheck, "check", recorded)
        return meetings

    return make


def test_clients_meet_just_before_each_round_and_before_they_check_it(
    phase: MakePhase, met: Callable[..., Meetings]
) -> None:
    list(phase("store").run())
    load = phase("load")
    meetings = met(load)
    rounds = list(load.run())
    assert statuses(rounds) == ["ok", "ok", "ok"]
    assert meetings.events == ["meet", "time", "meet", "check"] * 3
    assert meetings.left == []
    for one in rounds:
        assert len(one.submit_started_s) == len(one.submit_latency_s) == 2
        assert 0 <= one.submit_started_s[0] < one.submit_started_s[1]


def test_one_client_meets_nobody(phase: MakePhase) -> None:
    assert all(one.submit_started_s == [] for one in phase("store").run())


def test_a_round_is_not_run_if_the_clients_do_not_meet(
    phase: MakePhase, met: Callable[..., Meetings]
) -> None:
    store = phase("store")
    meetings = met(store, fail_at=3)
    rounds = list(store.run())
    assert statuses(rounds) == ["ok", "error", "error"]
    assert rounds[1].detail == "not run: client 1 left: no memory"
    assert (rounds[1].started_at_s, rounds[1].duration_s) == (None, None)
    assert meetings.left == ["store: not run: client 1 left: no memory"]


def test_a_round_that_was_measured_counts_although_the_clients_do_not_meet_after_it(
    phase: MakePhase, met: Callable[..., Meetings]
) -> None:
    store = phase("store")
    met(store, fail_at=2)
    assert statuses(list(store.run())) == ["ok", "error", "error"]


def test_a_client_whose_submits_never_complete_leaves(phase: MakePhase, met: Callable[..., Meetings]) -> None:
    store = phase("store")
    meetings = met(store)
    list(store.not_run(1, "not run: round 1 never completed"))
    assert meetings.left == ["store: not run: round 1 never completed"]
