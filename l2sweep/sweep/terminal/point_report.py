"""The text of a single point: a line per round, and a report with a section per phase."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from l2sweep.analysis.ended import is_auto
from l2sweep.analysis.statistics import PhaseSummary
from l2sweep.bench.job import STORAGE_MANAGER
from l2sweep.bench.workload import Workload
from l2sweep.sweep.terminal.numbers import milliseconds, number
from l2sweep.sweep.terminal.results.beside import beside_text

_WIDTH = 64  # of the report of ``lmcache bench l2``
_COUNT_NAMES = {
    "store": "stored",
    "lookup": "found",
    "load": "loaded",
    "mixed_store": "stored",
    "mixed_load": "loaded",
}


def phase_line(phase: str, workload: Workload) -> str:
    """Return the line above the rounds of a phase, or the seconds of a trace.

    Args:
        phase: store, lookup or load; ``trace`` where a trace runs all three at once.
        workload: The workload of the point.
    """
    if phase == "trace":
        return f"[Trace] Replaying {workload.rounds} seconds, and until all operations have completed..."
    warmup = "up to " if workload.warmup_auto else ""
    measured = "" if workload.precision is None else "up to "
    rounds = f"{warmup}{workload.warmup_rounds} warm-up + {measured}{workload.rounds} measured rounds"
    misses = " (every key is meant to miss)" if phase == "lookup" and not workload.lookup_max_hit_rate else ""
    return f"[{_title(phase)}] Running {rounds}{misses}..."


def round_line(row: Mapping[str, Any]) -> str:
    """Return the line of a round.

    Args:
        row: A row of the data set ``rounds``.
    """
    count = f"{_COUNT_NAMES[row['phase']]}={row['keys_ok']}/{row['keys_requested']}"
    duration = "-" if row["duration_s"] is None else f"{row['duration_s'] * 1000:.2f} ms"
    place = f"Round {row['round']}" if row.get("second") is None else f"Second {row['second']}"
    parts = [f"  [{_title(row['phase'])}] {place}: {duration}, {count}"]
    if row["is_warmup"]:
        parts.append("(warm-up)")
    if row["status"] != "ok":
        parts.append(f"{row['status'].upper()}: {row['detail']}")
    elif row["detail"]:
        parts.append(f"[{row['detail']}]")
    return " ".join(parts)


def verify_line(loads: PhaseSummary) -> str:
    """Return the result of the byte check of the loaded keys.

    Args:
        loads: The statistics of the load phase.
    """
    if loads.mismatched_keys:
        return f"[Verify] {loads.mismatched_keys} of {loads.verified_keys} loaded keys have wrong bytes!"
    if not loads.verified_keys:
        return "[Verify] No key was loaded: nothing could be checked!"
    return f"[Verify] All {loads.verified_keys} loaded keys have the right bytes."


def sections(point: Mapping[str, Any], summaries: Sequence[PhaseSummary]) -> str:
    """Return the report of a point.

    Args:
        point: Its row of the data set ``points``.
        summaries: The statistics of each phase.
    """
    lines = [" L2 Adapter Benchmark Result ".center(_WIDTH, "=")]
    lines += _section("Configuration", _configuration(point))
    alone = {summary.phase: summary.mib_per_s for summary in summaries}
    for summary in summaries:
        rows = _phase(summary, point)
        phase = summary.phase.removeprefix("mixed_")
        rate, beside = alone.get(phase), summary.mib_per_s
        if phase != summary.phase and rate and beside is not None:
            rows.append(("At the same time", beside_text(phase, rate, beside)))
        lines += _section(_title(summary.phase), rows)
    lines.append("=" * _WIDTH)
    return "\n".join(lines)


def _title(phase: str) -> str:
    return phase.replace("_", " ").title()


def _configuration(point: Mapping[str, Any]) -> list[tuple[str, str]]:
    keys_per_round = point["num_keys"] * point["in_flight"]
    rows = [
        ("L2 adapter JSON", json.dumps(json.loads(point["adapter_spec"]), separators=(",", ":"))),
        ("Keys / submit", str(point["num_keys"])),
        ("In-flight / round", str(point["in_flight"])),
        ("Keys / round", str(keys_per_round)),
        ("Data size / key (KiB)", str(point["data_size_kb"])),
        ("Data / round (MiB)", f"{keys_per_round * point['data_size_kb'] / 1024:.2f}"),
        ("Measured rounds", _number_of_rounds(point["rounds"], is_auto=is_auto(point))),
        ("Warm-up rounds", _number_of_rounds(point["warmup_rounds"], is_auto=point["warmup_auto"])),
    ]
    if point["trace"]:
        speed = "as fast as possible" if point["trace_speed"] is None else f"{point['trace_speed']:g}"
        of_rounds = ("Keys / round", "Data / round (MiB)", "Measured rounds", "Warm-up rounds")
        rows = [row for row in rows if row[0] not in of_rounds]
        rows += [("Trace", point["trace"]), ("Trace speed", speed)]
    if point["through"] == STORAGE_MANAGER:
        rows.append(("Through", "LMCache's StorageManager"))
    elif not point["trace"] and (point["phase"] in ("all", "lookup") or point["cache_mode"] == "cold"):
        rows.append(("Lookup max hit rate", f"{point['lookup_max_hit_rate']:.2f}"))
    if point["profile"]:
        rows.append(("Profiled, which disturbs the numbers", point["profile"]))
    return [*rows, ("Namespace", point["namespace"])]


def _number_of_rounds(most: int, *, is_auto: bool) -> str:
    return f"auto, at most {most}" if is_auto else str(most)


def _phase(summary: PhaseSummary, point: Mapping[str, Any]) -> list[tuple[str, str]]:
    unit = "Seconds" if point["trace"] else "Rounds"
    rows = [
        ("Status", summary.status),
        (unit, str(summary.rounds)),
        *([("Rounds ended", str(summary.auto))] if summary.auto and str(summary.auto) else []),
        (f"{unit} timed out", str(summary.timed_out_rounds)),
        *(() if point["trace"] else [("Keys / round", str(summary.keys_per_round))]),
        ("Total keys", str(summary.total_keys)),
        ("Total success", str(summary.total_ok)),
        *(() if point["trace"] else _durations(summary)),
    ]
    if summary.phase != "lookup":
        rows += [
            ("Throughput (MiB/s)", number(summary.mib_per_s)),
            ("Throughput min (MiB/s)", number(summary.mib_per_s_min)),
            ("Throughput max (MiB/s)", number(summary.mib_per_s_max)),
        ]
    if summary.mib_per_s_elapsed != summary.mib_per_s:
        rows.append(("Throughput over elapsed time (MiB/s)", number(summary.mib_per_s_elapsed)))
    if summary.durable_mib_per_s is not None:
        rows += [
            ("Throughput durable (MiB/s)", number(summary.durable_mib_per_s)),
            ("Flush avg (ms)", milliseconds(summary.flush_s)),
        ]
    if summary.cache_state is not None:
        rows.append(("Page cache", summary.cache_state))
    if summary.lookup_answered_by not in (None, "server"):
        rows.append(("Answered by", str(summary.lookup_answered_by)))
    rows.append(("Keys/s", number(summary.keys_per_s)))
    if summary.keys_per_s_elapsed != summary.keys_per_s:
        rows.append(("Keys/s over elapsed time", number(summary.keys_per_s_elapsed)))
    if not point["trace"]:  # a second of a trace may be idle
        rows.append(("Latency / key (ms)", milliseconds(summary.latency_per_key_s, digits=3)))
    if summary.phase == "lookup":
        rows += [
            *(() if point["trace"] else [("Expected max hit rate", f"{point['lookup_max_hit_rate']:.4f}")]),
            ("Expected hit keys", str(summary.expected_hits)),
            ("Actual hit rate", number(summary.actual_hit_rate, digits=4)),
            ("False hits", number(summary.false_hits, digits=0)),
            ("False misses", number(summary.false_misses, digits=0)),
        ]
        if not point["lookup_max_hit_rate"] and not point["trace"]:
            rows.append(("Meant to miss", "every key (lookup_max_hit_rate=0)"))
    if summary.phase == "load":
        rows += [
            ("Sampled keys", number(summary.sampled_keys, digits=0)),
            ("Mismatched keys", str(summary.mismatched_keys)),
            *([("Evicted keys", str(summary.evicted_keys))] if summary.evicted_keys else []),
        ]
    latencies = summary.submit_latencies
    return [
        *rows,
        ("Submit latency p50 (ms)", milliseconds(latencies.percentile(50))),
        ("Submit latency p99 (ms)", milliseconds(latencies.percentile(99))),
        ("Submit latency max (ms)", milliseconds(latencies.maximum())),
        *(_of_trace(summary) if point["trace"] else ()),
    ]


def _durations(summary: PhaseSummary) -> list[tuple[str, str]]:
    durations = summary.durations
    return [
        ("Duration avg (ms)", milliseconds(durations.mean())),
        ("Duration min (ms)", milliseconds(durations.minimum())),
        ("Duration max (ms)", milliseconds(durations.maximum())),
        ("Duration p50 (ms)", milliseconds(durations.percentile(50))),
        ("Duration p99 (ms)", milliseconds(durations.percentile(99))),
        ("Duration std (ms)", milliseconds(durations.standard_deviation())),
    ]


def _of_trace(summary: PhaseSummary) -> list[tuple[str, str]]:
    since_due = summary.latencies_since_due
    return [
        ("Latency since due p50 (ms)", milliseconds(since_due.percentile(50))),
        ("Latency since due p99 (ms)", milliseconds(since_due.percentile(99))),
        ("Latency since due max (ms)", milliseconds(since_due.maximum())),
        ("Submit late max (ms)", milliseconds(max(summary.late_s, default=None))),
    ]


def _section(title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    lines = [f" {title} ".center(_WIDTH, "-")]
    for name, value in rows:
        lines.append(f"{name}:{value:>{max(_WIDTH - len(name) - 1, len(value) + 1)}}")
    return lines
