"""Remove the keys of points whose launcher died.

Only the keys in a journal and unfinished files of l2sweep are removed. No other run uses the namespace of
these keys. A journal is a file that another user may have written: it is read only if it cannot come from
one, its interpreter is never run, and it removes nothing but the keys of the run that it names.
"""

from __future__ import annotations

import contextlib
import enum
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep import interrupts
from l2sweep.bench.job import Job, local_paths
from l2sweep.bench.messages import Finished
from l2sweep.config.adapter.traits import AdapterTraits, why_not_from_a_file
from l2sweep.errors import BenchError, RequestError, shown
from l2sweep.process.starter import StartProcess
from l2sweep.process.supervisor import run_unrecorded
from l2sweep.records.files import remove_half_written
from l2sweep.records.owner import is_held
from l2sweep.records.storage.compaction import remove_unfinished, sweeps_with_unfinished
from l2sweep.records.storage.stored_sweep import why_never_removed
from l2sweep.records.trusted_files import UntrustedFileError, is_owned, is_sweep_id, read_trusted
from l2sweep.sweep.state.journal import JOURNAL_PATTERN, JournalEntry, journal_file
from l2sweep.sweep.state.own_names import is_file_of, parts_of_namespace
from l2sweep.sweep.state.sweep_lock import sweep_lock


class Removal(enum.Enum):
    """Result of removing the keys of a point. The value ends a sentence that begins with "keys of ..."."""

    DONE = "were removed"
    UNSUPPORTED = "remain: the adapter cannot delete"
    FAILED = "may remain: their deletion is not proven"


_TRIED_AGAIN = "; the next run tries again"
# For the keys of a round. A frozen server would hold up the sweep for the time limit of a round once more;
# its keys are deleted by the next run as well. Not measured: a choice.
_REMOVAL_TIMEOUT_S = 10.0


def undeleted_sentence(namespace: str) -> str:
    """Return what to say of a point of this run whose keys may remain, so that its journal stays.

    Args:
        namespace: Namespace of the keys.
    """
    return f"keys of namespace {shown(namespace)} {Removal.FAILED.value}{_TRIED_AGAIN}"


@dataclass(frozen=True)
class Request:
    """What the user requests now. Only this says which code may run.

    Attributes:
        specs: Adapter specs, including credentials.
        pythons: Interpreters; None: the interpreter of the launcher.
        remove_kept: Whether the keys of points with ``keep_data=true`` are removed as well.
        sweep_id: The only sweep whose keys are removed; None: all sweeps.
    """

    specs: tuple[Mapping[str, Any], ...] = ()
    pythons: tuple[str | None, ...] = ()
    remove_kept: bool = False
    sweep_id: str | None = None


def leftovers(results_dir: str) -> tuple[dict[Path, JournalEntry], list[str]]:
    """Find the points of a results folder whose launcher died on this host.

    Points of other hosts that share the folder are ignored: whether their launcher lives is unknown.

    Args:
        results_dir: Folder of the results.

    Returns:
        The entry by the path of its journal, and a sentence for each journal that is not used.
    """
    found: dict[Path, JournalEntry] = {}
    ignored: list[str] = []
    for file in sorted((Path(results_dir) / "sweeps").glob(f"*/{JOURNAL_PATTERN}")):
        try:
            content = read_trusted(file, Path(results_dir))  # first: opening a FIFO to lock it would block
            if is_held(file):
                continue
            entry = JournalEntry.from_json(content)
        except FileNotFoundError:  # its point has just ended
            continue
        except UntrustedFileError as error:
            ignored.append(f"{error}; nothing is removed because of it")
            continue
        except (OSError, ValueError):
            ignored.append(f"{shown(file)} cannot be read: the keys of a run that died may remain")
            continue
        if not entry.host.is_here:
            continue
        if is_sweep_id(file.parent.name):
            found[file] = entry
    return found, ignored


def leftovers_in_words(results_dir: str) -> list[str]:
    """Return what :func:`leftovers` finds as sentences.

    Args:
        results_dir: Folder of the results.
    """
    found, sentences = leftovers(results_dir)
    for file, entry in found.items():
        keys = f"keys of namespace {shown(entry.job.namespace)}, left by an earlier run,"
        is_tried = f"{keys} may remain: the next run removes them, or {_clean_command(file, results_dir)}"
        sentences.append(_kept_sentence(file, entry, results_dir) if entry.is_kept else is_tried)
    return sentences


def remove_leftovers(
    results_dir: str,
    start: StartProcess,
    specs: Iterable[Mapping[str, Any]] = (),
    pythons: Iterable[str | None] = (),
    *,
    remove_kept: bool = False,
    sweep_id: str | None = None,
) -> list[str]:
    """Delete the keys of runs that died, and their unfinished files.

    Args:
        results_dir: Folder of the results.
        start: Starts a benchmark process.
        specs: Adapter specs of the points that run now, including credentials.
        pythons: Their interpreters; None: the interpreter of the launcher.
        remove_kept: Whether the keys of points with ``keep_data=true`` are removed as well.
        sweep_id: The only sweep whose keys are removed; None: all sweeps.

    Returns:
        A sentence for each point, and for each journal that is not used.

    Raises:
        KeyboardInterrupt: The user asked to stop.
    """
    request = Request(tuple(specs), tuple(pythons), remove_kept, sweep_id)
    found, sentences = leftovers(results_dir)
    for file, entry in found.items():
        with interrupts.interruptible():  # raises an interrupt that is pending
            pass
        if request.sweep_id in (None, file.parent.name):
            sentences.append(_remove_leftover(file, entry, results_dir, request, start))
    remove_half_written(Path(results_dir))
    _remove_unfinished_compactions(Path(results_dir))
    return sentences


