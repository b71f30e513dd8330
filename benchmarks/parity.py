"""Run the same points with l2sweep and with ``lmcache bench l2`` in turn, and compare the round durations.

    python benchmarks/parity.py --pairs 4 --in-flight 1 4

Both measure the same operations of the same adapter, so their round durations must agree. A ratio above 1.03
or below 0.9 is marked, and must be explained or fixed. Two runs of the same code also differ, by an amount
that depends on the machine, so nothing is asserted: judge a ratio by quartiles and by the range of the pairs.

The payload differs, and this is part of the comparison: l2sweep stores different bytes for every key and
round, ``lmcache bench l2`` fills a key with one byte value, the same in every round.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2sweep.bench.adapter.lmcache_log import quiet_environment
from l2sweep.bench.job import PHASES, Job
from l2sweep.bench.messages import Finished, Refused, RoundMeasured
from l2sweep.bench.workload import Workload
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.fresh import FreshInterpreter, bench_environment

ALIGN_BYTES = 4096
LOG_LEVEL = "WARNING"
RUN_DEADLINE_S = 120.0
LOWEST_RATIO, HIGHEST_RATIO = 0.9, 1.03
UPSTREAM_MAIN = "import sys; from lmcache.cli.main import main; sys.exit(main())"
UPSTREAM_ROUND = re.compile(rb"^  \[(\w+)\] Round (\d+): ([\d.]+) ms, \w+=(\d+)/\d+$", re.MULTILINE)

Durations = dict[str, list[float]]
"""The durations of the measured rounds in milliseconds, by phase."""


@dataclass(frozen=True)
class Case:
    """A point that both sides measure.

    Attributes:
        name: Name in the table.
        spec: Adapter spec, without the folder of a file adapter.
        parent_folder: Folder in which each run gets an empty folder; None if the adapter needs no folder.
        in_flight: Submits in a round.
    """

    name: str
    spec: Mapping[str, Any]
    parent_folder: Path | None
    in_flight: int


@dataclass(frozen=True)
class Comparison:
    """The results of a case: for each side, the durations of each run."""

    case: Case
    upstream: list[Durations]
    l2sweep: list[Durations]


Measure = Callable[[dict[str, Any], Case, argparse.Namespace], Durations]
"""One process that stores, looks up and loads: the spec with its folder, the case, the options."""


def main() -> None:
    """Run every case in pairs and print the table."""
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the folders are removed
    start_s = time.monotonic()
    with work_folder("/dev/shm") as shared_memory, work_folder(options.disk_folder) as disk:
        comparisons = [Comparison(case, [], []) for case in all_cases(options, shared_memory, disk)]
        # Pair by pair, not case by case, so that a slow minute of the machine affects all cases equally.
        for pair in range(options.pairs):
            for comparison in comparisons:
                run_pair(comparison, options, swapped=pair % 2 == 1)
            print(f"pair {pair + 1} of {options.pairs}: {time.monotonic() - start_s:.0f} s", file=sys.stderr)
    print_table(comparisons, options)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4, help="runs of each side (default: 4)")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 4], help="default: 1 4")
    parser.add_argument("--num-keys", type=int, default=32, help="keys in a submit (default: 32)")
    parser.add_argument("--data-size-kb", type=int, default=256, help="KiB of a key (default: 256)")
    parser.add_argument("--rounds", type=int, default=10, help="measured rounds of a run (default: 10)")
    parser.add_argument("--warmup-rounds", type=int, default=2, help="rounds before them (default: 2)")
    parser.add_argument("--adapters", nargs="+", default=["mock", "fs-tmpfs", "fs-disk"], help="default: all")
    parser.add_argument(
        "--disk-folder",
        type=Path,
        default=Path.cwd().parent,
        help="folder on a real disk, for temporary folders (default: the parent of the current directory)",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="run upstream on both sides: shows how much two runs of the same code differ on this machine",
    )
    options = parser.parse_args()
    if min(options.pairs, options.rounds, options.num_keys, options.data_size_kb, *options.in_flight) < 1:
        parser.error("--pairs, --rounds, --num-keys, --data-size-kb and --in-flight must be at least 1")
    if unknown := set(options.adapters) - {"mock", "fs-tmpfs", "fs-disk"}:
        parser.error(f"--adapters: {', '.join(sorted(unknown))}: must be mock, fs-tmpfs or fs-disk")
    return options


def all_cases(options: argparse.Namespace, shared_memory: Path, disk: Path) -> list[Case]:
    """Return the cases that the options select."""
    most_keys = (options.rounds + options.warmup_rounds) * options.num_keys * max(options.in_flight)
    mock_spec = {
        "type": "mock",
        "max_size_gb": most_keys * options.data_size_kb / 1024**2 + 1,
        "mock_bandwidth_gb": 100,
    }
    adapters: dict[str, tuple[dict[str, Any], Path | None]] = {
        "mock": (mock_spec, None),
        "fs-tmpfs": ({"type": "fs"}, shared_memory),
        "fs-disk": ({"type": "fs"}, disk),
    }
    return [
        Case(name, *adapters[name], in_flight) for name in options.adapters for in_flight in options.in_flight
    ]


@contextmanager
def work_folder(parent: str | Path) -> Iterator[Path]:
    """Create an empty folder, and remove it with its contents at the end."""
    folder = Path(tempfile.mkdtemp(prefix="l2sweep-parity-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def run_pair(comparison: Comparison, options: argparse.Namespace, *, swapped: bool) -> None:
    """Run both sides, one after the other, each with keys that were never stored before."""
    case = comparison.case
    sides: list[tuple[Measure, list[Durations]]] = [
        (measure_upstream, comparison.upstream),
        (measure_upstream if options.control else measure_l2sweep, comparison.l2sweep),
    ]
    for measure, durations_ms in reversed(sides) if swapped else sides:
        if case.parent_folder is None:
            durations_ms.append(measure(dict(case.spec), case, options))
            continue
        with work_folder(case.parent_folder) as folder:
            durations_ms.append(measure({**case.spec, "base_path": str(folder)}, case, options))


def measure_upstream(spec: dict[str, Any], case: Case, options: argparse.Namespace) -> Durations:
    """Run ``lmcache bench l2`` and return the durations of its measured rounds.

    Raises:
        SystemExit: A round is missing, or moved too few keys.
    """
    arguments = {
        "--l2-adapter": json.dumps(spec),
        "--num-keys": options.num_keys,
        "--in-flight": case.in_flight,
        "--data-size-kb": options.data_size_kb,
        "--rounds": options.rounds,
        "--warmup-rounds": options.warmup_rounds,
        "--lookup-max-hit-rate": 0.5,
        "--l1-align-bytes": ALIGN_BYTES,
    }
    command = [sys.executable, "-c", UPSTREAM_MAIN, "bench", "l2"]
    for name, value in arguments.items():
        command += [name, str(value)]
    ended = subprocess.run(
        command,
        env={**bench_environment(None), **quiet_environment(LOG_LEVEL)},
        start_new_session=True,  # like l2sweep: autogroups share processors among sessions (sched(7))
        capture_output=True,
        timeout=RUN_DEADLINE_S,
        check=False,
    )
    durations_ms: Durations = {phase: [] for phase in PHASES}
    keys_per_round = options.num_keys * case.in_flight
    for name, number, duration_ms, keys_ok in UPSTREAM_ROUND.findall(ended.stdout):
        phase = name.decode().lower()
        if int(keys_ok) != (keys_per_round // 2 if phase == "lookup" else keys_per_round):
            raise SystemExit(f"lmcache bench l2, {case.name}: a {phase} round moved only {int(keys_ok)} keys")
        if int(number) > options.warmup_rounds:
            durations_ms[phase].append(float(duration_ms))
    if any(len(rounds) != options.rounds for rounds in durations_ms.values()):
        output = (ended.stdout + ended.stderr).decode(errors="replace")
        raise SystemExit(f"lmcache bench l2, {case.name}: rounds are missing:\n{output}")
    return durations_ms


def measure_l2sweep(spec: dict[str, Any], case: Case, options: argparse.Namespace) -> Durations:
    """Run a benchmark process of l2sweep and return the durations of its measured rounds.

    Raises:
        SystemExit: The process failed.
    """
    job = Job(
        adapter_spec=spec,
        workload=Workload(
            num_keys=options.num_keys,
            in_flight=case.in_flight,
            data_size_kb=options.data_size_kb,
            rounds=options.rounds,
            warmup_rounds=options.warmup_rounds,
            lookup_max_hit_rate=0.5,
            seed=1,
            l1_align_bytes=ALIGN_BYTES,
            l1_use_hugepages=False,
        ),
        phases=PHASES,
        namespace="bench-model",
        fresh_namespace=True,
        verify=False,
        delete_before=False,
        delete_after=False,
        timeout_s=dict.fromkeys(PHASES, RUN_DEADLINE_S),
    )
    output: list[bytes] = []
    durations_ms: Durations = {phase: [] for phase in PHASES}
    problem = "the process ended without a result"
    limits = ProcessLimits(RUN_DEADLINE_S, lmcache_log_level=LOG_LEVEL)
    process = FreshInterpreter(job, limits, output.append)
    try:
        for message in process.messages():
            if isinstance(message, RoundMeasured):
                if message.duration_s is not None and not message.is_warmup:
                    durations_ms[message.phase].append(message.duration_s * 1000)
            elif isinstance(message, Finished):
                problem = message.detail
            elif isinstance(message, Refused):
                problem = message.problem
    finally:
        process.end()
    if problem:
        raise SystemExit(f"l2sweep, {case.name}: {problem}\n{b''.join(output).decode(errors='replace')}")
    return durations_ms


def print_table(comparisons: list[Comparison], options: argparse.Namespace) -> None:
    """Print one line per phase of each case."""
    print(
        f"{options.num_keys} keys x in flight x {options.data_size_kb} KiB, {options.pairs} pairs of "
        f"{options.rounds} rounds: medians in ms, (quartiles), ratios of the medians l2sweep/upstream"
    )
    header = f"{'adapter':9} {'in flight':>9} {'phase':9} {'upstream':>27} {'l2sweep':>27} {'ratio':>7}"
    print(f"{header}  of each pair")
    for comparison in comparisons:
        for phase in PHASES:
            upstream_ms = [duration for run in comparison.upstream for duration in run[phase]]
            l2sweep_ms = [duration for run in comparison.l2sweep for duration in run[phase]]
            ratio = median_ms(l2sweep_ms) / median_ms(upstream_ms)
            mark = " " if LOWEST_RATIO <= ratio <= HIGHEST_RATIO else "!"
            pair_ratios = sorted(
                median_ms(ours[phase]) / median_ms(theirs[phase])
                for ours, theirs in zip(comparison.l2sweep, comparison.upstream, strict=True)
            )
            print(
                f"{comparison.case.name:9} {comparison.case.in_flight:>9} {phase:9} "
                f"{with_quartiles(upstream_ms):>27} {with_quartiles(l2sweep_ms):>27} {ratio:6.3f}{mark} ",
                *(f"{pair_ratio:.2f}" for pair_ratio in pair_ratios),
            )


def median_ms(durations_ms: list[float]) -> float:
    """Return the median of durations that are rounded to two decimals, as upstream prints them.

    A step of two decimals is several percent of a short lookup, so the median is interpolated in the step.
    """
    return statistics.median_grouped([round(duration_ms, 2) for duration_ms in durations_ms], 0.01)


def with_quartiles(durations_ms: list[float]) -> str:
    """Return a median with its quartiles as text."""
    if len(durations_ms) < 2:
        return f"{median_ms(durations_ms):.3f}"
    low_ms, _, high_ms = statistics.quantiles(durations_ms, n=4)
    return f"{median_ms(durations_ms):.3f} ({low_ms:.2f} - {high_ms:.2f})"


if __name__ == "__main__":
    main()
