"""Measure how often ``compare`` alarms without a reason, and how often it finds a known slowdown.

    python benchmarks/gate.py record --nights 48 --results gate-results
    python benchmarks/gate.py judge --results gate-results

``record`` runs real sweeps, one after another, as the nightly does: the grid is repeated three times, each
time in an order of its own. Besides each adapter, the same sweep measures it slowed down by a known 5, 10 and
20 %: mock by its bandwidth, fs by an adapter that completes each store and load later (stretched_fs.py), and
timed by its service time: it is the control adapter, measured as if it were none. All keep their data in
memory. ``record`` can be called again, and adds sweeps to the folder.

``judge`` compares the sweeps with the code of the command, in two designs: one sweep against another one, and
one sweep against seven. First each sweep is compared with the one or the seven before it. Then sweeps are
drawn from all that were recorded, without replacement, which gives more comparisons, but not independent
ones. A slowdown is a sweep in which the rows of one adapter are those of its slowed twin, measured in the
same sweep. Everything else is as it was measured. Printed are

- ``alarmed``: quiet sweeps in which anything is called slower,
- ``found``: slowed sweeps in which the slowed adapter is called slower, at a point or over all of its points,
- ``blamed``: slowed sweeps in which something else is called slower,

each with its 95 % interval of Clopper and Pearson (scipy.stats.binomtest), and the median of the found ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

import l2sweep
from l2sweep.analysis.compare.comparison import LEVEL, compare_tables
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.columns import ROUND_COLUMNS
from l2sweep.analysis.control import CONTROL, CONTROL_MODULE

ROOT = Path(l2sweep.__file__).resolve().parent.parent
SLOWDOWNS = (0.05, 0.1, 0.2)
ADAPTERS = ("fs", "mock", "timed")
SIZES_KB = (256, 1024)
DEPTHS = (1, 4)
REPEATS = 3  # as in conf/experiment/nightly_cold.yaml
BASE_NIGHTS = 7
MOCK_BANDWIDTH_GB = 0.2  # the harness takes a small share of a round
TIMED_MS, CONTROL_MS = 25, 50
# mock is a control in nights of earlier releases. Here it is an adapter that is measured.
CONTROLS = {CONTROL: "harness"}
ONE_SHAPE = (  # is enough for the harness
    "adapter.type == 'mock' or adapter.module_path == 'stretched_fs' or data_size_kb == 256 "
    f"or adapter.adapter_params.service_ms != {CONTROL_MS}"
)


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


def variants(adapters: Sequence[str], folder: Path) -> list[Variant]:
    """Return all adapters of the grid. ``folder`` is where fs keeps its files."""
    control = {"type": "plugin", "module_path": CONTROL_MODULE, "class_name": "ControlAdapter"}
    stretched = {"type": "plugin", "module_path": "stretched_fs", "class_name": "StretchedFS"}
    found = []
    for slowdown in (0.0, *SLOWDOWNS):
        params = {"base_path": str(folder), "stretch": slowdown}
        found.append(Variant("fs", slowdown, {**stretched, "adapter_params": params}))
        bandwidth_gb = round(MOCK_BANDWIDTH_GB / (1 + slowdown), 6)
        mock = {"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": bandwidth_gb}
        found.append(Variant("mock", slowdown, mock))
        timed = {"servers": 2, "service_ms": TIMED_MS * (1 + slowdown)}
        found.append(Variant("timed", slowdown, {**control, "adapter_params": timed}))
    harness = Variant(CONTROL, 0.0, {**control, "adapter_params": {"servers": 2, "service_ms": CONTROL_MS}})
    return [*(one for one in found if one.adapter in adapters), harness]


def record(options: argparse.Namespace) -> None:
    """Run sweeps, one after another."""
    results = options.results.resolve()
    results.mkdir(parents=True, exist_ok=True)
    specs = ",".join(
        f"'{json.dumps(one.spec)}'" for one in variants(options.adapters, options.folder / "l2sweep-gate")
    )
    command = [
        *(sys.executable, "-m", "l2sweep", "-m", f"adapter_json={specs}", "sweep_name=gate"),
        f"data_size_kb={','.join(map(str, SIZES_KB))}",
        f"in_flight={','.join(map(str, DEPTHS))}",
        f'constraints=["{ONE_SHAPE}"]',
        *(
            f"num_keys={options.num_keys}",
            "rounds=5",
            "warmup_rounds=1",
            "lookup_max_hit_rate=0.5",
            "order=interleaved",
        ),
        *("order=interleaved", f"repeats={REPEATS}", "quiet=true", "lock=off", f"results_dir={results}"),
    ]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"}
    for night in range(options.nights):
        start_s = time.monotonic()
        done = subprocess.run([*command, f"order_seed={night}"], cwd=results, env=environment, check=False)
        if done.returncode not in (0, 1):  # 1: a point failed, and is no sample
            raise SystemExit(f"the sweep ended with exit code {done.returncode}")
        print(f"night {night + 1} of {options.nights}: {time.monotonic() - start_s:.0f} s", file=sys.stderr)


@dataclass(frozen=True)
class Night:
    """The rounds of a sweep by adapter and slowdown, as tables whose twins have the same ids."""

    rows: dict[tuple[str, float], pa.Table]

    def slowed(self, adapter: str, slowdown: float) -> pa.Table:
        """Return the sweep with the rows of one slowed adapter instead of the plain one."""
        chosen = [(CONTROL, 0.0), *((name, slowdown if name == adapter else 0.0) for name in ADAPTERS)]
        return pa.concat_tables([self.rows[key] for key in chosen if key in self.rows])


def nights_of(results: Path) -> list[Night]:
    """Return the complete sweeps of a folder, oldest first."""
    frame = l2sweep.load_rounds(results, columns=list(ROUND_COLUMNS))
    specs = {text: _variant(json.loads(text)) for text in frame["adapter_spec"].unique()}
    frame["variant"] = frame["adapter_spec"].map(specs)
    shape = frame["data_size_kb"].astype(str) + "-" + frame["in_flight"].astype(str)
    frame["point_id"] = frame["variant"].map(lambda variant: variant[0]) + "-" + shape
    adapters = {variant[0] for variant in specs.values()} - {CONTROL}
    processes = len(adapters) * (1 + len(SLOWDOWNS)) * len(SIZES_KB) * len(DEPTHS) * REPEATS
    found = []
    for _, sweep in frame.groupby("sweep_id", sort=False):
        if sweep[sweep["variant"].map(lambda one: one[0] != CONTROL)]["point_index"].nunique() < processes:
            continue  # it was stopped
        rows = {}
        for variant, own in sweep.groupby("variant"):
            table = pa.Table.from_pandas(own[list(ROUND_COLUMNS)], preserve_index=False)
            name = pa.array([variant[0]] * len(table), pa.large_string())
            if variant[0] != CONTROL:  # the control is known by its spec
                table = table.set_column(table.column_names.index("adapter_type"), "adapter_type", name)
            rows[variant] = table
        found.append(Night(rows))
    return found


def _variant(spec: dict[str, object]) -> tuple[str, float]:
    params = spec.get("adapter_params", {})
    assert isinstance(params, dict)
    if spec["type"] == "mock":
        return "mock", round(MOCK_BANDWIDTH_GB / float(str(spec["mock_bandwidth_gb"])) - 1, 3)
    if "stretch" in params:
        return "fs", float(params["stretch"])
    if params["service_ms"] == CONTROL_MS:
        return CONTROL, 0.0
    return "timed", round(params["service_ms"] / TIMED_MS - 1, 3)


def designs(number: int, draws: int) -> Iterator[tuple[str, list[tuple[list[int], int]]]]:
    """Yield the designs: a name, and for each comparison the sweeps of the base and the candidate.

    Args:
        number: Number of recorded sweeps.
        draws: Number of comparisons whose sweeps are drawn.
    """
    generator = np.random.default_rng(1)
    for size in (1, BASE_NIGHTS):
        if number <= size:
            continue
        in_order = [(list(range(night - size, night)), night) for night in range(size, number)]
        yield f"1 against the {size} before", in_order
        drawn = [generator.choice(number, size + 1, replace=False).tolist() for _ in range(draws)]
        yield f"1 against {size}, drawn", [(sorted(chosen[1:]), chosen[0]) for chosen in drawn]


def judge(options: argparse.Namespace) -> None:
    """Compare the recorded sweeps, and print the rates."""
    nights = nights_of(options.results)
    print(f"{len(nights)} sweeps; alarmed, found and blamed with their 95 % intervals")
    print(f"{'design':24} {'slowed':10} {'n':>4}  {'alarmed or found':28} {'blamed':28} ratio")
    for design, comparisons in designs(len(nights), options.draws):
        quiet = [_compare(nights, base, nights[one].slowed("", 0.0), options) for base, one in comparisons]
        alarmed = [result.verdict == "slower" for result in quiet]
        print(f"{design:24} {'nothing':10} {len(quiet):4}  {rate(alarmed):28}")
        for slowdown in SLOWDOWNS:
            for adapter in sorted({name for name, _ in nights[0].rows} - {CONTROL}):
                slowed = [
                    _compare(nights, base, nights[one].slowed(adapter, slowdown), options)
                    for base, one in comparisons
                ]
                found = [any(_names(result, adapter, own=True)) for result in slowed]
                blamed = [any(_names(result, adapter, own=False)) for result in slowed]
                totals = [total for one in slowed for total in one.totals if _is_of(total, adapter)]
                ratio = np.median([total.ratio for total in totals])
                name = f"{adapter} {slowdown:.0%}"
                rates = f"{rate(found):28} {rate(blamed):28}"
                print(f"{design:24} {name:10} {len(slowed):4}  {rates} {ratio:.3f}", flush=True)


def _compare(
    nights: Sequence[Night], base: Sequence[int], candidate: pa.Table, options: argparse.Namespace
) -> ComparisonResult:
    earlier = pa.concat_tables([nights[one].slowed("", 0.0) for one in base])
    return compare_tables([earlier, candidate], controls=CONTROLS, level=options.level)


def _is_of(total: object, adapter: str) -> bool:
    """Return whether it is slowed: all phases of timed, and what moves data of the others."""
    is_slowed_phase = adapter == "timed" or getattr(total, "phase", "") != "lookup"
    return getattr(total, "adapter", "") == adapter and is_slowed_phase


def _names(result: ComparisonResult, adapter: str, *, own: bool) -> Iterator[bool]:
    """Yield for each finding whether it concerns the slowed adapter, or another one."""
    for one in (*result.totals, *(point for point in result.points)):
        if one.verdict == "slower":
            place = one if hasattr(one, "adapter") else one.point
            yield _is_of(place, adapter) == own


def rate(events: Sequence[bool]) -> str:
    """Return a rate with its 95 % interval."""
    from scipy.stats import binomtest

    number = int(np.sum(events))
    interval = binomtest(number, len(events)).proportion_ci(0.95, "exact")
    return f"{number / len(events):.3f} ({interval.low:.3f} to {interval.high:.3f})"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["record", "judge"])
    parser.add_argument("--results", type=Path, default=Path("gate-results"))
    parser.add_argument("--nights", type=int, default=48, help="sweeps to record (default: 48)")
    parser.add_argument(
        "--adapters", nargs="+", choices=ADAPTERS, default=["fs", "mock"], help="default: fs mock"
    )
    parser.add_argument("--num-keys", type=int, default=4, help="keys of a submit (default: 4)")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where fs keeps its files")
    parser.add_argument("--draws", type=int, default=200, help="comparisons of drawn sweeps (default: 200)")
    parser.add_argument("--level", type=float, default=LEVEL, help=f"false discovery rate (default: {LEVEL})")
    options = parser.parse_args()
    {"record": record, "judge": judge}[options.what](options)


if __name__ == "__main__":
    main()
