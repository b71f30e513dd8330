"""Run one job in a benchmark process, and report what it measured and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from l2sweep import credentials
from l2sweep.bench.job import Job
from l2sweep.bench.messages import (
    Message,
    RendezvousOpened,
    RoundMeasured,
)
from l2sweep.process.bench_process import BenchProcess, ProcessLimits, Source, messages_of
from l2sweep.process.log import PointLog
from l2sweep.process.output_errors import OutputErrors
from l2sweep.process.report import ProcessReport
from l2sweep.process.starter import StartProcess

OnMessage = Callable[[Message], None]
OnClientMessage = Callable[[int, Message], None]

# The imports of LMCache took 4.5 s. The rest is for a slow machine, and for deleting the keys of a point.
UNRECORDED_DEADLINE_S = 120.0


class OtherHosts(Source, Protocol):
    """The other hosts that measure the same point at the same time.

    They send that client 0 listens, or None: a client of theirs is lost. Reading raises KeyboardInterrupt if
    the user asked to stop, or the launcher is gone.
    """

    def begin_step(self, phase: str) -> None:
        """Take note that a process step begins here. What arrived for it before is read then."""

    def opened(self, message: RendezvousOpened) -> None:
        """Tell them that client 0, which runs here, listens for their clients."""


def supervise(
    start: StartProcess,
    job: Job,
    limits: ProcessLimits,
    log: PointLog,
    secrets: set[str],
    on_message: OnMessage,
) -> ProcessReport:
    """Run a job in a benchmark process and wait until the process has ended.

    A KeyboardInterrupt ends the process; the report says so, and the interrupt is not raised.

    Args:
        start: Starts the process.
        job: The job to run.
        limits: The limits to enforce.
        log: Receives the output of the process.
        secrets: Texts that are replaced in each message.
        on_message: Called with each message while the process runs, without credentials.

    Raises:
        BenchError: The process could not be started.
        OSError: The interpreter cannot be started.
    """
    return supervise_clients(start, [job], limits, log, secrets, lambda _, message: on_message(message))[0]


def supervise_clients(
    start: StartProcess,
    jobs: Sequence[Job],
    limits: ProcessLimits,
    log: PointLog,
    secrets: set[str],
    on_message: OnClientMessage,
    others: OtherHosts | None = None,
) -> list[ProcessReport]:
    """Run the jobs of the clients of a point at the same time, and wait until their processes have ended.

    Client 0 starts first. The others start when it listens for them, here or on another host. If one ends
    before its job does, the others are ended: they would wait for it.

    Args:
        start: As in :func:`supervise`, as are ``limits``, ``log`` and ``secrets``.
        jobs: The job of each client on this host.
        on_message: Called with the number of a client and each of its messages.
        others: The other hosts that measure the point; None: there are none.

    Returns:
        The report of each client that was started, in their order; at least one.

    Raises:
        BenchError, OSError: As :func:`supervise`.
    """
    clients = [_Client(job, log, secrets) for job in jobs]
    processes: list[BenchProcess] = []
    is_interrupted = False
    try:
        if not clients[0].number:
            processes.append(clients[0].begin(start, jobs[0], limits))
        for process, message in messages_of(processes, others):
            if isinstance(message, RendezvousOpened):
                if process is not None and others is not None:
                    others.opened(message)
                for job, later in list(zip(jobs, clients, strict=True))[len(processes) :]:
                    assert job.rendezvous is not None
                    at_port = replace(job, rendezvous=job.rendezvous.at(message.port))
                    processes.append(later.begin(start, at_port, limits))
                continue
            if process is None:  # a client on another host is lost
                break
            client = clients[processes.index(process)]
            if message is not None:
                on_message(client.number, client.received(message))
            elif client.report.finished is None:  # it is lost, or its spec was refused
                break
    except KeyboardInterrupt:
        is_interrupted = True
    except BaseException:  # messages cannot be processed, so the measurements would be lost
        for process in processes:
            process.end(at_once=True)
        raise
    for client in clients[len(processes) :]:
        client.report.interrupted = is_interrupted
        client.report.ended_for_another = not is_interrupted
    for client, process in zip(clients, processes, strict=False):
        client.end(process, is_interrupted=is_interrupted)
    return [client.report for client in clients[: max(1, len(processes))]]


class _Client:
    """One process of a point: what it reported and what it printed.

    Args:
        job: Its job, which has its number among the clients of the point.
        log: Receives its output, with its number in front of each line if it is not alone.
        secrets: Texts that are replaced.
    """

    def __init__(self, job: Job, log: PointLog, secrets: set[str]) -> None:
        self.number = 0 if job.rendezvous is None else job.rendezvous.rank
        self.report = ProcessReport()
        self._log = log
        self._secrets = secrets
        self._prefix = "" if job.rendezvous is None else f"[client {self.number}] "
        self._errors = OutputErrors(secrets)

    def begin(self, start: StartProcess, job: Job, limits: ProcessLimits) -> BenchProcess:
        """Start the process."""
        process = start(job, limits, self._printed)
        self.report.isolation = process.isolation
        return process

    def received(self, message: Message) -> Message:
        """Add a message to the report, and return it without credentials."""
        clean = _scrubbed(message, self._secrets)
        self.report.add(clean)
        # Lines that arrive later are added at the end.
        return self._errors.explain([clean])[0] if isinstance(clean, RoundMeasured) else clean

    def end(self, process: BenchProcess, *, is_interrupted: bool) -> None:
        """Wait until the process has ended, or end it if it could still send messages."""
        report = self.report
        report.interrupted = is_interrupted
        report.ended_for_another = process.is_heard and not is_interrupted
        report.end = process.end(at_once=process.is_heard or is_interrupted)
        for message in process.unread:
            report.add(_scrubbed(message, self._secrets))
        report.first_error = self._errors.first
        report.rounds = self._errors.explain(report.rounds)

    def _printed(self, line: bytes) -> None:
        self._errors.add(line)
        text = self._log.write(line, self._prefix)
        self.report.last_line = text.strip() or self.report.last_line


def run_unrecorded(
    start: StartProcess,
    job: Job,
    python: str | None,
    removal_silence_s: float | None = None,
    deadline_s: float = UNRECORDED_DEADLINE_S,
) -> list[Message]:
    """Run a job that measures nothing in a benchmark process, and return its messages unchanged.

    Args:
        start: Starts the process.
        job: The job to run.
        python: Path of the interpreter that runs it; None: the interpreter of the launcher.
        removal_silence_s: As in :class:`ProcessLimits`, as is ``deadline_s``.

    Raises:
        BenchError: The process could not be started.
        OSError: The interpreter cannot be started.
        KeyboardInterrupt: The user asked to stop. The process has ended.
    """
    limits = ProcessLimits(deadline_s, python=python, removal_silence_s=removal_silence_s)
    process = start(job, limits, lambda _: None)
    try:
        messages = list(process.messages())
    except KeyboardInterrupt:
        process.end(at_once=True)
        raise
    process.end()
    return messages


def _scrubbed(message: Message, secrets: set[str]) -> Message:
    texts = {
        name: credentials.scrub(value, secrets)
        for name, value in vars(message).items()
        if isinstance(value, str) and name in ("detail", "problem", "text")
    }
    return type(message)(**{**vars(message), **texts})
