"""Replays in the process of the tests, over LMCache's real fs adapter, with faults in it, and the control."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from adapters.misreporting_adapters import LookupOfEverything, LookupOfNothing, StoresWrongBytes
from faulty_fs import HeldStore, LostStore, LyingLoad, RaisingStore
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2AdapterConfig
from small_job import KEY_BYTES, fs_spec, small_job, small_workload

from l2sweep.bench import clock
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.benchmarks import lmcache_adapter
from l2sweep.bench.benchmarks.lmcache_adapter import AdapterBenchmark
from l2sweep.bench.benchmarks.trace import TraceBenchmark
from l2sweep.bench.messages import Finished, Message, PhaseEnded, PhaseStarted, RoundMeasured
from l2sweep.bench.trace.reading import read_trace
from l2sweep.bench.trace.requests import TraceReplay

Requests = list[tuple[int, list[int]]]
RunTrace = Callable[..., tuple[Finished, list[Message]]]

# (timestamp in ms, hash ids): with in_flight=1 and no pace, the requests run one after another.
PREFIXES: Requests = [(0, [1, 2, 3]), (10, [1, 2, 4, 5]), (20, [1, 9, 4]), (30, [1, 2, 3])]


@pytest.fixture
def run_trace(tmp_path: Path, log: LogWatch) -> RunTrace:
    """Replay requests, and return the last message and the messages before it."""

    def run(
        requests: Requests,
        speed: float | None = None,
        spec: dict[str, Any] | None = None,
        on_message: Callable[[Message], None] = lambda _: None,
        **changes: Any,
    ) -> tuple[Finished, list[Message]]:
        file = tmp_path / "trace.jsonl"
        lines = [json.dumps({"timestamp": at_ms, "hash_ids": ids}) for at_ms, ids in requests]
        file.write_text("\n".join(lines))
        trace, sha256 = read_trace(file)
        job = small_job(
            spec or fs_spec(tmp_path),
            workload=small_workload(**{"in_flight": 1, **changes.pop("workload", {})}),
            trace=TraceReplay(str(file), changes.pop("sha256", sha256), speed, trace.num_keys),
            **changes,
        )
        reported: list[Message] = []

        def report(message: Message) -> None:
            reported.append(message)
            on_message(message)

        return TraceBenchmark(job, report, log).run(), reported

    return run


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Use an adapter with a fault in place of the one that LMCache would create."""
    return lambda adapter: monkeypatch.setattr(lmcache_adapter.adapters, "create", lambda *_: adapter)


SERVICE_S = 0.1  # long enough to copy a key, also while other tests run


def control() -> dict[str, Any]:
    """Return the spec of the control adapter, which takes as long for each submit, some at the same time."""
    return {
        "type": "plugin",
        "module_path": "l2sweep.bench.control.adapter",
        "class_name": "ControlAdapter",
        "adapter_params": {"servers": 100, "service_ms": SERVICE_S * 1000},
    }


def rows(reported: list[Message], phase: str) -> list[RoundMeasured]:
    return [one for one in reported if isinstance(one, RoundMeasured) and one.phase == phase]


def total(reported: list[Message], phase: str, name: str) -> int:
    return sum(getattr(one, name) for one in rows(reported, phase))


def details(reported: list[Message], phase: str) -> str:
    return "; ".join(one.detail for one in rows(reported, phase))


def test_hits_loads_and_stores_follow_from_the_requests(run_trace: RunTrace, tmp_path: Path) -> None:
    finished, reported = run_trace(PREFIXES)
    assert finished.exit_code == 0, finished.detail
    # Found: nothing; 1, 2; 1, 4 (only 1 is in the prefix); 1, 2, 3. New: 1, 2, 3; 4, 5; 9.
    assert total(reported, "lookup", "keys_requested") == 13
    assert total(reported, "lookup", "keys_ok") == total(reported, "lookup", "keys_expected") == 7
    assert total(reported, "load", "keys_requested") == total(reported, "load", "keys_ok") == 6
    assert total(reported, "load", "verified_keys") == 6
    assert total(reported, "store", "keys_requested") == total(reported, "store", "keys_ok") == 6
    assert total(reported, "store", "bytes_ok") == 6 * KEY_BYTES
    assert total(reported, "lookup", "false_hits") == total(reported, "lookup", "false_misses") == 0
    # In submits of at most 2 keys: 2 + 2 + 2 + 2 lookups, 0 + 1 + 1 + 2 loads, 2 + 1 + 1 stores.
    for phase, submits in (("lookup", 8), ("load", 4), ("store", 4)):
        assert sum(len(one.submit_latency_s) for one in rows(reported, phase)) == submits
        assert sum(len(one.late_s) for one in rows(reported, phase)) == submits
    assert finished.keys_removed
    assert finished.keys_left == 0
    assert list((tmp_path / "kv").rglob("*.data")) == []


