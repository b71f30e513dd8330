"""Measure how often ``l2sweep fleet`` names a host that is not slow, and how often it finds one that is.

    python benchmarks/fleet.py simulate
    python benchmarks/fleet.py measure --slow 10 --alike 20 --results results/fleet

``simulate`` makes rates of 8 points and phases: 2 phases of 4 points. A host deviates as a whole, at each
point, and in each process, with heavy tails (Student's t with 4 degrees of freedom); one process in 20 is
slower by 20 % on average. The verdict is that of the command. ``measure`` runs real fleets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gate import rate

from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.analysis.fleet.examination import findings_of
from l2sweep.analysis.fleet.rates import HostRates
from l2sweep.analysis.fleet.scopes import judged, scopes

POINTS, PHASES = 4, ("store", "load")
ROUND_S = 0.05


@dataclass(frozen=True)
class Noise:
    """Standard deviations of logarithms.

    Attributes:
        host: Of a host as a whole.
        point: Of a host at a point and phase.
        process: Of a process.
        erratic: Of the processes of one host; 0: it is like the others.
    """

    host: float
    point: float
    process: float
    erratic: float = 0.0


NOISE = {
    "quiet": Noise(0.003, 0.003, 0.01),
    "typical": Noise(0.01, 0.01, 0.03),
    "noisy": Noise(0.02, 0.03, 0.08),
    "one erratic": Noise(0.003, 0.003, 0.01, 0.15),
}
DESIGNS = ((2, 3), (3, 3), (4, 3), (5, 3), (8, 1), (8, 3), (8, 5), (16, 3), (64, 3))
"""Hosts, and repeats."""
MANY = [
    Point(f"point-{number}", phase, None, "fs", "{}", None, 8, 1, 1024 << number, None)
    for phase in PHASES
    for number in range(POINTS)
]


def tails(generator: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Return values of standard deviation 1, with heavy tails."""
    return generator.standard_t(4, shape) / np.sqrt(2)


def made_rates(
    generator: np.random.Generator, hosts: int, repeats: int, noise: Noise, slower: np.ndarray
) -> HostRates:
    """Return the rates of a fleet whose first host takes longer.

    Args:
        generator: Source of the random numbers.
        hosts: Number of hosts.
        repeats: Processes of each point on each host. A process runs both phases.
        noise: How they deviate.
        slower: For each phase and point the factor of the duration on the first host.
    """
    shape = (len(PHASES), POINTS, hosts, repeats)
    process = np.broadcast_to(tails(generator, (1, *shape[1:])), shape) / np.sqrt(2)
    process = process + tails(generator, shape) / np.sqrt(2)  # half of the variance is common to both phases
    deviation = np.full(hosts, noise.process)
    deviation[-1] = max(noise.process, noise.erratic)
    log_s = (
        np.log(ROUND_S)
        + noise.host * tails(generator, (1, 1, hosts, 1))
        + noise.point * tails(generator, (*shape[:3], 1))
        + deviation[:, None] * process
        + (generator.random((1, *shape[1:])) < 0.05) * np.log1p(generator.exponential(0.2, (1, *shape[1:])))
    )
    log_s[:, :, 0] += np.log(slower)[:, :, None]
    phase, point, host, repeat = (one.ravel() for one in np.indices(shape))
    return HostRates(
        hosts=tuple(f"host-{number:03}" for number in range(hosts)),
        points=tuple(MANY),
        completed={},
        failures=(),
        log_rate=-log_s.ravel(),
        point=phase * POINTS + point,
        host=host,
        process=(point * hosts + host) * repeats + repeat,
    )


def named(rates: HostRates) -> list[int]:
    """Return the hosts that are named as slow."""
    every = [judged(rates, scope) for scope in scopes(rates.points)]
    return [host for host in range(len(rates.hosts)) if findings_of(every, host)]


def simulate(fleets: int) -> None:
    """Print the rates with their 95 % intervals."""
    everywhere, in_load, at_a_point = (np.ones((len(PHASES), POINTS)) for _ in range(3))
    everywhere += 0.15
    in_load[1] += 0.3
    at_a_point[1, 0] += 0.5
    cases = {
        "none is slow": np.ones((len(PHASES), POINTS)),
        "15 % everywhere": everywhere,
        "30 % in load": in_load,
        "50 % at a point": at_a_point,
    }
    first, *slowed = cases
    print(
        f"{'noise':12} hosts repeats  {first + ': named':22} {'  '.join(f'{one}: found' for one in slowed)}"
    )
    for name, noise in NOISE.items():
        for hosts, repeats in DESIGNS:
            generator = np.random.default_rng(1)
            cells = []
            for case, slower in cases.items():
                number = fleets if case == first else fleets // 4
                found = [named(made_rates(generator, hosts, repeats, noise, slower)) for _ in range(number)]
                if case == first:
                    cells.append(rate([bool(one) for one in found]))
                else:
                    cells.append(f"{np.mean([0 in one for one in found]):.3f}")
                    cells[0] += "" if not any(set(one) - {0} for one in found) else "!"
            print(
                f"{name:12} {hosts:5} {repeats:7}  {cells[0]:24} {'          '.join(cells[1:])}", flush=True
            )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_simulate = commands.add_parser("simulate", help="made rates")
    of_simulate.add_argument("--fleets", type=int, default=1000, help="fleets of a line (default: 1000)")
    options = parser.parse_args()
    simulate(options.fleets)


if __name__ == "__main__":
    main()
