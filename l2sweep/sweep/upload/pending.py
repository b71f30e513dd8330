"""Upload what earlier runs left in the spool folder, because the store was away or the run was killed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from l2sweep.errors import L2SweepError, RequestError
from l2sweep.records.storage.stored_sweep import stored_sweep, why_never_removed
from l2sweep.records.store.address import StoreAddress
from l2sweep.records.store.counted import SWEEPS
from l2sweep.records.store.object_store import ObjectStore
from l2sweep.records.store.spool import SpooledSweep
from l2sweep.records.store.spooled_files import spooled_sweeps
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


def remove_uploaded(address: StoreAddress) -> list[str]:
    """Remove from the spool folder each sweep of which everything is in the store.

    A sweep that runs stays, and one whose keys are still stored: its journal is needed to remove them.

    Args:
        address: Where the results belong.

    Returns:
        The ids of the removed sweeps.
    """
    folder = address.spool_folder(os.environ)
    store = ObjectStore(address)
    needed = {file.parent.name for file in leftovers(str(folder))[0]}
    removed = []
    for sweep_id in spooled_sweeps(folder):
        if sweep_id in needed or why_never_removed(folder, sweep_id):
            continue
        with contextlib.suppress(RequestError), sweep_lock(folder / SWEEPS / sweep_id):
            sweep = SpooledSweep(store, folder, sweep_id)
            sweep.load()
            if sweep.counted.objects and not sweep.pending():
                stored_sweep(folder, sweep_id).remove()
                removed.append(sweep_id)
    return removed
