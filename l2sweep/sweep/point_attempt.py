"""One attempt at a point: run its processes, drop the page cache between them, and write its rows."""

from __future__ import annotations

import contextlib
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
from l2sweep.process.supervisor import OnMessage, ProcessReport, supervise
from l2sweep.records.environment import Machine
from l2sweep.records.files import file_stem
from l2sweep.records.writer import write_point
from l2sweep.sweep.cache.coldness import WARM, CacheEvidence, CacheJudge
from l2sweep.sweep.cache.drop import choose_drop
from l2sweep.sweep.checks.probe.after_failure import add_cause
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.point_job import job_here, storage_stacks
from l2sweep.sweep.process_steps import ProcessStep, drop_page_cache, process_steps
from l2sweep.sweep.rows import PointColumns, Row, confirmed_rows
from l2sweep.sweep.state.journal import Journal, journal_file
from l2sweep.sweep.state.leftovers import Removal, remove_keys
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

    Attributes:
        keys_remain: Whether the point may have keys that should be deleted.
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
        self._job = job_here(point, run_label(sweep.sweep_id, index, planned.attempt, token), self._stacks)
        log_file = Path("sweeps") / sweep.sweep_id / f"point-{index:05d}.{planned.attempt}.log"
        self._log = PointLog(Path(sweep.results_dir) / log_file, self._secrets)
        self._job = replace(self._job, profile_stem=str(self._log.path.absolute().with_suffix("")))
        journal = journal_file(self._log.path.parent, index, planned.attempt, token)
        self._journal = Journal(journal, self._job, point.python, is_served=bool(point.service))
        self._owned_file = OwnedFileRecorder(point.traits.overwritten_path, sweep.results_dir)
        self._columns = PointColumns(
            sweep,
            context.machine,
            context.config_git_commit,
            planned,
            self._job,
            self._stacks[0].storage,
            str(log_file),
        )
        self._points: list[Row] = []
        self._rounds: list[Row] = []
        self.keys_remain = self._is_silent = False

    def begin(self) -> None:
        """Create the log and the journal.

        Raises:
            BenchError: They cannot be written.
        """
        with self._recording():
            self._log.open()
            self._journal.begin()

    def run_processes(self) -> PointResult:
        """Run the processes one after another, until one does not finish, and return their rows.

        Raises:
            BenchError: A process cannot be started.
        """
        has_stored = False
        stored_rounds: int | None = None
        for step in process_steps(self._point, self._job):
            self.keys_remain = self._job.delete_after
            report = self._run_step(step.after_store(stored_rounds))
            if "store" in step.job.phases:
                stored_rounds = sum(one.phase == "store" for one in report.rounds)
            finished = report.finished
            self._is_silent = report.end is not None and report.end.exceeded_limit == SILENCE
            has_stored = has_stored or report.created is not None
            if report.created is not None:
                self._record_owned_file()  # again, because the process has changed the file
            are_settled = finished is not None and (finished.keys_removed or finished.keys_stay)
            self.keys_remain = self._job.delete_after and has_stored and not are_settled
            if finished is None:  # a later phase would look for keys that were not stored
                break
        points, rounds = confirmed_rows(self._point.adapter_spec, self._points, self._rounds)
        return PointResult(points, rounds)

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
            if self.keys_remain and not self._is_silent and not interrupts.hurried():
                with interrupts.only_when_hurried():
                    removal = remove_keys(self._job, self._point.python, self._start, REMOVAL_SILENCE_S)
                self.keys_remain = removal is Removal.FAILED
        except KeyboardInterrupt:
            pass  # the journal stays, and the next run deletes the keys
        finally:
            with contextlib.suppress(OSError):  # on a disk that became read-only, the journal stays
                self._journal.end(self.keys_remain)
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

    def _run_step(self, step: ProcessStep) -> ProcessReport:
        """Drop the page cache if the step is cold, run its process, and add its rows."""
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
            outcome = ("failed", str(error)) if isinstance(error, BenchError) else not_started.outcome
            self._add_rows(step, not_started, outcome, started_at, evidence)
            return not_started
        before = DeviceCounters.of(step.job.block_devices)
        report = supervise(
            self._start, step.job, _limits(self._point), self._log, self._secrets, self._log_and_forward
        )
        after = DeviceCounters.of(step.job.block_devices)
        if self._may_ask:
            add_cause(report, self._point.adapter_spec)
        during = None if after is None else after.since(before)
        evidence = replace(
            evidence,
            resident_at_start=report.resident_at_start.get(_judged_phase(step)),
            resident_at_end=report.resident_at_end.get(_judged_phase(step)),
            block_device_read_bytes=None if during is None else during.read_bytes,
        )
        self._add_rows(step, report, report.outcome, started_at, evidence)
        return report

    def _add_rows(
        self,
        step: ProcessStep,
        report: ProcessReport,
        outcome: tuple[str, str],
        started_at: datetime,
        evidence: CacheEvidence,
    ) -> None:
        judge = CacheJudge(self._point, self._stacks, evidence, cold_requested=step.is_cold)
        judged_phase = _judged_phase(step)
        state = judge.phase_state(judged_phase, report.rounds) if judged_phase in step.job.phases else None
        if step.is_cold and state == WARM and outcome[0] in ("ok", "failed"):
            outcome = ("warm", outcome[1] or judge.why_warm(judged_phase, report.rounds))
        self._points.append(self._columns.point_row(step.phase, report, outcome, started_at, evidence, state))
        self._rounds += self._columns.round_rows(report, [judge.round_state(one) for one in report.rounds])

    def _log_and_forward(self, message: Message) -> None:
        if isinstance(message, Note):
            self._log.write(f"[Note] {message.text}\n".encode())
        if isinstance(message, AdapterCreated):
            self._record_owned_file()  # at once, because this process may be killed
        self._on_message(message)

    def _record_owned_file(self) -> None:
        with contextlib.suppress(OSError):  # then the file counts as foreign, which is safe
            self._owned_file.record()


def _judged_phase(step: ProcessStep) -> str:
    """Return the phase that decides the cache state of a process: the load, if it runs all phases."""
    return "load" if step.phase == "all" else step.phase


def _limits(point: PointConfig) -> ProcessLimits:
    return ProcessLimits(
        deadline_s=point.process_deadline_s,
        memory_limit_bytes=point.memory_limit_mib and point.memory_limit_mib << 20,
        lmcache_log_level=point.lmcache_log_level,
        python=point.python,
        removal_silence_s=REMOVAL_SILENCE_S,
    )
