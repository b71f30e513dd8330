"""Compare what l2sweep measures of the control adapter with theory.

    python benchmarks/clock.py --rounds 20 --service-ms 10
    chrt --fifo 10 python benchmarks/clock.py      # beside other processes: they do not run before this one

Runs the control adapter with 1, 4 and 16 submits in flight, asynchronous and synchronous (a submit blocks
until it completes), and compares the durations, the submit latencies and the throughput of its rounds with
theory (``l2sweep/analysis/control.py``). The error of a round is the difference between its duration and
theory, or the median difference of its submit latencies. Printed are the median and the largest error of all
rounds.
Goal: a median error below 100 microseconds. Nothing is asserted: these machines are noisy.

Before that, the part of the error is measured that is not l2sweep's: how long after its moment a timer of the
kernel is noticed by poll(2), with the other processors idle and nothing else to do.

The error of a duration contains the time between two submits of a round. Theory lets all submits of a round
arrive together, so the latency of a queued submit is shorter than theory by the time since the first submit.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import l2sweep
from l2sweep.analysis.control import ControlTheory
from l2sweep.bench.control.timer import Timer
from l2sweep.bench.job import PHASES

ROOT = Path(l2sweep.__file__).resolve().parent.parent
SHAPE = ["num_keys=4", "data_size_kb=64", "lookup_max_hit_rate=0.5", "skip_verify=false", "quiet=true"]
IN_FLIGHT = (1, 4, 16)
GOAL_US = 100.0
WAKE_UPS = 200


@dataclass(frozen=True)
class Errors:
    """Errors against theory in microseconds, one for each round."""

    values: Sequence[float]

    @property
    def median_us(self) -> float:
        """The median of their absolute values."""
        return float(pd.Series(self.values).abs().median())

    @property
    def max_us(self) -> float:
        """The largest absolute value."""
        return float(pd.Series(self.values).abs().max())

    def __str__(self) -> str:
        return f"{self.median_us:9.0f}{self.max_us:9.0f}"


def main() -> None:
    """Run the points and print the table."""
    options = parse_options()
    alone = Errors(wake_ups_us(WAKE_UPS, options.service_ms / 1000))
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        rounds = measure(Path(folder), options)
    print(f"{options.servers} servers, service time {options.service_ms:g} ms, {options.rounds} rounds")
    print(
        f"a timer is noticed by poll(2), median {alone.median_us:.0f} us, at most {alone.max_us:.0f} us late"
    )
    print(f"{'':30}{'duration':^38}{'submit latency':^18}{'keys/s':^18}")
    print(
        f"{'submits':13}{'in flight':>9}  {'phase':6}{'measured':>10}{'theory':>10}{'p50 us':>9}{'max us':>9}"
        f"{'p50 us':>9}{'max us':>9}{'measured':>10}{'theory':>8}"
    )
    medians = []
    for is_synchronous, in_flight, phase in itertools.product((False, True), IN_FLIGHT, PHASES):
        theory = ControlTheory(options.servers, options.service_ms / 1000, is_synchronous)
        specs = rounds["adapter_spec"].map(lambda spec: ControlTheory.of(json.loads(spec)))
        chosen = (specs == theory) & (rounds["in_flight"] == in_flight) & (rounds["phase"] == phase)
        medians += print_row(rounds[chosen], theory, in_flight, phase)
    missed = sum(median_us >= GOAL_US for median_us in medians)
    result = f"missed by {missed} of {len(medians)}" if missed else "reached"
    print(f"Goal, median errors below {GOAL_US:.0f} microseconds: {result}")


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="measured rounds of a point (default: 20)")
    parser.add_argument("--servers", type=int, default=2, help="servers of the control (default: 2)")
    parser.add_argument("--service-ms", type=float, default=10.0, help="their service time (default: 10)")
    return parser.parse_args()


def measure(folder: Path, options: argparse.Namespace) -> pd.DataFrame:
    """Return the measured rounds of all points, without those that failed.

    Raises:
        SystemExit: l2sweep measured nothing.
    """
    parameters = "adapter.adapter_params"
    sweep = [
        "-m",
        "adapter=control",
        f"in_flight={','.join(map(str, IN_FLIGHT))}",
        f"{parameters}.synchronous=false,true",
        f"{parameters}.servers={options.servers}",
        f"{parameters}.service_ms={options.service_ms}",
        f"rounds={options.rounds}",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "L2SWEEP_LOCK_DIR": str(folder)}
    command = [sys.executable, "-m", "l2sweep", *sweep, *SHAPE]
    done = subprocess.run(command, cwd=folder, env=environment)
    if done.returncode not in (0, 1):  # 1: a round failed, as when the control could not copy in time
        sys.exit(done.returncode)
    rounds = l2sweep.load_rounds(folder / "results")
    rounds = rounds[~rounds["is_warmup"]]
    failed = rounds[rounds["status"] != "ok"]
    if len(failed):
        print(f"{len(failed)} of {len(rounds)} rounds failed and are left out: {failed['detail'].iloc[0]}")
    return rounds.drop(failed.index)


def wake_ups_us(count: int, after_s: float) -> list[float]:
    """Return how many microseconds after its moment a timer is noticed.

    Args:
        count: Number of timers, one after another.
        after_s: Seconds until each of them.
    """
    timer = Timer()
    poller = select.poll()
    poller.register(timer.fileno(), select.POLLIN)
    late_us = []
    for _ in range(count):
        due_s = time.perf_counter() + after_s
        timer.set(due_s)
        poller.poll()
        late_us.append((time.perf_counter() - due_s) * 1e6)
    timer.close()
    return late_us


def print_row(rounds: pd.DataFrame, theory: ControlTheory, in_flight: int, phase: str) -> list[float]:
    """Print the row of one phase, and return the median errors of its durations and latencies."""
    expected_s = theory.duration_s(in_flight)
    durations = Errors([(duration_s - expected_s) * 1e6 for duration_s in rounds["duration_s"]])
    latencies = Errors([latency_error_us(one, theory) for one in rounds["submit_latency_s"]])
    keys = rounds["keys_ok"].median()
    print(
        f"{'synchronous' if theory.synchronous else 'asynchronous':13}{in_flight:9}  {phase:6}"
        f"{rounds['duration_s'].median() * 1000:7.2f} ms{expected_s * 1000:7.2f} ms{durations}{latencies}"
        f"{(rounds['keys_ok'] / rounds['duration_s']).median():10.1f}{keys / expected_s:8.1f}"
    )
    return [durations.median_us, latencies.median_us]


def latency_error_us(latencies_s: Sequence[float], theory: ControlTheory) -> float:
    """Return the median error of the submits of one round, whose latencies are given by position."""
    errors = [abs(latency_s - theory.latency_s(position)) for position, latency_s in enumerate(latencies_s)]
    return float(pd.Series(errors).median()) * 1e6


if __name__ == "__main__":
    main()
