"""Measure how fast records are read, and how much memory that takes.

    python benchmarks/analysis.py --points 10000 --data FOLDER

Writes rounds with l2sweep's writer: 102 rows for each point, in sweeps of 1,000 points, at least two of them.
They are compacted, and read for a summary, for one phase, for one sweep and for a list of the sweeps, and by
the commands ``list``, ``summary`` and ``compare``, each in a new process, beside a plain ``pd.read_parquet``
of the same columns: a command is measured beside a read of every column that it reads. Goal: at most twice
its time. The time of a command includes its imports, and that of the plain read does not.

Then ``list`` reads many small sweeps, and the report of a sweep of 1,000 points is made in a new process
(goals: under 10 s and under 2 MB). At last, the files of a sweep of 1,000 points before its compaction are
read as releases before compaction read them, and its compacted file as now. Goal: at least 5 times faster.

With ``--data``, the records are kept, and not written again if the folder has them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from made_records import mib_of, with_sweeps, write_sweep

import l2sweep
from l2sweep.analysis.compare.rows.columns import ROUND_COLUMNS
from l2sweep.analysis.compare.rows.environment import POINT_ROW_COLUMNS
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.summary import COLUMNS_OF_POINTS, COLUMNS_OF_ROUNDS
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.writer import get_ready_to_write

ROOT = Path(l2sweep.__file__).resolve().parent.parent
POINTS_OF_A_SWEEP = 1_000
SMALL_SWEEPS = 1_000
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


def compare_reads(results_dir: Path, repeats: int) -> None:
    """Print the time and the memory of each reader beside those of a plain read of the same columns."""
    newest = max(_sweeps(results_dir), key=lambda folder: folder.name)
    sweep_id = newest.name
    ours = "import pandas, l2sweep\nfrom l2sweep.records import reader, sweeps"
    light = "from l2sweep.records.reading.without_pandas import keep_pandas_out\nkeep_pandas_out()\n"
    rounds = f"pd.read_parquet('{results_dir}/rounds', columns={SUMMARY}"
    points = f"pd.read_parquet('{results_dir}/points', columns={LISTED})"
    one_sweep = f"pd.read_parquet('{newest}', columns={SUMMARY})"
    loads = f"l2sweep.load_rounds('{results_dir}', columns={SUMMARY}"
    table = f"reader.rounds_table('{results_dir}', columns={SUMMARY}"
    four = "filters=[('in_flight', '==', 4)]"
    listed = f"sweeps.list_sweeps('{results_dir}')"
    newer, older = f"latest~0..{_newest_half(results_dir) - 1}", f"latest~{_newest_half(results_dir)}..99999"
    summary = _command("summary", results_dir, "latest~0..99999")
    of_summary = _plain_reads(results_dir, COLUMNS_OF_ROUNDS, COLUMNS_OF_POINTS)
    of_compare = _plain_reads(results_dir, (*ROUND_COLUMNS, "release"), POINT_ROW_COLUMNS)
    pairs = [
        ("columns of a summary", ours, f"{loads})", f"{rounds})"),
        ("the same as an Arrow table", light + ours.partition("\n")[2], f"{table})", f"{rounds})"),
        ("one phase", ours, f"{loads}, phase='load')", f"{rounds}, filters=[('phase', '==', 'load')])"),
        ("one sweep", ours, f"{loads}, sweep=['{sweep_id}'])", one_sweep),
        ("a condition", ours, f"{loads}, where='in_flight == 4')", f"{rounds}, {four})"),
        ("list of the sweeps", light + ours.partition("\n")[2], listed, points),
        ("command list", COMMAND, _command("list", results_dir), points),
        ("command summary", COMMAND, summary, of_summary),
        ("the same beside 19 columns", COMMAND, summary, f"{rounds})"),
        ("command compare, two halves", COMMAND, _command("compare", results_dir, older, newer), of_compare),
    ]
    _print_pairs(pairs, repeats)


def _plain_reads(results_dir: Path, of_rounds: Sequence[str], of_points: Sequence[str]) -> str:
    """Return an expression that reads columns of both data sets with pandas, and returns those of rounds."""
    reads = [
        f"pd.read_parquet('{results_dir}/{name}', columns={_stored(columns)})"
        for name, columns in (("rounds", of_rounds), ("points", of_points))
    ]
    return f"({', '.join(reads)})[0]"


def _stored(columns: Sequence[str]) -> list[str]:
    """Return columns with those in the place of the derived one from which it follows."""
    stored = [one for name in columns for one in (("fleet", "host") if name == FLEET_HOST else (name,))]
    return list(dict.fromkeys(stored))


def _command(name: str, results_dir: Path, *arguments: str) -> str:
    return f"command({', '.join(map(repr, (name, *arguments, f'--results-dir={results_dir}')))})"


def _print_pairs(pairs: Sequence[tuple[str, str, str, str]], repeats: int) -> None:
    """Print the time and the memory of reads, each beside those of a plain read."""
    print(f"{'':28} {'rows':>9} {'s':>7} {'CPU s':>7} {'MiB':>7}   plain s  CPU s   MiB   ratio of s")
    for name, prepare, read, plain in pairs:
        both = [(measured(prepare, read), measured("import pandas as pd", plain)) for _ in range(repeats)]
        own, other = (
            {name: statistics.median(one[name] for one in side) for name in side[0]}
            for side in zip(*both, strict=True)
        )
        print(
            f"{name:28} {own['rows']:9.0f} {own['wall_s']:7.3f} {own['cpu_s']:7.3f} {own['peak_mib']:7.0f}"
            f"   {other['wall_s']:7.3f} {other['cpu_s']:6.3f} {other['peak_mib']:5.0f}"
            f"   {own['wall_s'] / other['wall_s']:.2f}"
        )


def compare_lists(results_dir: Path, repeats: int) -> None:
    """Print how fast many small sweeps are listed."""
    print(f"\n{SMALL_SWEEPS:,} sweeps of a point")
    points = f"pd.read_parquet('{results_dir}/points', columns={LISTED})"
    _print_pairs([("command list", COMMAND, _command("list", results_dir), points)], repeats)


def report_of_a_sweep(results_dir: Path, folder: Path, repeats: int) -> None:
    """Print how long the command ``report`` takes, its memory, and the size of the page and of its data."""
    sweep_id = min(one.name for one in _sweeps(results_dir))
    page, data = folder / "report.html", folder / "report.json"
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
    return max(1, len(_sweeps(results_dir)) // 2)


def _sweeps(results_dir: Path) -> list[Path]:
    """Return the folders of the sweeps in ``rounds``."""
    return list((results_dir / "rounds").glob("date=*/*"))


def compare_compaction(results_dir: Path, repeats: int) -> None:
    """Print how much faster a sweep of 1,000 points with 6 rounds is read than before it was compacted."""
    sweep_id = write_sweep(results_dir, 1, 1_000, rounds=2)
    size = mib_of(results_dir)
    before = measured(BEFORE.format(folder=str(results_dir / "rounds")), "read()", repeats)
    begin_s = time.perf_counter()
    compact_sweep(results_dir, sweep_id)
    compaction_s = time.perf_counter() - begin_s
    now = measured("import pandas, l2sweep", f"l2sweep.load_rounds('{results_dir}')", repeats)
    print(
        f"\n1,000 points, {now['rows']:.0f} rows: {size:.1f} MiB in 2,000 files, "
        f"compacted in {compaction_s:.2f} s to {mib_of(results_dir):.2f} MiB\n"
        f"read before in {before['wall_s']:.3f} s ({before['cpu_s']:.3f} s of CPU), "
        f"now in {now['wall_s']:.3f} s ({now['cpu_s']:.3f} s of CPU): "
        f"{before['wall_s'] / now['wall_s']:.1f} times faster"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", help="where a temporary folder is made")
    parser.add_argument("--data", type=Path, help="a folder where the records are kept for the next run")
    options = parser.parse_args()
    get_ready_to_write()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        kept = options.data or Path(name)
        results_dir = with_sweeps(kept / f"{options.points}-points", options.points, POINTS_OF_A_SWEEP)
        compare_reads(results_dir, options.repeats)
        small = with_sweeps(kept / "small-sweeps", SMALL_SWEEPS, points_of_a_sweep=1, rounds=2)
        compare_lists(small, options.repeats)
        report_of_a_sweep(results_dir, Path(name), options.repeats)
        compare_compaction(Path(name) / "one-sweep", options.repeats)


if __name__ == "__main__":
    main()
