"""Upload what earlier runs left in the spool folder, because the store was away or the run was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from l2sweep.errors import L2SweepError, RequestError, printable
from l2sweep.records.storage.stored_sweep import stored_sweep, why_never_removed
from l2sweep.records.store.address import StoreAddress
from l2sweep.records.store.counted import SWEEPS
from l2sweep.records.store.object_store import ObjectStore
from l2sweep.records.store.spool import SpooledSweep
from l2sweep.records.store.spooled_files import spooled_sweeps
from l2sweep.records.store.superseded import SUPERSEDED
from l2sweep.sweep.state.leftovers import leftovers
from l2sweep.sweep.state.sweep_lock import sweep_lock
from l2sweep.sweep.upload.sweep_upload import SweepUpload

_WAIT_S = 15.0  # for a store that is away, at each sweep


@dataclass(frozen=True)
class Uploaded:
    """What became of a sweep in the spool folder.

    Attributes:
        sweep_id: The sweep.
        files: Number of its files that were not in the store.
        problem: Why they are not there; empty if they are.
    """

    sweep_id: str
    files: int
    problem: str = ""

    def sentence(self, address: StoreAddress) -> str:
        """Return what became of it, in one line.

        Args:
            address: Where the results belong.
        """
        count = f"{self.files} file{'s' if self.files > 1 else ''} of sweep {self.sweep_id}"
        if self.problem:
            return f"{count} could not be uploaded to {address.url}: {self.problem}"
        return f"uploaded {count} to {address.url}"


def pending_sweeps(address: StoreAddress) -> dict[str, int]:
    """Return how many files of each sweep are not in the store yet. The store is not asked.

    Args:
        address: Where the results belong.
    """
    folder = address.spool_folder(os.environ)
    store = ObjectStore(address)
    found = ((one, len(SpooledSweep(store, folder, one).pending())) for one in spooled_sweeps(folder))
    return {sweep_id: count for sweep_id, count in found if count}


def upload_pending(
    address: StoreAddress, is_wanted: Callable[[str], bool], for_s: float | None = None
) -> Iterator[Uploaded]:
    """Upload each sweep that is not in the store yet, and yield what became of it.

    A sweep that runs is left to the process that runs it.

    Args:
        address: Where the results belong.
        is_wanted: Whether a sweep, given by its id, is uploaded.
        for_s: Seconds after which no further sweep is begun; None: no limit.
    """
    until = None if for_s is None else time.monotonic() + for_s
    folder = address.spool_folder(os.environ)
    for sweep_id, files in pending_sweeps(address).items():
        if not is_wanted(sweep_id) or (until is not None and time.monotonic() > until):
            continue
        try:
            with contextlib.ExitStack() as held:
                upload = SweepUpload(address, folder, sweep_id, _WAIT_S)
                held.enter_context(sweep_lock(folder / SWEEPS / sweep_id))
                held.enter_context(upload.begun(resumes=True))
                upload.finish()
        except L2SweepError as error:
            yield Uploaded(sweep_id, files, str(error))
        else:
            yield Uploaded(sweep_id, files, upload.problem)


@dataclass(frozen=True)
class Removed:
    """What was removed from a spool folder.

    Attributes:
        sweep_ids: The removed sweeps.
        notes: What stays although its sweep is in the store, a sentence for each.
    """

    sweep_ids: list[str]
    notes: list[str]


def remove_uploaded(address: StoreAddress) -> Removed:
    """Remove from the spool folder each sweep of which everything is in the store.

    A sweep that runs stays, and one whose keys are still stored: its journal is needed to remove them. Rows
    that only this machine has stay.

    Args:
        address: Where the results belong.
    """
    folder = address.spool_folder(os.environ)
    store = ObjectStore(address)
    needed = {file.parent.name for file in leftovers(str(folder))[0]}
    removed = Removed([], [])
    for sweep_id in spooled_sweeps(folder):
        if sweep_id in needed or why_never_removed(folder, sweep_id):
            continue
        with contextlib.suppress(RequestError), sweep_lock(folder / SWEEPS / sweep_id):
            sweep = SpooledSweep(store, folder, sweep_id)
            sweep.load()
            if sweep.counted.objects and not sweep.pending():
                _remove(folder, sweep_id, sweep.not_counted(), removed)
    return removed


def _remove(folder: Path, sweep_id: str, not_counted: Sequence[Path], removed: Removed) -> None:
    """Remove a sweep, but neither rows that the store lacks, nor those that another machine put first."""
    stored = stored_sweep(folder, sweep_id)
    own = folder / SWEEPS / sweep_id
    aside = own / SUPERSEDED
    if not_counted:
        more = f" and {len(not_counted) - 1} more" if not_counted[1:] else ""
        removed.notes.append(
            f"sweep {sweep_id} stays: records that are not in the store: "
            f"{printable(str(not_counted[0]))}{more}"
        )
    elif superseded := sorted(aside.glob("*.parquet")):
        removed.notes.append(
            f"{printable(str(aside))} stays: {len(superseded)} file{'s' if superseded[1:] else ''} of "
            "attempts that another machine put first; if nobody needs them, delete this folder"
        )
        beside = [path for path in own.iterdir() if path != aside and not path.name.endswith(".lock")]
        if stored.files or beside:
            replace(stored, folders=tuple(one for one in stored.folders if one != own)).remove()
            for path in beside:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            removed.sweep_ids.append(sweep_id)
    else:
        stored.remove()
        removed.sweep_ids.append(sweep_id)
