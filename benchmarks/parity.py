"""Prove that l2sweep measures the same round durations as ``lmcache bench l2``.

    python benchmarks/parity.py --blocks 30

Each block measures one point four times, in an order that changes from block to block: twice with ``lmcache
bench l2``, once with l2sweep in a new interpreter, once in a forked process. The ratio of a block is our
median round divided by the median round of upstream's first run. Printed is the geometric mean of the ratios
of all blocks with its 95 % interval: percentile bootstrap over blocks (Efron and Tibshirani, "An Introduction
to the Bootstrap", 1993, chapter 13). The line "upstream again" shows how two runs of the same code differ
on this machine. A ratio agrees if its interval is within 0.97 to 1.03, or contains 1 where upstream's own
interval is not within these limits either. Nothing is asserted: these machines are noisy.

The payload differs, and this is part of the comparison: l2sweep stores different bytes for every key and
round, ``lmcache bench l2`` fills a key with one byte value, the same in every round.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from l2sweep.bench.adapter.lmcache_log import quiet_environment
from l2sweep.bench.job import PHASES, Job
from l2sweep.bench.messages import Finished, Refused, RoundMeasured
from l2sweep.bench.workload import Workload
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.fresh import bench_environment
from l2sweep.process.starter import ProcessStarter, StartProcess

ALIGN_BYTES = 4096
LOG_LEVEL = "WARNING"
RUN_DEADLINE_S = 120.0
LOWEST_RATIO, HIGHEST_RATIO = 0.97, 1.03
BOOTSTRAP_SAMPLES = 10_000
UPSTREAM_MAIN = "import sys; from lmcache.cli.main import main; sys.exit(main())"
UPSTREAM_ROUND = re.compile(rb"^  \[(\w+)\] Round (\d+): ([\d.]+) ms, \w+=(\d+)/\d+$", re.MULTILINE)
NAMESPACE = "l2sweep-key"  # as long as upstream's "bench-model", so that file names are equally long

Durations = dict[str, list[float]]
"""The durations of the measured rounds in milliseconds, by phase."""


@dataclass(frozen=True)
class Case:
    """A point that all sides measure.

    Attributes:
        name: Name in the table.
        spec: Adapter spec, without the folder of a file adapter.
        parent_folder: Folder in which each run gets an empty folder; None if the adapter needs no folder.
        in_flight: Submits in a round.
        runs: The durations of each run so far, by side.
    """

    name: str
    spec: Mapping[str, Any]
    parent_folder: Path | None
    in_flight: int
    runs: dict[str, list[Durations]] = field(default_factory=dict)


Measure = Callable[[dict[str, Any], Case, argparse.Namespace], Durations]
"""One process that stores, looks up and loads: the spec with its folder, the case, the options."""


def main() -> None:
    """Run every case in blocks and print the table."""
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the folders are removed
    # Upstream fills its buffers with torch just before the clock starts. Without this, OpenMP threads that
    # wait for more work keep a processor busy during its rounds: its loads take up to a third longer.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    start_s = time.monotonic()
    with (
        work_folder("/dev/shm") as shared_memory,
        work_folder(options.disk_folder) as disk,
        ProcessStarter("forkserver") as forked,
        ProcessStarter("spawn") as spawned,
    ):
        cases = all_cases(options, shared_memory, disk)
        sides: dict[str, Measure] = {
            "upstream": measure_upstream,
            "upstream again": measure_upstream,
            "fresh": l2sweep_measure(spawned.start),
            "forked": l2sweep_measure(forked.start),
        }
        orders = itertools.cycle(itertools.permutations(sides))
        # Block by block, not case by case, so that a slow minute of the machine affects all cases equally.
        for block in range(options.blocks):
            for case in cases:
                for name in next(orders):
                    case.runs.setdefault(name, []).append(measure_once(sides[name], case, options))
            print(
                f"block {block + 1} of {options.blocks}: {time.monotonic() - start_s:.0f} s", file=sys.stderr
            )
    print_table(cases, options)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--blocks", type=int, default=30, help="runs of each side (default: 30)")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[4], help="default: 4")
    parser.add_argument("--num-keys", type=int, default=32, help="keys in a submit (default: 32)")
    parser.add_argument("--data-size-kb", type=int, default=256, help="KiB of a key (default: 256)")
    parser.add_argument("--rounds", type=int, default=10, help="measured rounds of a run (default: 10)")
    parser.add_argument("--warmup-rounds", type=int, default=2, help="rounds before them (default: 2)")
    parser.add_argument(
        "--adapters",
        nargs="+",
        default=["mock", "fs-tmpfs"],
        help="mock, fs-tmpfs, fs-disk; default: the first two",
    )
    parser.add_argument(
        "--disk-folder",
        type=Path,
        default=Path.cwd().parent,
        help="folder on a real disk, for temporary folders (default: the parent of the current directory)",
    )
    options = parser.parse_args()
    if min(options.blocks, options.rounds, options.num_keys, options.data_size_kb, *options.in_flight) < 1:
        parser.error("--blocks, --rounds, --num-keys, --data-size-kb and --in-flight must be at least 1")
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


def measure_once(measure: Measure, case: Case, options: argparse.Namespace) -> Durations:
    """Run one side in an empty folder, with keys that were never stored before."""
    if case.parent_folder is None:
        return measure(dict(case.spec), case, options)
    with work_folder(case.parent_folder) as folder:
        return measure({**case.spec, "base_path": str(folder)}, case, options)


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


def l2sweep_measure(start: StartProcess) -> Measure:
    """Return a function that runs a benchmark process of l2sweep.

    Args:
        start: Starts the process: forked, or in a new interpreter.
    """

    def measure(spec: dict[str, Any], case: Case, options: argparse.Namespace) -> Durations:
        output: list[bytes] = []
        durations_ms: Durations = {phase: [] for phase in PHASES}
        problem = "the process ended without a result"
        limits = ProcessLimits(RUN_DEADLINE_S, lmcache_log_level=LOG_LEVEL)
        process = start(l2sweep_job(spec, case, options), limits, output.append)
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
            text = b"".join(output).decode(errors="replace")
            raise SystemExit(f"l2sweep, {case.name}: {problem}\n{text}")
        return durations_ms

    return measure


def l2sweep_job(spec: dict[str, Any], case: Case, options: argparse.Namespace) -> Job:
    """Return the job that measures what upstream measures."""
    return Job(
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
        namespace=NAMESPACE,
        fresh_namespace=True,
        verify=False,
        delete_before=False,
        delete_after=False,
        timeout_s=dict.fromkeys(PHASES, RUN_DEADLINE_S),
        keys_stored=True,
    )


def print_table(cases: list[Case], options: argparse.Namespace) -> None:
    """Print one line per case, phase and side."""
    print(
        f"{options.num_keys} keys x in flight x {options.data_size_kb} KiB, {options.blocks} blocks of "
        f"{options.rounds} rounds: median in ms, ratio to upstream's first run with its 95 % interval"
    )
    print(f"{'adapter':9} {'in flight':>9} {'phase':7} {'side':15} {'ms':>9} {'ratio':>7}  interval")
    for case in cases:
        for phase in PHASES:
            medians = {side: [median_ms(run[phase]) for run in runs] for side, runs in case.runs.items()}
            upstream = medians["upstream"]
            intervals = {
                side: ratio_interval(medians[side], upstream) for side in medians if side != "upstream"
            }
            own_low, _, own_high = intervals["upstream again"]
            for side, (low, ratio, high) in intervals.items():
                is_within = low >= LOWEST_RATIO and high <= HIGHEST_RATIO
                upstream_is_wide = own_low < LOWEST_RATIO or own_high > HIGHEST_RATIO
                agrees = is_within or (upstream_is_wide and low <= 1 <= high)
                verdict = "" if side == "upstream again" else "agrees" if agrees else "DIFFERS"
                ours_ms = statistics.median(medians[side])
                print(
                    f"{case.name:9} {case.in_flight:>9} {phase:7} {side:15} {ours_ms:9.3f} {ratio:7.3f}"
                    f"  {low:.3f} to {high:.3f}  {verdict}".rstrip()
                )


def ratio_interval(ours_ms: Sequence[float], theirs_ms: Sequence[float]) -> tuple[float, float, float]:
    """Return the geometric mean of the ratios of all blocks, between the limits of its 95 % interval.

    Args:
        ours_ms: The median of each block.
        theirs_ms: The median of the other side, in the same blocks.
    """
    logarithms = np.log(np.asarray(ours_ms) / np.asarray(theirs_ms))
    chosen = np.random.default_rng(0).integers(len(logarithms), size=(BOOTSTRAP_SAMPLES, len(logarithms)))
    low, high = np.percentile(logarithms[chosen].mean(axis=1), [2.5, 97.5])
    return float(np.exp(low)), float(np.exp(logarithms.mean())), float(np.exp(high))


def median_ms(durations_ms: list[float]) -> float:
    """Return the median of durations that are rounded to two decimals, as upstream prints them.

    A step of two decimals is several percent of a short lookup, so the median is interpolated in the step.
    """
    return statistics.median_grouped([round(duration_ms, 2) for duration_ms in durations_ms], 0.01)


if __name__ == "__main__":
    main()
