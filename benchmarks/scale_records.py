"""Measure how fast the records of a fleet are read: a night, and a point over all nights.

    python benchmarks/scale_records.py --nights 30 --hosts 318 --points 100 --data FOLDER

Writes a sweep for each night (21 rounds for each point and host: 20 million rows by default) in the layout of
today, and asks two questions with l2sweep and with DuckDB, each in a new process, in turn:

- the summary of the latest night: a row for each point and phase, with the median of the processes, the
  throughput, and percentiles of the durations and of the latencies of the submits;
- one point over all nights: a row for each night and phase, with the same numbers.

Both sides compute the same numbers, which are compared. The time does not include imports. DuckDB gets the
paths of the Hive partition, and prunes the nights by ``date``. Bytes that are read are ``rchar`` of
/proc/self/io (proc_pid_io(5)): what read(2) returned, from the page cache or the disk. The data are in the
page cache, as they were written just before.

With ``--data``, the records are kept, and not written again if the folder has them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from made_fleet import Fleet

import l2sweep

ROOT = Path(l2sweep.__file__).resolve().parent.parent
LARGEST_BYTES = 8e9
BYTES_OF_A_ROW = 120  # with the columns that made_fleet fills
NUMBERS = ("processes", "median_s", "mib_per_s", "p50_s", "submit_p50_s")

PROCESS = """
import json, sys, time
from pathlib import Path
{prepare}
def read_bytes():
    return next(int(line.split()[1]) for line in open("/proc/self/io") if line.startswith("rchar"))
begin_bytes, begin_s, begin_cpu_s = read_bytes(), time.perf_counter(), time.process_time()
rows = {ask}
wall_s, cpu_s = time.perf_counter() - begin_s, time.process_time() - begin_cpu_s
num_bytes = read_bytes() - begin_bytes
peak_kib = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
numbers = dict(wall_s=wall_s, cpu_s=cpu_s, read_mb=num_bytes / 1e6, peak_mib=peak_kib / 1024)
print(json.dumps([rows, numbers]))
"""
OURS = f"""
import l2sweep, pandas
from l2sweep.analysis.summary import COLUMNS_OF_POINTS, COLUMNS_OF_ROUNDS
def numbers(summary, by):
    shown = summary[[*by, *{NUMBERS}]].astype(object)
    return shown.where(shown.notna(), None).values.tolist()
def night(results_dir):
    rounds = l2sweep.load_rounds(results_dir, sweep="latest", columns=COLUMNS_OF_ROUNDS)
    points = l2sweep.load_points(results_dir, sweep="latest", columns=COLUMNS_OF_POINTS)
    return numbers(l2sweep.summarize(rounds, points=points), ["point_id", "phase"])
def point(results_dir, point_id):
    rounds = l2sweep.load_rounds(results_dir, columns=COLUMNS_OF_ROUNDS, where=f"point_id == '{{point_id}}'")
    return numbers(l2sweep.summarize(rounds, by=["sweep_id"]), ["sweep_id", "phase"])
"""
# As the command line does, without its imports.
COMMAND = """
import contextlib, io
import l2sweep.cli.commands.summary
from l2sweep.cli.command_group import run_command
def night(results_dir):
    with contextlib.redirect_stdout(io.StringIO()):
        run_command(["summary", "latest", "--results-dir", results_dir])
    return None
"""
DUCKDB = """
import duckdb
duckdb.sql("SET enable_progress_bar = false")
QUERY = '''
WITH measured AS (
    SELECT * FROM read_parquet('{results_dir}/rounds/date=*/**/*.parquet', hive_partitioning = true)
    WHERE NOT is_warmup AND {where}
), of_process AS (
    SELECT {by}, phase, sweep_id, point_index, attempt, median(duration_s) AS median_s
    FROM measured GROUP BY ALL
), of_group AS (
    SELECT {by}, phase, count(*) AS processes, median(median_s) AS median_s FROM of_process GROUP BY ALL
), of_rounds AS (
    SELECT {by}, phase, sum(bytes_ok) / 1048576.0 / sum(duration_s) AS mib_per_s,
           median(duration_s) AS p50_s, quantile_disc(duration_s, [0.95, 0.99]) AS more_s
    FROM measured GROUP BY ALL
), of_submits AS (
    SELECT {by}, phase, median(latency_s) AS submit_p50_s,
           quantile_disc(latency_s, [0.95, 0.99]) AS more_submits_s
    FROM (SELECT {by}, phase, unnest(submit_latency_s) AS latency_s FROM measured) GROUP BY ALL
)
SELECT {by}, phase, processes, median_s, if(phase = 'lookup', NULL, mib_per_s),
       p50_s, submit_p50_s, more_s, more_submits_s
FROM of_group JOIN of_rounds USING ({by}, phase) JOIN of_submits USING ({by}, phase)
'''
def ask(**parts):
    return [list(row[:-2]) for row in duckdb.sql(QUERY.format(**parts)).fetchall()]
