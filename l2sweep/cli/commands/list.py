"""``l2sweep list``: list the recorded sweeps with name, date, points, adapters, size on disk and verdict."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l2sweep.cli.command_options import format_option, results_dir_option
from l2sweep.cli.row_output import MISSING, Column, number, print_rows
from l2sweep.errors import RequestError, shown

if TYPE_CHECKING:
    from l2sweep.records.store.place import Place
    from l2sweep.records.sweeps import SweepRecord

_COLUMNS = (
    Column("sweep_id", "sweep", is_number=False),
    Column("sweep_name", "name", is_number=False),
    Column(
        "began",
        "began",
        lambda time: MISSING if time is None else f"{time:%Y-%m-%d %H:%M}Z",
        is_number=False,
        omitted_as=4,
    ),
    Column("wall_s", "minutes", lambda value: number(1)(value / 60), omitted_as=3),
    Column("points_done", "points"),
    Column("processes", "processes", omitted_as=1),
    Column("adapters", "adapters", ", ".join, is_number=False, is_folded=True),
    Column("size_bytes", "MB", lambda value: number(1)(value / 1e6), omitted_as=2),
    Column("verdict", "verdict", is_number=False, is_folded=True),
)
_DATA = (
    *("sweep_id", "sweep_name", "began", "wall_s", "points", "done", "planned", "processes", "adapters"),
    *("size_bytes", "verdict"),
)
"""The columns of CSV and JSON."""


@click.command()
@results_dir_option
@click.option("--name", "sweep_name", metavar="NAME", help="Only sweeps with this name.")
@format_option()
def command(results_dir: str, sweep_name: str | None, output_format: str) -> None:
    """List the recorded sweeps, oldest first: name, date, points, adapters, size on disk and verdict.

    Points that are done and planned are shown as 3/8 where they differ. The minutes are those that the
    processes of the sweep ran, without a pause before a resumed run. MB are 10^6 bytes, with logs. Each sweep
    id is a selector for the other commands.

    \b
    Examples:
      l2sweep list
      l2sweep list --name nightly --format json
    """
    from l2sweep.records.store.place import place_of
    from l2sweep.records.sweeps import list_sweeps

    place = place_of(results_dir)
    try:
        sweeps = list_sweeps(place)
    except (FileNotFoundError, NotADirectoryError):
        raise RequestError([f"list: --results-dir {shown(results_dir)}: has no recorded sweep"]) from None
    if not sweeps:
        raise RequestError([f"list: --results-dir {shown(results_dir)}: no file in points can be read"])
    rows = [_row(one, place) for one in sweeps if sweep_name in (None, one.sweep_name)]
    if not rows:
        names = ", ".join(sorted({shown(one.sweep_name) for one in sweeps}))
        raise RequestError([f"list: --name {shown(sweep_name)}: must be the name of a sweep: {names}"])
    is_data = output_format in ("csv", "json")
    print_rows(rows, [Column(name, name) for name in _DATA] if is_data else _COLUMNS, output_format)
    if output_format == "table" and (running := [row["sweep_id"] for row in rows if row["is_running"]]):
        print(f"\nRunning: {', '.join(running)}", file=sys.stdout)


def _row(sweep: SweepRecord, place: Place) -> dict[str, Any]:
    from l2sweep.sweep.upload.claimant import runner_of

    done, planned = sweep.points - sweep.stopped, _planned_points(sweep.sweep_id, place)
    is_here = isinstance(place, Path)
    # To ask a store for each sweep takes long, and one that runs has points left.
    runner = runner_of(place, sweep.sweep_id) if is_here or planned != sweep.points else None
    is_running = runner is not None and runner.is_certain
    counts = {
        "failed": sweep.failed,
        "stopped": sweep.stopped,
        "not run": 0 if planned is None or is_running else max(0, planned - sweep.points),
    }
    verdict = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "ok"
    if runner is not None and runner.last_seen:
        verdict = f"{verdict}, {runner.last_seen}"
    return {
        "sweep_id": sweep.sweep_id,
        "sweep_name": sweep.sweep_name,
        "began": sweep.began,
        "wall_s": sweep.wall_s,
        "points": sweep.points,
        "done": done,
        "planned": planned,
        "points_done": str(done) if planned in (None, done) else f"{done}/{planned}",
        "processes": sweep.processes,
        "adapters": list(sweep.adapters),
        "size_bytes": sweep.num_bytes,
        "verdict": f"running, {verdict} so far" if is_running else verdict,
        "is_running": is_running,
    }


def _planned_points(sweep_id: str, place: Place) -> int | None:
    """Return the number of points in the plan of a sweep; None if it has none that can be read."""
    from l2sweep.sweep.state.manifest import UnreadableManifestError, manifest_files, read_manifest

    for file in manifest_files(place, sweep_id):
        with contextlib.suppress(UnreadableManifestError):  # l2sweep status says why
            return len(read_manifest(file, place).points)
    return None
