"""Tell how the last attempt at each point of a sweep ended, according to the records that can be read."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.reading.intact import ERRORS, UNREADABLE, warn_unreadable
from l2sweep.records.reading.listing import SweepFiles, list_files
from l2sweep.records.reading.presence import Attempt, missing
from l2sweep.records.reading.rows import attempts_in, read_rows
from l2sweep.records.storage.layout import records_folder
from l2sweep.records.store.place import Place, ResultsDir, narrowed, place_of

_COLUMNS = pa.schema([schema.POINTS.field(name) for name in ("sweep_id", "point_index", "attempt", "status")])


def last_attempts(
    results_dir: ResultsDir, sweep_id: str, *, reads_rounds: bool = False
) -> dict[int, tuple[int, str]]:
    """Return number and status of the last attempt by the index of the point, for each point with records.

    The status is ``unreadable`` if its rows in ``points`` cannot be read, or if the point was measured and
    its rows in ``rounds`` cannot be read. A point that was not measured may have no rounds. It is also
    ``unreadable`` if the compacted rounds have an attempt without rows in ``points``: somebody removed them.
    So the next attempt gets a number that the rounds do not have.

    Args:
        results_dir: Folder of the results.
        sweep_id: Id of the sweep.
        reads_rounds: Whether to read the rounds of each measured point, and not only the footer of a file.

    Warns:
        UnreadableRecordsWarning: With the files that cannot be read.
    """
    folder = narrowed(place_of(results_dir), [sweep_id])
    ended: dict[int, tuple[int, str]] = {}
    unreadable: dict[Place, str] = {}
    if (folder / POINTS).is_dir():
        rows = read_rows(folder, POINTS, _COLUMNS, sweep_ids=[sweep_id])
        ended = _as_recorded(rows.table.to_pylist())
        unreadable = dict(rows.unreadable)
        for point_index, attempt in _attempts_in(folder, POINTS, sweep_id, rows.unreadable):
            if attempt >= ended.get(point_index, (0, ""))[0]:
                ended[point_index] = (attempt, UNREADABLE)
    without_points = {
        point_index: (attempt, UNREADABLE)
        for point_index, attempt in sorted(_compacted_attempts(folder, ROUNDS, sweep_id))
        if attempt > ended.get(point_index, (0, ""))[0]
    }
    if without_points:
        ended |= without_points
        reason = f"it has no rows of {len(without_points)} points with rounds"
        place = records_folder(folder, POINTS, sweep_id) if isinstance(folder, Path) else folder / POINTS
        unreadable[place] = reason
    measured = {(index, attempt): 1 for index, (attempt, status) in ended.items() if status == "ok"}
    without_rounds = missing(folder, ROUNDS, sweep_id, measured)
    unreadable |= dict(without_rounds.values())
    lost = set(without_rounds)
    if reads_rounds and (folder / ROUNDS).is_dir():
        damaged = read_rows(folder, ROUNDS, schema.ROUNDS, sweep_ids=[sweep_id]).unreadable
        lost_too = _attempts_in(folder, ROUNDS, sweep_id, damaged) & set(measured)
        lost |= lost_too
        unreadable |= damaged if lost_too else {}
    for point_index, attempt in lost:
        ended[point_index] = (attempt, UNREADABLE)
    warn_unreadable(folder, unreadable)
    return ended


def _as_recorded(rows: Iterable[Mapping[str, Any]]) -> dict[int, tuple[int, str]]:
    ended: dict[int, tuple[int, str]] = {}
    for row in rows:
        attempt, status = ended.get(row["point_index"], (0, ""))
        # The status of a point with several processes is that of the first process that is not ok.
        if row["attempt"] > attempt or (row["attempt"] == attempt and status == "ok"):
            ended[row["point_index"]] = (row["attempt"], row["status"])
    return ended


def _attempts_in(
    results_dir: Place, data_set: str, sweep_id: str, damaged: Collection[Place]
) -> set[Attempt]:
    """Return the attempts whose rows the damaged files of a sweep have, as far as that is known."""
    files = _files(results_dir, data_set, sweep_id)
    found = {attempt for attempt, path in files.attempts.items() if path in damaged}
    if files.compacted is not None and files.compacted[0] in damaged:
        # What it contained is also what the other data set contains.
        for name in (ROUNDS, POINTS):
            found |= _compacted_attempts(results_dir, name, sweep_id)
    return found


def _compacted_attempts(results_dir: Place, data_set: str, sweep_id: str) -> set[Attempt]:
    """Return the attempts in the compacted file of a sweep; none without such a file that can be read."""
    files = _files(results_dir, data_set, sweep_id)
    if files.compacted is not None:
        with contextlib.suppress(*ERRORS):
            return set(attempts_in(files.compacted[0], sweep_id))
    return set()


def _files(results_dir: Place, data_set: str, sweep_id: str) -> SweepFiles:
    if not (results_dir / data_set).is_dir():
        return SweepFiles()
    return list_files(results_dir, data_set, [sweep_id]).sweeps.get(sweep_id, SweepFiles())
