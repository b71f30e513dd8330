"""One point from request to rows: its processes, the page cache between them, how they ended."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from l2sweep import credentials, interrupts
from l2sweep.bench.messages import Message, Note
from l2sweep.config.adapter_spec import storage_path
from l2sweep.config.point import PointConfig, SweepConfig
from l2sweep.errors import STOPPED, BenchError, RequestError
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.log import PointLog
from l2sweep.process.starter import StartProcess
from l2sweep.process.supervisor import OnMessage, PhaseProcess, run_process
from l2sweep.records.environment import Machine, Storage
from l2sweep.records.files import file_stem
from l2sweep.records.writer import write_point
from l2sweep.sweep import fio
from l2sweep.sweep.cache.coldness import WARM, CacheEvidence, cache_state, device_read_fraction, hides_pages
from l2sweep.sweep.cache.drop import choose_drop
from l2sweep.sweep.journal import Journal, journal_file
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.rows import PointColumns, Row
from l2sweep.sweep.steps import Step, block_device_read_bytes, drop, steps

_EXIT_CODES = {"ok": 0, "refused": RequestError.exit_code, "stopped": STOPPED}


@dataclass(frozen=True)
class PointResult:
    """What came of a point.

    Attributes:
        points: Its rows of the data set ``points``, one for each process.
        rounds: Its rows of the data set ``rounds``.
    """

    points: Sequence[Row]
    rounds: Sequence[Row]

    @property
    def point(self) -> Row:
        """The row that tells how the point ended: that of the first process that is not ``ok``."""
        return next((row for row in self.points if row["status"] != "ok"), self.points[-1])

    @property
    def exit_code(self) -> int:
        """0 all measured, 1 something failed, 2 LMCache refused the spec, 130 stopped."""
        return max(_EXIT_CODES.get(row["status"], 1) for row in self.points)


@dataclass(frozen=True)
class PointRunner:
    """Runs points of one sweep and writes their records.

    Attributes:
        sweep: What holds for all of them.
        machine: Where they run.
        config_git_commit: Of the folder that the configuration came from.
        start: How a benchmark process is started.
    """

    sweep: SweepConfig
    machine: Machine
    config_git_commit: str | None
    start: StartProcess

    def run(self, planned: PlannedPoint, on_message: OnMessage) -> PointResult:
        """Run a point and write its records.

        Args:
            planned: What to measure, and its place in the sweep.
            on_message: Told everything that its processes report, with no credential in it.

        Returns:
            What came of it; where the user stopped it, what was measured until then, and exit code 130.

        Raises:
            BenchError: It cannot be run as asked, or its records cannot be written.
        """
        run = _PointRun(self, planned, on_message)
        try:
            run.begin()
            result = run.run()
            run.record(result)
        except BenchError:
            run.end()
            raise
        run.end()  # after the rows: it may take long, and the user need not wait for it
        return result


class _PointRun:
    """A point under way."""

    def __init__(self, runner: PointRunner, planned: PlannedPoint, on_message: OnMessage) -> None:
        sweep, point, index = runner.sweep, planned.config, planned.index
        self._results_dir = sweep.results_dir
        self._file_stem = file_stem(sweep.sweep_id, index, planned.attempt)
        self._point = point
        self._start = runner.start
        self._on_message = on_message
        self._secrets = credentials.secrets_of(point.adapter_spec)
        paths = point.traits.paths or (storage_path(point.adapter_spec),)
        self._storages = [Storage.behind(path) for path in paths]
        token = secrets.token_hex(3)  # an attempt that was killed is begun again under the same number
        request = point.request(f"{sweep.sweep_id}-{index}-{planned.attempt}-{token}")
        self._request = replace(request, cache_paths=()) if any(map(hides_pages, self._storages)) else request
        log_file = Path("sweeps") / sweep.sweep_id / f"point-{index:05d}.{planned.attempt}.log"
        self._log = PointLog(Path(sweep.results_dir) / log_file, self._secrets)
        journal = journal_file(self._log.path.parent, index, planned.attempt, token)
        self._journal = Journal(journal, self._request, point.python)
        self._columns = PointColumns(
            sweep,
            runner.machine,
            runner.config_git_commit,
            planned,
            self._request,
            self._storages[0],
            str(log_file),
        )
        self._points: list[Row] = []
        self._rounds: list[Row] = []
        self._is_settled = True  # nothing of it is left, or can be removed

    def begin(self) -> None:
        """Make the log, and write down what the point will own.

        Raises:
            BenchError: That cannot be written.
        """
        with self._recording():
            self._log.open()
            self._journal.begin()

    def run(self) -> PointResult:
        stored = False
        for step in steps(self._point, self._request):
            self._is_settled = False
            process = self._run_step(step)
            finished = process.finished
            stored = stored or process.created is not None
            self._is_settled = not stored or (
                finished is not None and (finished.keys_removed or finished.keys_stay)
            )
            if finished is None:  # what follows would look for what nobody stored
                break
        return PointResult(self._points, self._rounds)

    def record(self, result: PointResult) -> None:
        """Write the rows.

        Raises:
            BenchError: They cannot be written.
        """
        with self._recording():
            write_point(Path(self._results_dir), self._file_stem, result.rounds, result.points)

    def end(self) -> None:
        """Remove what is left of it, unless its process has, and close the log."""
        interrupts.take_as_heard()
        with contextlib.suppress(KeyboardInterrupt):  # the next run removes it
            self._journal.end(self._is_settled, self._start)
        self._log.close()

    @contextlib.contextmanager
    def _recording(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = f"results_dir={self._results_dir}: a point was not recorded: {error.strerror}"
            raise BenchError(problem) from error

    def _run_step(self, step: Step) -> PhaseProcess:
        started_at = datetime.now(timezone.utc)
        evidence = CacheEvidence()
        try:
            if step.is_cold:
                paths = self._point.traits.paths
                with interrupts.interruptible():
                    evidence = drop(choose_drop(self._point.cache, is_local=bool(paths)), step, paths)
        except BenchError as error:
            self._add(step, PhaseProcess(), ("failed", str(error)), started_at, evidence)
            return PhaseProcess()
        except KeyboardInterrupt:
            self._add(step, PhaseProcess(), PhaseProcess().outcome, started_at, evidence)
            return PhaseProcess()
        read_before = block_device_read_bytes(self._storages[0].block_device)
        process = self._run_process(step)
        read_after = block_device_read_bytes(self._storages[0].block_device)
        judged = "load" if step.phase == "all" else step.phase
        evidence = replace(
            evidence,
            resident_at_start=process.resident_at_start.get(judged),
            resident_at_end=process.resident_at_end.get(judged),
            block_device_read_bytes=None
            if read_before is None or read_after is None
            else read_after - read_before,
        )
        self._add(step, process, process.outcome, started_at, evidence)
        return process

    def _run_process(self, step: Step) -> PhaseProcess:
        limits = _limits(self._point)
        if self._point.adapter_type == fio.TYPE:
            return fio.run_fio(step.request, limits.deadline_s, self._log, self._hear)
        return run_process(self._start, step.request, limits, self._log, self._secrets, self._hear)

    def _add(
        self,
        step: Step,
        process: PhaseProcess,
        outcome: tuple[str, str],
        started_at: datetime,
        evidence: CacheEvidence,
    ) -> None:
        states = {
            phase: cache_state(
                self._point, phase, self._storages, evidence, process.rounds, asked_cold=step.is_cold
            )
            for phase in step.request.phases
        }
        state = states.get("load" if step.phase == "all" else step.phase)
        if step.is_cold and state == WARM and outcome[0] in ("ok", "failed"):
            outcome = ("warm", outcome[1] or _why_warm(evidence, process, step.phase))
        row = self._columns.point_row(step.phase, process, outcome, started_at, evidence, state)
        self._points.append(row)
        self._rounds += self._columns.round_rows(process, states)

    def _hear(self, message: Message) -> None:
        if isinstance(message, Note):
            self._log.write(f"[Note] {message.text}\n".encode())
        self._on_message(message)


def _why_warm(evidence: CacheEvidence, process: PhaseProcess, phase: str) -> str:
    read = device_read_fraction(process.rounds)
    if read is not None:
        return f"{phase}: it was to be cold, and {read:.1%} of its bytes came from the device"
    return f"{phase}: it was to be cold, and {evidence.resident_after or 0.0:.1%} of its pages were resident"


def _limits(point: PointConfig) -> ProcessLimits:
    limit = point.memory_limit_mb
    return ProcessLimits(
        deadline_s=point.process_deadline_s,
        memory_limit_bytes=None if limit is None else limit << 20,
        lmcache_log_level=point.lmcache_log_level,
        python=point.python,
    )
