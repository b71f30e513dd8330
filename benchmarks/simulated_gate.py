"""Simulate how often ``compare`` alarms without a reason, and how often it finds a slowdown of 10 %.

    python benchmarks/simulated_gate.py

Durations of 48 points (8 of each of 6 adapters and phases) deviate with heavy tails: Student's t with 4
degrees of freedom. A process deviates, and so does each point in a night. All points of a repeat share 40 %
of the variance of a process, and all points of a night 40 % of that of a night. The test is that of the
command.
``benchmarks/gate.py`` judges real sweeps.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from gate import rate

from l2sweep.analysis.compare.comparison import LEVEL, THRESHOLD
from l2sweep.analysis.compare.layout import Layout
from l2sweep.analysis.compare.tested import Limits, tested_points, tested_totals

GROUPS, POINTS = 6, 8
SHARED = 0.4
NOISE = {"quiet": (0.02, 0.005), "typical": (0.03, 0.017), "noisy": (0.08, 0.035), "very noisy": (0.2, 0.09)}
DESIGNS = ((1, 3), (7, 3), (7, 5))
"""Nights of the base, and repeats."""
ROUND_S = 0.02
SLOWDOWN = 0.1
LIMITS = Limits(THRESHOLD, LEVEL)


def deviations(generator: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Return values of standard deviation 1, with heavy tails, of which points share a part."""
    own = generator.standard_t(4, shape) / np.sqrt(2)
    shared = generator.standard_t(4, (1, *shape[1:])) / np.sqrt(2)
    return np.sqrt(1 - SHARED) * own + np.sqrt(SHARED) * shared


def side(generator: np.random.Generator, nights: int, repeats: int, noise: tuple[float, float]) -> np.ndarray:
    """Return medians in seconds: points x nights x repeats."""
    number = GROUPS * POINTS
    of_processes = noise[0] * deviations(generator, (number, nights, repeats))
    return ROUND_S * np.exp(of_processes + noise[1] * deviations(generator, (number, nights, 1)))


def is_slower(base: np.ndarray, candidate: np.ndarray) -> bool:
    """Return whether any point or total is called slower."""
    group = np.repeat(np.arange(GROUPS), POINTS)
    places = np.zeros(base.shape, np.int64), np.zeros(candidate.shape, np.int64)
    laid = Layout(np.arange(len(group)), places, (base, candidate))
    no_draws = np.ones((len(group), 2))  # the intervals decide nothing
    no_control = np.zeros(len(group), np.bool_), np.zeros(GROUPS, np.bool_)
    points = tested_points(laid, no_draws, group, no_control[0], LEVEL)
    totals = tested_totals(laid, no_draws, group, no_control[1], LEVEL)
    return any(
        one.ratio[member] > 1 and one.is_finding(member, LIMITS)
        for one in (points, totals)
        for member in range(len(one.ratio))
    )


def main() -> None:
    """Read the command line, and print the rates with their 95 % intervals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=600, help="quiet sweeps of a line (default: 600)")
    parser.add_argument("--slowed", type=int, default=250, help="slowed sweeps of a line (default: 250)")
    options = parser.parse_args()
    print(f"{'noise':12} {'design':24} {'quiet sweeps alarmed':24} 10 % found")
    for name, noise in NOISE.items():
        for nights, repeats in DESIGNS:
            generator = np.random.default_rng(1)
            slowed = np.ones((GROUPS * POINTS, 1, 1))
            slowed[:POINTS] += SLOWDOWN
            rates = [
                rate(
                    [
                        is_slower(
                            side(generator, nights, repeats, noise),
                            side(generator, 1, repeats, noise) * factor,
                        )
                        for _ in range(number)
                    ]
                )
                for number, factor in ((options.sweeps, 1.0), (options.slowed, slowed))
            ]
            print(
                f"{name:12} {f'{repeats} repeats, 1 against {nights}':24} {rates[0]:24} {rates[1]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
