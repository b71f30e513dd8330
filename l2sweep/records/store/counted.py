"""The manifest object of a sweep: ``sweeps/ID/objects.json`` names the objects that count.

A reader uses only what a manifest object names. So it never sees a part of a point, nor some rows twice while
the files of a sweep are replaced by compacted ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from l2sweep.records.files import POINTS, ROUNDS, name_by_content
from l2sweep.records.store.object_store import ObjectStore
from l2sweep.records.trusted_files import is_sweep_id

SWEEPS = "sweeps"
_NAME = "objects.json"
_VERSION = 2
_TRIES = 3
_PART = re.compile(r"[A-Za-z0-9_=][A-Za-z0-9._=-]{0,199}")


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="ignore"))
class CountedObject:
    """An object that counts.

    Attributes:
        num_bytes: Its size.
        modified_ns: When its file was written, in nanoseconds since 1970, by the clock of the sweep's host.
        sha256: SHA-256 of its content, in hexadecimal digits.
        is_named_by_content: Whether its name in the store contains its SHA-256, as the names of all records
            do since version 2. So an object that counts is never replaced by one of another run.
    """

    num_bytes: Annotated[int, Field(ge=0)]
    modified_ns: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    is_named_by_content: bool = False


CountedObjects = Mapping[str, CountedObject]
"""The objects of a sweep that count, by the relative paths of their files."""


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="ignore"))
class Counted:
    """The content of a manifest object.

    Attributes:
        sweep_id: The sweep.
        objects: Its objects that count, by the relative paths of their files.
        replaced: Keys of objects that counted once and may still exist. They are deleted after a manifest
            object without them was put.
        version: Version of the form of a manifest object.
    """

    sweep_id: str
    objects: dict[str, CountedObject] = Field(default_factory=dict)
    replaced: list[str] = Field(default_factory=list)
    version: Annotated[int, Field(ge=1, le=_VERSION)] = _VERSION

    def to_json(self) -> bytes:
        """Return the content as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()


def object_key(path: str, counted: CountedObject) -> str:
    """Return the key of an object in its store.

    Args:
        path: The relative path of its file.
        counted: The object.
    """
    if not counted.is_named_by_content:
        return path
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name_by_content(name, counted.sha256)}"


def object_keys(objects: CountedObjects) -> set[str]:
    """Return the keys of objects in their store."""
    return {object_key(path, counted) for path, counted in objects.items()}


def manifest_key(sweep_id: str) -> str:
    """Return the key of the manifest object of a sweep."""
    return f"{SWEEPS}/{sweep_id}/{_NAME}"


def from_json(sweep_id: str, content: bytes) -> Counted:
    """Return what a manifest object says.

    Args:
        sweep_id: The sweep.
        content: The content, which whoever may write into the store may have written.

    Raises:
        ValueError: It is damaged, of a later release, or names what is not of this sweep.
    """
    try:
        found = TypeAdapter(Counted).validate_json(content)
    except (ValidationError, RecursionError):
        raise ValueError("it is damaged, or was written by a later release") from None
    if found.sweep_id != sweep_id:
        raise ValueError("it is the manifest of another sweep")
    keys = (*found.objects, *found.replaced)
    if foreign := next((key for key in keys if not is_key_of(key, sweep_id)), ""):
        raise ValueError(f"it names {foreign[:100]!r}, which is no object of this sweep")
    return found


def is_key_of(key: str, sweep_id: str) -> bool:
    """Whether a key is a relative path below the folders of a sweep.

    Args:
        key: The key, which anybody may have written.
        sweep_id: The sweep.
    """
    parts = key.split("/")
    if len(parts) < 3 or not is_sweep_id(sweep_id) or not all(map(_PART.fullmatch, parts)):
        return False
    return parts[0] in (ROUNDS, POINTS, SWEEPS) and sweep_id in parts[1:-1]


def is_record(key: str) -> bool:
    """Whether a key is that of a file of a data set."""
    return key.startswith((f"{ROUNDS}/", f"{POINTS}/"))


def read_counted(store: ObjectStore, sweep_id: str) -> Counted:
    """Return which objects of a sweep count; none if the sweep has no manifest object.

    Raises:
        StoreError: The store did not give it.
        ValueError: As :func:`from_json`.
    """
    for number in range(_TRIES):
        try:
            return from_json(sweep_id, store.get(manifest_key(sweep_id)))
        except FileNotFoundError:
            break
        except ValueError:
            # It may have been replaced while it was read: pyarrow asks for its size first.
            if number == _TRIES - 1:
                raise
    return Counted(sweep_id)
