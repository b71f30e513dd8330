"""``l2sweep list``: list the recorded sweeps with name, date, points, adapters, size on disk and verdict."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from l2sweep.cli.command_options import format_option, results_dir_option
from l2sweep.cli.row_output import MISSING, Column, number, print_rows
from l2sweep.errors import RequestError, shown

_COLUMNS = (
    Column("sweep_id", "sweep", is_number=False),
    Column("sweep_name", "name", is_number=False),
    Column("began", "began", lambda time: MISSING if time is None else f"{time:%Y-%m-%d %H:%M}Z", False),
    Column("duration_s", "minutes", lambda value: MISSING if value is None else f"{value / 60:.1f}"),
    Column("points", "points"),
    Column("processes", "processes"),
    Column("adapters", "adapters", ", ".join, is_number=False),
    Column("size_bytes", "MB", lambda value: number(1)(value / 1e6)),
    Column("verdict", "verdict", is_number=False),
)


@click.command()
@results_dir_option
@click.option("--name", "sweep_name", metavar="NAME", help="Only sweeps with this name.")
@format_option()
def command(results_dir: str, sweep_name: str | None, output_format: str) -> None:
    """List the recorded sweeps, oldest first: name, date, points, adapters, size on disk and verdict.

    MB are 10^6 bytes, with logs. Each sweep id is a selector for the other commands.

    \b
    Examples:
      l2sweep list
      l2sweep list --name nightly --format json
    """
    from l2sweep.records.sweeps import list_sweeps

    try:
        sweeps = list_sweeps(results_dir)
    except (FileNotFoundError, NotADirectoryError):
        raise RequestError([f"list: --results-dir {shown(results_dir)}: has no recorded sweep"]) from None
    rows = [_row(one, results_dir) for one in sweeps if sweep_name in (None, one.sweep_name)]
    if not rows:
        names = ", ".join(sorted({shown(one.sweep_name) for one in sweeps}))
        raise RequestError([f"list: --name {shown(sweep_name)}: must be the name of a sweep: {names}"])
    print_rows(rows, _COLUMNS, output_format)
    if output_format == "table" and (running := [row["sweep_id"] for row in rows if row["is_running"]]):
        print(f"\nRunning: {', '.join(running)}", file=sys.stdout)


def _row(sweep: Any, results_dir: str) -> dict[str, Any]:
    from l2sweep.sweep.state.sweep_lock import who_runs

    runner = who_runs(Path(results_dir) / "sweeps" / sweep.sweep_id)
    is_running = runner is not None and runner.is_certain
    took = None if sweep.began is None or sweep.ended is None else (sweep.ended - sweep.began).total_seconds()
    counts = {"failed": sweep.failed, "stopped": sweep.stopped}
    failed = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "ok"
    return {
        "sweep_id": sweep.sweep_id,
        "sweep_name": sweep.sweep_name,
        "began": sweep.began,
        "duration_s": took,
        "points": sweep.points,
        "processes": sweep.processes,
        "adapters": list(sweep.adapters),
        "size_bytes": sweep.num_bytes,
        "verdict": f"running, {failed} so far" if is_running else failed,
        "is_running": is_running,
    }
