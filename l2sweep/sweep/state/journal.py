"""The journal of a running point: a file that names the keys that the point will store.

It is written before the first key is stored, and deleted when the keys are gone. The launcher keeps it
locked: a journal without a lock belongs to a launcher that died, and ``leftovers.py`` removes its keys.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from l2sweep.bench.job import PHASES, Job
from l2sweep.credentials import REDACTED, differ_only_in_credentials, redact
from l2sweep.records.files import half_written
from l2sweep.records.owner import Host, open_held

JOURNAL_PATTERN = "running-*.json"


def journal_file(folder: Path, point_index: int, attempt: int, token: str) -> Path:
    """Return the path of a journal.

    Args:
        folder: Folder of the sweep.
        point_index: Index of the point.
        attempt: Number of the attempt. An attempt that was killed is repeated under the same number.
        token: A text that no other attempt has.
    """
    return folder / f"running-{point_index:05d}.{attempt}.{token}.json"


@dataclass(frozen=True)
class JournalEntry:
    """The content of a journal.

    Attributes:
        host: Host that runs the point.
        job: The whole job of the point. If ``delete_after`` is false, the user wants to keep the keys.
        python: Path of the interpreter that runs it; None: the interpreter of the launcher. It is shown, and
            never run.
    """

    host: Host
    job: Job
    python: str | None

    def to_json(self) -> str:
        """Return the entry as JSON text, without credentials. References to secrets stay."""
        job = replace(self.job, adapter_spec=redact(self.job.adapter_spec))
        return json.dumps(asdict(replace(self, job=job)))

    @classmethod
    def from_json(cls, text: str | bytes) -> JournalEntry:
        """Return the entry in a JSON text of this release or an earlier one.

        Raises:
            ValueError: The text is not JSON, a field is missing, or a field has the wrong type.
        """
        try:
            values = json.loads(text)
            # Releases before schema version 3 called the job "request".
            job = values["job"] if "job" in values else values["request"]
            entry = cls(Host(**values["host"]), Job.from_json(json.dumps(job)), values["python"])
            # The classes do not check the types of their fields.
            return _ENTRY.validate_json(json.dumps(asdict(entry)), strict=True)
        except (KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
            raise ValueError(f"not a journal: {type(error).__name__}") from error

    @property
    def is_kept(self) -> bool:
        """Whether the point has ``keep_data=true``."""
        return not self.job.delete_after

    @property
    def lacks_credentials(self) -> bool:
        """Whether its adapter needs credentials, which a journal does not contain."""
        return REDACTED in json.dumps(self.job.adapter_spec)

    def spec_in(self, specs: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Return the first spec that differs from the one of the entry at most in credentials.

        Args:
            specs: Adapter specs that include credentials.

        Returns:
            The spec; None if none fits.
        """
        own = self.job.adapter_spec
        return next((dict(spec) for spec in specs if differ_only_in_credentials(spec, own)), None)


_ENTRY = TypeAdapter(JournalEntry)


class Journal:
    """Record the keys of one running point.

    A point whose keys stay on purpose under a name that another run uses as well (``only=store``, or
    ``namespace`` with ``keep_data=true``) is not recorded. Nor is one whose server is a service: its keys go
    with the server, even if this process is killed.

    Args:
        file: Path of the journal, from :func:`journal_file`.
        job: The whole job of the point, including credentials.
        python: Path of the interpreter that runs it; None: the interpreter of the launcher.
        is_served: Whether its server is a service.
    """

    def __init__(self, file: Path, job: Job, python: str | None, *, is_served: bool = False) -> None:
        self._path = file
        self._job = job
        self._python = python
        self._is_served = is_served
        self._held: BinaryIO | None = None
        self._sync: threading.Thread | None = None

    def begin(self) -> None:
        """Write the journal, and lock it. Do nothing if the point is not recorded.

        Raises:
            OSError: The file cannot be written.
        """
        keeps_fresh_keys = self._job.fresh_namespace and PHASES[0] in self._job.phases
        if self._is_served or self._held is not None or not (self._job.delete_after or keeps_fresh_keys):
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        entry = JournalEntry(Host.here(), self._job, self._python)
        temporary = half_written(self._path.parent, self._path.stem)
        self._held = open_held(temporary)
        try:
            self._held.write(entry.to_json().encode())
            self._held.flush()
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)
        # The page cache survives a process that is killed. Only a crash of the host needs the file on the
        # disk, so the flush runs while the benchmark process starts.
        self._sync = threading.Thread(target=_sync, args=(self._held.fileno(),))
        self._sync.start()

    def end(self, keys_remain: bool) -> None:
        """Release the lock, and delete the journal unless the point's keys remain.

        Args:
            keys_remain: Whether keys of the point remain that should have been removed. The keys of a point
                with ``keep_data=true`` that has ended stay on purpose, and need no journal.
        """
        if self._held is None:
            return
        if not keys_remain or not self._job.delete_after:
            self._path.unlink(missing_ok=True)
        if self._sync is not None:
            self._sync.join()
        with contextlib.suppress(OSError):  # close() repeats a flush that failed in begin()
            self._held.close()


def _sync(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.fsync(descriptor)
