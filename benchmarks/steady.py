"""Simulate rounds=auto and warmup_rounds=auto, and print what the stopping rules promise and what they cost.

    python benchmarks/steady.py --runs 2000

No process is started: the schedule of a phase (``l2sweep/bench/rounds``) gets durations from a random
generator with a fixed seed, whose median is known.

- Coverage: how often the 95% interval of the median contains the true median when the measured rounds end,
  and the same for a look after every round, which l2sweep does not do.
- Rounds: the mean number of measured rounds, and how often the precision was reached.
- Warm-up: the mean number of warm-up rounds, and by how much the median of the first 6 measured rounds
  differs from that of durations that have settled.

``docs/rounds.md`` shows the result.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from l2sweep.bench.rounds.schedule import RoundSchedule
from l2sweep.bench.rounds.steadiness import SMALLEST_SAMPLE, interval_rank, relative_half_width
from l2sweep.bench.workload import Workload

SEED = 12
Durations = Callable[[random.Random], Iterator[float]]


def lognormal(sigma: float) -> Durations:
    """Return a generator of durations with median 1 and a relative spread."""

    def durations(draw: random.Random) -> Iterator[float]:
        while True:
            yield draw.lognormvariate(0, sigma)

    return durations


def shifted_exponential(scale: float) -> Durations:
    """Return a generator of durations with a least value and a long tail; the median is 1."""

    def durations(draw: random.Random) -> Iterator[float]:
        while True:
            yield 1 + scale * (draw.expovariate(1) - math.log(2))

    return durations


def two_levels(share: float, slower: float) -> Durations:
    """Return a generator of durations of which a share is slower by a factor, as during a flush."""

    def durations(draw: random.Random) -> Iterator[float]:
        while True:
            yield draw.lognormvariate(0, 0.03) * (slower if draw.random() < share else 1)

    return durations


def correlated(sigma: float, correlation: float) -> Durations:
    """Return a generator of durations of which each resembles the one before it; the median is 1."""

    def durations(draw: random.Random) -> Iterator[float]:
        level = draw.gauss(0, sigma)
        while True:
            yield math.exp(level)
            level = correlation * level + draw.gauss(0, sigma * math.sqrt(1 - correlation**2))

    return durations


def settling(first: float, rounds: float, sigma: float) -> Durations:
    """Return a generator of durations that approach 1 exponentially, with noise."""

    def durations(draw: random.Random) -> Iterator[float]:
        number = 0
        while True:
            yield (1 + (first - 1) * math.exp(-number / rounds)) * draw.lognormvariate(0, sigma)
            number += 1

    return durations


MEASURED: dict[str, Durations] = {
    "noise 3%": lognormal(0.03),
    "noise 6%": lognormal(0.06),
    "noise 10%": lognormal(0.1),
    "noise 15%": lognormal(0.15),
    "noise 20%": lognormal(0.2),
    "tail 10%": shifted_exponential(0.1),
    "tail 30%": shifted_exponential(0.3),
    "1 of 10 is 3 times as long": two_levels(0.1, 3),
    "45 of 100 are 1.3 times as long": two_levels(0.45, 1.3),
    "noise 6%, correlation 0.3": correlated(0.06, 0.3),
    "noise 6%, correlation 0.6": correlated(0.06, 0.6),
}
WARMING: dict[str, Durations] = {
    "no drift, noise 5%": settling(1, 1, 0.05),
    "first round 3 times as long, noise 5%": settling(3, 0.2, 0.05),
    "2 times, settles over 2 rounds, noise 5%": settling(2, 2, 0.05),
    "2 times, settles over 5 rounds, noise 5%": settling(2, 5, 0.05),
    "2 times, settles over 5 rounds, noise 20%": settling(2, 5, 0.2),
    "1.2 times, settles over 5 rounds, noise 5%": settling(1.2, 5, 0.05),
}


@dataclass(frozen=True)
class Ended:
    """One simulated phase: its warm-up and measured durations, and why it ended."""

    warmups: Sequence[float]
    measured: Sequence[float]
    ended_by: str


def workload(*, precision: float, max_rounds: int, warmup_auto: bool) -> Workload:
    """Return a workload with limits of rounds; its sizes do not matter."""
    return Workload(
        num_keys=1,
        in_flight=1,
        data_size_kb=1,
        rounds=max_rounds,
        warmup_rounds=20 if warmup_auto else 0,
        lookup_max_hit_rate=0.0,
        seed=0,
        l1_align_bytes=1,
        l1_use_hugepages=False,
        precision=precision,
        warmup_auto=warmup_auto,
    )


def phase(durations: Iterator[float], of: Workload) -> Ended:
    """Run the schedule of a phase with given durations."""
    schedule = RoundSchedule(of)
    warmups: list[float] = []
    measured: list[float] = []
    for scheduled in schedule:
        (warmups if scheduled.is_warmup else measured).append(next(durations))
        schedule.add((warmups if scheduled.is_warmup else measured)[-1])
    return Ended(warmups, measured, schedule.end.ended_by)


def with_every_look(durations: Iterator[float], precision: float, most: int) -> list[float]:
    """Return the durations of a phase that looks after every round."""
    measured: list[float] = []
    while len(measured) < most:
        measured.append(next(durations))
        half_width = relative_half_width(measured)
        if half_width is not None and half_width < precision:
            break
    return measured


def covers(durations: Sequence[float], median: float) -> bool:
    """Return whether the 95% interval of the median contains a value."""
    rank = interval_rank(len(durations))
    assert rank is not None
    ordered = sorted(durations)
    return ordered[rank - 1] <= median <= ordered[-rank]


def median_of(durations: Durations) -> float:
    """Return the median of the distribution, from a large sample."""
    draw = random.Random(SEED)
    found = durations(draw)
    return statistics.median(next(found) for _ in range(400_000))


def main() -> None:
    """Simulate, and print two tables."""
    parser = argparse.ArgumentParser(description="Simulate rounds=auto and warmup_rounds=auto.")
    parser.add_argument("--runs", type=int, default=2000, help="simulated phases for each row")
    parser.add_argument("--precision", type=float, default=0.05)
    parser.add_argument("--max-rounds", type=int, default=50)
    options = parser.parse_args()
    of = workload(precision=options.precision, max_rounds=options.max_rounds, warmup_auto=False)
    print(f"precision={options.precision:g} max_rounds={options.max_rounds}, {options.runs} phases a row")
    print(f"{'durations':42}{'coverage':>10}{'each round':>12}{'rounds':>8}{'precise':>9}")
    for name, durations in MEASURED.items():
        median, draw = median_of(durations), random.Random(SEED)
        ended = [phase(durations(draw), of) for _ in range(options.runs)]
        looked = [
            with_every_look(durations(draw), options.precision, options.max_rounds)
            for _ in range(options.runs)
        ]
        coverage = statistics.mean(covers(one.measured, median) for one in ended)
        each = statistics.mean(covers(one, median) for one in looked)
        rounds = statistics.mean(len(one.measured) for one in ended)
        precise = statistics.mean(one.ended_by == "precision" for one in ended)
        print(f"{name:42}{coverage:>10.1%}{each:>12.1%}{rounds:>8.1f}{precise:>9.0%}")
    of = workload(precision=1e-9, max_rounds=SMALLEST_SAMPLE, warmup_auto=True)
    print(f"\n{'warm-up':44}{'rounds':>8}{'median of the next 6':>22}{'without warm-up':>17}")
    for name, durations in WARMING.items():
        draw = random.Random(SEED)
        ended = [phase(durations(draw), of) for _ in range(options.runs)]
        rounds = statistics.mean(len(one.warmups) for one in ended)
        after = statistics.mean(statistics.median(one.measured) for one in ended)
        first = statistics.mean(statistics.median(one.warmups[:SMALLEST_SAMPLE]) for one in ended)
        print(f"{name:44}{rounds:>8.1f}{after - 1:>+22.1%}{first - 1:>+17.1%}")


if __name__ == "__main__":
    main()
