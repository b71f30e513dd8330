"""An examination with fake processes: which jobs it runs, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_starter import ACCEPTED, CREATED, Answer, FakeStarter, refuse, rounds, succeed
from shipped import point

from l2sweep.bench.job import Job
from l2sweep.bench.messages import Finished, PhaseEnded, PhaseStarted
from l2sweep.config.cache import CacheConfig
from l2sweep.config.point import PointConfig
from l2sweep.config.point_options import PhaseTimeouts
from l2sweep.errors import RequestError
from l2sweep.sweep.doctor import examination, steps
from l2sweep.sweep.doctor.examination import examine, small_point
from l2sweep.sweep.doctor.steps import Diagnosis, Step

MOCK = {"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": 1000}


@pytest.fixture(autouse=True)
def _no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every probe succeed."""
    monkeypatch.setattr(examination, "probe_step", lambda config: Step(steps.PROBE, steps.OK, ""))


def point_of(folder: Path, **changes: Any) -> PointConfig:
    spec = {"type": "fs", "base_path": str(folder / "kv")}
    return small_point(replace(point(), **{"adapter_spec": spec, **changes}))


def outcomes(found: Diagnosis) -> dict[str, str]:
    return {step.name: step.outcome for step in found.steps}


def examined(config: PointConfig, answer: Callable[[Job], Any] = succeed) -> tuple[Diagnosis, FakeStarter]:
    starter = FakeStarter(answer)
    return examine(config, starter.start, lambda _: None), starter


def test_the_point_moves_4_keys_once_and_checks_every_byte() -> None:
    given = replace(
        point(),
        num_keys=32,
        rounds=9,
        skip_verify=True,
        cache=CacheConfig(mode="cold", method="fadvise", drop_before=["load"], paths=["/mnt/kv"]),
        timeout_s=PhaseTimeouts(store=2),
        data_size_kb=64,
    )
    small = small_point(given)
    assert (small.amount.total_rounds, small.amount.keys_per_round, small.data_size_kb) == (1, 4, 64)
    assert small.amount.lookup_max_hit_rate == 1.0
    assert small.cache == CacheConfig(paths=["/mnt/kv"])
    assert (small.timeout_s.store, small.timeout_s.load) == (2, 4)
    assert small.job("a-0-1-000000").verify
    assert small.contradictions() == []


def test_one_process_stores_and_another_finds_and_deletes(tmp_path: Path) -> None:
    seen: list[Step] = []
    starter = FakeStarter(succeed)
    found = examine(point_of(tmp_path), starter.start, seen.append)
    store, delete = starter.jobs
    assert (store.phases, store.delete_after) == (("store", "lookup", "load"), False)
    assert (delete.phases, delete.delete_after, delete.stored_rounds) == (("lookup",), True, 1)
    assert store.namespace == delete.namespace
    assert max(limit.deadline_s for limit in starter.limits) <= 30
    assert seen == list(found.steps)
    assert [step.name for step in seen] == list(steps.STEPS)
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_whose_data_end_with_its_process_deletes_in_it(tmp_path: Path) -> None:
    found, starter = examined(point_of(tmp_path, adapter_spec=MOCK))
    assert [job.delete_after for job in starter.jobs] == [True]
    assert outcomes(found)[steps.OTHER_LOOKUP] == steps.NOT_POSSIBLE
    assert outcomes(found)[steps.DELETE] == steps.OK


def test_after_a_failed_probe_no_process_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    down = Step(steps.PROBE, steps.FAILED, "h:1: connection refused")
    monkeypatch.setattr(examination, "probe_step", lambda config: down)
    found, starter = examined(point_of(tmp_path))
    assert starter.jobs == []
    assert found.verdict == "failed: fs: probe: h:1: connection refused"
    assert set(outcomes(found).values()) == {steps.FAILED, steps.NOT_POSSIBLE}
    assert len(found.steps) == len(steps.STEPS)


def test_a_spec_that_lmcache_refuses_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"^adapter\.base_path: must not be empty$"):
        examined(point_of(tmp_path), refuse)


def test_an_adapter_that_cannot_be_created_needs_no_second_process(tmp_path: Path) -> None:
    detail = "the adapter could not be created: OSError: no route"
    found, starter = examined(point_of(tmp_path), lambda job: Answer([ACCEPTED, Finished(1, detail, 1)]))
    assert len(starter.jobs) == 1
    assert found.verdict == f"failed: fs: store: {detail}"


def test_keys_of_a_process_that_died_are_deleted_by_the_second(tmp_path: Path) -> None:
    def die_in_store(job: Job) -> Answer:
        if "store" in job.phases:
            return Answer([ACCEPTED, CREATED, PhaseStarted("store")], b"connection failed\n", (-9, 0))
        lookup = [PhaseStarted("lookup"), *rounds("lookup", 1), PhaseEnded("lookup")]
        return Answer([ACCEPTED, CREATED, *lookup, Finished(0, "", 1, keys_removed=True)])

    found, starter = examined(point_of(tmp_path), die_in_store)
    assert [job.delete_after for job in starter.jobs] == [False, True]
    assert "killed by SIGKILL during store; last output: connection failed" in found.verdict
    assert outcomes(found)[steps.DELETE] == steps.OK


def test_files_that_are_left_are_counted_and_removed(tmp_path: Path) -> None:
    (tmp_path / "kv").mkdir()
    (tmp_path / "kv" / "other.data").write_text("stays")

    def leave_a_file(job: Job) -> Answer:
        (tmp_path / "kv" / f"{job.namespace}@0x1@0@{'0' * 32}.data").write_text("left")
        return succeed(job)

    found, _ = examined(point_of(tmp_path), leave_a_file)
    seen = "no key is found any more, but 1 files of them were left"
    assert found.failed[-1] == Step(steps.DELETE, steps.FAILED, seen)
    assert [path.name for path in (tmp_path / "kv").iterdir()] == ["other.data"]


def test_a_device_file_that_did_not_exist_is_removed_again(tmp_path: Path) -> None:
    file = tmp_path / "dev" / "dax"

    def create(job: Job) -> Answer:
        file.parent.mkdir(exist_ok=True)
        file.write_text("data")
        return succeed(job)

    spec = {"type": "dax", "device_path": str(file), "max_dax_size_gb": 1}
    examined(point_of(tmp_path, adapter_spec=spec), create)
    assert list(tmp_path.iterdir()) == []
    file.parent.mkdir()
    file.write_text("of the user")
    examined(point_of(tmp_path, adapter_spec=spec), succeed)
    assert file.read_text() == "of the user"
