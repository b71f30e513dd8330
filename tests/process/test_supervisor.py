"""supervise() and ProcessReport: the status of a process, its messages, and their credentials."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fake_process import JOB, LIMITS, FakeProcess, round_measured
from fake_starter import ACCEPTED, CREATED

from l2sweep import interrupts
from l2sweep.bench.job import Job
from l2sweep.bench.messages import (
    Finished,
    Message,
    Note,
    PhaseEnded,
    PhaseStarted,
    Refused,
)
from l2sweep.errors import BenchError
from l2sweep.process import bench_process
from l2sweep.process.bench_process import BenchProcess, OnOutput, ProcessLimits
from l2sweep.process.log import PointLog
from l2sweep.process.report import ProcessReport
from l2sweep.process.supervisor import OnMessage, supervise

SECRET = "hunter2"
IN_STORE = (ACCEPTED, CREATED, PhaseStarted("store", 0.25))


def ignore_message(message: Message) -> None:
    """Do nothing."""


class Supervised:
    """Runs fake processes under supervise()."""

    def __init__(self, folder: Path) -> None:
        self.log = PointLog(folder / "point.log", {SECRET})
        self.process: FakeProcess | None = None

    def __call__(
        self,
        messages: Sequence[Message | bytes],
        output: bytes = b"",
        status: tuple[int, int] = (0, 1 << 20),
        *,
        limits: ProcessLimits = LIMITS,
        hangs: Sequence[signal.Signals] = (),
        last_messages: Sequence[Message | bytes] = (),
        on_message: OnMessage = ignore_message,
    ) -> ProcessReport:
        def start(job: Job, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
            assert job is JOB
            self.process = FakeProcess(
                messages,
                output,
                status,
                limits=limits,
                on_output=on_output,
                hangs=hangs,
                last_messages=last_messages,
            )
            return self.process

        return supervise(start, JOB, limits, self.log, {SECRET}, on_message)

    @property
    def ended_at_once(self) -> bool:
        assert self.process is not None
        return self.process.was_ended_at_once

    @property
    def signals(self) -> list[signal.Signals]:
        assert self.process is not None
        return self.process.signals


@pytest.fixture
def run(tmp_path: Path) -> Supervised:
    return Supervised(tmp_path)


@pytest.fixture
def interrupt_on_sigterm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Handle signals as a sweep does."""
    monkeypatch.setattr(interrupts, "_STATE", interrupts._State())
    with interrupts.handled(lambda: pytest.fail("there was no second signal")), interrupts.deferred():
        yield


@pytest.mark.parametrize(
    ("messages", "output", "status", "outcome"),
    [
        ([*IN_STORE, Finished(0, "", 1)], b"a warning\n", 0, ("ok", "")),
        (
            [*IN_STORE, Finished(1, "store: 1 of 3 rounds: no room", 1)],
            b"",
            1,
            ("failed", "store: 1 of 3 rounds: no room"),
        ),
        (
            [Refused("adapter.size=-1: must be positive")],
            b"",
            2,
            ("refused", "adapter.size=-1: must be positive"),
        ),
        (
            IN_STORE,
            b"first\nbad pointer\n",
            -11,
            ("crashed", "killed by SIGSEGV during store; last output: bad pointer"),
        ),
        (IN_STORE, b"", -9, ("crashed", "killed by SIGKILL during store")),
        (
            [],
            b"no module\n",
            3,
            ("crashed", "ended with exit code 3 before the first phase; last output: no module"),
        ),
        (IN_STORE, b"", 0, ("crashed", "ended with exit code 0 during store")),
        (
            [*IN_STORE, Finished(0, "", 1)],
            b"",
            -6,
            ("ok", ""),
        ),  # a crash after the last message loses nothing
    ],
    ids=[
        "ok",
        "failed",
        "refused",
        "signal",
        "signal, no output",
        "exit code",
        "no last message",
        "late crash",
    ],
)
def test_a_process_that_ends_on_its_own_has_a_status_and_a_detail(
    run: Supervised, messages: Sequence[Message], output: bytes, status: int, outcome: tuple[str, str]
) -> None:
    report = run(messages, output, (status, 1 << 20))
    assert report.outcome == outcome
    assert report.end is not None
    assert report.end.peak_rss_bytes == 1 << 20
    assert run.signals == [signal.SIGKILL]  # for processes that it may have left running
    assert not run.ended_at_once


