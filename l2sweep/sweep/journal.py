"""What the running point owns, written down before it exists: the next run removes what a dead one left.

Only what stands in the journal is ever removed: keys of namespaces that no other run has, and half-written
files of our own.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from l2sweep import interrupts
from l2sweep.bench.messages import Finished
from l2sweep.bench.page_cache import name_in_files
from l2sweep.bench.request import PointRequest
from l2sweep.config.adapter_traits import Traits
from l2sweep.credentials import REDACTED, redact
from l2sweep.errors import BenchError
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.starter import StartProcess
from l2sweep.records.files import half_written, remove_half_written
from l2sweep.records.owner import Host, is_held, open_held
from l2sweep.sweep import fio

_PATTERN = "running-*.json"
_CLEAN_UP_LIMIT_S = 120.0
REMOVED, STAY, NOT_REMOVED = "were removed", "stay: the adapter cannot delete", "could not be removed"


@dataclass(frozen=True)
class Leftover:
    """A point whose launcher died while it ran.

    Attributes:
        file: Its journal.
        request: What it was asked; the spec's credentials are replaced.
        python: The interpreter that ran it; None: this one.
    """

    file: Path
    request: PointRequest
    python: str | None

    @property
    def lacks_credentials(self) -> bool:
        """Whether its adapter needs what the journal does not hold."""
        return REDACTED in json.dumps(self.request.adapter_spec)

    def with_credentials(self, specs: Iterable[Mapping[str, Any]]) -> Leftover:
        """Return it with the spec of today's request that differs from it in nothing but credentials.

        Args:
            specs: Of the points that are to be run now.
        """
        for spec in specs:
            if self.lacks_credentials and redact(spec) == self.request.adapter_spec:
                return replace(self, request=replace(self.request, adapter_spec=dict(spec)))
        return self


class Journal:
    """Names the keys of a running point, where it is to leave none, for as long as this process lives.

    Args:
        file: In the sweep's folder; no other run's.
        request: The point's, credentials included.
        python: The interpreter that runs it; None: this one.
    """

    def __init__(self, file: Path, request: PointRequest, python: str | None) -> None:
        self._path = file
        self._request = request
        self._python = python
        self._held: BinaryIO | None = None
        self._sync: threading.Thread | None = None

    def begin(self) -> None:
        """Write down what the point will own, before it exists."""
        if self._held is not None or not self._request.delete_after:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        safe = replace(self._request, adapter_spec=redact(self._request.adapter_spec))
        words = {"host": asdict(Host.here()), "python": self._python, "request": json.loads(safe.to_json())}
        aside = half_written(self._path.parent, self._path.stem)
        self._held = open_held(aside)
        self._held.write(json.dumps(words).encode())
        self._held.flush()
        aside.replace(self._path)
        # A process that is killed needs no more; for a host that crashes the disk is waited for, while the
        # point's process starts.
        self._sync = threading.Thread(target=_sync, args=(self._held.fileno(),))
        self._sync.start()

    def end(self, is_settled: bool, start: StartProcess) -> None:
        """Strike the point out once its keys are gone; have them removed when its process could not.

        Args:
            is_settled: Nothing was stored, its process removed it, or its adapter cannot.
            start: How a benchmark process is started.

        Raises:
            KeyboardInterrupt: The user asked to stop while keys were removed: the next run does it.
        """
        if self._held is None:
            return
        try:
            if is_settled or remove_keys(self._request, self._python, start) != NOT_REMOVED:
                self._path.unlink(missing_ok=True)
        finally:
            if self._sync is not None:
                self._sync.join()
            self._held.close()


def remove_keys(request: PointRequest, python: str | None, start: StartProcess) -> str:
    """Delete a point's keys in a process of its own.

    Args:
        request: The point's.
        python: The interpreter that ran it; None: this one.
        start: How a benchmark process is started.

    Returns:
        ``REMOVED``, ``STAY`` or ``NOT_REMOVED``.

    Raises:
        KeyboardInterrupt: The user asked to stop; it was ended.
    """
    if request.adapter_spec.get("type") == fio.TYPE:
        return REMOVED if fio.remove_files(request) else NOT_REMOVED
    limits = ProcessLimits(_CLEAN_UP_LIMIT_S, python=python)
    finished = None
    try:
        process = start(replace(request, phases=(), fresh_namespace=True), limits, lambda _: None)
    except (OSError, BenchError):  # its interpreter is gone, say
        return NOT_REMOVED
    try:
        for message in process.messages():
            finished = message if isinstance(message, Finished) else finished
    except KeyboardInterrupt:
        process.end(at_once=True)
        raise
    process.end()
    if finished is None or finished.exit_code:
        return NOT_REMOVED
    if finished.keys_stay:
        return STAY
    _remove_half_stored(request)
    return REMOVED


def _remove_half_stored(request: PointRequest) -> None:
    """Remove the files that an adapter was still writing when it died, and does not know as keys.

    LMCache's file adapters write a key aside under a name that begins with its namespace: this run's alone.
    """
    if not request.fresh_namespace:
        return
    own_names = f"{glob.escape(name_in_files(request.namespace))}@*"
    for folder in map(Path, Traits.of(request.adapter_spec).paths):
        for file in folder.rglob(own_names) if folder.is_dir() else ():
            with contextlib.suppress(OSError):
                file.unlink()


def leftovers(results_dir: str) -> tuple[list[Leftover], list[str]]:
    """Return the points of this results folder that died on this host, and a sentence for what is unreadable.

    Points of other hosts that share the folder are left to them.
    """
    found, unreadable = [], []
    for file in sorted((Path(results_dir) / "sweeps").glob(f"*/{_PATTERN}")):
        if is_held(file):
            continue
        try:
            words = json.loads(file.read_text())
            host, python = Host(**words["host"]), words["python"]
            request = PointRequest.from_json(json.dumps(words["request"]))
        except (OSError, ValueError, KeyError, TypeError):
            unreadable.append(f"{file} cannot be read: what a run that died left, stays")
            continue
        if host.is_here:
            found.append(Leftover(file, request, python))
    return found, unreadable


def remove_leftovers(
    results_dir: str, start: StartProcess, specs: Iterable[Mapping[str, Any]] = ()
) -> list[str]:
    """Delete the keys that dead runs left, and their half-written files.

    Args:
        results_dir: Folder of the results.
        start: How a benchmark process is started.
        specs: Adapter specs of the points that are to be run now, credentials included.

    Returns:
        A sentence for each thing that was done or could not be.

    Raises:
        KeyboardInterrupt: The user asked to stop.
    """
    specs = list(specs)
    found, said = leftovers(results_dir)
    for left in found:
        with interrupts.interruptible():
            pass
        left = left.with_credentials(specs)
        name = f"keys of namespace {left.request.namespace}, left by a run that died"
        if left.lacks_credentials:
            said.append(f"{name}, stay: their adapter needs credentials ({left.file})")
            continue
        outcome = remove_keys(left.request, left.python, start)
        if outcome != NOT_REMOVED:
            left.file.unlink(missing_ok=True)
        said.append(f"{name}, {outcome}")
    remove_half_written(Path(results_dir))
    return said


def _sync(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.fsync(descriptor)


def journal_file(folder: Path, point_index: int, attempt: int, token: str) -> Path:
    """Return where a run of a point stands in the journal of its sweep.

    Args:
        folder: The sweep's.
        point_index: Which point.
        attempt: Which attempt; one that was killed is begun again under the same number.
        token: No other run's.
    """
    return folder / f"running-{point_index:05d}.{attempt}.{token}.json"
