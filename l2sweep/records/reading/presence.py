"""Look for the records of attempts: they are files of their own, or rows of a compacted file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from l2sweep.records.files import POINTS, ROUNDS, file_stem
from l2sweep.records.reading.intact import ERRORS, reason_of, why_unreadable
from l2sweep.records.reading.listing import SweepFiles, list_files
from l2sweep.records.reading.rows import TRIES, attempts_in
from l2sweep.records.storage.layout import record_path
from l2sweep.records.store.place import Place, StorePath, asked_again

Attempt = tuple[int, int]
"""The index of a point, and the number of an attempt at it."""


@dataclass(frozen=True)
class Recorded:
    """The rows that were written for an attempt at a point.

    Attributes:
        results_dir: Folder of the data sets.
        sweep_id: The sweep.
        point_index: Index of the point.
        attempt: Number of the attempt.
        num_rounds: Number of its rows in ``rounds`` at least.
        num_points: Number of its rows in ``points`` at least.
    """

    results_dir: Path
    sweep_id: str
    point_index: int
    attempt: int
    num_rounds: int
    num_points: int


def lost_records(recorded: Sequence[Recorded]) -> dict[int, str]:
    """Return which records cannot be read back and why, by the index of the point.

    Of a file of a single attempt only the footer is read.

    Args:
        recorded: What was written.
    """
    lost: dict[int, str] = {}
    for results_dir, sweep_id in dict.fromkeys((one.results_dir, one.sweep_id) for one in recorded):
        own = [one for one in recorded if (one.results_dir, one.sweep_id) == (results_dir, sweep_id)]
        for data_set in (POINTS, ROUNDS):  # a point without both is reported by its rounds
            wanted = {
                (one.point_index, one.attempt): one.num_rounds if data_set == ROUNDS else one.num_points
                for one in own
            }
            for (index, _), (path, reason) in missing(results_dir, data_set, sweep_id, wanted).items():
                lost[index] = f"{path} ({reason})"
    return lost


def missing(
    results_dir: Place, data_set: str, sweep_id: str, wanted: Mapping[Attempt, int]
) -> dict[Attempt, tuple[Place, str]]:
    """Return the attempts of a sweep whose rows cannot be read, each with its file and the reason.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        sweep_id: The sweep.
        wanted: Number of rows of each attempt at least. An attempt without any needs no file.
    """
    wanted = {attempt: rows for attempt, rows in wanted.items() if rows}
    listed = _list(results_dir, data_set, sweep_id)
    for _ in range(TRIES):
        found = _missing(results_dir, data_set, sweep_id, wanted, listed)
        if found:
            results_dir = asked_again(results_dir)
        now = _list(results_dir, data_set, sweep_id) if found else listed
        if now == listed:
            break
        listed = now  # a compaction replaced the files
    return found


def _list(results_dir: Place, data_set: str, sweep_id: str) -> SweepFiles:
    try:
        return list_files(results_dir, data_set, [sweep_id]).sweeps.get(sweep_id, SweepFiles())
    except (FileNotFoundError, NotADirectoryError):
        return SweepFiles()


def _missing(
    results_dir: Place, data_set: str, sweep_id: str, wanted: Mapping[Attempt, int], files: SweepFiles
) -> dict[Attempt, tuple[Place, str]]:
    compacted: dict[Attempt, int] = {}
    why_not_compacted = ""
    if files.compacted is not None and wanted:
        try:
            compacted = attempts_in(files.compacted[0], sweep_id)
        except ERRORS as error:
            why_not_compacted = reason_of(error)
    found: dict[Attempt, tuple[Place, str]] = {}
    for attempt, num_rows in wanted.items():
        path = files.attempts.get(attempt)
        if compacted.get(attempt, 0) >= num_rows:
            continue
        if files.compacted is not None and path is None and (why_not_compacted or attempt in compacted):
            too_few = f"it has {compacted.get(attempt)} of {num_rows} rows of point {attempt[0]}"
            found[attempt] = files.compacted[0], why_not_compacted or too_few
            continue
        path = path or _expected(results_dir, data_set, sweep_id, attempt)
        if reason := why_unreadable(path, num_rows):
            found[attempt] = path, reason
    return found


def _expected(results_dir: Place, data_set: str, sweep_id: str, attempt: Attempt) -> Place:
    stem = file_stem(sweep_id, *attempt)
    if isinstance(results_dir, StorePath):
        return results_dir / data_set / f"{stem}.parquet"
    return record_path(results_dir, data_set, stem)
