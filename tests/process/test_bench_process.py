"""BenchProcess: the pipes, the messages and the output of a process, and how it is ended."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from fake_process import JOB, FakeProcess, round_measured

from l2sweep.bench.job import Job
from l2sweep.bench.messages import CleaningUp, Finished, Message, Note, PhaseStarted, encode
from l2sweep.process import bench_process
from l2sweep.process.bench_process import Pipes, ProcessLimits, resident_bytes

FINISHED = Finished(0, "", 1)


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for a process that does not exit."""
    monkeypatch.setattr(bench_process, "_EXIT_GRACE_S", 0.0)
    monkeypatch.setattr(bench_process, "_TERMINATE_GRACE_S", 0.0)


def test_no_other_process_inherits_the_pipes() -> None:
    pipes = Pipes.make()
    assert not any(map(os.get_inheritable, (*pipes.job, *pipes.messages, *pipes.output)))
    pipes.close_child_ends()
    pipes.close_parent_ends()


def test_the_child_ends_read_the_job_and_write_messages_and_output() -> None:
    pipes = Pipes.make()
    job, messages, output = pipes.child_ends
    os.write(pipes.job[1], b"job")
    os.write(messages, b"message")
    os.write(output, b"output")
    assert os.read(job, 10) == b"job"
    assert os.read(pipes.messages[0], 10) == b"message"
    assert os.read(pipes.output[0], 10) == b"output"
    pipes.close_child_ends()
    pipes.close_parent_ends()


def test_a_process_that_waits_for_its_job_reads_end_of_file_when_the_parent_ends_are_closed() -> None:
    pipes = Pipes.make()
    pipes.close_parent_ends()
    job, messages, output = pipes.child_ends
    assert os.read(job, 10) == b""
    for descriptor in (messages, output):
        with pytest.raises(BrokenPipeError):
            os.write(descriptor, b"no reader")
    pipes.close_child_ends()


def test_the_launcher_reads_end_of_file_when_the_child_ends_are_closed() -> None:
    pipes = Pipes.make()
    pipes.close_child_ends()
    assert os.read(pipes.messages[0], 10) == b""
    assert os.read(pipes.output[0], 10) == b""
    pipes.close_parent_ends()


def test_the_process_receives_its_job() -> None:
    process = FakeProcess()
    process.end()
    assert process.received == JOB


def test_messages_arrive_in_order_until_the_process_closes_its_pipe() -> None:
    messages: list[Message] = [PhaseStarted("store"), round_measured(), FINISHED]
    process = FakeProcess(messages)
    assert list(process.messages()) == messages
    assert process.end().exit_code == 0
    assert process.unread == []


def test_a_message_that_arrives_in_two_pieces_is_one_message() -> None:
    line = encode(round_measured())
    process = FakeProcess([PhaseStarted("store"), line[:20]], hangs=[signal.SIGTERM])
    messages = process.messages()
    assert next(messages) == PhaseStarted("store")
    process.write(line[20:], FINISHED)
    process.exit()
    assert list(messages) == [round_measured(), FINISHED]
    process.end()


def test_a_message_that_the_process_did_not_complete_is_none() -> None:
    process = FakeProcess([PhaseStarted("store"), encode(round_measured())[:20]])
    assert list(process.messages()) == [PhaseStarted("store")]
    process.end()
    assert process.unread == []


def test_messages_that_were_not_read_before_the_end_are_kept_as_unread() -> None:
    process = FakeProcess([PhaseStarted("store"), round_measured(), FINISHED])
    process.end()
    assert process.unread == [PhaseStarted("store"), round_measured(), FINISHED]


@pytest.mark.usefixtures("no_grace")
def test_a_child_that_holds_the_pipe_open_does_not_block_the_end() -> None:
    process = FakeProcess([FINISHED], hangs=[signal.SIGUSR1])
    process.end()
    assert process.unread == [FINISHED]
    process.exit()


def test_each_line_of_output_is_passed_on_also_the_last_without_a_line_break() -> None:
    lines: list[bytes] = []
    process = FakeProcess(output=b"one\n\ntwo \xff\nthree", on_output=lines.append)
    process.end()
    assert lines == [b"one\n", b"\n", b"two \xff\n", b"three"]


def test_a_process_that_exits_gets_no_signal_but_its_children_do() -> None:
    process = FakeProcess([FINISHED], status=(3, 4096))
    list(process.messages())
    end = process.end()
    assert (end.exit_code, end.signal, end.peak_rss_bytes) == (3, None, 4096)
    assert (end.exceeded_limit, end.exceeded_detail) == ("", "")
    assert process.signals == [signal.SIGKILL]


def test_a_process_that_a_signal_ended_has_no_exit_code() -> None:
    end = FakeProcess(status=(-11, 4096)).end()
    assert (end.exit_code, end.signal) == (None, signal.SIGSEGV)


@pytest.mark.usefixtures("no_grace")
def test_a_process_that_does_not_exit_is_terminated_and_then_killed() -> None:
    process = FakeProcess(status=(-9, 4096), hangs=[signal.SIGKILL])
    end = process.end()
    assert (end.exit_code, end.signal, end.peak_rss_bytes) == (None, signal.SIGKILL, 4096)
    assert process.signals == [signal.SIGTERM, signal.SIGKILL, signal.SIGKILL]


@pytest.mark.usefixtures("no_grace")
def test_a_process_that_even_sigkill_does_not_end_is_reported_as_killed() -> None:
    process = FakeProcess(hangs=[signal.SIGUSR1])  # as in an uninterruptible wait for a device
    end = process.end()
    assert (end.exit_code, end.signal, end.peak_rss_bytes) == (None, signal.SIGKILL, 0)
    process.exit()


