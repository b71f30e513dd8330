"""Measure how often ``l2sweep fleet`` names a host that is not slow, and how often it finds one that is.

    python benchmarks/fleet.py simulate
    python benchmarks/fleet.py measure --slow 10 --alike 20 --results results/fleet

``simulate`` makes rates of 8 points and phases: 2 phases of 4 points. A host deviates as a whole and at
each point by normal deviations: with heavy tails, some hosts would be slow. Its processes deviate with heavy
tails (Student's t with 4 degrees of freedom); one process in 20 is slower by 20 % on average. The verdict is
that of the command.

``measure`` runs fleets of 8 emulated hosts on this machine, one host after another, each in a UTS namespace
with a host name of its own: some of which one host is slower, and some of equal hosts. They run the control
adapter, and the environment of the slow host makes its service time longer (slower_host.py). It needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

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
DESIGNS = ((3, 3), (4, 3), (8, 1), (8, 3), (8, 5), (16, 3), (64, 3))
"""Hosts, and repeats."""
HOSTS = 8
SLOWER = "L2SWEEP_BENCHMARK_SLOWER"  # slower_host.py reads it, and imports LMCache
SWEEP = (
    *("-m", "adapter=control", "adapter.module_path=slower_host", "adapter.class_name=SlowerHost"),
    *("adapter.adapter_params.service_ms=100", "num_keys=4", "in_flight=1", "data_size_kb=64"),
    *("repeats=3", "rounds=3", "warmup_rounds=1", "sweep_name=fleet"),
)
"""A round of each phase takes 100 ms on a host that is not slower."""
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
        + noise.host * generator.standard_normal((1, 1, hosts, 1))
        + noise.point * generator.standard_normal((*shape[:3], 1))
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
    equal, *slowed = cases
    titles = [f"{equal}: named", *(f"{one}: found" for one in slowed), "another named"]
    print(f"{'noise':12} hosts repeats  {titles[0]:24}  {'  '.join(titles[1:])}")
    for name, noise in NOISE.items():
        for hosts, repeats in DESIGNS:
            generator = np.random.default_rng(1)
            found = {
                case: [
                    named(made_rates(generator, hosts, repeats, noise, slower))
                    for _ in range(fleets if case == equal else fleets // 4)
                ]
                for case, slower in cases.items()
            }
            shares = [float(np.mean([0 in one for one in found[case]])) for case in slowed]
            shares.append(float(np.mean([bool(set(one) - {0}) for case in slowed for one in found[case]])))
            cells = [f"{share:<{len(title)}.3f}" for share, title in zip(shares, titles[1:], strict=True)]
            first = rate([bool(one) for one in found[equal]])
            print(f"{name:12} {hosts:5} {repeats:7}  {first:24}  {'  '.join(cells)}", flush=True)


def measure(results: Path, slow: int, alike: int, each: int, slower: float) -> None:
    """Run fleets, and print what the command says of each.

    Args:
        results: Folder of the results.
        slow: Number of fleets of which one host is slower.
        alike: Number of fleets of equal hosts.
        each: Number of fleets that the same workers measure, one after another: sweeps with another seed.
        slower: By how much a host is slower, as a share of the service time.
    """
    found: dict[bool, list[bool]] = {True: [], False: []}
    for number, slow_host in enumerate(in_turn(slow // each, alike // each)):
        folder = results / f"{number:03}-{'alike' if slow_host is None else f'host-{slow_host}'}"
        shares = ["0" if host != slow_host else str(slower) for host in range(HOSTS)]
        if not (folder / "rounds").exists():
            run_fleet(folder, shares, each)
        for seed in range(1, each + 1):
            arguments = ["fleet", "latest", "--where", f"seed == {seed}", "--format", "json"]
            printed = subprocess.run(_l2sweep(*arguments, f"--results-dir={folder}"), stdout=subprocess.PIPE)
            answer = json.loads(printed.stdout)
            slow_hosts, failed = (
                [one["host"] for one in answer["hosts"] if one[what]] for what in ("findings", "failures")
            )
            wanted = [] if slow_host is None else [f"host-{slow_host}"]
            found[slow_host is not None].append(slow_hosts == wanted)
            load = os.getloadavg()[0]
            said = f"slow {slow_hosts}, failed {failed}"
            print(f"{folder.name} {seed}, load {load:.1f}: {said}: {answer['sentences'][0]}", flush=True)
    print(f"the slow host and no other was called slow in {sum(found[True])} of {len(found[True])} fleets")
    print(f"none was called slow in {sum(found[False])} of {len(found[False])} fleets of equal hosts")


def in_turn(slow: int, alike: int) -> list[int | None]:
    """Return the slow host of each start, None for equal hosts, both kinds spread over the time."""
    places = [((number + 0.5) / slow, (3 * number + 3) % HOSTS) for number in range(slow)]
    places += [((number + 0.5) / alike, -1) for number in range(alike)]
    return [None if host < 0 else host for _, host in sorted(places)]


def run_fleet(folder: Path, shares: Sequence[str], each: int) -> None:
    """Run fleets with the same workers: rank 0 starts the sweep, and the other hosts take part."""
    token = secrets.token_hex(16)
    place = ["--rendezvous", f"127.0.0.1:{20_000 + secrets.randbelow(10_000)}", "--size", str(len(shares))]
    seeds = ",".join(map(str, range(1, each + 1)))
    sweep = [
        f"seed={seeds}",
        "fleet=true",
        "fleet_order=serial",
        "cluster.wait_s=300",
        f"results_dir={folder}",
    ]
    workers = []
    for host, share in enumerate(shares):
        own = ["worker", *place, "--rank", str(host), *(["--", *SWEEP, *sweep] if host == 0 else [])]
        environment = {**_environment(folder, share), "L2SWEEP_TOKEN": token}
        with _log(folder, host) as log:
            process = subprocess.Popen(_on_host(host, *own), env=environment, stdout=log, stderr=log)
        workers.append(process)
    for worker in workers:
        if worker.wait(1800):  # a process that failed is in the rows, and the command names its host
            print(f"{folder.name}: a worker ended with exit code {worker.returncode}", flush=True)


def _l2sweep(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "l2sweep", *arguments]


def _on_host(number: int, *arguments: str) -> list[str]:
    """Return a command line that runs l2sweep with a host name of its own."""
    return ["unshare", "--uts", "sh", "-c", f'hostname host-{number}; exec "$@"', "sh", *_l2sweep(*arguments)]


def _log(folder: Path, host: int) -> IO[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / f"host-{host}.log").open("w")


def _environment(folder: Path, share: str) -> Mapping[str, str]:
    locks = folder / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    own = {SLOWER: share, "PYTHONPATH": str(Path(__file__).parent), "L2SWEEP_LOCK_DIR": str(locks)}
    return {**os.environ, **own}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_simulate = commands.add_parser("simulate", help="made rates")
    of_simulate.add_argument("--fleets", type=int, default=1000, help="fleets of a line (default: 1000)")
    of_measure = commands.add_parser("measure", help="real fleets")
    of_measure.add_argument("--slow", type=int, default=10, help="fleets with a slow host (default: 10)")
    of_measure.add_argument("--alike", type=int, default=20, help="fleets of equal hosts (default: 20)")
    of_measure.add_argument("--slower", type=float, default=0.15, help="share (default: 0.15)")
    of_measure.add_argument("--each", type=int, default=5, help="fleets of the same workers (default: 5)")
    of_measure.add_argument("--results", type=Path, default=Path("fleet-results"))
    options = parser.parse_args()
    if options.command == "simulate":
        simulate(options.fleets)
    else:
        folder = options.results.absolute()
        measure(folder, options.slow, options.alike, options.each, options.slower)


if __name__ == "__main__":
    main()
