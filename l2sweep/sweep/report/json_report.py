"""The final report of a sweep as JSON: the configuration and the statistics of every point."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from l2sweep.analysis.clients.aggregates import ClientRates, rates_by_phase
from l2sweep.analysis.clients.merging import first_clients
from l2sweep.analysis.statistics import PhaseSummary
from l2sweep.config.sweep import SweepConfig
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.sweep.attempt.point_attempt import PointResult

REPORT_VERSION = 1
"""Of the form of the report: higher after a change that removes or renames a field."""

Results = Sequence[tuple[PointResult, Sequence[PhaseSummary]]]

_CONFIGURATION = (
    *("adapter_type", "model", "num_keys", "in_flight", "data_size_kb", "rounds", "warmup_rounds"),
    *("precision", "max_seconds", "warmup_auto"),
    *(
        "lookup_max_hit_rate",
        "skip_verify",
        "only",
        "seed",
        "namespace",
        "l1_align_bytes",
        "l1_use_hugepages",
    ),
    *("keep_data", "profile", "trace", "trace_speed", "cache_mode", "cache_method", "isolation", "overrides"),
    *("through", "concurrent", "clients"),
)
_STORAGE = ("fs_type", "mount_point", "mount_options", "block_device", "effective_odirect")
_MACHINE = ("host", "kernel", "cpu_model", "cpu_count", "memory_bytes")
_ENDED = ("point_id", "point_index", "repeat", "attempt", "status", "detail", "started_at")


def json_report(sweep: SweepConfig, results: Results, notes: Sequence[str] = ()) -> str:
    """Return the report of a sweep as JSON text. It contains no credentials.

    Args:
        sweep: The options of the sweep.
        results: For each point that ran, its rows and the statistics of its phases.
        notes: Lines that were shown besides the results.
    """
    folder = sweep.results_dir
    report = {
        "report_version": REPORT_VERSION,
        "sweep_id": sweep.sweep_id,
        "sweep_name": sweep.sweep_name,
        "records": {"rounds": f"{folder}/{ROUNDS}", "points": f"{folder}/{POINTS}"},
        "notes": list(notes),
        "points": [_point(result, summaries, folder) for result, summaries in results],
    }
    return json.dumps(_plain(report), indent=2, allow_nan=False)


def _point(result: PointResult, summaries: Sequence[PhaseSummary], folder: str) -> dict[str, Any]:
    row, rates = result.point, rates_by_phase(result.rounds)
    keys_per_round = row["num_keys"] * row["in_flight"]
    return {
        **{name: row[name] for name in _ENDED},
        "exit_code": result.exit_code,
        "wall_s": sum(one["wall_s"] for one in first_clients(result.points)),
        "log_file": f"{folder}/{row['log_file']}",
        "configuration": {
            "adapter_spec": json.loads(row["adapter_spec"]),
            **{name: row[name] for name in _CONFIGURATION},
            "keys_per_round": keys_per_round,
            "round_mib": keys_per_round * row["data_size_kb"] / 1024,
        },
        "versions": {name: row[f"{name}_version"] for name in ("l2sweep", "lmcache", "torch", "python")},
        "machine": {name: row[name] for name in _MACHINE},
        "storage": {name: row[name] for name in _STORAGE},
        "phases": [_phase(summary, row, rates.get(summary.phase)) for summary in summaries],
    }


def _phase(summary: PhaseSummary, point: Mapping[str, Any], rates: ClientRates | None) -> dict[str, Any]:
    numbers = asdict(summary)
    # One for each submit: they are in the records.
    for name in ("submit_latency_s", "submit_unfinished_s", "late_s"):
        del numbers[name]
    if summary.phase == "lookup":
        numbers["expected_max_hit_rate"] = None if point["trace"] else point["lookup_max_hit_rate"]
    durations, latencies = summary.durations, summary.submit_latencies
    bounds = {
        "duration_mean_s": durations.mean(),
        "duration_min_s": durations.minimum(),
        "duration_max_s": durations.maximum(),
        "duration_p50_s": durations.percentile(50),
        "duration_p99_s": durations.percentile(99),
        "submit_latency_p50_s": latencies.percentile(50),
        "submit_latency_p99_s": latencies.percentile(99),
        "submit_latency_max_s": latencies.maximum(),
    }
    if point["trace"]:
        since_due = summary.latencies_since_due
        bounds |= {
            "latency_since_due_p50_s": since_due.percentile(50),
            "latency_since_due_p99_s": since_due.percentile(99),
            "latency_since_due_max_s": since_due.maximum(),
        }
    return {
        "phase": numbers.pop("phase"),
        "status": summary.status,
        **numbers,
        **{name: None if bound is None else bound.value for name, bound in bounds.items()},
        "duration_std_s": durations.standard_deviation(),
        **({} if rates is None else {"clients": asdict(rates)}),
        "lower_bounds": [name for name, bound in bounds.items() if bound and bound.is_lower_bound],
    }


def _plain(value: Any) -> Any:
    """Return a value with only what JSON has: no NaN, which strict parsers refuse, and times as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value