def test_requests_of_one_moment_store_a_key_that_they_share_once(run_trace: RunTrace) -> None:
    # As the first requests of Mooncake's traces: key 0 may be found or not, and both are right.
    burst = [(0, [0, 2 * one + 1, 2 * one + 2]) for one in range(10)]
    finished, reported = run_trace(burst, 1.0, workload={"in_flight": 8})
    assert finished.exit_code == 0, finished.detail
    assert total(reported, "store", "keys_requested") == total(reported, "store", "keys_ok") == 21
    assert total(reported, "lookup", "false_hits") == total(reported, "lookup", "false_misses") == 0
    assert total(reported, "lookup", "keys_ok") == total(reported, "load", "keys_ok") <= 9


def test_its_phases_begin_together_and_end_together(run_trace: RunTrace) -> None:
    _, reported = run_trace(PREFIXES)
    (started,) = [one for one in reported if isinstance(one, PhaseStarted)]
    assert started.phase == "trace"
    assert [one.phase for one in reported if isinstance(one, PhaseEnded)] == ["store", "lookup", "load"]


def test_a_key_that_is_stored_while_a_request_runs_is_not_stored_again(run_trace: RunTrace) -> None:
    # Key 0 is found, and its load takes a while. Meanwhile an earlier request stores key 1.
    requests: Requests = [(0, [0]), *((300 + 10 * one, [0, 1]) for one in range(10))]
    finished, reported = run_trace(requests, 1.0, control(), workload={"in_flight": 30})
    assert finished.exit_code == 0, finished.detail
    assert total(reported, "store", "keys_requested") == total(reported, "store", "keys_ok") == 2


def test_a_slow_adapter_makes_submits_late_and_does_not_slow_the_pace(run_trace: RunTrace) -> None:
    # Memory for one key at a time, so the 10 stores follow one another. All are due within 0.1 s.
    requests: Requests = [(10 * one, [one]) for one in range(10)]
    finished, reported = run_trace(requests, 1.0, control(), workload={"num_keys": 1})
    assert finished.exit_code == 0, finished.detail
    late_s = [value for one in rows(reported, "store") for value in one.late_s]
    assert len(late_s) == 10
    assert max(late_s) >= 9 * SERVICE_S - 0.09  # the last one is due 0.09 s after the first, and waits for 9
    latencies = [value for one in rows(reported, "store") for value in one.submit_latency_s]
    assert min(latencies) >= SERVICE_S
    lookups = [value for one in rows(reported, "lookup") for value in one.late_s]
    assert sorted(lookups)[5] < max(late_s)  # a lookup needs no memory


