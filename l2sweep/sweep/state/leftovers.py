"""Remove the keys of points whose launcher died.

Only the keys in a journal and unfinished files of l2sweep are removed. No other run uses the namespace of
these keys.
"""

from __future__ import annotations

import contextlib
import enum
import glob
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from l2sweep import interrupts
from l2sweep.bench.job import Job
from l2sweep.bench.messages import Finished
from l2sweep.bench.page_cache import name_in_files
from l2sweep.config.adapter.traits import AdapterTraits
from l2sweep.errors import BenchError
from l2sweep.process.starter import StartProcess
from l2sweep.process.supervisor import run_unrecorded
from l2sweep.records.files import remove_half_written
from l2sweep.records.owner import is_held
from l2sweep.sweep.state.journal import JOURNAL_PATTERN, JournalEntry


class Removal(enum.Enum):
    """Result of removing the keys of a point. The value ends a sentence that begins with "keys of ..."."""

    DONE = "were removed"
    UNSUPPORTED = "remain: the adapter cannot delete"
    FAILED = "could not be removed"


def leftovers(results_dir: str) -> tuple[dict[Path, JournalEntry], list[str]]:
    """Find the points of a results folder whose launcher died on this host.

    Points of other hosts that share the folder are ignored: whether their launcher lives is unknown.

    Args:
        results_dir: Folder of the results.

    Returns:
        The entry by the path of its journal, and a sentence for each journal that cannot be read.
    """
    found: dict[Path, JournalEntry] = {}
    unreadable: list[str] = []
    for file in sorted((Path(results_dir) / "sweeps").glob(f"*/{JOURNAL_PATTERN}")):
        if is_held(file):
            continue
        try:
            entry = JournalEntry.from_json(file.read_text())
        except (OSError, ValueError, KeyError, TypeError):
            unreadable.append(f"{file} cannot be read: the keys of a run that died may remain")
            continue
        if entry.host.is_here:
            found[file] = entry
    return found, unreadable


def remove_leftovers(
    results_dir: str, start: StartProcess, specs: Iterable[Mapping[str, Any]] = ()
) -> list[str]:
    """Delete the keys of runs that died, and their unfinished files.

    Args:
        results_dir: Folder of the results.
        start: Starts a benchmark process.
        specs: Adapter specs of the points that run now, including credentials.

    Returns:
        A sentence for each point, and for each journal that cannot be read.

    Raises:
        KeyboardInterrupt: The user asked to stop.
    """
    specs = list(specs)
    found, sentences = leftovers(results_dir)
    for file, entry in found.items():
        with interrupts.interruptible():  # raises an interrupt that is pending
            pass
        entry = entry.with_credentials(specs)
        keys = f"keys of namespace {entry.job.namespace}, left by an earlier run,"
        if entry.lacks_credentials:
            sentences.append(f"{keys} remain: the adapter needs credentials ({file})")
            continue
        removal = remove_keys(entry.job, entry.python, start)
        if removal is not Removal.FAILED:
            file.unlink(missing_ok=True)
        sentences.append(f"{keys} {removal.value}")
    remove_half_written(Path(results_dir))
    return sentences


def remove_keys(job: Job, python: str | None, start: StartProcess) -> Removal:
    """Delete the keys of a point in a benchmark process.

    Args:
        job: The job of the point, including credentials.
        python: Path of the interpreter that ran it; None: the interpreter of the launcher.
        start: Starts a benchmark process.

    Raises:
        KeyboardInterrupt: The user asked to stop. The process has ended.
    """
    try:
        messages = run_unrecorded(start, replace(job, phases=(), fresh_namespace=True), python)
    except (OSError, BenchError):  # for example, the interpreter does not exist any more
        return Removal.FAILED
    finished = next((message for message in messages if isinstance(message, Finished)), None)
    if finished is None or finished.exit_code:
        return Removal.FAILED
    if finished.keys_stay:
        return Removal.UNSUPPORTED
    _remove_unfinished_keys(job)
    return Removal.DONE


def _remove_unfinished_keys(job: Job) -> None:
    """Remove the files of keys that an adapter was still writing when its process died.

    The adapter does not know these files as keys. LMCache's file adapters write a key to a temporary file
    first, whose name begins with the namespace. Only a fresh namespace belongs to this job alone.
    """
    if not job.fresh_namespace:
        return
    own_names = f"{glob.escape(name_in_files(job.namespace))}@*"
    for folder in map(Path, AdapterTraits.of(job.adapter_spec).cached_paths):
        for file in folder.rglob(own_names) if folder.is_dir() else ():
            with contextlib.suppress(OSError):
                file.unlink()