def test_a_process_that_is_ended_at_once_is_not_waited_for() -> None:
    process = FakeProcess(status=(-15, 0), hangs=[signal.SIGTERM])
    assert process.end(at_once=True).signal == signal.SIGTERM
    assert process.signals == [signal.SIGTERM, signal.SIGKILL]


def test_a_process_past_its_deadline_yields_nothing_and_is_not_waited_for() -> None:
    limits = ProcessLimits(deadline_s=0.0)
    process = FakeProcess([FINISHED], status=(-15, 0), limits=limits, hangs=[signal.SIGTERM])
    assert list(process.messages()) == []
    end = process.end()
    assert (end.exceeded_limit, end.exceeded_detail) == ("timeout", "the deadline of 0 s passed")
    assert process.signals == [signal.SIGTERM, signal.SIGKILL]
    assert process.unread == [FINISHED]


def test_memory_is_checked_while_no_message_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    used_mib = iter([10, 50, 101])
    monkeypatch.setattr(bench_process, "_MEMORY_CHECK_S", 0.001)
    monkeypatch.setattr(bench_process, "resident_bytes", lambda pid: next(used_mib) << 20)
    limits = ProcessLimits(deadline_s=60.0, memory_limit_bytes=100 << 20)
    process = FakeProcess(limits=limits, hangs=[signal.SIGTERM])
    assert list(process.messages()) == []
    end = process.end()
    assert end.exceeded_limit == "memory_limit"
    assert end.exceeded_detail == "101 MiB of resident memory, above memory_limit_mib=100"


def test_a_message_that_arrives_with_the_exceeded_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_process, "resident_bytes", lambda pid: 101 << 20)
    limits = ProcessLimits(deadline_s=60.0, memory_limit_bytes=100 << 20)
    process = FakeProcess([round_measured()], limits=limits, hangs=[signal.SIGTERM])
    assert list(process.messages()) == [round_measured()]
    process.end()


def test_memory_at_the_limit_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_process, "resident_bytes", lambda pid: 100 << 20)
    process = FakeProcess([FINISHED], limits=ProcessLimits(60.0, memory_limit_bytes=100 << 20))
    assert list(process.messages()) == [FINISHED]
    assert process.end().exceeded_limit == ""


def test_resident_memory_is_that_of_the_process() -> None:
    status = Path("/proc/self/status").read_text()
    shown_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident_bytes(os.getpid()) == pytest.approx(shown_kib * 1024, rel=0.2)


def test_a_process_that_does_not_exist_has_no_resident_memory() -> None:
    pid_max = int(Path("/proc/sys/kernel/pid_max").read_text())
    assert resident_bytes(pid_max + 1) == 0


def test_no_wait_for_messages_is_long_because_another_thread_may_receive_a_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits_s: list[float] = []

    def select(readers: list[int], _writers: object, _others: object, wait_s: float) -> object:
        waits_s.append(wait_s)
        return readers, [], []

    monkeypatch.setattr(bench_process.select, "select", select)
    process = FakeProcess([FINISHED], limits=ProcessLimits(deadline_s=60.0))
    assert list(process.messages()) == [FINISHED]
    assert 0 < max(waits_s) <= 1.0
    process.end()


def test_a_process_that_is_silent_after_a_round_that_timed_out_can_be_ended_early(
    monkeypatch: pytest.MonkeyPatch, no_grace: None
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(bench_process.time, "monotonic", lambda: now_s[0])
    late = replace(round_measured("load"), status="timeout")
    limits = ProcessLimits(60.0, after_timeout_s=1.0)
    process = FakeProcess([late, PhaseStarted("load"), late], limits=limits, hangs=[signal.SIGTERM])
    seen = []
    for message in process.messages():
        seen.append(message)
        now_s[0] += 0.9  # another message follows in time after the first of the two rounds
        if len(seen) == 3:
            process_ends_at_s = now_s[0] + 1.0
            monkeypatch.setattr(bench_process.time, "monotonic", iter([now_s[0], process_ends_at_s]).__next__)
    monkeypatch.setattr(bench_process.time, "monotonic", lambda: 0.0)
    end = process.end()
    assert len(seen) == 3
    assert (end.exceeded_limit, end.exceeded_detail) == ("timeout", "a load round did not complete")


@pytest.fixture
def waited_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let each wait for a message that does not come pass at once, and return the time that has passed."""
    passed_s = [0.0]
    look = bench_process.select.select

    def select(readers: list[int], writers: list[int], others: list[int], wait_s: float) -> object:
        found = look(readers, writers, others, 0)
        passed_s[0] += 0.0 if found[0] else wait_s
        return found

    monkeypatch.setattr(bench_process.time, "monotonic", lambda: passed_s[0])
    monkeypatch.setattr(bench_process.select, "select", select)
    return passed_s


@pytest.mark.usefixtures("no_grace")
@pytest.mark.parametrize(
    ("last", "job", "limit", "ended_at_s"),
    [
        (CleaningUp("store: 1 of 3 rounds failed"), JOB, "silence", 5.0),
        (round_measured(), JOB, "timeout", 60.0),
        (Note("connected"), replace(JOB, phases=()), "silence", 5.0),
    ],
    ids=["after a failure", "without a failure", "in a process that only deletes"],
)
def test_a_process_that_is_silent_while_keys_are_deleted_is_ended_early(
    waited_s: list[float], last: Message, job: Job, limit: str, ended_at_s: float
) -> None:
    limits = ProcessLimits(60.0, removal_silence_s=5.0)
    process = FakeProcess([last], limits=limits, hangs=[signal.SIGTERM], job=job)
    assert list(process.messages()) == [last]
    assert waited_s == [ended_at_s]
    assert process.end().exceeded_limit == limit
