"""The checks before a sweep: specs that LMCache refuses, and options that cannot work here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from conftest import ROOT
from shipped import point

from l2sweep.bench.job import Job
from l2sweep.bench.messages import Accepted, Message, Refused
from l2sweep.config.cache import CacheConfig
from l2sweep.config.point import PointConfig
from l2sweep.process.bench_process import BenchProcess, OnOutput, ProcessLimits
from l2sweep.process.supervisor import UNRECORDED_DEADLINE_S
from l2sweep.sweep.cache import drop
from l2sweep.sweep.checks import preflight
from l2sweep.sweep.checks.preflight import (
    option_problems,
    profiler_problems,
    refused_specs,
    unusable_servers,
)
from l2sweep.sweep.plan import PlannedPoint

HOT = point()
FS = {"type": "fs", "base_path": "/mnt/kv"}
REMOTE = {"type": "resp", "host": "h", "port": 1}


@dataclass
class FakeProcess:
    """A benchmark process that only reports; ``ended`` counts the calls of :meth:`end`."""

    reports: list[Message]
    ended: int = 0

    def messages(self) -> Iterator[Message]:
        yield from self.reports

    def end(self) -> None:
        self.ended += 1


@dataclass
class FakeStarter:
    """Start fake processes, and keep what was asked for."""

    answer: Callable[[Job], list[Message]]
    jobs: list[Job] = field(default_factory=list)
    limits: list[ProcessLimits] = field(default_factory=list)
    processes: list[FakeProcess] = field(default_factory=list)

    def start(self, job: Job, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
        self.jobs.append(job)
        self.limits.append(limits)
        self.processes.append(FakeProcess(self.answer(job)))
        return cast(BenchProcess, self.processes[-1])


def planned(*points: PointConfig) -> list[PlannedPoint]:
    return [PlannedPoint(index, index, 0, config) for index, config in enumerate(points)]


def with_spec(spec: dict[str, Any], **changes: Any) -> PointConfig:
    return replace(HOT, adapter_spec=spec, **changes)


def accept(job: Job) -> list[Message]:
    return [Accepted("0.5.6", "2.9", "3.11")]


def refuse_bad(job: Job) -> list[Message]:
    if job.adapter_spec["type"] != "bad":
        return accept(job)
    return [Refused("bad.field=1: no such field"), Refused(f"bad.password={job.adapter_spec['password']}")]


def test_each_spec_is_read_once_and_its_process_is_ended() -> None:
    starter = FakeStarter(accept)
    points = planned(with_spec(FS), with_spec(FS, num_keys=4), with_spec({"type": "mock"}))
    assert refused_specs(points, starter.start) == {}
    assert [job.adapter_spec["type"] for job in starter.jobs] == ["fs", "mock"]
    assert [process.ended for process in starter.processes] == [1, 1]


def test_the_process_only_reads_the_spec() -> None:
    starter = FakeStarter(accept)
    refused_specs(planned(with_spec(FS)), starter.start)
    assert [job.only_checks_spec for job in starter.jobs] == [True]


def test_the_deadline_of_the_point_limits_the_process_that_reads_the_spec() -> None:
    starter = FakeStarter(accept)
    refused_specs(planned(with_spec(FS, deadline_s=7.0), with_spec(REMOTE, deadline_s=9e5)), starter.start)
    assert [limits.deadline_s for limits in starter.limits] == [7.0, UNRECORDED_DEADLINE_S]


def test_another_interpreter_reads_the_spec_again() -> None:
    starter = FakeStarter(accept)
    refused_specs(planned(with_spec(FS), with_spec(FS, python="/other/python")), starter.start)
    assert [limits.python for limits in starter.limits] == [None, "/other/python"]


def test_each_profiler_is_tried_once() -> None:
    def refuse_profiler(job: Job) -> list[Message]:
        return [Refused(f"profile_mode={job.profile_mode}: no")] if job.profile_mode else accept(job)

    starter = FakeStarter(refuse_profiler)
    wall = {"profile": "flamegraph", "profile_mode": "wall"}
    points = planned(HOT, replace(HOT, **wall), replace(HOT, **wall, num_keys=4))
    refused = refused_specs(points, starter.start)
    assert [job.profile_mode for job in starter.jobs] == ["", "wall"]
    assert profiler_problems(refused) == ["profile_mode=wall: no"]
    assert profiler_problems({0: "adapter.base_path: must not be empty"}) == []


def test_every_point_with_a_refused_spec_gets_the_reasons_without_credentials() -> None:
    bad = {"type": "bad", "password": "topsecret"}
    points = planned(with_spec(bad), with_spec(FS), with_spec(bad, num_keys=4))
    starter = FakeStarter(refuse_bad)
    reason = "bad.field=1: no such field; bad.password=***"
    assert refused_specs(points, starter.start) == {0: reason, 2: reason}
    assert len(starter.jobs) == 2


@pytest.fixture
def tested_methods(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record which methods to drop the page cache are tested; only fadvise works."""
    tested: list[str] = []

    def why_unusable(self: drop.CacheDrop) -> str:
        tested.append(self.name)
        return "" if self.name == "fadvise" else "not here"

    for method in (drop.DropCaches, drop.Helper, drop.Fadvise, drop.Command):
        monkeypatch.setattr(method, "why_unusable", why_unusable)
    return tested


