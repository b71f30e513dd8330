"""Section 3, latency and drift."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LatencyCurve:
    """The empirical distribution of submit latencies.

    Attributes:
        adapter: Name of the adapter.
        is_control: Whether it is a control.
        label: What tells it from the other curves: options, size, keys and depth that differ.
        phase: store, lookup or load.
        cache_state: State of the page cache.
        data_size_kb: Size of a key, in KiB.
        num_keys: Keys of a submit.
        in_flight: Submits in flight.
        submits: Number of submits in the sample.
        unfinished: Number of submits that did not complete. They are in the sample, above all others.
        latency_s: Values of the sample, ascending: all, or about 200 of them, the smallest and the largest
            included.
        fraction: For each of them the share of the sample that is at most as large.
    """

    adapter: str
    is_control: bool
    label: str
    phase: str
    cache_state: str | None
    data_size_kb: int
    num_keys: int
    in_flight: int
    submits: int
    unfinished: int
    latency_s: tuple[float, ...]
    fraction: tuple[float, ...]


@dataclass(frozen=True)
class DepthLatency:
    """Percentiles of submit latencies of one adapter, options, size and keys at several depths.

    Attributes:
        adapter: Name of the adapter.
        is_control: Whether it is a control.
        label: As in :class:`LatencyCurve`, without the depth.
        phase: store, lookup or load.
        cache_state: State of the page cache.
        points: Positions in ``Report.points``, in ascending order of ``in_flight``; at least two. Each has
            ``submit_p50_s``; ``submit_p99_s`` is None with fewer than 100 submits.
    """

    adapter: str
    is_control: bool
    label: str
    phase: str
    cache_state: str | None
    points: tuple[int, ...]


@dataclass(frozen=True)
class Latency:
    """Submit latencies.

    Attributes:
        curves: The distributions, at most 24: a page with more is not legible.
        all_curves: Number of points and phases with submit latencies, of which ``curves`` are a choice.
        choice: A sentence that says which ones are shown; empty if all are.
        by_depth: Percentiles against depth.
        not_measured: Sentences that say which figures are missing and why.
    """

    curves: tuple[LatencyCurve, ...]
    all_curves: int
    choice: str
    by_depth: tuple[DepthLatency, ...]
    not_measured: tuple[str, ...]


@dataclass(frozen=True)
class DriftSeries:
    """Durations of rounds over the time of a sweep, each relative to the median of its point and phase.

    Attributes:
        adapter: Name of the adapter.
        is_control: Whether it is a control.
        phase: store, lookup or load.
        cache_state: State of the page cache.
        elapsed_s: Seconds from the first round of its sweep to the start of the round.
        ratio: Duration divided by the median duration of all rounds of the same point, phase and state.
        rounds: Number of rounds, of which the series shows all or evenly chosen ones.
    """

    adapter: str
    is_control: bool
    phase: str
    cache_state: str | None
    elapsed_s: tuple[float, ...]
    ratio: tuple[float, ...]
    rounds: int


@dataclass(frozen=True)
class PhaseDrift:
    """Whether the durations of a phase changed while a process ran.

    Attributes:
        phase: The phase.
        processes: Number of processes with enough rounds (4) for a first and a last half.
        median_ratio: Median over these processes of the median duration of the last half of their rounds
            divided by that of the first half.
        p: p-value of the Wilcoxon signed-rank test of the logarithms of this ratio, whose median is 0 without
            drift; None with fewer than 6 processes.
    """

    phase: str
    processes: int
    median_ratio: float
    p: float | None


@dataclass(frozen=True)
class Drift:
    """Whether durations changed over time.

    Attributes:
        series: The series, at most 2,000 rounds together.
        phases: The drift within processes, for each phase. Controls do not count.
        shown: A sentence that says which rounds the series show; empty if all.
        not_measured: A sentence that says why there is no figure; empty if there is one.
    """

    series: tuple[DriftSeries, ...]
    phases: tuple[PhaseDrift, ...]
    shown: str
    not_measured: str
