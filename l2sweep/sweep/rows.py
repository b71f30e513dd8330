"""The rows of a point, from what is known of its processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

import l2sweep
from l2sweep import credentials
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.request import PointRequest
from l2sweep.config.adapter_spec import storage_path
from l2sweep.config.point import PointConfig, SweepConfig
from l2sweep.process.supervisor import PhaseProcess
from l2sweep.records.environment import Machine, Storage, effective_odirect
from l2sweep.sweep.cache.coldness import CacheEvidence, device_read_fraction
from l2sweep.sweep.plan import PlannedPoint

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PointColumns:
    """What all rows of a point share.

    Attributes:
        sweep: What holds for the whole sweep.
        machine: Where it runs.
        config_git_commit: Of the folder that the configuration came from.
        planned: The point and its place in the sweep.
        request: All of it.
        storage: What its data lie on.
        log_file: Within the results folder.
    """

    sweep: SweepConfig
    machine: Machine
    config_git_commit: str | None
    planned: PlannedPoint
    request: PointRequest
    storage: Storage
    log_file: str

    def point_row(
        self,
        phase: str,
        process: PhaseProcess,
        outcome: tuple[str, str],
        started_at: datetime,
        evidence: CacheEvidence,
        state: str | None,
    ) -> Row:
        """Return a process's row of the data set ``points``.

        Args:
            phase: Its operation, or ``all``.
            process: What is known of it.
            outcome: Its status and its detail.
            started_at: When it was begun.
            evidence: What was seen of the page cache.
            state: What that comes to.
        """
        point = self.planned.config
        secrets = credentials.secrets_of(point.adapter_spec)
        status, detail = outcome
        end, accepted = process.end, process.accepted
        finished_rss = process.finished.peak_rss_bytes if process.finished else 0
        return {
            **self._shared(process),
            **self.machine.columns(),
            **asdict(self.storage),
            **_cache_columns(point, evidence, state, process.rounds),
            "phase": phase,
            "status": status,
            "detail": credentials.scrub(detail, secrets),
            "exit_code": end.exit_code if end else None,
            "signal": end.signal if end else None,
            "skip_verify": point.skip_verify,
            "only": point.only,
            "l1_align_bytes": point.l1_align_bytes,
            "l1_use_hugepages": point.l1_use_hugepages,
            "keep_data": point.keep_data,
            "isolation": process.isolation,
            "started_at": started_at,
            "wall_s": end.wall_s if end else 0.0,
            "create_s": process.created.duration_s if process.created else None,
            "peak_rss_bytes": finished_rss or (end.peak_rss_bytes if end else 0),
            "log_file": self.log_file,
            "overrides": [
                credentials.scrub(credentials.redact_override(override), secrets)
                for override in point.overrides
            ],
            "l2sweep_version": l2sweep.__version__,
            "torch_version": accepted.torch_version if accepted else None,
            "python_version": accepted.python_version if accepted else None,
            "effective_odirect": effective_odirect(
                point.adapter_spec, point.data_size_kb * 1024, storage_path(point.adapter_spec)
            ),
            "config_git_commit": self.config_git_commit,
        }

    def round_rows(self, process: PhaseProcess, states: Mapping[str, str | None]) -> list[Row]:
        """Return a process's rows of the data set ``rounds``.

        Args:
            process: What is known of it.
            states: By operation, what it found in the page cache.
        """
        shared = self._shared(process)
        return [
            {**shared, **_round_columns(one), "cache_state": states.get(one.phase)} for one in process.rounds
        ]

    def _shared(self, process: PhaseProcess) -> dict[str, Any]:
        point = self.planned.config
        return {
            "sweep_id": self.sweep.sweep_id,
            "sweep_name": self.sweep.sweep_name,
            "point_id": point.point_id,
            "point_index": self.planned.index,
            "repeat": self.planned.repeat,
            "attempt": self.planned.attempt,
            "adapter_type": point.adapter_type,
            "adapter_spec": json.dumps(credentials.redact(point.adapter_spec)),
            "model": point.model,
            "num_keys": point.num_keys,
            "in_flight": point.in_flight,
            "data_size_kb": point.data_size_kb,
            "lookup_max_hit_rate": point.lookup_max_hit_rate,
            "rounds": point.rounds,
            "warmup_rounds": point.warmup_rounds,
            "namespace": self.request.namespace,
            "seed": point.seed,
            "host": self.machine.host,
            "lmcache_version": process.accepted.lmcache_version if process.accepted else None,
        }


def _cache_columns(
    point: PointConfig, evidence: CacheEvidence, state: str | None, rounds: Sequence[RoundMeasured]
) -> dict[str, Any]:
    before, after = evidence.before, evidence.after
    return {
        "cache_mode": point.cache.mode,
        "cache_method": evidence.method or None,
        "cache_state": state,
        "resident_before": before.resident_share if before else None,
        "resident_after": evidence.resident_after,
        "resident_at_end": evidence.resident_at_end,
        "dirty_before": before.dirty_share if before else None,
        "dirty_after": after.dirty_share if after else None,
        "drop_s": evidence.drop_s,
        "device_read_fraction": device_read_fraction(rounds),
        "block_device_read_bytes": evidence.block_device_read_bytes,
    }


def _round_columns(message: RoundMeasured) -> dict[str, Any]:
    columns = asdict(message)
    started_at_s = columns.pop("started_at_s")
    columns["started_at"] = (
        None if started_at_s is None else datetime.fromtimestamp(started_at_s, tz=timezone.utc)
    )
    return columns
