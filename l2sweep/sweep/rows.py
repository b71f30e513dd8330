"""Make the rows of the two data sets from the reports of a point's processes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import l2sweep
from l2sweep import credentials
from l2sweep.analysis.confirmation import UNCONFIRMED, confirmed, what_load_found
from l2sweep.bench.data.serde_tolerance import tolerance_of
from l2sweep.bench.job import PHASES, Job, adapter_types
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.rounds.schedule import RoundsEnd
from l2sweep.config.point import SHARED_NAMESPACE, PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.process.report import ProcessReport
from l2sweep.records.environment import Machine, Storage, nearest_existing
from l2sweep.records.schema import ROUNDS
from l2sweep.sweep.cache.coldness import CacheEvidence, smallest_device_read_fraction
from l2sweep.sweep.plan import PlannedPoint

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PointColumns:
    """The values that all rows of an attempt share.

    Attributes:
        sweep: The options of the sweep.
        machine: The machine that runs it.
        config_git_commit: Git commit of the configuration folder; None if git does not track it.
        planned: The point and its place in the sweep.
        job: The whole job of the point.
        storage: The storage that holds the data of the adapter.
        log_file: Path of the log, relative to the results folder.
        client: Number of the client whose rows they are.
    """

    sweep: SweepConfig
    machine: Machine
    config_git_commit: str | None
    planned: PlannedPoint
    job: Job
    storage: Storage
    log_file: str
    client: int = 0

    def point_row(
        self,
        phase: str,
        report: ProcessReport,
        outcome: tuple[str, str],
        started_at: datetime,
        evidence: CacheEvidence,
        state: str | None,
    ) -> Row:
        """Return the row of a process for the data set ``points``.

        Args:
            phase: store, lookup or load; ``all`` for a process that runs all phases.
            report: The report of the process.
            outcome: The columns ``status`` and ``detail``.
            started_at: When the page cache was about to be dropped, or the process to be started.
            evidence: The measurements of the page cache.
            state: The column ``cache_state``.
        """
        point = self.planned.config
        secrets = credentials.secrets_of(point.adapter_spec)
        status, detail = outcome
        end, accepted = report.end, report.accepted
        finished_rss = report.finished.peak_rss_bytes if report.finished else 0
        return {
            **self._shared(report),
            **self.machine.columns(),
            **asdict(self.storage),
            **_cache_columns(point, evidence, state, report.rounds),
            "phase": phase,
            "status": status,
            "detail": credentials.scrub(detail, secrets),
            "exit_code": end.exit_code if end else None,
            "signal": end.signal if end else None,
            "precision": point.amount.precision,
            "max_seconds": point.amount.max_seconds,
            "warmup_auto": point.amount.warmup_auto,
            **_rounds_ended(report),
            "skip_verify": point.skip_verify,
            "only": point.only,
            "l1_align_bytes": point.l1_align_bytes,
            "l1_use_hugepages": point.l1_use_hugepages,
            "keep_data": point.keep_data,
            "keys_left": report.finished.keys_left if report.finished else None,
            "isolation": report.isolation,
            "started_at": started_at,
            "wall_s": end.wall_s if end else 0.0,
            "adapter_create_s": report.created.duration_s if report.created else None,
            "peak_rss_bytes": finished_rss or (end.peak_rss_bytes if end else 0),
            "log_file": self.log_file,
            "overrides": [
                credentials.scrub(credentials.redact_override(override), secrets)
                for override in point.overrides
            ],
            "l2sweep_version": l2sweep.__version__,
            "torch_version": accepted.torch_version if accepted else None,
            "python_version": accepted.python_version if accepted else None,
            "effective_odirect": effective_odirect(point),
            "config_git_commit": self.config_git_commit,
            "lookup_answered_by": self._lookup_answered_by(phase, stored_here=phase == "all"),
            "serde_tolerance": tolerance_of(point.adapter_spec, point.serde_tolerance) or None,
            "service": point.service or None,
        }

    def round_rows(self, report: ProcessReport, states: Sequence[str | None]) -> list[Row]:
        """Return the rows of a process for the data set ``rounds``.

        The rounds of a phase with a problem have the status ``error``, and none of their keys counts: which
        of them were really moved is unknown.

        Args:
            report: The report of the process.
            states: The column ``cache_state`` of each round.
        """
        shared = self._shared(report)
        stored_here = any(one.phase == "store" for one in report.rounds)
        return [
            {
                **shared,
                **_round_columns(one, report.problems.get(one.phase, "")),
                "cache_state": state,
                "start_skew_s": None,  # known when the rounds of all clients are
                "lookup_answered_by": self._lookup_answered_by(one.phase, stored_here=stored_here),
            }
            for one, state in zip(report.rounds, states, strict=True)
        ]

    def _lookup_answered_by(self, phase: str, *, stored_here: bool) -> str | None:
        """Return what answers the lookups of a process or round; None if it has none, or it is unknown.

        Args:
            phase: store, lookup or load; ``all`` for a process that runs all phases.
            stored_here: Whether the same process stored the keys.
        """
        if phase not in ("lookup", "all") or "lookup" not in self.job.phases:
            return None
        finds_keys = self.job.key_layout.hits_per_round > 0
        traits = self.planned.config.traits
        return traits.lookup_answered_by(stored_here=stored_here, finds_keys=finds_keys)

    def _shared(self, report: ProcessReport) -> dict[str, Any]:
        point = self.planned.config
        return {
            "sweep_id": self.sweep.sweep_id,
            "sweep_name": self.sweep.sweep_name,
            "point_id": point.point_id,
            "point_index": self.planned.index,
            "repeat": self.planned.repeat,
            "attempt": self.planned.attempt,
            "adapter_type": point.adapter_type,
            "adapter_spec": json.dumps(credentials.redact(point.planned_spec or point.adapter_spec)),
            "model": point.model,
            **{name: value for name, value in asdict(point.amount).items() if name in ROUNDS.names},
            "namespace": self.job.namespace,
            "payload_namespace": self.job.payload_namespace or SHARED_NAMESPACE,
            "profile": point.profiler,
            "through": point.through,
            "concurrent": point.concurrent,
            "client": self.client,
            "clients": point.all_clients,
            "hosts": point.hosts,
            "fleet": self.sweep.fleet or None,
            **point.trace_columns,
            "host": self.machine.host,
            "release": point.release,
            "lmcache_version": report.accepted.lmcache_version if report.accepted else None,
        }


def confirmed_rows(
    spec: Mapping[str, Any], points: Sequence[Row], rounds: Sequence[Row]
) -> tuple[list[Row], list[Row]]:
    """Return the rows of an attempt, with the stores that its loads prove wrong.

    Args:
        spec: The adapter spec. ``fault_inject`` fails loads because it was asked to, so keys that it does not
            load are not missing.
        points: Rows of the data set ``points``. The process of a cold store that was ``ok`` becomes
            ``failed``; a process that ran all phases failed already, because of its load.
        rounds: Rows of the data set ``rounds``.
    """
    rounds = confirmed(rounds, misses_prove="fault_inject" not in adapter_types(spec))
    unconfirmed = sum(row["status"] == UNCONFIRMED and not row["is_warmup"] for row in rounds)
    if not unconfirmed:
        return list(points), rounds
    detail = f"store: {unconfirmed} rounds not confirmed: the load found {what_load_found(rounds)}"
    return [
        {**row, "status": "failed", "detail": detail}
        if row["phase"] == "store" and row["status"] == "ok"
        else row
        for row in points
    ], rounds


def _cache_columns(
    point: PointConfig, evidence: CacheEvidence, state: str | None, rounds: Sequence[RoundMeasured]
) -> dict[str, Any]:
    before, after = evidence.before, evidence.after
    return {
        "cache_mode": point.cache.mode,
        "cache_method": evidence.method or None,
        "cache_state": state,
        "resident_before_fraction": before.resident_fraction if before else None,
        "resident_after_fraction": evidence.resident_after,
        "resident_at_end_fraction": evidence.resident_at_end,
        "dirty_before_fraction": before.dirty_fraction if before else None,
        "dirty_after_fraction": after.dirty_fraction if after else None,
        "drop_s": evidence.drop_s,
        "device_read_fraction": smallest_device_read_fraction(rounds),
        "block_device_read_bytes": evidence.block_device_read_bytes,
    }


def _rounds_ended(report: ProcessReport) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for phase in PHASES:
        end = report.ends.get(phase, RoundsEnd())
        columns |= {
            f"{phase}_rounds_ended_by": end.ended_by or None,
            f"{phase}_warmup_ended_by": end.warmup_ended_by or None,
            f"{phase}_precision_reached": end.precision,
        }
    return columns


def effective_odirect(point: PointConfig) -> bool | None:
    """Return whether the adapter opens its files with O_DIRECT; None if it is unknown.

    LMCache's file adapters silently use buffered I/O if the size of a key is no multiple of the block size.

    Args:
        point: The point.
    """
    traits = point.traits
    if not traits.kind.falls_back_to_buffered or traits.storage_path is None or traits.more:
        return None
    if not traits.asks_for_direct:
        return False
    existing = nearest_existing(Path(traits.storage_path).absolute())
    block_bytes = os.statvfs(existing).f_bsize
    return block_bytes > 0 and point.amount.data_size_bytes % block_bytes == 0


def _round_columns(message: RoundMeasured, problem: str) -> dict[str, Any]:
    columns = asdict(message)
    started_at_s = columns.pop("started_at_s")
    columns["started_at"] = None if started_at_s is None else datetime.fromtimestamp(started_at_s, tz=UTC)
    if problem:
        detail = "; ".join(part for part in (problem, message.detail) if part)
        columns |= {"status": "error", "detail": detail, "keys_ok": 0, "bytes_ok": 0}
    return columns
