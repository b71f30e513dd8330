"""One attempt at a point: run its processes, drop the page cache between them, and write its rows."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from l2sweep import credentials, interrupts
from l2sweep.bench.block_devices import DeviceCounters
from l2sweep.bench.messages import AdapterCreated, Message, Note
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import STOPPED, BenchError, RequestError
from l2sweep.process.bench_process import REMOVAL_SILENCE_S, SILENCE, ProcessLimits
from l2sweep.process.log import PointLog
from l2sweep.process.starter import StartProcess
from l2sweep.process.supervisor import OnMessage, ProcessReport, supervise_clients
from l2sweep.records.environment import Machine
from l2sweep.records.files import file_stem
from l2sweep.records.writer import write_point
from l2sweep.sweep.cache.coldness import CacheEvidence
from l2sweep.sweep.cache.drop import choose_drop
from l2sweep.sweep.checks.probe.after_failure import add_cause
from l2sweep.sweep.clients.client import Client
from l2sweep.sweep.clients.jobs import client_jobs
from l2sweep.sweep.clients.live_messages import LiveMessages
from l2sweep.sweep.clients.step_end import StepEnd
from l2sweep.sweep.clients.together import together
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.point_job import job_here, storage_stacks
from l2sweep.sweep.process_steps import ProcessStep, drop_page_cache, process_steps
from l2sweep.sweep.rows import PointColumns, Row, confirmed_rows
from l2sweep.sweep.state.journal import Journal, journal_file
from l2sweep.sweep.state.own_names import run_label
from l2sweep.sweep.state.owned_files import OwnedFileRecorder

_EXIT_CODES = {"ok": 0, "refused": RequestError.exit_code, "stopped": STOPPED}


@dataclass(frozen=True)
class SweepContext:
    """What all points of a sweep share.

    Attributes:
        sweep: The options of the sweep.
        machine: The machine that runs it.
        config_git_commit: Git commit of the configuration folder; None if git does not track it.
        start: Starts a benchmark process.
    """

    sweep: SweepConfig
    machine: Machine
    config_git_commit: str | None
    start: StartProcess


@dataclass(frozen=True)
class PointResult:
    """The rows of one attempt at a point.

    Attributes:
        points: Rows of the data set ``points``, one per process.
        rounds: Rows of the data set ``rounds``.
        keys_remain: Whether its keys may remain although they should be deleted: the next run tries again.
    """

    points: Sequence[Row]
    rounds: Sequence[Row]
    keys_remain: bool = False

    @property
    def point(self) -> Row:
        """The row with the status of the point: the first that is not ``ok``, otherwise the last."""
        return next((row for row in self.points if row["status"] != "ok"), self.points[-1])

    @property
    def exit_code(self) -> int:
        """0: everything was measured, 1: something failed, 2: LMCache refused the spec, 130: stopped."""
        return max(_EXIT_CODES.get(row["status"], 1) for row in self.points)


def run_attempt(context: SweepContext, planned: PlannedPoint, on_message: OnMessage) -> PointResult:
    """Run a point, and write its rows.

    Args:
        context: The sweep.
        planned: The point and its place in the sweep.
        on_message: Called with each message of its processes, without credentials.

    Returns:
        The rows. If the user stopped the point, they contain everything that was measured before, and the
        exit code is 130.

    Raises:
        BenchError: A process cannot be started, or the rows cannot be written.
    """
    attempt = PointAttempt(context, planned, on_message)
    try:
        attempt.begin()
        result = attempt.run_processes()
        attempt.record(result)
    except OSError as error:
        raise BenchError(f"a point could not be run: {error}") from error
    finally:
        attempt.end()  # after the rows are written: removing keys may take long and may be interrupted
    return replace(result, keys_remain=attempt.keys_remain)


class PointAttempt:
    """One attempt at a point, in four steps: begin, run the processes, record, end.

    Args:
        context: The sweep.
        planned: The point and its place in the sweep.
        on_message: Called with each message of its processes, without credentials.
    """

    def __init__(self, context: SweepContext, planned: PlannedPoint, on_message: OnMessage) -> None:
        sweep, point, index = context.sweep, planned.config, planned.index
        self._results_dir, self._may_ask = sweep.results_dir, sweep.probe
        self._file_stem = file_stem(sweep.sweep_id, index, planned.attempt)
        self._point = point
        self._start = context.start
        self._on_message = on_message
        self._secrets = credentials.secrets_of(point.adapter_spec)
        self._stacks = storage_stacks(point)
        token = secrets.token_hex(3)  # an attempt that was killed is repeated under the same number
        job = job_here(point, run_label(sweep.sweep_id, index, planned.attempt, token), self._stacks)
        log_file = Path("sweeps") / sweep.sweep_id / f"point-{index:05d}.{planned.attempt}.log"
        self._log = PointLog(Path(sweep.results_dir) / log_file, self._secrets)
        self._job = replace(job, profile_stem=str(self._log.path.absolute().with_suffix("")))
        self._owned_file = OwnedFileRecorder(point.traits.overwritten_path, sweep.results_dir)
        columns = PointColumns(
            sweep,
            context.machine,
            context.config_git_commit,
            planned,
            self._job,
            self._stacks[0].storage,
            str(log_file),
        )
        self._clients: list[Client] = []
        for number, own in enumerate(client_jobs(self._job, point.clients)):
            own_token = token + own.namespace.removeprefix(self._job.namespace)
            journal_path = journal_file(self._log.path.parent, index, planned.attempt, own_token)
            journal = Journal(journal_path, own, point.python, is_served=bool(point.service))
            self._clients.append(Client(own, journal, replace(columns, job=own, client=number)))
        self._live = LiveMessages(point.clients)
        self._points: list[Row] = []
        self._rounds: list[Row] = []
        self._lost: dict[int, str] = {}
        self._is_silent = False

    @property
    def keys_remain(self) -> bool:
        """Whether the point may have keys that should be deleted."""
        return any(client.keys_remain for client in self._clients)

    def begin(self) -> None:
        """Create the log and the journal.

        Raises:
            BenchError: They cannot be written.
        """
        with self._recording():
            self._log.open()
            for client in self._clients:
                client.journal.begin()

    def run_processes(self) -> PointResult:
        """Run the processes one after another, until one does not finish, and return their rows.

        Raises:
            BenchError: A process cannot be started.
        """
        stored_rounds: int | None = None
        for step in process_steps(self._point, self._job):
            for client in self._clients:
                client.begin_process()
            reports = self._run_step(step.after_store(stored_rounds))
            if "store" in step.job.phases:
                stored_rounds = min(sum(one.phase == "store" for one in own.rounds) for own in reports)
            self._is_silent = any(one.end and one.end.exceeded_limit == SILENCE for one in reports)
            not_started = itertools.repeat(ProcessReport())
            for client, report in zip(self._clients, itertools.chain(reports, not_started), strict=False):
                client.end_process(report)
            if any(report.created is not None for report in reports):
                self._record_owned_file()  # again, because the process has changed the file
            # A later phase would look for keys that were not stored.
            if len(reports) < len(self._clients) or any(report.finished is None for report in reports):
                break
        points, rounds = confirmed_rows(self._point.adapter_spec, self._points, self._rounds)
        return PointResult(points, together(rounds, self._lost))

    def record(self, result: PointResult) -> None:
        """Write the rows.

        Raises:
            BenchError: They cannot be written.
        """
        with self._recording():
            write_point(Path(self._results_dir), self._file_stem, result.rounds, result.points)

    def end(self) -> None:
        """Delete the keys that the processes left, and close the files.

        No second process tries it if the store did not answer the first, or if the user asks twice to stop.
        """
        interrupts.clear_pending()
        try:
            for client in self._clients:
                if client.keys_remain and not self._is_silent and not interrupts.hurried():
                    with interrupts.only_when_hurried():
                        client.remove_keys(self._point.python, self._start)
        except KeyboardInterrupt:
            pass  # the journal stays, and the next run deletes the keys
        finally:
            for client in self._clients:
                client.end()
            with contextlib.suppress(OSError):
                self._log.close()

    @contextlib.contextmanager
    def _recording(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            file = f"{error.filename}: " if error.filename else ""
            reason = f"{file}{error.strerror or error}"
            problem = f"results_dir={self._results_dir}: a point was not recorded: {reason}"
            raise BenchError(problem) from error

    def _run_step(self, step: ProcessStep) -> list[ProcessReport]:
        """Drop the page cache if the step is cold, run the process of each client, and add their rows."""
        started_at = datetime.now(UTC)
        evidence = CacheEvidence()
        not_started = ProcessReport()
        paths = self._point.traits.cached_paths
        try:
            if step.is_cold:
                with interrupts.interruptible():
                    method = choose_drop(self._point.cache, is_local=bool(paths))
                    loop_files = [file for stack in self._stacks for file in stack.loop_files]
                    evidence = drop_page_cache(method, step, paths, loop_files)
        except (BenchError, KeyboardInterrupt) as error:
            failed = ("failed", str(error)) if isinstance(error, BenchError) else None
            self._add_rows(StepEnd(step, [not_started], started_at, evidence, failed))
            return [not_started]
        before = DeviceCounters.of(step.job.block_devices)
        reports = supervise_clients(
            self._start, step.jobs, _limits(self._point), self._log, self._secrets, self._log_and_forward
        )
        after = DeviceCounters.of(step.job.block_devices)
        if self._may_ask:
            for report in reports:
                add_cause(report, self._point.adapter_spec)
        during = None if after is None else after.since(before)
        evidence = replace(evidence, block_device_read_bytes=None if during is None else during.read_bytes)
        self._add_rows(StepEnd(step, reports, started_at, evidence))
        return reports

    def _add_rows(self, end: StepEnd) -> None:
        self._lost |= end.lost
        points, rounds = end.rows(self._point, self._stacks, self._clients)
        self._points += points
        self._rounds += rounds

    def _log_and_forward(self, client: int, message: Message) -> None:
        if isinstance(message, Note):
            self._log.write(f"[Note] {message.text}\n".encode())
        if isinstance(message, AdapterCreated):
            self._record_owned_file()  # at once, because this process may be killed
        if (shown := self._live.shown(client, message)) is not None:
            self._on_message(shown)

    def _record_owned_file(self) -> None:
        with contextlib.suppress(OSError):  # then the file counts as foreign, which is safe
            self._owned_file.record()


def _limits(point: PointConfig) -> ProcessLimits:
    return ProcessLimits(
        deadline_s=point.process_deadline_s,
        memory_limit_bytes=point.memory_limit_mib and point.memory_limit_mib << 20,
        lmcache_log_level=point.lmcache_log_level,
        python=point.python,
        removal_silence_s=REMOVAL_SILENCE_S,
    )
