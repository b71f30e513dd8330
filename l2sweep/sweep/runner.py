"""One point from request to rows: its process, what it reports, how it ended."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import l2sweep
from l2sweep import credentials
from l2sweep.adapter_spec import storage_path
from l2sweep.bench.messages import (
    Accepted,
    AdapterCreated,
    Finished,
    Message,
    PhaseStarted,
    Refused,
    RoundMeasured,
)
from l2sweep.bench.request import PointRequest
from l2sweep.config import PointConfig, SweepConfig
from l2sweep.errors import STOPPED, RequestError
from l2sweep.records.environment import Machine, Storage, effective_odirect
from l2sweep.records.writer import write_point
from l2sweep.sweep.isolation import StartProcess
from l2sweep.sweep.journal import Journal, journal_file
from l2sweep.sweep.log import PointLog
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.process import ProcessEnd, ProcessLimits

OnMessage = Callable[[Message], None]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class PointResult:
    """What came of a point.

    Attributes:
        point: Its row of the data set ``points``.
        rounds: Its rows of the data set ``rounds``.
        exit_code: 0 all measured, 1 something failed, 2 LMCache refused the spec, 130 stopped.
    """

    point: Row
    rounds: Sequence[Row]
    exit_code: int


@dataclass
class _Heard:
    """What a benchmark process has reported so far."""

    accepted: Accepted | None = None
    refused: Refused | None = None
    created: AdapterCreated | None = None
    phase: str = ""
    finished: Finished | None = None
    rounds: list[RoundMeasured] = field(default_factory=list)


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

    def run(self, planned: PlannedPoint, on_message: OnMessage, *, record_refused: bool) -> PointResult:
        """Run a point and write its records.

        Args:
            planned: What to measure, and its place in the sweep.
            on_message: Told everything that the process reports, with no credential in it.
            record_refused: Whether a spec that LMCache refuses leaves a row and a log; else it leaves
                nothing.

        Returns:
            What came of it; a KeyboardInterrupt ends the process, keeps what was measured, and is
            returned as exit code 130.
        """
        point, index = planned.config, planned.index
        request = point.request(f"{self.sweep.sweep_id}-{index}-{planned.attempt}")
        secrets = credentials.secrets_of(point.adapter_spec)
        stem = f"{self.sweep.sweep_id}.{index:05d}.{planned.attempt}"
        log_file = Path("sweeps") / self.sweep.sweep_id / f"point-{index:05d}.{planned.attempt}.log"
        log = PointLog(Path(self.sweep.results_dir) / log_file, secrets)
        started_at = datetime.now(timezone.utc)
        heard = _Heard()
        journal = Journal(journal_file(log.path.parent, index), request)
        process = self.start(request, _limits(point), log.write)
        interrupted = False
        try:
            for message in process.messages():
                clean = _scrubbed(message, secrets)
                if isinstance(clean, Accepted):
                    log.open()
                    journal.begin()
                _hear(heard, clean)
                on_message(clean)
        except KeyboardInterrupt:
            interrupted = True
        end = process.end(at_once=interrupted)
        nothing_stored = heard.created is None
        removed = heard.finished is not None and heard.finished.keys_removed
        journal.end(nothing_stored or removed, self.start)
        status, detail = _outcome(heard, end, log.last_line, interrupted)
        exit_code = {"ok": 0, "refused": RequestError.exit_code, "stopped": STOPPED}.get(status, 1)
        shared = self._shared_columns(planned, request, heard)
        row = {
            **shared,
            **self._point_columns(point, started_at, heard, end),
            "isolation": process.isolation,
            "phase": point.only or "all",
            "status": status,
            "detail": credentials.scrub(detail, secrets),
            "log_file": str(log_file),
        }
        rounds = [{**shared, **_round_columns(message)} for message in heard.rounds]
        if status != "refused" or record_refused:
            log.open()
            write_point(Path(self.sweep.results_dir), stem, rounds, [row])
        log.close()
        return PointResult(row, rounds, exit_code)

    def _shared_columns(self, planned: PlannedPoint, request: PointRequest, heard: _Heard) -> dict[str, Any]:
        point = planned.config
        return {
            "sweep_id": self.sweep.sweep_id,
            "sweep_name": self.sweep.sweep_name,
            "point_id": point.point_id,
            "point_index": planned.index,
            "repeat": planned.repeat,
            "attempt": planned.attempt,
            "adapter_type": point.adapter_type,
            "adapter_spec": json.dumps(credentials.redact(point.adapter_spec)),
            "num_keys": point.num_keys,
            "in_flight": point.in_flight,
            "data_size_kb": point.data_size_kb,
            "lookup_max_hit_rate": point.lookup_max_hit_rate,
            "rounds": point.rounds,
            "warmup_rounds": point.warmup_rounds,
            "namespace": request.namespace,
            "seed": point.seed,
            "host": self.machine.host,
            "lmcache_version": heard.accepted.lmcache_version if heard.accepted else None,
        }

    def _point_columns(
        self, point: PointConfig, started_at: datetime, heard: _Heard, end: ProcessEnd
    ) -> dict[str, Any]:
        secrets = credentials.secrets_of(point.adapter_spec)
        path = storage_path(point.adapter_spec)
        peak_rss_bytes = (heard.finished.peak_rss_bytes if heard.finished else 0) or end.peak_rss_bytes
        return {
            **self.machine.columns(),
            **asdict(Storage.behind(path)),
            "exit_code": end.exit_code,
            "signal": end.signal,
            "skip_verify": point.skip_verify,
            "only": point.only,
            "l1_align_bytes": point.l1_align_bytes,
            "l1_use_hugepages": point.l1_use_hugepages,
            "keep_data": point.keep_data,
            "started_at": started_at,
            "wall_s": end.wall_s,
            "create_s": heard.created.duration_s if heard.created else None,
            "peak_rss_bytes": peak_rss_bytes,
            "overrides": [
                credentials.scrub(credentials.redact_override(override), secrets)
                for override in point.overrides
            ],
            "l2sweep_version": l2sweep.__version__,
            "torch_version": heard.accepted.torch_version if heard.accepted else None,
            "python_version": heard.accepted.python_version if heard.accepted else None,
            "effective_odirect": effective_odirect(point.adapter_spec, point.data_size_kb * 1024, path),
            "config_git_commit": self.config_git_commit,
        }


def _limits(point: PointConfig) -> ProcessLimits:
    limit = point.memory_limit_mb
    return ProcessLimits(
        deadline_s=point.process_deadline_s,
        memory_limit_bytes=None if limit is None else limit << 20,
        lmcache_log_level=point.lmcache_log_level,
        python=point.python,
    )


def _hear(heard: _Heard, message: Message) -> None:
    if isinstance(message, RoundMeasured):
        heard.rounds.append(message)
    elif isinstance(message, PhaseStarted):
        heard.phase = message.phase
    elif isinstance(message, Accepted):
        heard.accepted = message
    elif isinstance(message, Refused):
        heard.refused = message
    elif isinstance(message, AdapterCreated):
        heard.created = message
    elif isinstance(message, Finished):
        heard.finished = message


def _scrubbed(message: Message, secrets: set[str]) -> Message:
    texts = {
        name: credentials.scrub(value, secrets)
        for name, value in vars(message).items()
        if isinstance(value, str) and name in ("detail", "problem", "text")
    }
    return type(message)(**{**vars(message), **texts})


def _outcome(heard: _Heard, end: ProcessEnd, last_line: str, interrupted: bool) -> tuple[str, str]:
    """Return the status and the detail of a point."""
    where = f" during {heard.phase}" if heard.phase else " before the first operation"
    if interrupted:
        return "stopped", f"stopped by the user{where}"
    if heard.refused is not None:
        return "refused", heard.refused.problem
    if heard.finished is not None:
        return ("failed", heard.finished.detail) if heard.finished.exit_code else ("ok", "")
    said = f"; its last words: {last_line}" if last_line else ""
    if end.ended_as:
        return end.ended_as, f"ended by l2sweep for {end.ended_because}{where}{said}"
    if end.signal is not None:
        return "crashed", f"killed by {signal.Signals(end.signal).name}{where}{said}"
    return "crashed", f"ended with exit code {end.exit_code}{where}{said}"


def _round_columns(message: RoundMeasured) -> dict[str, Any]:
    columns = asdict(message)
    started_at_s = columns.pop("started_at_s")
    columns["started_at"] = (
        None if started_at_s is None else datetime.fromtimestamp(started_at_s, tz=timezone.utc)
    )
    return columns
