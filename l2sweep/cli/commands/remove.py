"""``l2sweep remove``: remove sweeps with their records, logs and plan."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from l2sweep.cli.command_options import SELECTORS, require_folder, results_dir_option
from l2sweep.errors import BenchError, RequestError, shown


@click.command(epilog=SELECTORS)
@click.argument("selector")
@results_dir_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(selector: str, results_dir: str, yes: bool) -> None:
    """Remove the sweeps that SELECTOR names: their records, logs and plan.

    A sweep that runs is never removed, nor one of which keys are still stored: clean removes these first.

    \b
    Examples:
      l2sweep remove 20261124T202015Z-3af8
      l2sweep remove name:smoke~1..100 --yes
    """
    from l2sweep.records.selectors import select
    from l2sweep.records.storage.stored_sweep import stored_sweep

    chosen = select(selector, results_dir)
    folder = require_folder(chosen.results_dir, "remove")
    if problems := [text for one in chosen.sweep_ids if (text := _why_kept(folder, one))]:
        raise RequestError([f"remove: {problem}" for problem in problems])
    sweeps = [stored_sweep(folder, one) for one in chosen.sweep_ids]
    size_mb = sum(sweep.num_bytes for sweep in sweeps) / 1e6
    print(f"{', '.join(chosen.sweep_ids)} in {shown(folder)}: {size_mb:.1f} MB")
    if not yes:
        click.confirm(f"Remove {len(sweeps)} {'sweep' if len(sweeps) == 1 else 'sweeps'}?", abort=True)
    for sweep in sweeps:
        with contextlib.ExitStack() as held:
            _lock(held, folder, sweep.sweep_id)
            sweep.remove()
        if stored_sweep(folder, sweep.sweep_id).files:
            raise BenchError(f"remove: files of {sweep.sweep_id} are left in {shown(folder)}")
    print(f"removed {len(sweeps)} {'sweep' if len(sweeps) == 1 else 'sweeps'}")


def _why_kept(results_dir: Path, sweep_id: str) -> str:
    """Return why a sweep must not be removed; empty if it may be."""
    from l2sweep.records.pruning import KEEP
    from l2sweep.records.storage.stored_sweep import why_never_removed
    from l2sweep.sweep.state.leftovers import leftovers
    from l2sweep.sweep.state.sweep_lock import who_runs

    if reason := why_never_removed(results_dir, sweep_id):
        return f"{shown(sweep_id)} is never removed: {reason}"
    folder = results_dir / "sweeps" / sweep_id
    if runner := who_runs(folder):
        return runner.sentence
    if (folder / KEEP).exists():
        return f"{sweep_id} is kept: remove {shown(folder / KEEP)} first"
    left, _ = leftovers(str(results_dir))
    if any(file.parent == folder for file in left):
        place = f"--results-dir {shown(results_dir)} --sweep-id {sweep_id}"
        return f"keys of {sweep_id} are still stored: run l2sweep clean {place} first"
    return ""


def _lock(held: contextlib.ExitStack, results_dir: Path, sweep_id: str) -> None:
    """Hold the lock of a sweep, so that nobody resumes it meanwhile."""
    from l2sweep.sweep.state.sweep_lock import sweep_lock

    folder = results_dir / "sweeps" / sweep_id
    if folder.is_dir():  # a sweep of an earlier release may have none
        held.enter_context(sweep_lock(folder))