def cold(method: str = "fadvise", **changes: Any) -> CacheConfig:
    options = {"mode": "cold", "drop_before": ["lookup", "load"], "method": method, **changes}
    return CacheConfig(**options)


def test_options_that_work_are_no_problem(tested_methods: list[str]) -> None:
    points = [
        with_spec(FS),
        with_spec(FS, only="lookup"),
        with_spec(FS, cache=cold()),
        with_spec(FS, cache=CacheConfig(store_durable=True)),
        with_spec(REMOTE, only="load", cache=CacheConfig(store_durable=True)),
    ]
    assert option_problems(points) == []
    assert tested_methods == ["fadvise"]


def test_a_phase_that_the_adapter_does_not_have_is_a_problem() -> None:
    (problem,) = option_problems([with_spec({"type": "fio", "base_path": "/mnt/kv"}, only="lookup")])
    assert problem == "only=lookup: must be store or load with adapter=fio, which has no lookup"


def test_fio_cannot_replay_a_trace() -> None:
    trace = str(ROOT / "tests" / "traces" / "conversations.jsonl")
    fio = with_spec({"type": "fio", "base_path": "/mnt/kv"}, workload="trace", trace=trace)
    assert option_problems([fio]) == ["workload=trace: must be rounds with adapter=fio, which has no lookup"]


def test_an_adapter_that_cannot_be_cold_is_a_problem_and_its_method_is_not_tested(
    tested_methods: list[str],
) -> None:
    (problem,) = option_problems([with_spec({"type": "mock"}, cache=cold())])
    assert problem.startswith("cache=cold: the mock adapter keeps its data in the memory of its process")
    assert tested_methods == []


def test_a_durable_store_needs_data_on_this_machine() -> None:
    durable = with_spec(REMOTE, cache=CacheConfig(store_durable=True))
    (problem,) = option_problems([durable])
    assert problem.startswith(
        "cache.store_durable=true: the data of the resp adapter are not on this machine"
    )
    assert option_problems([replace(durable, cache=CacheConfig(store_durable=True, paths=["/mnt"]))]) == []


def test_a_durable_store_needs_a_device() -> None:
    in_memory = {"type": "fs", "base_path": "/dev/shm/kv"}
    (problem,) = option_problems([with_spec(in_memory, cache=CacheConfig(store_durable=True))])
    assert problem == (
        "cache.store_durable=true: /dev/shm/kv is on tmpfs, whose files are memory: "
        "nothing there is durable; use a folder on a disk, or cache.store_durable=false"
    )
    assert option_problems([with_spec(in_memory, only="load", cache=CacheConfig(store_durable=True))]) == []


def test_a_method_that_does_not_work_is_tested_once_and_reported_once(tested_methods: list[str]) -> None:
    points = [with_spec(FS, num_keys=keys, cache=cold("drop_caches")) for keys in (2, 4, 8)]
    assert option_problems(points) == ["cache.method=drop_caches: cannot be used here: not here"]
    assert tested_methods == ["drop_caches"]


def test_each_command_and_each_helper_is_tested(tested_methods: list[str]) -> None:
    commands = [with_spec(FS, cache=cold("command", command=command)) for command in ("one", "two")]
    helpers = [with_spec(FS, cache=cold("helper", helper=helper)) for helper in ("/one", "/two")]
    problems = option_problems([*commands, *helpers])
    assert problems == [
        "cache.method=command: cannot be used here: not here",
        "cache.method=helper: cannot be used here: not here",
    ]
    assert tested_methods == ["command", "command", "helper", "helper"]


@pytest.mark.parametrize("cache", [CacheConfig(), cold("drop_caches", drop_before=[])])
def test_no_method_is_tested_where_nothing_is_dropped(cache: CacheConfig, tested_methods: list[str]) -> None:
    assert option_problems([with_spec(FS, cache=cache)]) == []
    assert tested_methods == []


def test_each_server_is_asked_once_and_one_that_was_started_here_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def probe_problem(spec: Any) -> str:
        asked.append((spec["host"], spec["num_workers"]))
        return f"{spec['host']}:1: connection refused" if spec["host"] == "down" else ""

    monkeypatch.setattr(preflight, "probe_problem", probe_problem)
    specs = [{**REMOTE, "host": host, "num_workers": n} for host in ("down", "up") for n in (1, 2)]
    started = replace(point(adapter={**REMOTE, "host": "own", "num_workers": 1}), service="redis")
    problems = unusable_servers([*(point(adapter=spec) for spec in specs), started])
    assert asked == [("down", 1), ("up", 1)]
    assert problems == [
        "adapter=resp: cannot be used: down:1: connection refused (probe=false leaves out this check)"
    ]
