"""Measure every adapter of LMCache that runs here, beside ``lmcache bench l2`` and the StorageManager.

    python benchmarks/adapters.py --blocks 6

Each block measures each adapter three times, in an order that changes from block to block: with l2sweep,
with l2sweep and ``through=storage_manager``, and with ``lmcache bench l2``. Every run has an empty folder or
device and keys of its own, and l2sweep checks every byte that it loads. Servers (Redis, SeaweedFS, moto) are
started for the time of the benchmark. Printed are the medians of the blocks, the p99 of the latencies of all
load submits, and two ratios, geometric means over the blocks: l2sweep to ``lmcache bench l2``, and the
StorageManager to the adapter alone, each with its 95 % interval. A ratio above 1 takes longer. ``-`` stands
where a side cannot measure the adapter; the reason is below the table.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import parity

from l2sweep.bench.job import MOVING_PHASES, PHASES, STORAGE_MANAGER, Job
from l2sweep.bench.messages import Finished, Message, Refused, RoundMeasured
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.starter import ProcessStarter, StartProcess
from l2sweep.services.started import StartedServices
from l2sweep.sweep.checks.probe import probe_problem

MIB = 1 << 20
ALONE, MANAGED, UPSTREAM = "l2sweep", "storage manager", "lmcache bench l2"
DEVICE_MIB = 1024

MakeSpec = Callable[[Path], dict[str, Any]]
"""Returns the spec of an adapter that keeps its data in an empty folder."""


@dataclass
class Measured:
    """What one side measured of an adapter.

    Attributes:
        medians_ms: Median round of each block, by phase.
        latencies_ms: Latencies of all load submits.
        verified: Loaded keys whose bytes were checked, and those that were loaded.
        problem: Why the side cannot measure the adapter; empty if it can.
    """

    medians_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    latencies_ms: list[float] = field(default_factory=list)
    verified: list[int] = field(default_factory=lambda: [0, 0])
    problem: str = ""


def adapters(options: argparse.Namespace, services: StartedServices) -> dict[str, MakeSpec]:
    """Return how to make the spec of each adapter."""
    size = options.data_size_kb * 1024

    def device(folder: Path) -> str:
        path = folder / "device"
        with path.open("wb") as file:
            file.truncate(DEVICE_MIB * MIB)
        return str(path)

    def nixl(kind: str, **more: Any) -> MakeSpec:
        params = {"use_direct_io": "false", **more.pop("params")}
        return lambda folder: {
            "type": kind,
            "backend": "POSIX",
            **more,
            "backend_params": {"file_path": str(folder), **params},
        }

    def served(kind: str, service: str, **more: Any) -> MakeSpec:
        return lambda folder: {"type": kind, **more, **services.spec_fields(service, kind)}

    def native(folder: Path) -> dict[str, Any]:
        params = {"base_path": str(folder), "num_workers": 4}
        names = {"module_path": "lmcache.lmcache_fs", "class_name": "LMCacheFSClient"}
        return {"type": "native_plugin", **names, "adapter_params": params}

    raw = {"slot_bytes": size + 4096, "use_odirect": False, "meta_total_bytes": 16 * MIB}
    return {
        "fs": lambda folder: {"type": "fs", "base_path": str(folder)},
        "fs_native": lambda folder: {"type": "fs_native", "base_path": str(folder), "num_workers": 4},
        "mock": lambda folder: {"type": "mock", "max_size_gb": 2, "mock_bandwidth_gb": 100},
        "native_plugin": native,
        "raw_block": lambda folder: {"type": "raw_block", "device_path": device(folder), **raw},
        "dax": lambda folder: {
            "type": "dax",
            "device_path": device(folder),
            "max_dax_size_gb": DEVICE_MIB / 1024,
            "slot_bytes": size,
        },
        "nixl_store": nixl("nixl_store", pool_size=options.keys, params={"file_size": str(size)}),
        "nixl_store_dynamic": nixl("nixl_store_dynamic", params={"max_capacity_gb": "2"}),
        "resp": served("resp", "redis", num_workers=8),
        "valkey": served("valkey", "redis", num_workers=8),
        "s3, seaweedfs": served("s3", "seaweedfs"),
        "s3, moto": served("s3", "moto"),
    }


def measure(side: str, spec: dict[str, Any], options: argparse.Namespace, start: StartProcess) -> Measured:
    """Run one side once."""
    found = Measured()
    if side == UPSTREAM:
        case = parity.Case(spec["type"], spec, None, options.in_flight)
        try:
            durations = parity.measure_upstream(spec, case, options)
        except SystemExit as error:
            found.problem = str(error).strip().splitlines()[0]
            return found
        for phase, values in durations.items():
            found.medians_ms[phase].append(parity.median_ms(values))
        return found
    case = parity.Case(spec["type"], spec, None, options.in_flight)
    job = replace(
        parity.l2sweep_job(spec, case, options),
        namespace=f"l2sweep-benchmark-{os.getpid()}-{time.monotonic_ns()}",
        verify=True,
        delete_after=True,
    )
    if side == MANAGED:
        job = replace(job, through=STORAGE_MANAGER, phases=MOVING_PHASES)
    durations_ms: dict[str, list[float]] = defaultdict(list)
    for message in _messages(job, start):
        if isinstance(message, RoundMeasured) and not message.is_warmup:
            if message.duration_s is not None:
                durations_ms[message.phase].append(message.duration_s * 1000)
            if message.phase == "load":
                found.latencies_ms += [one * 1000 for one in message.submit_latency_s]
                found.verified[0] += message.verified_keys or 0
                found.verified[1] += message.keys_requested
        elif isinstance(message, Finished):
            found.problem = message.detail
        elif isinstance(message, Refused):
            found.problem = message.problem
    for phase, values in durations_ms.items():
        found.medians_ms[phase].append(parity.median_ms(values))
    return found


def _messages(job: Job, start: StartProcess) -> Iterator[Message]:
    limits = ProcessLimits(parity.RUN_DEADLINE_S, lmcache_log_level=parity.LOG_LEVEL)
    process = start(job, limits, lambda _: None)
    try:
        yield from process.messages()
    finally:
        process.end()


def print_table(results: Mapping[str, Mapping[str, Measured]]) -> None:
    """Print a line for each adapter and phase, and the reasons why a side is missing."""
    titles = f"{ALONE:>9} {MANAGED:>15} {UPSTREAM:>16}  {'l2sweep / bench l2':24} {'manager / alone':24}"
    print(f"{'adapter':19} {'phase':6} {titles} {'p99 ms':>8} verified")
    problems: dict[str, None] = {}
    for name, sides in results.items():
        for side, measured in sides.items():
            if measured.problem:
                problems[f"{name}, {side}: {measured.problem}"] = None
        alone = sides[ALONE]
        for phase in PHASES:
            medians = [_median(sides[side].medians_ms.get(phase, ())) for side in (ALONE, MANAGED, UPSTREAM)]
            ratios = [_ratio(sides, phase, ALONE, UPSTREAM), _ratio(sides, phase, MANAGED, ALONE)]
            more = ""
            if phase == "load" and alone.latencies_ms:
                p99 = float(np.quantile(alone.latencies_ms, 0.99, method="inverted_cdf"))
                more = f" {p99:8.2f} {alone.verified[0]} of {alone.verified[1]}"
            line = f"{medians[0]:>9} {medians[1]:>15} {medians[2]:>16}  {ratios[0]:24} {ratios[1]:24}{more}"
            print(f"{name:19} {phase:6} {line}".rstrip())
    for problem in problems:
        print(f"- {problem[:300]}")


def _median(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f}" if len(values) else "-"


def _ratio(sides: Mapping[str, Measured], phase: str, side: str, other: str) -> str:
    own, others = (sides[name].medians_ms.get(phase, []) for name in (side, other))
    if not own or len(own) != len(others) or min(*own, *others) <= 0:
        return "-"
    low, ratio, high = parity.ratio_interval(own, others)
    return f"{ratio:.2f} ({low:.2f} to {high:.2f})"


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--blocks", type=int, default=6, help="runs of each side (default: 6)")
    parser.add_argument("--num-keys", type=int, default=8, help="keys of a submit (default: 8)")
    parser.add_argument("--in-flight", type=int, default=2, help="submits in a round (default: 2)")
    parser.add_argument("--data-size-kb", type=int, default=256, help="KiB of a key (default: 256)")
    parser.add_argument("--rounds", type=int, default=10, help="measured rounds of a run (default: 10)")
    parser.add_argument("--warmup-rounds", type=int, default=1, help="rounds before them (default: 1)")
    parser.add_argument("--folder", default="/dev/shm", help="where data are kept (default: /dev/shm)")
    parser.add_argument("--adapters", nargs="+", help="only these")
    options = parser.parse_args()
    options.keys = options.num_keys * options.in_flight * (options.rounds + options.warmup_rounds)
    return options


def main() -> None:
    """Measure all adapters in blocks, and print the table."""
    options = parse_options()
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # see parity.py
    begin_s = time.monotonic()
    with contextlib.ExitStack() as held:
        services_folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="l2sweep-services-")))
        services = held.enter_context(StartedServices(services_folder, probe_problem))
        starter = held.enter_context(ProcessStarter("forkserver"))
        chosen = adapters(options, services)
        if options.adapters:
            chosen = {name: make for name, make in chosen.items() if name in options.adapters}
        results = {name: {side: Measured() for side in (ALONE, MANAGED, UPSTREAM)} for name in chosen}
        orders = itertools.cycle(itertools.permutations((ALONE, MANAGED, UPSTREAM)))
        for block in range(options.blocks):
            for name, make in chosen.items():
                for side in next(orders):
                    if results[name][side].problem:
                        continue
                    with parity.work_folder(options.folder) as folder:
                        _add(results[name][side], measure(side, make(folder), options, starter.start))
            print(
                f"block {block + 1} of {options.blocks}: {time.monotonic() - begin_s:.0f} s", file=sys.stderr
            )
    keys = {
        "num_keys": options.num_keys,
        "in_flight": options.in_flight,
        "data_size_kb": options.data_size_kb,
    }
    print(f"{json.dumps(keys)}, {options.blocks} blocks of {options.rounds} rounds; medians in ms")
    print_table(results)


def _add(sum_: Measured, one: Measured) -> None:
    sum_.problem = one.problem
    if one.problem:
        sum_.medians_ms.clear()
        return
    for phase, medians in one.medians_ms.items():
        sum_.medians_ms[phase] += medians
    sum_.latencies_ms += one.latencies_ms
    sum_.verified = [own + more for own, more in zip(sum_.verified, one.verified, strict=True)]


if __name__ == "__main__":
    main()
