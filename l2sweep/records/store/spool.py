"""The spool folder: the local folder of a sweep whose results go into a store, and what of it is there.

The spool folder is a results folder like any other, with its journals and locks, which stay local. What a
sweep has recorded is put into the store, object by object, and counts when the manifest object names it.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from l2sweep.errors import BenchError
from l2sweep.records.files import POINTS, ROUNDS, written_whole
from l2sweep.records.reading.intact import ERRORS
from l2sweep.records.reading.listing import SweepFiles, list_files
from l2sweep.records.reading.rows import attempts_in
from l2sweep.records.store.counted import (
    SWEEPS,
    Counted,
    CountedObject,
    CountedObjects,
    from_json,
    is_key_of,
    is_record,
    manifest_key,
    object_key,
    object_keys,
    read_counted,
)
from l2sweep.records.store.counted_sweeps import CountedSweeps
from l2sweep.records.store.object_store import ObjectStore
from l2sweep.records.store.place import Place, StorePath, as_local, below
from l2sweep.records.store.spooled_files import identity, identity_of, key_of, listed_records
from l2sweep.records.store.superseded import SUPERSEDED, SupersededRecords
from l2sweep.records.trusted_files import open_regular

_LOCAL = ("*.lock", "running-*", "objects.json", "claims", SUPERSEDED)
_NEEDED_TO_RESUME = re.compile(r"sweeps/[^/]+/(manifest\.json|config\.yaml)")


class SpooledSweep:
    """A sweep in a spool folder. The caller holds the claim on it.

    Args:
        store: The store.
        folder: The spool folder.
        sweep_id: The sweep.
    """

    def __init__(self, store: ObjectStore, folder: Path, sweep_id: str) -> None:
        self._store = store
        self._folder = folder
        self._sweep_id = sweep_id
        self._known = folder / manifest_key(sweep_id)
        self._counted = Counted(sweep_id)
        self._put: dict[str, CountedObject] = {}
        self._may_have_strays = True

    @property
    def counted(self) -> Counted:
        """What counts in the store, as far as this process knows."""
        return self._counted

    def load(self) -> None:
        """Read what counts in the store.

        Raises:
            StoreError: The store did not give it.
            BenchError: The manifest object is damaged.
        """
        try:
            self._counted = read_counted(self._store, self._sweep_id)
        except ValueError as error:
            place = f"{self._store.address.url}/{manifest_key(self._sweep_id)}"
            raise BenchError(f"{place} cannot be read: {error}") from error

    def fetch(self) -> None:
        """Bring the spool folder up to what counts in the store, so that the sweep can be resumed here.

        What this machine has recorded and not put stays. What another machine has measured meanwhile under
        the same number of an attempt counts already, and replaces what is here: that is moved aside into
        ``sweeps/ID/superseded``, so no row is doubled, and all rows of an attempt are of one run.

        Raises:
            StoreError: The store did not give an object.
            BenchError: An object is damaged, or a file cannot be written.
        """
        self.load()
        before = self._known_objects()
        superseded = SupersededRecords(self._folder, self._sweep_id, self._counted.objects, before)
        superseded.move_doubles_aside()
        covered = self._covered()
        for key, counted in self._counted.objects.items():
            path = self._folder / key
            here = identity(path)
            if here == identity_of(counted) or not (is_record(key) or _NEEDED_TO_RESUME.fullmatch(key)):
                continue
            if here is None and key in covered:
                continue  # its rows are in a file that was not put yet
            if here is not None:
                if before.get(key) == counted:
                    continue  # it was changed here, and not in the store
                if key not in before or here != identity_of(before[key]):
                    superseded.move_aside(path)
            self._download(key, counted)
        if self._counted.objects:
            superseded.remove_replaced()

    def pending(self) -> list[str]:
        """Return the keys of the local files that do not count yet as they are, without asking the store."""
        known = self._known_objects()
        local = self._local_files()
        changed = [
            key
            for key, path in local.items()
            if key not in known or identity(path) != identity_of(known[key])
        ]
        return sorted(changed)

    def not_counted(self) -> list[Path]:
        """Return the local records with rows that the store, as it was read, does not have.

        Rounds without their point are among them, and what counted until a process that was cut off put an
        old manifest object again.

        Raises:
            StoreError: The store did not give an object.
        """
        found: list[Place] = []
        for data_set in (ROUNDS, POINTS):
            files, counted = self._listed(data_set), self._counted_files(data_set)
            known = {*counted.attempts, *self._compacted_attempts(counted)}
            found += [path for attempt, path in files.attempts.items() if attempt not in known]
            own = self._compacted_attempts(files)
            if files.compacted is not None and (not own or own - known):
                found.append(files.compacted[0])
        return as_local(found)

    def publish(self, require_held: Callable[[], None] = lambda: None) -> None:
        """Put what the store lacks, then the manifest object; then delete what it does not name any more.

        After an error, the next call goes on where this one stopped.

        Args:
            require_held: Called just before what counts is replaced or deleted: uploading may take long.

        Raises:
            ClaimedError: Another process has taken the sweep over.
            StoreError: The store did not do it. What counts there is as before, or as it should be.
            OSError: A local file cannot be read.
        """
        objects = {key: one for key, one in self._counted.objects.items() if not is_record(key)}
        for key, path in self._local_files().items():
            known = self._put.get(key) or self._counted.objects.get(key)
            if known is None or identity(path) != identity_of(known):
                known = self._put[key] = self._put_file(key, path)
            objects[key] = known
        if lacking := {key for key in self._counted.objects if key not in objects}:
            # What counts is only dropped if a compacted file has its rows.
            kept = lacking - self._covered()
            objects |= {key: self._counted.objects[key] for key in kept}
        gone = object_keys(self._counted.objects) | object_keys(self._put) | set(self._counted.replaced)
        gone -= object_keys(objects)
        if gone or self._may_have_strays:
            gone |= self._strays(objects)
        if objects != self._counted.objects or gone != set(self._counted.replaced):
            require_held()
            self._put_manifest(Counted(self._sweep_id, objects, sorted(gone)))
            self._remember()  # also if what was replaced cannot be deleted
        if gone:
            require_held()
            for key in sorted(gone):
                self._store.delete(key)
            self._put_manifest(Counted(self._sweep_id, objects))
        self._put.clear()
        self._may_have_strays = self._may_have_strays and not any(map(is_record, objects))
        self._remember()

    def _strays(self, objects: CountedObjects) -> set[str]:
        """Return the keys of records that another machine has put, and that never counted."""
        named = object_keys(objects)
        folders = {key.rpartition("/")[0] for key in named if is_record(key)}
        found = {f"{folder}/{name}" for folder in folders for name in self._store.names(folder)}
        return {key for key in found - named if key.endswith(".parquet") and is_key_of(key, self._sweep_id)}

    def _remember(self) -> None:
        """Write down what counts, so that it can be told without asking the store."""
        self._known.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self._known) as file:
            file.write(self._counted.to_json())

    def _put_manifest(self, counted: Counted) -> None:
        self._store.put(manifest_key(self._sweep_id), counted.to_json())
        self._counted = counted

    def _put_file(self, key: str, path: Path) -> CountedObject:
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
        digest = hashlib.sha256(content).hexdigest()
        put = CountedObject(len(content), status.st_mtime_ns, digest, is_named_by_content=is_record(key))
        self._store.put(object_key(key, put), content)
        return put

    def _download(self, key: str, counted: CountedObject) -> None:
        place = f"{self._store.address.url}/{object_key(key, counted)}"
        try:
            content = self._store.get(object_key(key, counted))
        except FileNotFoundError:
            raise BenchError(f"{place} counts, and does not exist") from None
        if hashlib.sha256(content).hexdigest() != counted.sha256:
            raise BenchError(f"{place} is not what was put: its SHA-256 differs")
        path = self._folder / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as file:
                file.write(content)
                file.flush()
                os.utime(file.fileno(), ns=(counted.modified_ns, counted.modified_ns))
        except OSError as error:
            raise BenchError(f"{path} cannot be written: {error.strerror or error}") from error

    def _covered(self) -> set[str]:
        """Return the counted records whose rows a compacted file here has."""
        store = self._counted_place()
        found: set[Place] = set()
        for data_set in (ROUNDS, POINTS):
            files = self._listed(data_set)
            if files.compacted is None:
                continue
            with contextlib.suppress(*ERRORS):
                known = attempts_in(files.compacted[0], self._sweep_id)
                listed = list_files(store, data_set, [self._sweep_id])
                counted = listed.sweeps.get(self._sweep_id, SweepFiles())
                found |= {path for attempt, path in counted.attempts.items() if attempt in known}
                found |= set(listed.replaced)
                if counted.compacted is not None and counted.compacted[1] < files.compacted[1]:
                    found.add(counted.compacted[0])
        return {below(path, store) for path in found}

    def _counted_place(self) -> StorePath:
        objects = CountedSweeps.with_known(self._store, self._sweep_id, self._counted.objects)
        return StorePath(self._store.address.url, "", objects)

    def _counted_files(self, data_set: str) -> SweepFiles:
        try:
            listed = list_files(self._counted_place(), data_set, [self._sweep_id])
        except FileNotFoundError:
            return SweepFiles()
        return listed.sweeps.get(self._sweep_id, SweepFiles())

    def _compacted_attempts(self, files: SweepFiles) -> set[tuple[int, int]]:
        """Return the attempts in a compacted file; none if there is no such file, or it cannot be read."""
        with contextlib.suppress(*ERRORS):
            return set(attempts_in(files.compacted[0], self._sweep_id)) if files.compacted else set()
        return set()

    def _local_files(self) -> dict[str, Path]:
        """Return the files that should count, by their keys. Rounds without their point are none of them."""
        rounds, points = (self._listed(data_set) for data_set in (ROUNDS, POINTS))
        with_point = [
            path for key, path in rounds.attempts.items() if key in points.attempts or points.compacted
        ]
        own = [*([rounds.compacted[0]] if rounds.compacted else []), *with_point, *points.paths]
        found = {self._key(path): path for path in as_local(own)}
        found |= {self._key(path): path for path in self._beside()}
        return {key: path for key, path in sorted(found.items()) if is_key_of(key, self._sweep_id)}

    def _beside(self) -> Iterator[Path]:
        """Yield the regular files of the sweep that are no records: plan, configuration, logs, page."""
        with (
            contextlib.suppress(FileNotFoundError),
            os.scandir(self._folder / SWEEPS / self._sweep_id) as entries,
        ):
            for entry in entries:
                is_local = entry.name[0] == "." or any(fnmatch.fnmatch(entry.name, one) for one in _LOCAL)
                if not is_local and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)

    def _known_objects(self) -> dict[str, CountedObject]:
        """Return what counted when this spool folder was last up to date."""
        try:
            return from_json(self._sweep_id, self._known.read_bytes()).objects
        except (OSError, ValueError):
            return {}

    def _listed(self, data_set: str) -> SweepFiles:
        return listed_records(self._folder, data_set, self._sweep_id)[0]

    def _key(self, path: Path) -> str:
        return key_of(path, self._folder)
