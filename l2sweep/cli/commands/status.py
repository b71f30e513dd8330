"""``l2sweep status``: list the sweeps of a results folder, and show whether one is running."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from l2sweep.cli.command_options import results_dir_option
from l2sweep.errors import RequestError, printable
from l2sweep.records.last_attempts import last_attempts
from l2sweep.records.reading.intact import UNREADABLE
from l2sweep.records.store.address import local_folder
from l2sweep.records.store.place import place_of
from l2sweep.sweep.state.host_lock import holder
from l2sweep.sweep.state.leftovers import leftovers_in_words
from l2sweep.sweep.state.manifest import UnreadableManifestError, manifest_files, read_manifest
from l2sweep.sweep.state.sweep_lock import Runner
from l2sweep.sweep.terminal.console import make_console
from l2sweep.sweep.upload.claimant import runner_of


@click.command()
@results_dir_option
def command(results_dir: str) -> None:
    """List the sweeps of a results folder: how many points are measured, failed and left, and what runs now.

    \b
    Example:
      l2sweep status --results-dir results
    """
    print_status(make_console(quiet=False), results_dir)


def print_status(console: Console, results_dir: str) -> None:
    """Print one row per sweep, oldest first, then what earlier runs left.

    Args:
        console: The console to print to.
        results_dir: Folder of the records.

    Raises:
        RequestError: The folder contains no sweep.

    Warns:
        UnreadableRecordsWarning: With each record that cannot be read.
    """
    place = place_of(results_dir)
    files = manifest_files(place)
    notes = leftovers_in_words(str(local_folder(results_dir)))
    if not files and not notes:
        raise RequestError([f"status: --results-dir {results_dir}: contains no sweep"])
    running = holder()
    runners: list[Runner] = []
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("sweep")
    for title in ("points", "done", "failed", "stopped", "left"):
        table.add_column(title, justify="right")
    table.add_column("")
    for file in files:
        try:
            manifest = read_manifest(file, place)
        except UnreadableManifestError as error:
            notes.append(str(error))
            continue
        ended = Counter(status for _, status in last_attempts(place, manifest.sweep_id).values())
        done, stopped, unreadable = ended["ok"], ended["stopped"], ended[UNREADABLE]
        failed = sum(ended.values()) - done - stopped - unreadable
        left = len(manifest.points) - done - failed - stopped
        # To ask a store for each sweep takes long, and one that runs has points left.
        runner = runner_of(place, manifest.sweep_id) if isinstance(place, Path) or left else None
        runners += [runner] if runner else []
        is_running = (runner and runner.is_certain) or f"sweep {manifest.sweep_id}," in running
        now = "running" if is_running else runner.last_seen if runner else ""
        numbers = (str(number) for number in (len(manifest.points), done, failed, stopped, left))
        table.add_row(Text(manifest.sweep_id), *numbers, Text(now))
    console.print(table)
    for runner in runners:
        console.print(Text(runner.sentence))
    for note in notes:
        console.print(Text(printable(note)), soft_wrap=True)
    if running:
        console.print(Text(f"Running on this host: {running}"))
    elif not runners:
        console.print("No sweep is running on this host.")
