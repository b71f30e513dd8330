"""``python -m l2sweep status``: the sweeps of a results folder, and whether one runs now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from l2sweep.errors import RequestError
from l2sweep.sweep.host_lock import holder
from l2sweep.sweep.manifest import last_attempts, load_manifest
from l2sweep.sweep.terminal.console import make_console


def run_status(arguments: Sequence[str]) -> None:
    """Run ``l2sweep status``.

    Args:
        arguments: At most one: the results folder.

    Raises:
        RequestError: There are more arguments, or no sweep is in the folder.
    """
    if len(arguments) > 1:
        raise RequestError([f"status: takes one folder, not {' '.join(arguments)}"])
    print_status(make_console(quiet=False), *(arguments or ["results"]))


def print_status(console: Console, results_dir: str) -> None:
    """Print a row for each sweep, the oldest first.

    Raises:
        RequestError: No sweep was ever run with this results folder.
    """
    manifests = sorted(
        (Path(results_dir) / "sweeps").glob("*/manifest.json"), key=lambda file: file.stat().st_mtime
    )
    if not manifests:
        raise RequestError([f"status: there is no sweep in {results_dir}; give the folder of its results"])
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
        now = "runs now" if f"sweep {manifest.sweep_id}," in running else ""
        numbers = (str(number) for number in (len(manifest.points), done, failed, left))
        table.add_row(Text(manifest.sweep_id), *numbers, now)
    console.print(table)
    console.print(Text(f"Running on this host: {running}" if running else "No sweep runs on this host."))
