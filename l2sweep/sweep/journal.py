"""What the running point owns, written down before it exists: the next run removes what a dead one left.

Only what stands in the journal is ever removed: keys of namespaces that no other run has, and half-written
files of our own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep.bench.request import PointRequest
from l2sweep.credentials import REDACTED, redact
from l2sweep.sweep import fio
from l2sweep.sweep.isolation import StartProcess
from l2sweep.sweep.process import ProcessLimits

_PATTERN = "running-*.json"
_CLEAN_UP_LIMIT_S = 120.0


@dataclass(frozen=True)
class Leftover:
    """A point whose launcher died while it ran.

    Attributes:
        file: Its journal.
        request: What it was asked; the spec's credentials are replaced.
    """

    file: Path
    request: PointRequest

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


@dataclass(frozen=True)
class Journal:
    """Names the keys of a running point, where it is to leave none.

    Attributes:
        file: In the sweep's folder.
        request: The point's, credentials included.
    """

    file: Path
    request: PointRequest

    def begin(self) -> None:
        """Write down what the point will own, before it exists."""
        if not self.request.delete_after:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        safe = replace(self.request, adapter_spec=redact(self.request.adapter_spec))
        pid = os.getpid()
        owner = {"pid": pid, "started": start_time(pid), "request": json.loads(safe.to_json())}
        aside = self.file.with_suffix(".tmp")
        aside.write_text(json.dumps(owner))
        aside.replace(self.file)

    def end(self, removed_its_keys: bool, start: StartProcess) -> None:
        """Strike the point out once its keys are gone; have them removed when its process could not.

        Args:
            removed_its_keys: Its process came to its end.
            start: How a benchmark process is started.
        """
        if self.request.delete_after and (removed_its_keys or remove_keys(self.request, start)):
            self.file.unlink(missing_ok=True)


def remove_keys(request: PointRequest, start: StartProcess) -> bool:
    """Delete a point's keys in a process of its own; return whether that worked."""
    if request.adapter_spec.get("type") == fio.TYPE:
        fio.remove_files(request)
        return True
    limits = ProcessLimits(_CLEAN_UP_LIMIT_S)
    process = start(replace(request, phases=(), fresh_namespace=True), limits, lambda _: None)
    for _ in process.messages():
        pass
    return process.end().exit_code == 0


def leftovers(results_dir: str) -> list[Leftover]:
    """Return the points of this results folder whose launcher is dead."""
    found = []
    for file in sorted((Path(results_dir) / "sweeps").glob(f"*/{_PATTERN}")):
        owner = json.loads(file.read_text())
        if start_time(owner["pid"]) != owner["started"]:
            found.append(Leftover(file, PointRequest.from_json(json.dumps(owner["request"]))))
    return found


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
    """
    said = []
    specs = list(specs)
    for left in leftovers(results_dir):
        left = left.with_credentials(specs)
        name = f"keys of namespace {left.request.namespace}, left by a run that died"
        if left.lacks_credentials:
            said.append(f"{name}, stay: their adapter needs credentials ({left.file})")
            continue
        removed = remove_keys(left.request, start)
        if removed:
            left.file.unlink(missing_ok=True)
        said.append(f"{name}, {'were removed' if removed else 'could not be removed'}")
    for folder in ("rounds", "points"):
        for aside in (Path(results_dir) / folder).glob(".*.tmp"):
            if not Path(f"/proc/{aside.name.split('.')[-2]}").exists():
                aside.unlink(missing_ok=True)
    return said


def journal_file(folder: Path, point_index: int) -> Path:
    """Return where a point stands in the journal of its sweep."""
    return folder / f"running-{point_index:05d}.json"


def start_time(pid: int) -> str:
    """Return when a process was started, in the kernel's ticks, which tells it from a later one of its id.

    An empty text where there is no such process: proc_pid_stat(5), ``starttime``.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