def night(results_dir):
    dates = sorted(path.name.removeprefix("date=") for path in Path(results_dir, "rounds").iterdir())
    return ask(results_dir=results_dir, by="point_id", where=f"date = DATE '{dates[-1]}'")
def point(results_dir, point_id):
    return ask(results_dir=results_dir, by="sweep_id", where=f"point_id = '{point_id}'")
"""


def asked(prepare: str, ask: str) -> tuple[list[list[Any]], dict[str, float]]:
    """Return the answer to a question in a new process, and its time, bytes and memory."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS.format(prepare=prepare, ask=ask)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
    )
    rows, numbers = json.loads(done.stdout)
    return sorted(rows or (), key=str), numbers


def require_same(first: list[list[Any]], second: list[list[Any]]) -> None:
    """Check that two answers have the same rows, and numbers that only differ in their last digits."""
    if len(first) != len(second) or not first:
        raise SystemExit(f"the answers have {len(first)} and {len(second)} rows")
    for one, other in zip(first, second, strict=True):
        if not all(map(are_same, one, other)):
            raise SystemExit(f"the answers differ: {one} and {other}")


def are_same(one: Any, other: Any) -> bool:
    """Whether two values are equal, up to the last digits of numbers that are added in another order."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def compare(name: str, sides: Mapping[str, tuple[str, str]], repeats: int) -> None:
    """Print the medians of several ways to ask a question, and the ratio of their times to the last one."""
    answers: dict[str, list[tuple[list[list[Any]], dict[str, float]]]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side, question in sides.items():
            answers[side].append(asked(*question))
    rows = [found[0][0] for found in answers.values() if found[0][0]]
    for other in rows[1:]:
        require_same(rows[0], other)
    medians = {
        side: {key: statistics.median(numbers[key] for _, numbers in found) for key in found[0][1]}
        for side, found in answers.items()
    }
    base = list(medians.values())[-1]
    print(f"\n{name}: {len(rows[0])} rows")
    for side, numbers in medians.items():
        print(
            f"  {side:28} {numbers['wall_s']:8.2f} s {numbers['cpu_s']:8.2f} s of CPU "
            f"{numbers['read_mb']:9.1f} MB read {numbers['peak_mib']:7.0f} MiB"
            f"   {numbers['wall_s'] / base['wall_s']:6.2f} times"
        )


def write(results_dir: Path, fleet: Fleet, nights: int) -> None:
    """Write the nights, unless the folder exists."""
    if results_dir.exists():
        return
    unfinished = results_dir.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    begin_s = time.perf_counter()
    for number in range(nights):
        fleet.write_night(unfinished, number)
    print(f"written in {time.perf_counter() - begin_s:.0f} s")
    unfinished.rename(results_dir)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--hosts", type=int, default=318)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", help="where a temporary folder is made")
    parser.add_argument("--data", type=Path, help="a folder where the records are kept for the next run")
    options = parser.parse_args()
    fleet = Fleet(options.hosts, options.points)
    rows = fleet.rows * options.nights
    if rows * BYTES_OF_A_ROW > LARGEST_BYTES:
        parser.error(f"{rows:,} rows need more than {LARGEST_BYTES / 1e9:.0f} GB")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        kept = options.data or Path(name)
        results_dir = kept / f"{options.nights}-nights-{options.hosts}-hosts-{options.points}-points"
        write(results_dir, fleet, options.nights)
        for data_set in ("rounds", "points"):
            files = list((results_dir / data_set).rglob("*.parquet"))
            size = sum(file.stat().st_size for file in files)
            print(f"{data_set}: {size / 1e6:,.0f} MB in {len(files)} files")
        print(f"{rows:,} rounds; load average before the first question: {os.getloadavg()[0]:.1f}")
        folder = str(results_dir)
        night = f"night({folder!r})"
        compare(
            f"summary of one night of {fleet.rows:,} rounds",
            {
                "load and summarize()": (OURS, night),
                "l2sweep summary": (COMMAND, night),
                "DuckDB": (DUCKDB, night),
            },
            options.repeats,
        )
        point = f"point({folder!r}, {fleet.point_id(fleet.points // 2)!r})"
        compare(
            f"one point over {options.nights} nights",
            {"load and summarize()": (OURS, point), "DuckDB": (DUCKDB, point)},
            options.repeats,
        )
        print(f"\nload average after the last question: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
