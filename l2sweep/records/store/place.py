"""A place of results: a local folder, or what counts in an object store, which can only be read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias, TypeVar, cast

import pyarrow as pa

from l2sweep.records.store.address import StoreAddress, is_url
from l2sweep.records.store.counted import CountedObject, object_key
from l2sweep.records.store.counted_sweeps import CountedSweep, CountedSweeps
from l2sweep.records.store.object_store import ObjectStore, explained, is_of_store

_WHOLE_BYTES = 64 * 1024  # up to this size one request for all of it is faster than two for parts


class ObjectStatus(NamedTuple):
    """What is known of an object, under the names of :class:`os.stat_result`."""

    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True, order=True)
class StorePath:
    """A path of counted objects. It has the methods of :class:`pathlib.Path` that readers of results use.

    Attributes:
        url: Address of the results.
        key: The path below it; empty: the results themselves.
        sweeps: What counts there.
        sweep_ids: The only sweeps whose objects are seen; None: all.
    """

    url: str
    key: str
    sweeps: CountedSweeps = field(compare=False, repr=False)
    sweep_ids: frozenset[str] | None = field(default=None, compare=False)

    def __truediv__(self, name: str) -> StorePath:
        """Return the path of something below."""
        return replace(self, key=f"{self.key}/{name}" if self.key else name)

    def __str__(self) -> str:
        """Return the URL."""
        return f"{self.url}/{self.key}" if self.key else self.url

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.key.rpartition("/")[2]

    @property
    def parent(self) -> StorePath:
        """The path above."""
        return replace(self, key=self.key.rpartition("/")[0])

    def resolve(self) -> StorePath:
        """Return the path itself: nothing in a store is a link."""
        return self

    def exists(self) -> bool:
        """Whether there is a counted object with this path, or one below."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Whether there is a counted object with this path."""
        return any(self.key in one.objects for one in self._seen())

    def is_dir(self) -> bool:
        """Whether there is a counted object below."""
        return any(self.key in one.folders for one in self._seen())

    def files(self) -> list[str]:
        """Return the names of the counted objects directly below.

        Raises:
            FileNotFoundError: There is nothing below.
        """
        return sorted(name for name, is_file in self._names().items() if is_file)

    def folders(self) -> list[str]:
        """Return the names directly below that have objects below them.

        Raises:
            FileNotFoundError: There is nothing below.
        """
        return sorted(name for name, is_file in self._names().items() if not is_file)

    def num_bytes(self) -> int:
        """Return the size of all counted objects that are seen, in bytes."""
        return sum(found.num_bytes for one in self._seen() for found in one.objects.values())

    def stat(self) -> ObjectStatus:
        """Return the size of a counted object, and when its file was written.

        Raises:
            FileNotFoundError: There is none.
        """
        found = self._counted()
        return ObjectStatus(found.num_bytes, found.modified_ns)

    def read_bytes(self) -> bytes:
        """Return the content of a counted object.

        Raises:
            FileNotFoundError: There is none.
            StoreError: The store did not give it.
        """
        return self.sweeps.store.get(object_key(self.key, self._counted()))

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open a counted object for the block. Of a large one, only the parts that are read are fetched.

        Raises:
            FileNotFoundError: There is none.
            StoreError: The store is away.
        """
        store = self.sweeps.store
        counted = self._counted()
        key = object_key(self.key, counted)
        is_small = counted.num_bytes <= _WHOLE_BYTES
        try:
            with pa.BufferReader(store.get(key)) if is_small else store.open(key) as file:
                yield cast(BinaryIO, file)
        except FileNotFoundError:
            raise
        except OSError as error:
            if is_of_store(error):
                raise explained(error, self.url) from error
            raise  # the object is damaged

    def _seen(self) -> list[CountedSweep]:
        return self.sweeps.of(self.sweep_ids)

    def _counted(self) -> CountedObject:
        for one in self._seen():
            if (found := one.objects.get(self.key)) is not None:
                return found
        raise FileNotFoundError(f"{self} does not exist")

    def _names(self) -> dict[str, bool]:
        names: dict[str, bool] = {}
        for one in self._seen():
            names |= one.folders.get(self.key, {})
        if not names:
            raise FileNotFoundError(f"{self} does not exist")
        return names


Place: TypeAlias = Path | StorePath
ResultsDir: TypeAlias = str | os.PathLike[str] | StorePath
"""What functions for callers outside take: a path, a URL, or a place that another function returned."""
PlaceType = TypeVar("PlaceType", Path, StorePath, Place)


def place_of(results_dir: ResultsDir) -> Place:
    """Return the place that a path or a URL names. A store is not asked yet.

    Args:
        results_dir: The path or URL.

    Raises:
        RequestError: It is a URL that is not the address of a store.
    """
    if isinstance(results_dir, StorePath):
        return results_dir
    text = os.fspath(results_dir)
    if not is_url(text):
        return Path(results_dir)
    address = StoreAddress.parse(text)
    return StorePath(address.url, "", CountedSweeps(ObjectStore(address)))


def narrowed(place: PlaceType, sweep_ids: Collection[str] | None) -> PlaceType:
    """Return a place in which only some sweeps are seen, so that a store is asked for no other.

    Args:
        place: The place. A local folder stays as it is.
        sweep_ids: The sweeps; None: all.
    """
    if isinstance(place, StorePath) and sweep_ids is not None:
        return replace(place, sweep_ids=frozenset(sweep_ids))
    return place


def asked_again(place: PlaceType) -> PlaceType:
    """Return a place whose manifest objects are read again, because an object that counted is gone."""
    return replace(place, sweeps=CountedSweeps(place.sweeps.store)) if isinstance(place, StorePath) else place


def below(path: Place, results_dir: Place) -> str:
    """Return the path of a file relative to the results.

    Args:
        path: The file.
        results_dir: The results that it belongs to.
    """
    if isinstance(path, StorePath) or isinstance(results_dir, StorePath):
        return str(path).removeprefix(f"{results_dir}/")
    return str(path.relative_to(results_dir))


def as_local(paths: Iterable[Place]) -> list[Path]:
    """Return the paths of files of a local folder, for what changes files.

    Args:
        paths: The paths.

    Raises:
        TypeError: One of them is in a store, where files are never changed.
    """
    local = list(paths)
    if wrong := [path for path in local if isinstance(path, StorePath)]:
        raise TypeError(f"{wrong[0]} is not a local file")
    return cast("list[Path]", local)
