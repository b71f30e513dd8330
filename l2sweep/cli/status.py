"""``python -m l2sweep status``: list the sweeps of a results folder, and show whether one is running."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.table import Table
from rich.text import Text

from l2sweep.cli.arguments import read_arguments
from l2sweep.config.options import A_PATH, STRICT, PathText, option
from l2sweep.errors import RequestError
from l2sweep.sweep.state.host_lock import holder
from l2sweep.sweep.state.manifest import last_attempts, load_manifest
from l2sweep.sweep.terminal.console import make_console


@dataclass(frozen=True, kw_only=True, config=STRICT)
class StatusOptions:
    """The options of ``status``."""

    results_dir: PathText = option("results", "folder of the records", allowed=A_PATH)


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
    """Print one row per sweep, oldest first.

    Args:
        console: The console to print to.
        results_dir: Folder of the records.

    Raises:
        RequestError: The folder contains no sweep.
    """
    manifests = sorted(
        (Path(results_dir) / "sweeps").glob("*/manifest.json"), key=lambda file: file.stat().st_mtime
    )
    if not manifests:
        raise RequestError([f"status: results_dir={results_dir}: contains no sweep"])
    running = holder()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("sweep")
    for title in ("points", "done", "failed", "left"):
        table.add_column(title, justify="right")
    table.add_column("")
    for file in manifests:
        manifest = load_manifest(results_dir, file.parent.name)
        ended = Counter(status for _, status in last_attempts(results_dir, manifest.sweep_id).values())
        done = ended["ok"]
        failed = sum(ended.values()) - done - ended["stopped"]
        left = len(manifest.points) - done - failed
        now = "running" if f"sweep {manifest.sweep_id}," in running else ""
        numbers = (str(number) for number in (len(manifest.points), done, failed, left))
        table.add_row(Text(manifest.sweep_id), *numbers, now)
    console.print(table)
    console.print(
        Text(f"Running on this host: {running}" if running else "No sweep is running on this host.")
    )
