"""Remove a sweep from the store that contains it, and from the spool folder here."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from l2sweep.errors import BenchError, shown
from l2sweep.records.pruning import KEEP
from l2sweep.records.storage.stored_sweep import stored_sweep, why_never_removed
from l2sweep.records.store.claim import Claim
from l2sweep.records.store.counted import SWEEPS
from l2sweep.records.store.place import StorePath, narrowed
from l2sweep.records.store.removal import remove_objects
from l2sweep.sweep.state.leftovers import leftovers
from l2sweep.sweep.state.sweep_lock import sweep_lock


@dataclass(frozen=True)
class SweepInStore:
    """A sweep in a store.

    Attributes:
        place: The results in the store.
        sweep_id: The sweep.
    """

    place: StorePath
    sweep_id: str

    @property
    def num_bytes(self) -> int:
        """Size of its objects that count."""
        return narrowed(self.place, [self.sweep_id]).num_bytes()

    @property
    def spool(self) -> Path:
        """The spool folder here, which may have the sweep as well."""
        return self.place.sweeps.store.address.spool_folder(os.environ)

    def why_kept(self) -> str:
        """Return why the sweep must not be removed; empty if it may be. That it runs is seen later."""
        own = self.spool / SWEEPS / self.sweep_id
        if reason := why_never_removed(self.spool, self.sweep_id):
            return f"{shown(self.sweep_id)} is never removed: {reason}"
        kept = narrowed(self.place, [self.sweep_id]) / SWEEPS / self.sweep_id / KEEP
        if kept.exists() or (own / KEEP).exists():
            return f"{self.sweep_id} is kept: it has a file {KEEP} in {shown(kept.parent)} or {shown(own)}"
        if any(file.parent == own for file in leftovers(str(self.spool))[0]):
            place = f"--results-dir {shown(self.place.url)} --sweep-id {self.sweep_id}"
            return f"keys of {self.sweep_id} are still stored: run l2sweep clean {place} first"
        return ""

    def remove(self) -> None:
        """Remove its objects, and what this machine has of it.

        Raises:
            RequestError: It is being run, or may be.
            StoreError: The store did not do it.
            BenchError: Its manifest object is damaged.
        """
        store = self.place.sweeps.store
        own = self.spool / SWEEPS / self.sweep_id
        with contextlib.ExitStack() as held:
            if own.is_dir():
                held.enter_context(sweep_lock(own))
            claim = Claim(store, self.sweep_id)
            claim.acquire()
            held.callback(claim.release)
            try:
                remove_objects(store, self.sweep_id)
            except ValueError as error:
                raise BenchError(f"{self.sweep_id} in {shown(self.place.url)}: {error}") from error
            if own.is_dir():
                stored_sweep(self.spool, self.sweep_id).remove()
