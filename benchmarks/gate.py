"""Measure how often ``compare`` alarms without a reason, and how often it finds a known slowdown.

    python benchmarks/gate.py record --nights 48 --results gate-results
    python benchmarks/gate.py judge --results gate-results

``record`` runs real sweeps, one after another, as the nightly does: the grid is repeated three times, each time
in an order of its own. Besides each adapter, the same sweep measures it slowed down by a known 5, 10 and 20 %:
mock by its bandwidth, fs by an adapter that completes each store and load later (stretched_fs.py). Both keep
their data in memory.

``judge`` compares the sweeps with the same code as the command, in two designs: one sweep against the one before
it, and one sweep against the seven before it. A slowdown is a sweep in which the rows of one adapter are those of
its slowed twin, measured in the same sweep. Everything else is as it was measured. Printed are the rate of sweeps
that are alarmed without a slowdown, the rate at which a slowdown is found, and the rate at which another adapter
is blamed for it; each with its 95 % interval of Clopper and Pearson (scipy.stats.binomtest). A slowdown is found
if the adapter is called slower, in at least one of its points, or in all points of a phase together.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import l2sweep
from l2sweep.analysis.control import CONTROL, CONTROL_MODULE

ROOT = Path(l2sweep.__file__).resolve().parent.parent
SLOWDOWNS = (0.05, 0.1, 0.2)
BASE_NIGHTS = 7
SIZES_KB = (256, 1024)
DEPTHS = (1, 4)
REPEATS = 3
MOCK_BANDWIDTH_GB = 0.25


@dataclass(frozen=True)
class Variant:
    """An adapter of the grid.

    Attributes:
        adapter: ``fs``, ``mock`` or ``control``.
        slowdown: By how much it is slower than the plain one, as a share.
        spec: Its spec.
    """

    adapter: str
    slowdown: float
    spec: dict[str, object]


def variants(folder: Path) -> list[Variant]:
    """Return all adapters of the grid. ``folder`` is where fs keeps its files."""
    plugin = {"type": "plugin", "module_path": "stretched_fs", "class_name": "StretchedFS"}
    found = []
    for slowdown in (0.0, *SLOWDOWNS):
        params = {"base_path": str(folder), "stretch": slowdown}
        found.append(Variant("fs", slowdown, {**plugin, "adapter_params": params}))
        bandwidth = MOCK_BANDWIDTH_GB / (1 + slowdown)
        mock = {"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": round(bandwidth, 6)}
        found.append(Variant("mock", slowdown, mock))
    control = {"type": "plugin", "module_path": CONTROL_MODULE, "class_name": "ControlAdapter"}
    return [*found, Variant(CONTROL, 0.0, {**control, "adapter_params": {"servers": 2, "service_ms": 50}})]


def record(options: argparse.Namespace) -> None:
    """Run sweeps until there are enough."""
    results = options.results.resolve()
    results.mkdir(parents=True, exist_ok=True)
    folder = options.folder / "l2sweep-gate"
    specs = ",".join("'" + json.dumps(variant.spec) + "'" for variant in variants(folder))
    command = [
        *(sys.executable, "-m", "l2sweep", "-m", f"adapter_json={specs}", "sweep_name=gate"),
        f"data_size_kb={','.join(map(str, SIZES_KB))}",
        f"in_flight={','.join(map(str, DEPTHS))}",
        *("num_keys=4", "rounds=5", "warmup_rounds=1", "lookup_max_hit_rate=0.5", "order=interleaved"),
        # One shape is enough for the harness.
        "constraints=[\"adapter.type == 'mock' or adapter.module_path == 'stretched_fs' or data_size_kb == 256\"]",
        *(f"repeats={REPEATS}", "quiet=true", "lock=off", f"results_dir={results}"),
    ]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"}
    for night in range(options.nights):
        start_s = time.monotonic()
        done = subprocess.run([*command, f"order_seed={night}"], cwd=results, env=environment, check=False)
        if done.returncode not in (0, 1):  # 1: a point failed, and is no sample
            raise SystemExit(f"the sweep ended with exit code {done.returncode}")
        print(f"night {night + 1} of {options.nights}: {time.monotonic() - start_s:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("gate-results"))
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    record(parser.parse_args())
