"""run_sweep(): one point after another, until the sweep is complete, stopped or out of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_starter import Answer, FakeStarter, crash, succeed
from shipped import point

import l2sweep
from l2sweep import interrupts
from l2sweep.bench.job import Job
from l2sweep.config.sweep import Budget, SweepConfig
from l2sweep.errors import STOPPED, BenchError
from l2sweep.sweep import loop, runs
from l2sweep.sweep.loop import SweepResult, run_sweep
from l2sweep.sweep.prepare import SweepRequest
from l2sweep.sweep.session import SweepSession
from l2sweep.sweep.terminal.point_view import PointView
from l2sweep.sweep.terminal.table_view import TableView


@pytest.fixture(autouse=True)
def _own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a lock file of the test, and run no git."""
    (tmp_path / "lock").mkdir()
    monkeypatch.setenv("L2SWEEP_LOCK_DIR", str(tmp_path / "lock"))
    monkeypatch.setattr(loop, "git_commit", lambda folder: "0" * 40)


class Sweep:
    """A sweep with fake processes.

    Attributes:
        result: The result of the last run.
        session: The session of the last run.
        starter: The starter of the last run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self,
        *num_keys: int,
        answer: Callable[[Job], Answer | BaseException] = succeed,
        is_single: bool = False,
        view: Any = None,
        **options: Any,
    ) -> SweepResult:
        base = point(adapter={"type": "mock", "max_size_gb": 1}, data_size_kb=64)
        sweep = {
            "sweep_id": "mine",
            "results_dir": str(self.folder / "results"),
            "scratch_dir": str(self.folder / "results" / "scratch"),
            **options,
        }
        grid = [replace(base, num_keys=keys) for keys in num_keys]
        request = SweepRequest(SweepConfig(**sweep), grid, [], {}, self.folder, frozenset(), is_single)
        self.starter = FakeStarter(answer)
        with SweepSession(self.starter) as self.session:
            self.session.view = view
            self.result = run_sweep(request, self.session)
        return self.result

    @property
    def measured(self) -> list[int]:
        """The num_keys of each recorded point."""
        return list(l2sweep.load_points(self.folder / "results")["num_keys"])


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def fail_at(num_keys: int) -> Callable[[Job], Answer]:
    return lambda job: crash(job) if job.workload.num_keys == num_keys else succeed(job)


def test_every_point_is_measured_and_recorded(sweep: Sweep) -> None:
    result = sweep.run(2, 4, repeats=2)
    assert [row["num_keys"] for row in (one.point for one in result.points)] == [2, 2, 4, 4]
    assert sweep.measured == [2, 2, 4, 4]
    assert result.is_complete
    assert sweep.session.exit_code == 0
    assert {one.point["config_git_commit"] for one in result.points} == {"0" * 40}


def test_after_a_failed_point_the_sweep_continues(sweep: Sweep) -> None:
    result = sweep.run(2, 4, 8, answer=fail_at(4))
    assert sweep.measured == [2, 4, 8]
    assert result.is_complete
    assert sweep.session.exit_code == 1


def test_with_on_failure_stop_a_failed_point_is_the_last(sweep: Sweep) -> None:
    result = sweep.run(2, 4, 8, answer=fail_at(4), on_failure="stop")
    assert sweep.measured == [2, 4]
    assert not result.is_complete
    assert sweep.session.exit_code == 1


def test_a_stopped_point_is_the_last(sweep: Sweep) -> None:
    def interrupt(job: Job) -> Answer | BaseException:
        is_second = job.phases and job.workload.num_keys == 4
        return KeyboardInterrupt() if is_second else succeed(job)

    result = sweep.run(2, 4, 8, answer=interrupt)
    assert sweep.measured == [2, 4]
    assert sweep.session.exit_code == STOPPED
    assert not result.is_complete


def test_after_an_interrupt_between_two_points_no_other_starts(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: Iterator[bool] = iter([False, True])
    monkeypatch.setattr(runs, "requested", lambda: next(answers))
    result = sweep.run(2, 4, 8)
    assert sweep.measured == [2]
    assert sweep.session.exit_code == STOPPED
    assert not result.is_complete


def test_interrupts_are_deferred_while_points_are_recorded(sweep: Sweep) -> None:
    deferred: list[bool] = []

    def look(job: Job) -> Answer:
        if job.phases:
            deferred.append(interrupts._STATE.is_deferred)
        return succeed(job)

    sweep.run(2, answer=look)
    assert deferred == [True]
    sweep.session.__exit__()
    assert not interrupts._STATE.is_deferred


@pytest.mark.parametrize(
    ("num_points_in_time", "num_measured", "is_complete"), [(0, 0, False), (1, 1, False), (2, 2, True)]
)
def test_no_point_starts_after_the_time_budget(
    sweep: Sweep,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    num_points_in_time: int,
    num_measured: int,
    is_complete: bool,
) -> None:
    # In interleaved order, the first two of the four points are the first repeat of both cells.
    answers = iter([False] * num_points_in_time + [True])
    monkeypatch.setattr(SweepSession, "is_over_budget", lambda self, minutes: next(answers))
    result = sweep.run(2, 4, repeats=2, order="interleaved", budget=Budget(minutes=5))
    assert len(result.points) == num_measured
    assert result.is_complete == is_complete
    assert sweep.session.exit_code == 0
    assert "budget.minutes=5.0 are used up" in capsys.readouterr().out


def test_a_dry_run_prints_the_plan_and_creates_nothing(
    sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    result = sweep.run(2, 4, dry_run=True)
    assert (result.points, result.is_complete) == ([], True)
    assert sweep.starter.jobs == []
    assert not (sweep.folder / "results").exists()
    assert "num_keys" in capsys.readouterr().out


def test_a_resumed_sweep_runs_only_what_is_left(sweep: Sweep) -> None:
    sweep.run(2, 4, 8, answer=fail_at(4), on_failure="stop")
    result = sweep.run(2, 4, 8, resume="mine")
    assert [one.point["num_keys"] for one in result.points] == [4, 8]
    assert [one.point["attempt"] for one in result.points] == [2, 1]
    assert result.is_complete


def test_a_resumed_sweep_with_failed_points_is_not_complete(sweep: Sweep) -> None:
    sweep.run(2, 4, answer=fail_at(4))
    result = sweep.run(2, 4, resume="mine", retry_failed=False)
    assert (result.points, result.is_complete) == ([], False)


def test_a_point_that_cannot_be_started_ends_the_sweep_and_earlier_points_are_recorded(
    sweep: Sweep,
) -> None:
    def fail(job: Job) -> Answer | BaseException:
        cannot_start = job.phases and job.workload.num_keys == 4
        return BenchError("forking is not safe") if cannot_start else succeed(job)

    with pytest.raises(BenchError, match="forking is not safe"):
        sweep.run(2, 4, 8, answer=fail)
    assert sweep.measured == [2]


@pytest.mark.parametrize("is_kept", [False, True])
def test_the_scratch_folder_is_removed_if_it_is_empty(sweep: Sweep, is_kept: bool) -> None:
    scratch = sweep.folder / "results" / "scratch"

    def use_scratch(job: Job) -> Answer:
        if job.phases:
            scratch.mkdir()
        if job.phases and is_kept:
            (scratch / "kept.data").touch()
        return succeed(job)

    sweep.run(2, answer=use_scratch)
    assert scratch.exists() == is_kept


@pytest.mark.parametrize(
    ("num_keys", "is_single", "view"),
    [((2,), True, PointView), ((2,), False, TableView), ((2, 4), True, TableView)],
)
def test_one_point_without_m_has_a_view_of_its_own(
    sweep: Sweep, num_keys: tuple[int, ...], is_single: bool, view: type
) -> None:
    sweep.run(*num_keys, is_single=is_single)
    assert type(sweep.session.view) is view


class FakeView:
    """Remember which methods were called, and the notes."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append(name)


def test_a_view_that_the_session_already_has_shows_the_points(sweep: Sweep) -> None:
    view = FakeView()
    sweep.run(2, view=view)
    assert view.calls[:2] == ["planned", "started"]
    assert set(view.calls[2:-1]) == {"message"}
    assert view.calls[-1] == "ended"


def test_keys_that_may_remain_are_said_once_for_each_point(sweep: Sweep) -> None:
    def never_delete(job: Job) -> Answer | BaseException:
        is_removal = job.delete_after and not job.phases
        return BenchError("the server is down") if is_removal else (crash if job.phases else succeed)(job)

    view = FakeView()
    sweep.run(2, view=view, answer=never_delete)
    (row,) = (one.point for one in sweep.result.points)
    keys = f"keys of namespace {row['namespace']}"
    assert view.notes == [f"{keys} may remain: their deletion is not proven; the next run tries again"]
