"""A sweep is planned and checked, and its manifest is saved, before its first point runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_starter import Answer, FakeStarter, refuse, succeed
from omegaconf import OmegaConf
from sample_rows import point_row, round_row
from shipped import point

from l2sweep.bench.job import Job
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import Budget, SweepConfig
from l2sweep.credentials import secrets_of
from l2sweep.errors import RequestError
from l2sweep.records.owner import Host
from l2sweep.records.writer import write_point
from l2sweep.services.ports import free_ports
from l2sweep.sweep import prepare as prepare_module
from l2sweep.sweep.checks.results_dir import require_new_sweep
from l2sweep.sweep.prepare import Prepared, SweepRequest, plan_of, prepare, save_configuration
from l2sweep.sweep.session import SweepSession
from l2sweep.sweep.state.host_lock import HostBusyError, holder, host_lock
from l2sweep.sweep.state.journal import JournalEntry, journal_file
from l2sweep.sweep.state.manifest import load_manifest
from l2sweep.sweep.state.owned_files import OwnedFileRecorder
from l2sweep.sweep.state.sweep_lock import sweep_lock

MOCK = {"type": "mock", "max_size_gb": 1}


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").mkdir()
    monkeypatch.setenv("L2SWEEP_LOCK_DIR", str(tmp_path / "lock"))


@pytest.fixture
def starter() -> FakeStarter:
    return FakeStarter()


@pytest.fixture
def session(starter: FakeStarter) -> Iterator[SweepSession]:
    with SweepSession(starter) as session:
        yield session


def config(num_keys: int, spec: dict[str, Any] = MOCK) -> PointConfig:
    return replace(point(adapter=spec), num_keys=num_keys, overrides=(f"num_keys={num_keys}",))


def request_for(tmp_path: Path, *grid: PointConfig, **options: Any) -> SweepRequest:
    names = {"sweep_id": "mine", "results_dir": str(tmp_path / "results"), "quiet": True, **options}
    return SweepRequest(
        sweep=SweepConfig(**names),
        grid=grid or (config(2), config(4), config(8)),
        arguments=["num_keys=2,4,8"],
        configuration={"num_keys": 2, "adapter": {"type": "mock", "password": "hunter2"}},
        config_folder=tmp_path,
        secrets=frozenset({"hunter2"}),
    )


def indices(prepared: Prepared) -> list[int]:
    return [planned.index for planned in prepared.to_run]


def test_planning_creates_nothing(tmp_path: Path) -> None:
    prepared = plan_of(request_for(tmp_path, repeats=2), first_index=5)
    assert indices(prepared) == [5, 6, 7, 8, 9, 10]
    assert not (tmp_path / "results").exists()


def test_a_plan_without_points_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no point is left to run: 3 skipped: constraint num_keys > 99"):
        plan_of(request_for(tmp_path, constraints=["num_keys > 99"]))


def test_the_disk_budget_is_part_of_the_plan(tmp_path: Path) -> None:
    on_disk = [config(keys, {"type": "fs", "base_path": str(tmp_path)}) for keys in (2, 4000)]
    prepared = plan_of(request_for(tmp_path, *on_disk, budget=Budget(disk_gb=0.5)))
    assert [planned.config.num_keys for planned in prepared.to_run] == [2]
    assert "budget.disk_gb=0.5" in prepared.plan.skipped[0].reason


def test_a_new_sweep_has_its_manifest_and_configuration_saved(tmp_path: Path, session: SweepSession) -> None:
    prepared = prepare(request_for(tmp_path), session)
    assert indices(prepared) == [0, 1, 2]
    assert prepared.failed_before == 0
    folder = tmp_path / "results" / "sweeps" / "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "manifest.json", "sweep.lock"]
    assert session.manifest == load_manifest(str(tmp_path / "results"), "mine")
    assert [entry["overrides"] for entry in session.manifest.points] == [
        ["num_keys=2"],
        ["num_keys=4"],
        ["num_keys=8"],
    ]
    assert OmegaConf.load(folder / "config.yaml") == {
        "num_keys": 2,
        "adapter": {"type": "mock", "password": "***"},
    }


def test_the_lock_is_held_until_the_session_ends(tmp_path: Path) -> None:
    with SweepSession(FakeStarter()) as session:
        prepare(request_for(tmp_path), session)
        assert holder().startswith("sweep mine,")
    assert holder() == ""


def test_another_sweep_on_this_host_is_an_error_before_anything_is_created(
    tmp_path: Path, session: SweepSession, starter: FakeStarter
) -> None:
    with host_lock("fail", "other"), pytest.raises(HostBusyError, match="sweep other"):
        prepare(request_for(tmp_path), session)
    assert starter.jobs == []
    assert not (tmp_path / "results").exists()


def test_the_processes_are_isolated_as_requested(
    tmp_path: Path, session: SweepSession, starter: FakeStarter
) -> None:
    prepare(request_for(tmp_path, isolation="spawn"), session)
    assert starter.isolation == "spawn"


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path: Path, session: SweepSession) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(RequestError, match="must be a writable folder"):
        prepare(request_for(tmp_path), session)


def test_a_sweep_id_is_used_once(tmp_path: Path) -> None:
    with SweepSession(FakeStarter()) as session:
        prepare(request_for(tmp_path), session)
    with (
        SweepSession(FakeStarter()) as session,
        pytest.raises(RequestError, match="sweep_id=mine: must be new"),
    ):
        prepare(request_for(tmp_path), session)


def refuse_small(job: Job) -> Answer:
    return refuse(job) if job.adapter_spec.get("max_size_gb") == 0 else succeed(job)


REFUSED = config(2, {"type": "mock", "max_size_gb": 0})


def test_points_with_a_refused_spec_run_if_others_are_accepted(tmp_path: Path) -> None:
    with SweepSession(FakeStarter(refuse_small)) as session:
        assert indices(prepare(request_for(tmp_path, REFUSED, config(4)), session)) == [0, 1]


@pytest.mark.parametrize(
    ("grid", "options"),
    [([REFUSED], {}), ([REFUSED, REFUSED], {}), ([REFUSED, config(4)], {"on_infeasible": "fail"})],
)
def test_refused_specs_are_reported_once_and_nothing_is_created(
    tmp_path: Path, grid: list[PointConfig], options: dict[str, Any]
) -> None:
    with SweepSession(FakeStarter(refuse_small)) as session:
        with pytest.raises(RequestError) as refused:
            prepare(request_for(tmp_path, *grid, **options), session)
        assert session.manifest is None
    assert refused.value.problems == ("adapter.base_path: must not be empty",)
    assert list(tmp_path.glob("results/sweeps/*")) == []


def test_a_foreign_file_is_not_overwritten_and_a_file_of_an_earlier_sweep_is(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.write_text("foreign")
    raw_block = config(2, {"type": "raw_block", "device_path": str(device), "slot_bytes": 1 << 20})
    with SweepSession(FakeStarter()) as session, pytest.raises(RequestError, match="is a file that holds"):
        prepare(request_for(tmp_path, raw_block), session)
    device.unlink()
    recorder = OwnedFileRecorder(str(device), str(tmp_path / "results"))
    device.write_text("written by the adapter")
    (tmp_path / "results").mkdir()
    recorder.record()
    with SweepSession(FakeStarter()) as session:
        assert indices(prepare(request_for(tmp_path, raw_block, sweep_id="next"), session)) == [0]


def abandoned_journal(tmp_path: Path) -> Path:
    """Write the journal of a launcher that died."""
    file = journal_file(tmp_path / "results" / "sweeps" / "killed", 0, 1, "0a0a0a")
    file.parent.mkdir(parents=True)
    file.write_text(JournalEntry(Host.here(), config(2).job("killed-0-1-0a0a0a"), None).to_json())
    return file


def test_leftovers_are_removed_first_and_reported(
    tmp_path: Path, session: SweepSession, starter: FakeStarter, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = abandoned_journal(tmp_path)
    prepare(request_for(tmp_path, quiet=False), session)
    assert not journal.exists()
    assert [job.delete_after for job in starter.jobs] == [True, False]  # the second one checks the spec
    assert "left by an earlier run, were removed" in capsys.readouterr().out


def test_a_search_adds_its_points_to_the_manifest_and_removes_no_leftovers_again(
    tmp_path: Path, session: SweepSession
) -> None:
    prepare(request_for(tmp_path, config(2)), session)
    journal = abandoned_journal(tmp_path)
    prepared = prepare(request_for(tmp_path, config(4)), session)
    assert indices(prepared) == [1]
    assert [entry["index"] for entry in load_manifest(str(tmp_path / "results"), "mine").points] == [0, 1]
    assert journal.exists()


def record(tmp_path: Path, index: int, status: str, attempt: int = 1) -> None:
    place = {"sweep_id": "mine", "point_index": index, "attempt": attempt, "status": status}
    stem = f"mine.{index:05d}.{attempt}"
    write_point(tmp_path / "results", stem, [round_row(**place)], [point_row(**place)])


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """Prepare a sweep with three points of which the first two have records."""
    with SweepSession(FakeStarter()) as session:
        prepare(request_for(tmp_path), session)
    record(tmp_path, 0, "ok")
    record(tmp_path, 1, "failed")
    return tmp_path


@pytest.mark.parametrize(
    ("retry_failed", "to_run", "failed_before"), [(True, [(1, 2), (2, 1)], 0), (False, [(2, 1)], 1)]
)
def test_a_resumed_sweep_runs_the_points_without_success(
    interrupted: Path,
    session: SweepSession,
    retry_failed: bool,
    to_run: list[tuple[int, int]],
    failed_before: int,
) -> None:
    resumed = request_for(interrupted, sweep_id="new", resume="mine", retry_failed=retry_failed)
    prepared = prepare(resumed, session)
    assert [(planned.index, planned.attempt) for planned in prepared.to_run] == to_run
    assert prepared.failed_before == failed_before
    assert prepared.sweep.sweep_id == "mine"
    assert len(prepared.plan.points) == 3
    assert session.manifest == load_manifest(str(interrupted / "results"), "mine")
    assert not (interrupted / "results" / "sweeps" / "new").exists()


def test_a_sweep_that_another_process_runs_is_refused_before_anything_is_read_or_removed(
    interrupted: Path, session: SweepSession, starter: FakeStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan_again(*_: Any, **__: Any) -> None:
        pytest.fail("the plan was read")

    monkeypatch.setattr(prepare_module, "make_plan", plan_again)
    journal = abandoned_journal(interrupted)
    with sweep_lock(interrupted / "results" / "sweeps" / "mine"):
        for lock in ("off", "fail", "wait"):
            resumed = request_for(interrupted, sweep_id="new", resume="latest", lock=lock)
            with pytest.raises(RequestError, match="sweep mine is being run by process "):
                prepare(resumed, session)
            assert holder() == ""
    assert journal.exists()
    assert starter.jobs == []


def test_the_latest_sweep_is_chosen_once(
    interrupted: Path, session: SweepSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock_slowly(sweep: SweepConfig) -> None:
        with SweepSession(FakeStarter()) as other:
            prepare(request_for(interrupted, config(16), sweep_id="newer", lock="off"), other)

    monkeypatch.setattr(session, "lock", lock_slowly)
    prepared = prepare(request_for(interrupted, sweep_id="new", resume="latest"), session)
    assert prepared.sweep.sweep_id == "mine"


def test_a_new_sweep_is_locked_from_the_moment_its_folder_exists(
    tmp_path: Path, session: SweepSession
) -> None:
    prepare(request_for(tmp_path, lock="off"), session)
    with SweepSession(FakeStarter()) as other, pytest.raises(RequestError, match="is being run by"):
        prepare(request_for(tmp_path, sweep_id="new", resume="mine", lock="off"), other)


def test_a_new_sweep_that_cannot_be_locked_leaves_no_folder(
    tmp_path: Path, session: SweepSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def full(descriptor: int) -> None:
        if "sweep.lock" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RequestError, match=r"sweep mine cannot be locked: .*: No space left on device"):
        prepare(request_for(tmp_path), session)
    assert not (tmp_path / "results" / "sweeps").exists()


def test_of_two_new_sweeps_with_one_id_the_second_is_refused(
    tmp_path: Path, session: SweepSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = iter(
        [lambda _: (tmp_path / "results" / "sweeps" / "mine").mkdir(parents=True), require_new_sweep]
    )
    monkeypatch.setattr(prepare_module, "require_new_sweep", lambda sweep: next(checked)(sweep))
    with pytest.raises(RequestError, match="sweep_id=mine: must be new"):
        prepare(request_for(tmp_path), session)
    assert list((tmp_path / "results" / "sweeps" / "mine").iterdir()) == []


def test_a_resumed_sweep_must_have_the_same_points(interrupted: Path, session: SweepSession) -> None:
    other = request_for(interrupted, config(2), config(5), config(8), resume="latest")
    with pytest.raises(RequestError, match="1 of 3 points differ, the first is point 1"):
        prepare(other, session)


def test_a_resumed_sweep_skips_what_it_skipped_first(interrupted: Path, session: SweepSession) -> None:
    file = interrupted / "results" / "sweeps" / "mine" / "manifest.json"
    manifest = json.loads(file.read_text())
    skipped = manifest["points"].pop()
    manifest["skipped"] = [{**skipped, "reason": "needs too much memory", "as_asked": False}]
    file.write_text(json.dumps(manifest))
    prepared = prepare(request_for(interrupted, resume="mine"), session)
    assert indices(prepared) == [1]
    assert [one.reason for one in prepared.plan.skipped] == ["needs too much memory"]


def test_a_sweep_that_is_complete_has_nothing_to_run(interrupted: Path, session: SweepSession) -> None:
    record(interrupted, 1, "ok", attempt=2)
    record(interrupted, 2, "ok")
    assert indices(prepare(request_for(interrupted, resume="mine"), session)) == []


def read(file: Path) -> Any:
    """Return the content of a YAML file. Interpolations are not resolved."""
    return OmegaConf.to_container(OmegaConf.load(file))


def test_a_saved_configuration_is_unchanged(tmp_path: Path) -> None:
    content = {"num_keys": 8, "adapter": {"base_path": "${scratch_dir}", "host": "???"}, "only": None}
    save_configuration(tmp_path / "sweeps" / "a" / "config.yaml", content, set())
    assert read(tmp_path / "sweeps" / "a" / "config.yaml") == content


SECRETS = [
    "hunter2",
    "correct horse battery staple, a text that is longer than the eighty columns of a line of YAML",
    "it's a 'secret'",
    'say "secret"',
    "back\\slash",
    "line\nbreak",
    "tab\tstop",
    "grün-geheim",
    "secret: yes # no",
    "null",
    "12345678",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_saved_in_any_notation_of_yaml(tmp_path: Path, secret: str) -> None:
    adapter = {"type": "resp", "nodes": [{"password": secret}]}
    content = {
        "adapter": adapter,
        "hydra": {
            "overrides": {"task": [f"x={secret}", secret]},
            "description": f"<{secret}> twice {secret}",
        },
    }
    save_configuration(tmp_path / "config.yaml", content, secrets_of(adapter))
    assert read(tmp_path / "config.yaml") == {
        "adapter": {"type": "resp", "nodes": [{"password": "***"}]},
        "hydra": {"overrides": {"task": ["x=***", "***"]}, "description": "<***> twice ***"},
    }


def test_a_field_for_a_credential_is_hidden_even_if_its_value_is_not_known(tmp_path: Path) -> None:
    content = {"adapter": {"password": "hunter2", "host": "h"}}
    save_configuration(tmp_path / "config.yaml", content, set())
    assert read(tmp_path / "config.yaml") == {"adapter": {"password": "***", "host": "h"}}


def test_a_server_that_is_down_refuses_the_sweep_before_a_process_unless_it_is_not_asked(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    grid = [config(2, {"type": "resp", "host": "127.0.0.1", "port": port}), config(4)]
    with SweepSession(starter := FakeStarter()) as session:
        with pytest.raises(RequestError, match=f"adapter=resp: .*127.0.0.1:{port}: connection refused"):
            prepare(request_for(tmp_path, *grid), session)
        assert starter.jobs == []
        assert not (tmp_path / "results" / "sweeps").exists()
        assert indices(prepare(request_for(tmp_path, *grid, probe=False), session)) == [0, 1]