def test_a_process_that_passes_its_deadline_is_ended_as_a_timeout(
    run: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(bench_process.time, "monotonic", lambda: now_s[0])

    def pass_the_deadline(message: Message) -> None:
        now_s[0] = 61.0

    report = run(IN_STORE, b"still waiting\n", (-15, 0), hangs=[signal.SIGTERM], on_message=pass_the_deadline)
    detail = "ended by l2sweep during store: the deadline of 60 s passed; last output: still waiting"
    assert report.outcome == ("timeout", detail)
    assert run.signals == [signal.SIGTERM, signal.SIGKILL]


def test_a_process_above_its_memory_limit_is_ended(run: Supervised) -> None:
    limits = ProcessLimits(deadline_s=60.0, memory_limit_bytes=1 << 20)
    report = run(IN_STORE, limits=limits, status=(-15, 0), hangs=[signal.SIGTERM])
    status, detail = report.outcome
    assert status == "memory_limit"
    pattern = r"ended by l2sweep during store: \d+ MiB of resident memory, above memory_limit_mib=1"
    assert re.fullmatch(pattern, detail)
    assert run.signals == [signal.SIGTERM, signal.SIGKILL]


@pytest.mark.usefixtures("interrupt_on_sigterm")
def test_an_interrupt_ends_the_process_and_keeps_its_last_messages(run: Supervised) -> None:
    def stop(message: Message) -> None:
        if message == ACCEPTED:
            signal.raise_signal(signal.SIGTERM)

    first, second = round_measured(number=1), round_measured(number=2)
    report = run(
        [*IN_STORE, first],
        status=(-15, 0),
        hangs=[signal.SIGTERM],
        last_messages=[second, b'{"kind": "RoundMea'],
        on_message=stop,
    )
    assert report.outcome == ("stopped", "stopped by the user during store")
    assert run.ended_at_once
    assert report.rounds == [first, second]
    assert run.signals == [signal.SIGTERM, signal.SIGKILL]


def test_an_interrupt_while_the_process_is_started_is_reported_as_stopped(tmp_path: Path) -> None:
    def start(job: Job, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
        raise KeyboardInterrupt

    report = supervise(start, JOB, LIMITS, PointLog(tmp_path / "log", set()), set(), ignore_message)
    assert (report.end, report.isolation) == (None, None)
    assert report.outcome == ("stopped", "stopped by the user before the first phase")


def test_a_report_without_a_process_is_reported_as_stopped() -> None:
    assert ProcessReport().outcome == ("stopped", "stopped by the user before the first phase")


def test_a_process_that_cannot_be_started_raises(tmp_path: Path) -> None:
    def start(job: Job, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
        raise BenchError("no fork")

    with pytest.raises(BenchError, match="no fork"):
        supervise(start, JOB, LIMITS, PointLog(tmp_path / "log", set()), set(), ignore_message)


def test_a_message_that_cannot_be_read_ends_the_process_at_once(run: Supervised) -> None:
    with pytest.raises(ValueError, match="not a message"):
        run([b'{"kind": "Unknown"}\n'], hangs=[signal.SIGTERM])
    assert run.ended_at_once
    assert run.signals == [signal.SIGTERM, signal.SIGKILL]


def test_a_report_keeps_the_content_of_each_message(run: Supervised) -> None:
    rounds = [round_measured("store"), round_measured("load")]
    finished = Finished(0, "", 5, keys_removed=True)
    report = run(
        [
            *IN_STORE,
            rounds[0],
            PhaseEnded("store", 1.0),
            PhaseStarted("load", 0.0),
            rounds[1],
            PhaseEnded("load", 0.5),
            finished,
        ]
    )
    assert (report.accepted, report.refused, report.created) == (ACCEPTED, None, CREATED)
    assert report.resident_at_start == {"store": 0.25, "load": 0.0}
    assert report.resident_at_end == {"store": 1.0, "load": 0.5}
    assert (report.rounds, report.finished, report.phase) == (rounds, finished, "load")
    assert (report.isolation, report.interrupted) == ("fake", False)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (Refused(f"password={SECRET}"), Refused("password=***")),
        (Note(f"connected with {SECRET}"), Note("connected with ***")),
        (Finished(1, f"redis://bob:{SECRET}@h failed", 1), Finished(1, "redis://***@h failed", 1)),
        (Finished(1, "redis://bob:another@h failed", 1), Finished(1, "redis://***@h failed", 1)),
        (round_measured(detail=f"wrong {SECRET}"), round_measured(detail="wrong ***")),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_is_passed_on_without_credentials(
    run: Supervised, message: Message, shown: Message
) -> None:
    passed_on: list[Message] = []
    report = run([message], on_message=passed_on.append)
    assert passed_on == [shown]
    assert SECRET not in str(report)


@pytest.mark.usefixtures("interrupt_on_sigterm")
def test_a_message_that_is_read_after_the_end_has_no_credentials_either(run: Supervised) -> None:
    report = run(
        [ACCEPTED],
        status=(1, 0),
        hangs=[signal.SIGTERM],
        last_messages=[Finished(1, f"password={SECRET}", 1)],
        on_message=lambda message: signal.raise_signal(signal.SIGTERM),
    )
    assert report.finished == Finished(1, "password=***", 1)


def test_the_output_goes_to_the_log_and_its_last_line_to_the_report(run: Supervised) -> None:
    run.log.open()
    report = run([], f"one\npassword {SECRET}\n\n".encode(), (1, 0))
    run.log.close()
    assert run.log.path.read_text() == "one\npassword ***\n\n"
    assert report.last_line == "password ***"
    assert report.outcome[1].endswith("; last output: password ***")


def test_a_problem_of_a_phase_is_kept_without_credentials(run: Supervised) -> None:
    ended = [PhaseEnded("store", problem=f"store: {SECRET} of 16 keys"), PhaseEnded("load")]
    report = run([*IN_STORE, *ended, Finished(1, "", 1)])
    assert report.problems == {"store": "store: *** of 16 keys"}


def test_the_first_error_of_the_output_is_in_the_detail_of_the_process_and_of_its_failed_round(
    run: Supervised,
) -> None:
    wrong = replace(round_measured(), status="error", detail="0 of 2 keys stored")
    output = f"connected\nAUTH failed: -WRONGPASS {SECRET}\nsocket send failed\n".encode()
    seen: list[Message] = []
    report = run(
        [*IN_STORE, wrong, Finished(1, "store: 1 of 1 rounds failed", 1)], output, on_message=seen.append
    )
    line = "AUTH failed: -WRONGPASS ***"
    assert report.outcome == ("failed", f"store: 1 of 1 rounds failed; {line}")
    assert report.rounds[0].detail == f"0 of 2 keys stored; {line}"
    assert report.first_error == line
    assert "hunter2" not in str(seen)


def test_a_process_that_crashed_has_its_first_error_and_its_last_line(run: Supervised) -> None:
    report = run(IN_STORE, b"connection failed\nretrying\n", (-11, 0))
    detail = "killed by SIGSEGV during store; first error: connection failed; last output: retrying"
    assert report.outcome == ("crashed", detail)
    report = run(IN_STORE, b"connection failed\n", (-11, 0))
    assert report.outcome[1] == "killed by SIGSEGV during store; last output: connection failed"
