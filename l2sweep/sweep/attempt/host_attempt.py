"""One attempt at a point on one host: run its processes, and drop the page cache between them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from l2sweep import credentials, interrupts
from l2sweep.bench.block_devices import DeviceCounters
from l2sweep.bench.messages import AdapterCreated, Message, Note
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError
from l2sweep.process.bench_process import REMOVAL_SILENCE_S, SILENCE, ProcessLimits
from l2sweep.process.log import PointLog
from l2sweep.process.report import ProcessReport
from l2sweep.process.starter import StartProcess
from l2sweep.process.supervisor import OnClientMessage, OtherHosts, supervise_clients
from l2sweep.records.environment import Machine
from l2sweep.sweep.attempt.point_job import job_here, storage_stacks
from l2sweep.sweep.attempt.process_steps import ProcessStep, drop_page_cache, process_steps
from l2sweep.sweep.cache.coldness import CacheEvidence
from l2sweep.sweep.cache.drop import choose_drop
from l2sweep.sweep.checks.probe.after_failure import add_cause
from l2sweep.sweep.clients.client import Client
from l2sweep.sweep.clients.host_rows import HostRows
from l2sweep.sweep.clients.jobs import client_jobs
from l2sweep.sweep.clients.share import Share
from l2sweep.sweep.clients.step_end import StepEnd
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.rows import PointColumns, Row
from l2sweep.sweep.state.journal import Journal, journal_file
from l2sweep.sweep.state.own_names import run_label
from l2sweep.sweep.state.owned_files import OwnedFileRecorder


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


class HostAttempt:
    """One attempt at a point on one host, in three steps: begin, run the processes, end.

    Args:
        context: The sweep.
        planned: The point and its place in the sweep.
        share: The clients of the point that run on this host.
        on_message: Called with the number of a client and each of its messages, without credentials.
        others: The other hosts that measure the point; None: there are none.
    """

    def __init__(
        self,
        context: SweepContext,
        planned: PlannedPoint,
        share: Share,
        on_message: OnClientMessage,
        others: OtherHosts | None = None,
    ) -> None:
        sweep, point, index = context.sweep, planned.config, planned.index
        self._results_dir, self._may_ask = sweep.results_dir, sweep.probe
        self._point, self._share, self._others = point, share, others
        self._start = context.start
        self._on_message = on_message
        self._secrets = credentials.secrets_of(point.adapter_spec)
        self._stacks = storage_stacks(point)
        # The label is random: an attempt that was killed is repeated under the same number.
        job = job_here(point, run_label(sweep.sweep_id, index, planned.attempt, share.label), self._stacks)
        log = log_file(sweep.sweep_id, planned, share.rank)
        self._log = PointLog(Path(sweep.results_dir) / log, self._secrets)
        self._job = replace(job, profile_stem=str(self._log.path.absolute().with_suffix("")))
        self._owned_file = OwnedFileRecorder(point.traits.overwritten_path, sweep.results_dir)
        columns = PointColumns(
            sweep,
            context.machine,
            context.config_git_commit,
            planned,
            self._job,
            self._stacks[0].storage,
            str(log),
        )
        self._clients: list[Client] = []
        for number, own in zip(share.clients, client_jobs(self._job, share), strict=True):
            own_token = share.label + own.namespace.removeprefix(self._job.namespace)
            journal_path = journal_file(self._log.path.parent, index, planned.attempt, own_token)
            journal = Journal(journal_path, own, point.python, is_served=bool(point.service))
            self._clients.append(Client(own, journal, replace(columns, job=own, client=number)))
        self._points: list[Row] = []
        self._rounds: list[Row] = []
        self._lost: dict[int, str] = {}
        self._for_another: set[int] = set()
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
        with recording(self._results_dir):
            self._log.open()
            for client in self._clients:
                client.journal.begin()

    def run_processes(self) -> HostRows:
        """Run the processes one after another, until one does not finish, and return their rows.

        If the user stopped the point, the rows contain everything that was measured before.

        Raises:
            BenchError: A process cannot be started.
        """
        stored_rounds: int | None = None
        for step in process_steps(self._point, self._job, self._share):
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
        return HostRows(self._points, self._rounds, self._lost, frozenset(self._for_another))

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
        if self._others is not None:
            self._others.begin_step(step.phase)
        before = DeviceCounters.of(step.job.block_devices)
        reports = supervise_clients(
            *(self._start, step.jobs, _limits(self._point), self._log, self._secrets),
            *(self._log_and_forward, self._others),
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
        numbered = dict(zip(self._share.clients, end.reports, strict=False))
        self._lost |= {client: ": ".join(one.outcome) for client, one in numbered.items() if not one.finished}
        self._for_another |= {client for client, one in numbered.items() if one.ended_for_another}
        points, rounds = end.rows(self._point, self._stacks, self._clients)
        self._points += points
        self._rounds += rounds

    def _log_and_forward(self, client: int, message: Message) -> None:
        if isinstance(message, Note):
            self._log.write(f"[Note] {message.text}\n".encode())
        if isinstance(message, AdapterCreated):
            self._record_owned_file()  # at once, because this process may be killed
        self._on_message(client, message)

    def _record_owned_file(self) -> None:
        with contextlib.suppress(OSError):  # then the file counts as foreign, which is safe
            self._owned_file.record()


def log_file(sweep_id: str, planned: PlannedPoint, rank: int) -> Path:
    """Return the path of the log of an attempt, relative to the results folder, which hosts may share.

    Args:
        sweep_id: Id of the sweep.
        planned: The point and its place in the sweep.
        rank: Number of the host among those of the point.
    """
    host = f"-h{rank}" if rank else ""
    return Path("sweeps") / sweep_id / f"point-{planned.index:05d}.{planned.attempt}{host}.log"


@contextlib.contextmanager
def recording(results_dir: str) -> Iterator[None]:
    """Turn an error of the files of a point into one that names the option.

    Args:
        results_dir: Folder of the results.

    Raises:
        BenchError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        reason = f"{file}{error.strerror or error}"
        raise BenchError(f"results_dir={results_dir}: a point was not recorded: {reason}") from error


def _limits(point: PointConfig) -> ProcessLimits:
    return ProcessLimits(
        deadline_s=point.process_deadline_s,
        memory_limit_bytes=point.memory_limit_mib and point.memory_limit_mib << 20,
        lmcache_log_level=point.lmcache_log_level,
        python=point.python,
        removal_silence_s=REMOVAL_SILENCE_S,
    )
