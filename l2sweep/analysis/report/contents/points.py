"""Section 5: the table of all points, and the failures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PointRow:
    """A point and phase: the row that ``l2sweep summary`` gives. docs/analysis.md explains the numbers.

    A number is None if it cannot be computed.

    Attributes:
        point_id: Id of the point.
        release: Release of LMCache that was asked for; None if none was.
        adapter: Name of the adapter; ``control`` for the control adapter.
        is_control: Whether it is a control.
        options: Options of the adapter in words.
        path: Folder or device of its data; None if it names none.
        model: Model whose chunks are moved; None if the size was given.
        num_keys: Keys of a submit.
        in_flight: Submits in flight.
        data_size_kb: Size of a key, in KiB.
        lookup_max_hit_rate: Share of the looked up keys that were stored.
        phase: store, lookup, load, mixed_store or mixed_load.
        cache_state: State of the page cache; None if there is none.
        profile: Name of the profiler, which slows a point down; None without one.
        lookup_answered_by: What answered a lookup; None for other phases.
        trace: The trace that was replayed; None if none was.
        fleet_host: Host of a fleet; None for other sweeps.
        processes: Number of processes that ran the phase.
        measured_processes: Number of those with a duration.
        failed_processes: Number of those whose phase is not ``ok``.
        rounds: Number of measured rounds.
        ok_rounds: Number of rounds that are ok.
        timed_out_rounds: Number of rounds that timed out.
        failed_rounds: Number of rounds that are not ok.
        median_s: Median over the processes of the median duration of their rounds.
        median_low_s: Lower end of its 95% interval, from 6 processes on.
        median_high_s: Upper end.
        p50_s: Percentile of the durations of all rounds.
        p95_s: Percentile.
        p99_s: Percentile.
        submit_p50_s: Percentile of the submit latencies.
        submit_p95_s: Percentile.
        submit_p99_s: Percentile.
        mib_per_s: Moved bytes / duration over all rounds; None for lookups.
        durable_mib_per_s: The same of stores, with the flush in the duration.
        keys_per_s: Answered keys / duration.
        actual_hit_rate: Share of the looked up keys that were found.
        false_hits: Lookups that found what was not stored.
        false_misses: Lookups that did not find what was stored.
        mismatched_keys: Loaded keys with wrong bytes.
        status: ``ok``, or what failed.
        rounds_ended: Why the rounds ended whose number was not fixed; None if it was.
        lower_bounds: Names of the numbers whose true value may be larger, because a round timed out.
    """

    point_id: str
    release: str | None
    adapter: str
    is_control: bool
    options: str
    path: str | None
    model: str | None
    num_keys: int
    in_flight: int
    data_size_kb: int
    lookup_max_hit_rate: float | None
    phase: str
    cache_state: str | None
    profile: str | None
    lookup_answered_by: str | None
    trace: str | None
    fleet_host: str | None
    processes: int
    measured_processes: int
    failed_processes: int
    rounds: int
    ok_rounds: int
    timed_out_rounds: int
    failed_rounds: int
    median_s: float | None
    median_low_s: float | None
    median_high_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    submit_p50_s: float | None
    submit_p95_s: float | None
    submit_p99_s: float | None
    mib_per_s: float | None
    durable_mib_per_s: float | None
    keys_per_s: float | None
    actual_hit_rate: float | None
    false_hits: int | None
    false_misses: int | None
    mismatched_keys: int | None
    status: str
    rounds_ended: str | None
    lower_bounds: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A process that failed, or that measured what was not asked for.

    Attributes:
        sweep_id: The sweep.
        point_index: Index of the point in its plan.
        repeat: The repeat, from 0.
        adapter: Name of the adapter.
        options: Options of the adapter in words.
        num_keys: Keys of a submit.
        in_flight: Submits in flight.
        data_size_kb: Size of a key, in KiB.
        phase: The phase in which it failed; ``all`` if that is not known.
        status: How the process ended, such as ``crashed``.
        cause: The recorded cause, in a sentence or two; may be empty.
        log_file: Path of its log, relative to the results folder; None if none was recorded.
        last_lines: The last lines of the log, without credentials; empty if it cannot be read, and beyond the
            first 20 failures.
    """

    sweep_id: str
    point_index: int
    repeat: int
    adapter: str
    options: str
    num_keys: int
    in_flight: int
    data_size_kb: int
    phase: str
    status: str
    cause: str
    log_file: str | None
    last_lines: tuple[str, ...]
