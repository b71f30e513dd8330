"""``l2sweep remove``: remove sweeps with their records, logs and plan."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l2sweep.cli.command_options import SELECTORS, results_dir_option
from l2sweep.errors import BenchError, RequestError, shown

if TYPE_CHECKING:
    from l2sweep.records.selectors import Selection
    from l2sweep.records.store.place import Place, StorePath


@click.command(epilog=SELECTORS)
@click.argument("selector")
@results_dir_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(selector: str, results_dir: str, yes: bool) -> None:
    """Remove the sweeps that SELECTOR names: their records, logs and plan.

    A sweep that runs is never removed, nor one of which keys are still stored: clean removes these first. A
    sweep in a store is also removed from the spool folder of this machine.

    \b
    Examples:
      l2sweep remove 20261124T202015Z-3af8
      l2sweep remove name:smoke~1..100 --yes
      l2sweep remove s3://benchmarks/nights@20261124T202015Z-3af8
    """
    from l2sweep.records.store.place import StorePath

    chosen = _chosen(selector, results_dir)
    if isinstance(chosen.results_dir, StorePath):
        _remove_from_store(chosen.results_dir, chosen.sweep_ids, yes)
    else:
        _remove_from_folder(chosen.results_dir, chosen.sweep_ids, yes)
    print(f"removed {_count(chosen.sweep_ids)}")


def _chosen(selector: str, results_dir: str) -> Selection:
    """Return the selected sweeps, or one in a store whose removal did not end."""
    from l2sweep.records.selectors import Selection, select
    from l2sweep.records.store.place import StorePath, place_of
    from l2sweep.records.store.removal import is_half_removed
    from l2sweep.records.trusted_files import is_sweep_id

    try:
        return select(selector, results_dir)
    except RequestError:
        folder, _, sweep_id = selector.rpartition("@")
        place = place_of(folder or results_dir)
        if isinstance(place, StorePath) and is_sweep_id(sweep_id):
            with contextlib.suppress(ValueError):
                if is_half_removed(place.sweeps.store, sweep_id):
                    return Selection(place, (sweep_id,))
        raise


def _remove_from_store(place: StorePath, sweep_ids: Sequence[str], yes: bool) -> None:
    from l2sweep.sweep.upload.removal import SweepInStore

    sweeps = [SweepInStore(place, one) for one in sweep_ids]
    _require_none([sweep.why_kept() for sweep in sweeps])
    _confirm(sweep_ids, place, sum(sweep.num_bytes for sweep in sweeps), yes)
    for sweep in sweeps:
        sweep.remove()


def _remove_from_folder(folder: Path, sweep_ids: Sequence[str], yes: bool) -> None:
    from l2sweep.records.storage.stored_sweep import stored_sweep

    _require_none([_why_kept(folder, one) for one in sweep_ids])
    sweeps = [stored_sweep(folder, one) for one in sweep_ids]
    _confirm(sweep_ids, folder, sum(sweep.num_bytes for sweep in sweeps), yes)
    for sweep in sweeps:
        with contextlib.ExitStack() as held:
            _lock(held, folder, sweep.sweep_id)
            sweep.remove()
        if stored_sweep(folder, sweep.sweep_id).files:
            raise BenchError(f"remove: files of {sweep.sweep_id} are left in {shown(folder)}")


def _require_none(problems: Sequence[str]) -> None:
    if any(problems):
        raise RequestError([f"remove: {problem}" for problem in problems if problem])


def _confirm(sweep_ids: Sequence[str], place: Place, num_bytes: int, yes: bool) -> None:
    print(f"{', '.join(sweep_ids)} in {shown(place)}: {num_bytes / 1e6:.1f} MB")
    if not yes:
        click.confirm(f"Remove {_count(sweep_ids)}?", abort=True)


def _count(sweep_ids: Sequence[str]) -> str:
    return f"{len(sweep_ids)} {'sweep' if len(sweep_ids) == 1 else 'sweeps'}"


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