def _remove_unfinished_compactions(results_dir: Path) -> None:
    for sweep_id in sweeps_with_unfinished(results_dir):
        if not why_never_removed(results_dir, sweep_id):
            with contextlib.suppress(RequestError, OSError), sweep_lock(results_dir / "sweeps" / sweep_id):
                remove_unfinished(results_dir, sweep_id)


def _remove_leftover(
    file: Path, entry: JournalEntry, results_dir: str, request: Request, start: StartProcess
) -> str:
    """Delete the keys of a point whose launcher died, and return a sentence."""
    if entry.is_kept and not request.remove_kept:
        return _kept_sentence(file, entry, results_dir)
    keys = f"keys of namespace {shown(entry.job.namespace)}, left by an earlier run,"
    requested = entry.spec_in(request.specs)
    if reason := _why_left_alone(file, entry, requested):
        return f"{keys} remain: {reason} ({shown(file)})"
    job = replace(entry.job, adapter_spec=requested or entry.job.adapter_spec, delete_after=True)
    python = entry.python if entry.python in request.pythons else None
    removal = remove_keys(job, python, start)
    if removal is Removal.FAILED and python != entry.python:
        path = shown(entry.python)
        return f"{keys} {removal.value} without the interpreter of that run: repeat with python={path}"
    if removal is Removal.FAILED:
        return f"{keys} {removal.value}{_TRIED_AGAIN}"
    file.unlink(missing_ok=True)
    return f"{keys} {removal.value}"


def _why_left_alone(file: Path, entry: JournalEntry, requested: Mapping[str, Any] | None) -> str:
    """Return why the keys in a journal are not deleted; empty if they are."""
    if not _is_namespace_of(entry.job.namespace, file):
        namespace = f"namespace={shown(entry.job.namespace)}"
        return (
            f"other runs may use this namespace; a store with {namespace} deletes them, else remove the file"
        )
    if requested is not None:
        return ""
    if entry.lacks_credentials:
        return "the adapter needs credentials"
    if reason := why_not_from_a_file(entry.job.adapter_spec):
        return f"{reason}; a run with the same adapter removes them"
    for path in map(Path, local_paths(entry.job.adapter_spec)):
        if path.is_symlink():
            return f"{shown(path)} is a symbolic link; a run with the same adapter removes them"
        if path.exists() and not is_owned(path.lstat()):
            return f"{shown(path)} belongs to another user; a run with the same adapter removes them"
    return ""


def _is_namespace_of(namespace: str, file: Path) -> bool:
    """Whether a namespace is the one that l2sweep made for the run that wrote a journal."""
    parts = parts_of_namespace(namespace)
    if parts is None:
        return False
    sweep_id, index, attempt, token = parts
    return sweep_id == file.parent.name and journal_file(file.parent, index, attempt, token) == file


def _kept_sentence(file: Path, entry: JournalEntry, results_dir: str) -> str:
    return (
        f"keys of namespace {shown(entry.job.namespace)} remain: keep_data=true, and their run died; "
        f"to remove them: {_clean_command(file, results_dir)}; to keep them: remove {shown(file)}"
    )


def _clean_command(file: Path, results_dir: str) -> str:
    folder = shlex.quote(shown(results_dir))
    return f"python -m l2sweep clean --results-dir {folder} --sweep-id {file.parent.name}"


def remove_keys(job: Job, python: str | None, start: StartProcess, silence_s: float | None = None) -> Removal:
    """Delete the keys of a point in a benchmark process.

    Args:
        job: The job of the point, including credentials.
        python: Path of the interpreter that runs the process; None: the interpreter of the launcher.
        start: Starts a benchmark process.
        silence_s: Seconds without an answer of the store, after which the removal has failed; None: no limit.

    Raises:
        KeyboardInterrupt: The user asked to stop. The process has ended.
    """
    # Only what names the keys: the scripts of a profiler, for example, are programs.
    removal = Job(
        adapter_spec=job.adapter_spec,
        workload=job.workload,
        phases=(),
        namespace=job.namespace,
        fresh_namespace=True,
        verify=False,
        delete_before=False,
        delete_after=True,
        timeout_s={phase: min(limit_s, _REMOVAL_TIMEOUT_S) for phase, limit_s in job.timeout_s.items()},
        through=job.through,  # it is part of the keys
        concurrent=job.concurrent,
        trace=job.trace,  # the number of its keys: a process without phases does not read the file
    )
    try:
        messages = run_unrecorded(start, removal, python, silence_s)
    except (OSError, BenchError):  # for example, the interpreter does not exist any more
        return Removal.FAILED
    finished = next((message for message in messages if isinstance(message, Finished)), None)
    if finished is None or finished.exit_code:
        return Removal.FAILED
    if finished.keys_stay:
        return Removal.UNSUPPORTED
    if job.fresh_namespace:  # only a fresh namespace belongs to this job alone
        for folder in map(Path, AdapterTraits.of(job.adapter_spec).cached_paths):
            remove_files(folder, job.namespace)
            remove_files(folder, job.sentinel_namespace)
    return Removal.DONE


def remove_files(folder: Path, namespace: str) -> None:
    """Remove the files of keys that an adapter was still writing when its process died.

    The adapter does not know these files as keys. LMCache's file adapters write a key to a temporary file
    first, whose name begins with the namespace. No link below the folder is followed.

    Args:
        folder: Folder of the adapter.
        namespace: The namespace.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # it is missing, or a file
        return
    try:
        for _, _, names, inside in os.fwalk(".", follow_symlinks=False, dir_fd=descriptor):
            for name in names:
                if is_file_of(name, namespace):
                    with contextlib.suppress(OSError):
                        os.unlink(name, dir_fd=inside)
    finally:
        os.close(descriptor)
