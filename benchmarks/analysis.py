"""Measure how fast records are read, and how much memory that takes.

    python benchmarks/analysis.py --points 10000

Writes rounds with l2sweep's writer: 102 rows for each point, in sweeps of 1,000 points, at least two of them.
They are compacted, and read for a summary, for one phase, for one sweep and for a list of the sweeps, and by
the commands ``list``, ``summary`` and ``compare``, each in a new process, beside a plain ``pd.read_parquet``
of the same columns. Goal: at most twice its time. The time of a command includes its imports, and that of the
plain read does not.

The report of a sweep of 1,000 points is made in a new process. Goals: under 10 s and under 2 MB.

Then the files of a sweep of 1,000 points before its compaction are read as releases before compaction read
them, and its compacted file as now. Goal: at least 5 times faster.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import l2sweep
from l2sweep.records.files import file_stem
from l2sweep.records.schema import PHASES
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.writer import get_ready_to_write, write_point

ROOT = Path(l2sweep.__file__).resolve().parent.parent
POINTS_OF_A_SWEEP = 1_000
ROUNDS = 33  # of each phase, and a warm-up
TEXTS = ("sweep_id", "point_id", "phase", "status", "cache_state", "adapter_type")
NUMBERS = ("point_index", "attempt", "repeat", "num_keys", "in_flight", "data_size_kb", "is_warmup")
MEASURED = ("duration_s", "elapsed_s", "bytes_ok", "keys_ok", "keys_requested", "submit_latency_s")
SUMMARY = [*TEXTS, *NUMBERS, *MEASURED]
LISTED = [
    "sweep_id",
    "sweep_name",
    "point_index",
    "attempt",
    "status",
    "adapter_type",
    "started_at",
    "wall_s",
]
# As releases before compaction read their files. FOLDER is the folder of a data set.
BEFORE = """
import pyarrow.dataset as ds
from l2sweep.records import schema
files = sorted(map(str, Path({folder!r}).rglob("*.parquet")))
def read():
    table = ds.dataset(files, schema=schema.ROUNDS, format="parquet").to_table()
    table.validate(full=True)
    return table.to_pandas()
"""
# Runs a command as the command line does, with its imports, and returns nothing: its output is not kept.
COMMAND = """
import contextlib, io
def command(*arguments):
    from l2sweep.cli.command_group import run_command
    with contextlib.redirect_stdout(io.StringIO()):
        run_command(arguments)
    return ()
