"""A starter of benchmark processes that starts none: a test writes the messages for each job."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fake_process import FakeProcess, round_measured

from l2sweep.bench.job import Job
from l2sweep.bench.messages import (
    Accepted,
    AdapterCreated,
    Finished,
    Message,
    PhaseEnded,
    PhaseStarted,
    Refused,
)
from l2sweep.process.bench_process import OnOutput, ProcessLimits

ACCEPTED = Accepted("0.5.6", "2.6.0", "3.11.7")
CREATED = AdapterCreated("FSL2Adapter", 0.25)


@dataclass(frozen=True)
class Answer:
    """What a process reports, and how it ends.

    Attributes:
        messages: Its messages.
        output: Its standard output.
        status: Its exit code (negative: a signal) and its peak memory in bytes.
        hangs: Whether it does not end by itself.
    """

    messages: Sequence[Message]
    output: bytes = b""
    status: tuple[int, int] = (0, 1 << 20)
    hangs: bool = False


def succeed(job: Job) -> Answer:
    """Accept the spec, run every phase successfully, and delete the keys if the job says so."""
    if job.only_checks_spec:
        return Answer([ACCEPTED, Finished(0, "", 1 << 20)])
    phases: list[Message] = []
    for phase in job.phases:
        phases += [PhaseStarted(phase), *rounds(phase, job.workload.rounds), PhaseEnded(phase)]
    finished = Finished(0, "", 1 << 20, keys_removed=job.delete_after)
    return Answer([ACCEPTED, CREATED, *phases, finished])


def crash(job: Job) -> Answer:
    """Accept the spec, measure one round, and die of a signal. Delete keys successfully."""
    if not job.phases:
        return succeed(job)
    phase = job.phases[0]
    return Answer([ACCEPTED, CREATED, PhaseStarted(phase), *rounds(phase, 1)], b"boom\n", (-9, 2 << 20))


def refuse(job: Job) -> Answer:
    """Refuse every spec."""
    return Answer([Refused("adapter.base_path: must not be empty")], status=(2, 1 << 20))


def rounds(phase: str, count: int) -> list[Message]:
    """Return successful rounds. The device delivers all bytes of a load."""
    measured = [round_measured(phase, number) for number in range(1, count + 1)]
    if phase == "load":
        measured = [replace(one, device_read_bytes=one.bytes_ok) for one in measured]
    return list(measured)


class FakeStarter:
    """Replaces ProcessStarter.

    Args:
        answer: Returns what the process of a job reports, or the error of starting it.

    Attributes:
        jobs: The job of each process, in order.
        limits: The limits of each process.
        is_closed: Whether :meth:`close` was called.
    """

    def __init__(self, answer: Callable[[Job], Answer | BaseException] = succeed) -> None:
        self.isolation = "auto"
        self.plugin_folders: tuple[str, ...] = ()
        self.jobs: list[Job] = []
        self.limits: list[ProcessLimits] = []
        self.is_closed = False
        self._answer = answer

    def start(self, job: Job, limits: ProcessLimits, on_output: OnOutput) -> FakeProcess:
        """Start a fake process."""
        self.jobs.append(job)
        self.limits.append(limits)
        answer = self._answer(job)
        if isinstance(answer, BaseException):
            raise answer
        return FakeProcess(
            answer.messages,
            answer.output,
            answer.status,
            limits=limits,
            on_output=on_output,
            hangs=(signal.SIGTERM,) if answer.hangs else (),
            job=job,
        )

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True

    @property
    def measured(self) -> list[Job]:
        """The jobs that ran a phase."""
        return [job for job in self.jobs if job.phases]