def test_a_store_that_fails_counts_no_byte_and_is_tried_again_by_the_next_request(
    run_trace: RunTrace, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(RaisingStore(tmp_path, 1))
    finished, reported = run_trace([(0, [1]), (1, [1]), (2, [1])])
    assert finished.exit_code == 1
    (row,) = rows(reported, "store")
    assert (row.status, row.keys_requested, row.keys_ok, row.duration_s) == ("error", 2, 1, None)
    assert "store: submit_store_task raised RuntimeError: the disk is on fire" in row.detail
    assert "store: 1 of 1 seconds failed" in finished.detail
    assert total(reported, "lookup", "keys_ok") == 1


def test_a_stored_key_that_is_not_found_is_a_false_miss(
    run_trace: RunTrace, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(LookupOfNothing(FSL2AdapterConfig(str(tmp_path / "kv"))))
    finished, reported = run_trace([(0, [1]), (1, [1])])
    assert finished.exit_code == 1
    assert total(reported, "lookup", "false_misses") == 1
    (row,) = rows(reported, "lookup")
    assert (row.status, row.keys_ok, row.keys_expected) == ("error", 0, 1)
    assert row.detail == "1 false misses"


def test_a_key_that_is_found_before_any_store_is_a_false_hit(
    run_trace: RunTrace, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(LookupOfEverything(FSL2AdapterConfig(str(tmp_path / "kv"))))
    finished, reported = run_trace([(0, [1, 2])])
    assert finished.exit_code == 1
    (row,) = rows(reported, "lookup")
    assert (row.status, row.keys_ok, row.false_hits) == ("error", 0, 2)


def test_wrong_bytes_count_as_not_loaded(
    run_trace: RunTrace, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(LyingLoad(tmp_path, 1))
    finished, reported = run_trace([(0, [1]), (1, [1])])
    assert finished.exit_code == 1
    (row,) = rows(reported, "load")
    assert (row.keys_ok, row.bytes_ok, row.mismatched_keys) == (0, 0, 1)
    assert "1 of 1 loaded keys have wrong bytes, first at key 0" in row.detail


def test_a_store_of_wrong_bytes_is_found_although_the_trace_loads_nothing(
    run_trace: RunTrace, use: Callable[[Any], None], tmp_path: Path
) -> None:
    use(StoresWrongBytes(FSL2AdapterConfig(str(tmp_path / "kv"))))
    finished, reported = run_trace([(0, [1]), (1, [2])])
    assert finished.exit_code == 1
    (problem,) = [one.problem for one in reported if isinstance(one, PhaseEnded) and one.problem]
    assert "are loaded back with wrong bytes" in problem


def test_a_submit_that_never_completes_ends_those_that_need_its_memory(
    run_trace: RunTrace, use: Callable[[Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "LATE_GRACE_S", 0.2)
    use(LostStore(tmp_path, 1))
    limits = {"store": 0.1, "lookup": 10.0, "load": 10.0}
    finished, reported = run_trace([(0, [1, 2]), (1, [3, 4])], 1.0, timeout_s=limits)
    assert finished.exit_code == 1
    assert total(reported, "store", "keys_requested") == 4
    assert total(reported, "store", "keys_ok") == 0
    text = details(reported, "store")
    assert "1 of 2 submits did not complete in time" in text
    assert "not submitted: its memory is in use by submits that exceeded their time limit" in text
    assert not finished.keys_removed  # the adapter may still use the memory


def test_the_memory_of_a_late_submit_is_free_when_it_completes(
    run_trace: RunTrace, use: Callable[[Any], None], tmp_path: Path
) -> None:
    held = HeldStore(tmp_path, 1)
    use(held)

    def release(message: Message) -> None:
        if isinstance(message, RoundMeasured) and message.status == "timeout":
            held.release()

    finished, reported = run_trace(
        [(0, [1, 2]), (1600, [3, 4]), (2300, [3, 4])],
        1.0,
        on_message=release,
        timeout_s={"store": 0.5, "lookup": 10.0, "load": 10.0},
    )
    assert [one.status for one in rows(reported, "store")] == ["timeout", "ok", "ok"]
    assert total(reported, "store", "keys_ok") == total(reported, "load", "keys_ok") == 2
    assert finished.exit_code == 1
    assert finished.keys_removed


@pytest.mark.parametrize(
    ("name", "phase", "rule"),
    [
        ("TextId", "store", "the task id has type str, not int"),
        ("OldId", "load", "was used before"),
        ("UnknownTask", "store", "a result for task 1000000000, which was never submitted"),
        ("RaisingPop", "store", "pop_completed_store_tasks raised RuntimeError"),
        ("RaisingQuery", "load", "query_load_result raised KeyError"),
        ("ClosedEvent", "load", "the event descriptor cannot be read"),
        ("EmptyLookup", "lookup", "the bitmap has 0 bits"),
    ],
)
def test_an_adapter_that_breaks_a_rule_is_an_error_that_names_it(
    run_trace: RunTrace,
    use: Callable[[Any], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    phase: str,
    rule: str,
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "adapters"))
    monkeypatch.setattr(clock, "LATE_GRACE_S", 0.2)
    monkeypatch.setenv("FAULT_AT", "2")
    module = importlib.import_module("rule_breaking_adapters")
    use(getattr(module, name)(FSL2AdapterConfig(str(tmp_path / "kv"))))
    limits = {"store": 1.0, "lookup": 1.0, "load": 1.0}  # of a task that the fault loses
    finished, reported = run_trace(PREFIXES, timeout_s=limits)
    assert finished.exit_code == 1
    broken = [one for one in rows(reported, phase) if rule in one.detail]
    assert {(one.status, one.duration_s) for one in broken} == {("error", None)}


def test_a_trace_that_has_changed_since_is_not_replayed(run_trace: RunTrace) -> None:
    finished, reported = run_trace(PREFIXES, sha256="0" * 64)
    assert finished.exit_code == 1
    assert "the file has changed since the command was given" in finished.detail
    assert not any(isinstance(one, RoundMeasured) for one in reported)


def test_a_process_without_phases_deletes_every_key_of_the_trace(run_trace: RunTrace, tmp_path: Path) -> None:
    finished, _ = run_trace(PREFIXES, delete_after=False)
    assert finished.exit_code == 0
    assert len(list((tmp_path / "kv").rglob("*.data"))) == 6
    job = small_job(fs_spec(tmp_path), phases=(), trace=TraceReplay("/nowhere", "", 1.0, 6))
    assert job.key_layout.stored == range(6)
    assert AdapterBenchmark(job, lambda _: None, LogWatch()).run().keys_removed
    assert list((tmp_path / "kv").rglob("*.data")) == []
