"""``l2sweep compact``: replace the files of old sweeps by one file in each data set."""

from __future__ import annotations

from pathlib import Path

import click

from l2sweep.cli.command_options import SELECTORS, require_folder, results_dir_option
from l2sweep.errors import L2SweepError, RequestError, printable, shown

_INSTEAD = "a sweep in a store is compacted when it has run to its end, also by resume=ID"


@click.command(epilog=SELECTORS)
@click.argument("selector", required=False)
@results_dir_option
def command(selector: str | None, results_dir: str) -> int:
    """Replace the files of the sweeps that SELECTOR names, or of all sweeps, by one file in each data set.

    A sweep that ran to its end was compacted by itself. This does it for sweeps that were stopped, and for
    those of earlier releases. A sweep that runs stays as it is. The exit code is 1 if a sweep could not be
    compacted.

    \b
    Examples:
      l2sweep compact
      l2sweep compact name:nightly~1..7 --results-dir ~/l2sweep-nights
    """
    folder, sweep_ids = _selected(selector, results_dir)
    failed = replaced = 0
    for sweep_id in sweep_ids:
        try:
            replaced += _compact(folder, sweep_id)
        except L2SweepError as error:
            failed += 1
            print(printable(f"{sweep_id} stays as it is: {error}"))
    print(f"{len(sweep_ids) - failed} of {len(sweep_ids)} sweeps are compact; {replaced} files were replaced")
    return int(failed > 0)


def _selected(selector: str | None, results_dir: str) -> tuple[Path, tuple[str, ...]]:
    from l2sweep.records.selectors import select
    from l2sweep.records.store.place import place_of
    from l2sweep.records.sweeps import begun_sweeps

    if selector is not None:
        selection = select(selector, results_dir)
        return require_folder(selection.results_dir, "compact", _INSTEAD), selection.sweep_ids
    folder = require_folder(place_of(results_dir), "compact", _INSTEAD)
    try:
        begun = begun_sweeps(folder)
    except (FileNotFoundError, NotADirectoryError):
        begun = []
    if not begun:
        raise RequestError([f"compact: --results-dir {shown(results_dir)}: has no recorded sweep"])
    return folder, tuple(one.sweep_id for one in begun)


def _compact(results_dir: Path, sweep_id: str) -> int:
    """Compact a sweep and return the number of files that were replaced."""
    from l2sweep.records.storage.compaction import NotCompactedError, compact_sweep
    from l2sweep.records.storage.stored_sweep import why_never_removed
    from l2sweep.sweep.state.sweep_lock import sweep_lock
    from l2sweep.sweep.terminal.slow_step import told_if_slow

    if reason := why_never_removed(results_dir, sweep_id):  # before a folder is made for the lock
        raise NotCompactedError(reason)
    folder = results_dir / "sweeps" / sweep_id
    folder.mkdir(parents=True, exist_ok=True)  # a single point of an early release has none
    with sweep_lock(folder), told_if_slow(f"compacting {sweep_id} ...", print):
        compacted = compact_sweep(results_dir, sweep_id)
    for path, reason in compacted.damaged.items():
        print(printable(f"{path} cannot be read and stays: {reason}"))
    return compacted.files_before