"""
PROCESS = """
import json, sys, time
from pathlib import Path
{prepare}
begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
rows = len({read})
wall_s, cpu_s = time.perf_counter() - begin_s, time.process_time() - begin_cpu_s
# Not ru_maxrss, which a process inherits: getrusage(2). VmHWM: proc_pid_status(5).
peak_kib = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({{"rows": rows, "wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": peak_kib / 1024}}))
"""


def write_sweep(results_dir: Path, number: int, points: int, rounds: int = ROUNDS) -> str:
    """Write a sweep with a file for each point, and return its id."""
    chance = random.Random(number)
    began = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    sweep_id = f"{began:%Y%m%dT%H%M%SZ}-{number:04x}"
    (results_dir / "sweeps" / sweep_id).mkdir(parents=True)
    for index in range(points):
        point = _point(sweep_id, index, began + timedelta(seconds=index))
        rows = [_round(point, phase, one + 1, chance) for phase in PHASES for one in range(rounds + 1)]
        write_point(results_dir, file_stem(sweep_id, index, 1), rows, [_process(point)])
    return sweep_id


def _point(sweep_id: str, index: int, started_at: datetime) -> dict[str, Any]:
    spec = {"type": "fs_native", "base_path": "/mnt/nvme/l2sweep", "num_workers": 1 << index % 5}
    return {
        "sweep_id": sweep_id,
        "sweep_name": "nightly",
        "point_id": f"{index // 3:016x}",
        "point_index": index,
        "repeat": index % 3,
        "attempt": 1,
        "adapter_type": "fs_native",
        "adapter_spec": json.dumps({**spec, "use_odirect": index % 2 == 0}),
        "num_keys": 16,
        "in_flight": 1 << index % 6,
        "data_size_kb": 256 << index % 4,
        "lookup_max_hit_rate": 1.0,
        "rounds": ROUNDS,
        "warmup_rounds": 1,
        "namespace": f"l2sweep-{index:016x}-{sweep_id}-{index}-1-abcdef",
        "seed": 7,
        "host": "bench-01",
        "lmcache_version": "0.5.6",
        "started_at": started_at,
    }


def _round(point: dict[str, Any], phase: str, number: int, chance: random.Random) -> dict[str, Any]:
    duration_s = chance.lognormvariate(-4, 0.3)
    moved = 0 if phase == "lookup" else 16 * point["data_size_kb"] * 1024
    return {
        **point,
        "phase": phase,
        "round": number,
        "is_warmup": number == 1,
        "status": "ok",
        "started_at": point["started_at"] + timedelta(milliseconds=20 * number),
        "duration_s": duration_s,
        "elapsed_s": duration_s,
        "keys_requested": 16,
        "keys_expected": 16,
        "keys_ok": 16,
        "bytes_requested": moved,
        "bytes_ok": moved,
        "submit_latency_s": [duration_s * chance.random() for _ in range(4)],
        "cpu_user_s": duration_s / 3,
        "cpu_sys_s": duration_s / 2,
        "device_read_bytes": moved,
        "cache_state": "cold" if phase == "load" else None,
    }


def _process(point: dict[str, Any]) -> dict[str, Any]:
    environment = {"kernel": "Linux 6.8.0-40-generic", "cpu_model": "AMD EPYC 9354 32-Core Processor"}
    return {
        **point,
        **environment,
        "phase": "all",
        "status": "ok",
        "exit_code": 0,
        "isolation": "forkserver",
        "wall_s": 2.5,
        "peak_rss_bytes": 1 << 31,
        "overrides": ["num_keys=16", f"in_flight={point['in_flight']}"],
        "mount_options": "rw,relatime,errors=remount-ro",
        "fs_type": "ext4",
    }


def measured(prepare: str, read: str, repeats: int = 1) -> dict[str, float]:
    """Return the median times and the median peak memory of an expression in new processes."""
    code = PROCESS.format(prepare=prepare, read=read)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE
            ).stdout
        )
        for _ in range(repeats)
    ]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def compare_reads(results_dir: Path, sweep_id: str, repeats: int) -> None:
    """Print the time and the memory of each reader beside those of a plain read of the same columns."""
    plain = "import pandas as pd"
    ours = "import pandas, l2sweep\nfrom l2sweep.records import reader, sweeps"
    light = "from l2sweep.records.reading.without_pandas import keep_pandas_out\nkeep_pandas_out()\n"
    rounds = f"pd.read_parquet('{results_dir}/rounds', columns={SUMMARY}"
    points = f"pd.read_parquet('{results_dir}/points', columns={LISTED})"
    one_sweep = f"pd.read_parquet('{results_dir}/rounds/{sweep_id}', columns={SUMMARY})"
    loads = f"l2sweep.load_rounds('{results_dir}', columns={SUMMARY}"
    table = f"reader.rounds_table('{results_dir}', columns={SUMMARY}"
    four = "filters=[('in_flight', '==', 4)]"
    listed = f"sweeps.list_sweeps('{results_dir}')"
    newer, older = f"latest~0..{_newest_half(results_dir) - 1}", f"latest~{_newest_half(results_dir)}..99999"
    pairs = [
        ("columns of a summary", ours, f"{loads})", f"{rounds})"),
        ("the same as an Arrow table", light + ours.partition("\n")[2], f"{table})", f"{rounds})"),
        ("one phase", ours, f"{loads}, phase='load')", f"{rounds}, filters=[('phase', '==', 'load')])"),
        ("one sweep", ours, f"{loads}, sweep=['{sweep_id}'])", one_sweep),
        (
            "a condition",
            ours,
            f"{loads}, where='in_flight == 4')",
            f"{rounds}, {four})",
        ),
        ("list of the sweeps", light + ours.partition("\n")[2], listed, points),
        ("command list", COMMAND, f"command('list', '--results-dir={results_dir}')", points),
        (
            "command summary",
            COMMAND,
            f"command('summary', 'latest~0..99999', '--results-dir={results_dir}')",
            f"{rounds})",
        ),
        (
            "command compare, two halves",
            COMMAND,
            f"command('compare', '{older}', '{newer}', '--results-dir={results_dir}')",
            f"{rounds})",
        ),
    ]
    print(f"{'':28} {'rows':>9} {'s':>7} {'CPU s':>7} {'MiB':>7}   plain s  CPU s   MiB   ratio of s")
    for name, prepare, read, plain_read in pairs:
        both = [(measured(prepare, read), measured(plain, plain_read)) for _ in range(repeats)]
        own, other = (
            {name: statistics.median(one[name] for one in side) for name in side[0]}
            for side in zip(*both, strict=True)
        )
        print(
            f"{name:28} {own['rows']:9.0f} {own['wall_s']:7.3f} {own['cpu_s']:7.3f} {own['peak_mib']:7.0f}"
            f"   {other['wall_s']:7.3f} {other['cpu_s']:6.3f} {other['peak_mib']:5.0f}"
            f"   {own['wall_s'] / other['wall_s']:.2f}"
        )


def report_of_a_sweep(results_dir: Path, sweep_id: str, repeats: int) -> None:
    """Print how long the command ``report`` takes, its memory, and the size of the page and of its data."""
    page, data = results_dir.parent / "report.html", results_dir.parent / "report.json"
    for name, arguments in (("page", f"'-o', '{page}'"), ("data alone", f"'--json', '{data}'")):
        read = f"command('report', '{sweep_id}', {arguments}, '--results-dir={results_dir}')"
        found = measured(COMMAND, read, repeats)
        print(
            f"command report, {name:10} {found['wall_s']:7.3f} s, {found['cpu_s']:.3f} s of CPU, "
            f"{found['peak_mib']:.0f} MiB of memory"
        )
    print(
        f"report of {POINTS_OF_A_SWEEP} points: page {page.stat().st_size / 1e6:.2f} MB, "
        f"data {data.stat().st_size / 1e6:.2f} MB"
    )


def _newest_half(results_dir: Path) -> int:
    return max(1, len(list((results_dir / "rounds").iterdir())) // 2)


def compare_compaction(folder: Path, repeats: int) -> None:
    """Print how much faster a sweep of 1,000 points with 6 rounds is read than before it was compacted."""
    results_dir = folder / "small"
    sweep_id = write_sweep(results_dir, 1, 1_000, rounds=2)
    size = _mib(results_dir)
    before = measured(BEFORE.format(folder=str(results_dir / "rounds")), "read()", repeats)
    begin_s = time.perf_counter()
    compact_sweep(results_dir, sweep_id)
    compaction_s = time.perf_counter() - begin_s
    now = measured("import pandas, l2sweep", f"l2sweep.load_rounds('{results_dir}')", repeats)
    print(
        f"\n1,000 points, {now['rows']:.0f} rows: {size:.1f} MiB in 2,000 files, "
        f"compacted in {compaction_s:.2f} s to {_mib(results_dir):.2f} MiB\n"
        f"read before in {before['wall_s']:.3f} s ({before['cpu_s']:.3f} s of CPU), "
        f"now in {now['wall_s']:.3f} s ({now['cpu_s']:.3f} s of CPU): "
        f"{before['wall_s'] / now['wall_s']:.1f} times faster"
    )


def _mib(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*.parquet")) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", help="where a temporary folder is made")
    options = parser.parse_args()
    get_ready_to_write()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        results_dir = Path(name) / "results"
        begin_s = time.perf_counter()
        sweeps = -(-options.points // POINTS_OF_A_SWEEP)
        ids = [
            write_sweep(results_dir, number, min(POINTS_OF_A_SWEEP, options.points))
            for number in range(sweeps)
        ]
        written_s, size = time.perf_counter() - begin_s, _mib(results_dir)
        begin_s = time.perf_counter()
        for sweep_id in ids:
            compact_sweep(results_dir, sweep_id)
        compacted_s = time.perf_counter() - begin_s
        print(
            f"{options.points} points in {sweeps} sweeps: {size:.1f} MiB written in {written_s:.0f} s, "
            f"compacted in {compacted_s:.1f} s to {_mib(results_dir):.1f} MiB"
        )
        compare_reads(results_dir, ids[-1], options.repeats)
        report_of_a_sweep(results_dir, ids[0], options.repeats)
        compare_compaction(Path(name), options.repeats)


if __name__ == "__main__":
    main()
