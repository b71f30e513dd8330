"""Which objects of a store count, read from the manifest objects of its sweeps."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from l2sweep.errors import UnreadableRecordsWarning, shown
from l2sweep.records.store.counted import SWEEPS, CountedObjects, manifest_key, read_counted
from l2sweep.records.store.object_store import ObjectStore, StoreError
from l2sweep.records.trusted_files import is_sweep_id

_REQUESTS_AT_ONCE = 16


@dataclass(frozen=True)
class CountedSweep:
    """What counts of a sweep.

    Attributes:
        objects: The objects by the paths of their files.
        folders: The names directly below each folder, and whether they are objects.
    """

    objects: CountedObjects
    folders: Mapping[str, Mapping[str, bool]]

    @classmethod
    def of(cls, objects: CountedObjects) -> CountedSweep:
        """Return the objects as a tree of folders."""
        folders: dict[str, dict[str, bool]] = defaultdict(dict)
        for key in objects:
            name, is_file = key, True
            while name:
                name, _, last = name.rpartition("/")
                folders[name][last] = is_file
                is_file = False
        return cls(objects, folders)


class CountedSweeps:
    """The objects that count in a store. The manifest object of a sweep is read when it is first needed.

    Args:
        store: The store.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._known: dict[str, CountedSweep] = {}
        self._all_ids: Sequence[str] | None = None

    @classmethod
    def with_known(cls, store: ObjectStore, sweep_id: str, objects: CountedObjects) -> CountedSweeps:
        """Return what counts of one sweep, whose manifest object was read before.

        Args:
            store: The store.
            sweep_id: The sweep.
            objects: Its objects that count.
        """
        sweeps = cls(store)
        sweeps._all_ids = [sweep_id]
        sweeps._known[sweep_id] = CountedSweep.of(objects)
        return sweeps

    def of(self, sweep_ids: Collection[str] | None) -> list[CountedSweep]:
        """Return what counts of sweeps.

        Args:
            sweep_ids: The sweeps; None: all.

        Raises:
            StoreError: The store did not give a manifest object, or there is no such bucket.

        Warns:
            UnreadableRecordsWarning: With a manifest object that is damaged. Its sweep is ignored.
        """
        if sweep_ids is None:
            if self._all_ids is None:
                self._all_ids = self._listed()
            sweep_ids = self._all_ids
        missing = [one for one in sweep_ids if one not in self._known and is_sweep_id(one)]
        if len(missing) > 1:
            with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
                self._known |= zip(missing, pool.map(self._read, missing), strict=True)
        elif missing:
            self._known[missing[0]] = self._read(missing[0])
        return [self._known[one] for one in sweep_ids if one in self._known]

    def _listed(self) -> list[str]:
        found = [name for name in self.store.names(SWEEPS) if is_sweep_id(name)]
        if not found and (reason := self.store.why_no_bucket()):
            raise StoreError(self.store.address.url, reason, is_away=False)
        return found

    def _read(self, sweep_id: str) -> CountedSweep:
        try:
            return CountedSweep.of(read_counted(self.store, sweep_id).objects)
        except ValueError as error:
            place = f"{self.store.address.url}/{manifest_key(sweep_id)}"
            text = f"{shown(place)} cannot be read: {error}; the sweep is ignored"
            warnings.warn(text, UnreadableRecordsWarning, stacklevel=2)
            return CountedSweep({}, {})
