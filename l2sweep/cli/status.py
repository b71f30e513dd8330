"""``python -m l2sweep status``: list the sweeps of a results folder, and show whether one is running."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.table import Table
from rich.text import Text

from l2sweep.cli.arguments import read_arguments
from l2sweep.config.options import STRICT, PathText, option
from l2sweep.errors import L2SweepError, RequestError, UnreadableRecordsWarning
from l2sweep.records.intact import UNREADABLE
from l2sweep.records.last_attempts import last_attempts
from l2sweep.sweep.state.host_lock import holder
from l2sweep.sweep.state.manifest import manifest_files, read_manifest
from l2sweep.sweep.terminal.console import make_console


@dataclass(frozen=True, kw_only=True, config=STRICT)
class StatusOptions:
    """The options of ``status``."""

    results_dir: PathText = option("results", "folder of the records", allowed="a path")


def run_status(arguments: Sequence[str]) -> None:
    """Print a table of the sweeps.

    Args:
        arguments: The arguments after ``status``.

    Raises:
        RequestError: An argument is wrong, or the folder contains no sweep.
    """
    options = read_arguments("status", StatusOptions, arguments)
    print_status(make_console(quiet=False), options.results_dir)


def print_status(console: Console, results_dir: str) -> None:
    """Print one row per sweep, oldest first. A sweep whose manifest cannot be read has none.

    Args:
        console: The console to print to.
        results_dir: Folder of the records.

    Raises:
        RequestError: The folder contains no sweep.

    Warns:
        UnreadableRecordsWarning: With each manifest and each record that cannot be read.
    """
    manifests = manifest_files(results_dir)
    if not manifests:
        raise RequestError([f"status: results_dir={results_dir}: contains no sweep"])
    running = holder()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("sweep")
    for title in ("points", "done", "failed", "left"):
        table.add_column(title, justify="right")
    table.add_column("")
    for file in manifests:
        try:
            manifest = read_manifest(file)
        except L2SweepError as error:
            warnings.warn(str(error), UnreadableRecordsWarning, stacklevel=2)
            continue
        ended = Counter(status for _, status in last_attempts(results_dir, manifest.sweep_id).values())
        done = ended["ok"]
        failed = sum(ended.values()) - done - ended["stopped"] - ended[UNREADABLE]
        left = len(manifest.points) - done - failed
        now = "running" if f"sweep {manifest.sweep_id}," in running else ""
        numbers = (str(number) for number in (len(manifest.points), done, failed, left))
        table.add_row(Text(manifest.sweep_id), *numbers, now)
    console.print(table)
    console.print(
        Text(f"Running on this host: {running}" if running else "No sweep is running on this host.")
    )
