"""The records in a spool folder that other records of the same attempts supersede, which count in the store.

Another machine may have measured an attempt again, or compacted what this one has put. All rows of an attempt
that are seen come from one run of it: what counts in the store stays, and the rows of this machine are moved
aside. Only what has counted before, so that the store has its rows, is removed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.reading.intact import ERRORS
from l2sweep.records.reading.listing import SweepFiles
from l2sweep.records.reading.rows import attempts_in
from l2sweep.records.store.counted import SWEEPS, CountedObject
from l2sweep.records.store.place import as_local
from l2sweep.records.store.spooled_files import identity, identity_of, key_of, listed_records

SUPERSEDED = "superseded"


@dataclass(frozen=True)
class SupersededRecords:
    """The records of a sweep in a spool folder, and what counts instead of some of them.

    Attributes:
        folder: The spool folder.
        sweep_id: The sweep.
        counted: What counts in the store.
        before: What counted when the spool folder was last up to date.
    """

    folder: Path
    sweep_id: str
    counted: Mapping[str, CountedObject]
    before: Mapping[str, CountedObject]

    def move_doubles_aside(self) -> None:
        """Move aside the local records that count in another folder: another machine measured them again.

        The name of a file says which attempt it has, or which compaction wrote it.
        """
        counted = {(key.split("/")[0], key.rpartition("/")[2]) for key in self.counted}
        for data_set in (ROUNDS, POINTS):
            files, replaced = listed_records(self.folder, data_set, self.sweep_id)
            for path in (*as_local(files.paths), *replaced):
                if not self._counts(path) and (data_set, path.name) in counted:
                    self.move_aside(path)

    def remove_replaced(self) -> None:
        """Remove local records that another machine has replaced, and move aside those it measured again.

        The files that count are here, or files that have their rows.
        """
        for data_set in (ROUNDS, POINTS):
            files, replaced = listed_records(self.folder, data_set, self.sweep_id)
            for path in replaced:
                if not self._counts(path):
                    self.move_aside(path)
            with contextlib.suppress(*ERRORS):
                known = self._counted_in_compacted(files)
                for path in as_local(path for attempt, path in files.attempts.items() if attempt in known):
                    if self._counts(path):
                        continue
                    if self._has_counted(path):
                        path.unlink()
                    else:
                        self.move_aside(path)
        self._move_rounds_aside()

    def move_aside(self, path: Path) -> None:
        """Move a file into ``sweeps/ID/superseded``, under a name that is free there."""
        aside = self.folder / SWEEPS / self.sweep_id / SUPERSEDED
        aside.mkdir(parents=True, exist_ok=True)
        target = aside / path.name
        number = 1
        while os.path.lexists(target):
            number += 1
            target = aside / f"{number}-{path.name}"
        path.rename(target)

    def _move_rounds_aside(self) -> None:
        """Move aside the rounds of attempts whose points count without them: they are of another run.

        A process that crashes early has no rounds, so no file of rounds that counts has their name.
        """
        rounds, _ = listed_records(self.folder, ROUNDS, self.sweep_id)
        points, _ = listed_records(self.folder, POINTS, self.sweep_id)
        with contextlib.suppress(*ERRORS):
            counted = {
                attempt for attempt, path in points.attempts.items() if self._counts(*as_local([path]))
            }
            counted |= self._counted_in_compacted(points)
            for path in as_local(path for attempt, path in rounds.attempts.items() if attempt in counted):
                if not self._counts(path) and not self._has_counted(path):
                    self.move_aside(path)

    def _counted_in_compacted(self, files: SweepFiles) -> set[tuple[int, int]]:
        """Return the attempts in the compacted file, if it counts."""
        if files.compacted is None or not self._counts(*as_local([files.compacted[0]])):
            return set()
        return set(attempts_in(files.compacted[0], self.sweep_id))

    def _counts(self, path: Path) -> bool:
        return key_of(path, self.folder) in self.counted

    def _has_counted(self, path: Path) -> bool:
        known = self.before.get(key_of(path, self.folder))
        return known is not None and identity(path) == identity_of(known)
