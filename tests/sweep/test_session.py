"""The session of a sweep: lock, time budget, exit code."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_starter import FakeStarter

from l2sweep import interrupts
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError
from l2sweep.sweep import session as session_module
from l2sweep.sweep.session import SweepSession, current_session
from l2sweep.sweep.state.host_lock import HostBusyError
from l2sweep.sweep.state.sweep_lock import who_runs

SWEEP = SweepConfig(sweep_id="mine", lock="wait")


@pytest.fixture
def lock_events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record when the lock of the host is acquired and released."""
    events: list[str] = []

    @contextlib.contextmanager
    def host_lock(mode: str, sweep_id: str) -> Iterator[None]:
        events.append(f"{mode} {sweep_id}")
        yield
        events.append("released")

    monkeypatch.setattr(session_module, "host_lock", host_lock)
    return events


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(session_module, "time", clock)
    return clock


def test_the_lock_is_acquired_once_and_released_at_the_end(lock_events: list[str]) -> None:
    with SweepSession(FakeStarter()) as session:
        assert lock_events == []
        session.lock(SWEEP)
        session.lock(SWEEP)
        assert lock_events == ["wait mine"]
    assert lock_events == ["wait mine", "released"]


def test_the_lock_of_the_sweep_is_held_until_the_end(tmp_path: Path) -> None:
    with SweepSession(FakeStarter()) as session:
        session.lock_sweep(tmp_path)
        assert who_runs(tmp_path) is not None
        with SweepSession(FakeStarter()) as other, pytest.raises(RequestError, match="is being run by"):
            other.lock_sweep(tmp_path)
    assert who_runs(tmp_path) is None


def test_a_session_without_the_lock_has_used_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(mode: str, sweep_id: str) -> contextlib.AbstractContextManager[None]:
        raise HostBusyError("another sweep")

    monkeypatch.setattr(session_module, "host_lock", busy)
    with SweepSession(FakeStarter()) as session:
        with pytest.raises(HostBusyError):
            session.lock(SWEEP)
        assert not session.is_over_budget(0.0)


def test_the_time_budget_starts_with_the_lock(lock_events: list[str], clock: Clock) -> None:
    with SweepSession(FakeStarter()) as session:
        clock.now_s += 3600
        assert not session.is_over_budget(1)
        session.lock(SWEEP)
        clock.now_s += 60
        session.lock(SWEEP)
        assert not session.is_over_budget(1)
        clock.now_s += 0.1
        assert session.is_over_budget(1)
        assert not session.is_over_budget(2)
        assert not session.is_over_budget(None)


@pytest.mark.parametrize(
    ("of_points", "of_session"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 1, 0], 1),
        ([2], 1),
        ([130], 130),
        ([1, 130], 130),
        ([130, 1], 130),
        ([130, 0], 130),
    ],
)
def test_the_exit_code_of_a_session(of_points: list[int], of_session: int) -> None:
    with SweepSession(FakeStarter()) as session:
        for exit_code in of_points:
            session.note(exit_code)
        assert session.exit_code == of_session


def test_a_new_sweep_id_has_date_time_and_four_digits() -> None:
    with SweepSession(FakeStarter()) as session:
        assert re.fullmatch(r"20\d{6}T\d{6}Z-[0-9a-f]{4}", session.new_sweep_id)


def test_the_starter_is_not_closed_with_the_session() -> None:
    starter = FakeStarter()
    with SweepSession(starter) as session:
        assert session.starter is starter
    assert not starter.is_closed


class FakeView:
    """Remember whether a signal would have ended the process when the result was shown."""

    def __init__(self) -> None:
        self.deferred: list[bool] = []

    def finished(self) -> None:
        self.deferred.append(interrupts._STATE.is_deferred)


def test_from_its_beginning_to_its_end_a_session_is_not_ended_by_a_signal() -> None:
    with SweepSession(FakeStarter()) as session:
        session.finish()  # no point was planned
        session.view = view = FakeView()
        session.finish()
        session.begin()
        session.begin()
        session.finish()
    assert view.deferred == [False, True]
    assert not interrupts._STATE.is_deferred


def test_the_open_session_is_the_current_one() -> None:
    with SweepSession(FakeStarter()) as session:
        assert current_session() is session
    with pytest.raises(RuntimeError, match="no session is open"):
        current_session()


def test_a_session_is_closed_after_an_error() -> None:
    def fail() -> None:
        with SweepSession(FakeStarter()):
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    with pytest.raises(RuntimeError, match="no session is open"):
        current_session()
