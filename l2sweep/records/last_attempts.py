"""Tell how the last attempt at each point of a sweep ended, according to the records that can be read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS, file_stem, files_of_sweep
from l2sweep.records.intact import (
    UNREADABLE,
    point_and_attempt,
    read_records,
    warn_unreadable,
    why_unreadable,
)

_COLUMNS = pa.schema([schema.POINTS.field(name) for name in ("sweep_id", "point_index", "attempt", "status")])


def last_attempts(
    results_dir: str, sweep_id: str, *, reads_rounds: bool = False
) -> dict[int, tuple[int, str]]:
    """Return number and status of the last attempt by the index of the point, for each point with records.

    The status is ``unreadable`` if the file in ``points`` cannot be read, or if the point was measured and
    its file in ``rounds`` cannot be read. A point that was not measured may have no rounds.

    Args:
        results_dir: Folder of the results.
        sweep_id: Id of the sweep.
        reads_rounds: Whether to read the rounds of each measured point, and not only the footer of the file.

    Warns:
        UnreadableRecordsWarning: With the files that cannot be read.
    """
    folder = Path(results_dir)
    files = files_of_sweep(folder, POINTS, sweep_id)
    table, unreadable = read_records(files, _COLUMNS)
    ended: dict[int, tuple[int, str]] = {}
    for row in table.to_pylist():
        attempt, status = ended.get(row["point_index"], (0, ""))
        # The status of a point with several processes is that of the first process that is not ok.
        if row["attempt"] > attempt or (row["attempt"] == attempt and status == "ok"):
            ended[row["point_index"]] = (row["attempt"], row["status"])
    for file in unreadable:
        point_index, attempt = point_and_attempt(file)
        if attempt >= ended.get(point_index, (0, ""))[0]:
            ended[point_index] = (attempt, UNREADABLE)
    rounds = {
        folder / ROUNDS / f"{file_stem(sweep_id, point_index, attempt)}.parquet": point_index
        for point_index, (attempt, status) in ended.items()
        if status == "ok"
    }
    without_rounds = {file: reason for file in rounds if (reason := why_unreadable(file))}
    if reads_rounds:
        _, damaged = read_records([file for file in rounds if file not in without_rounds], schema.ROUNDS)
        without_rounds |= damaged
    for file in without_rounds:
        attempt, _ = ended[rounds[file]]
        ended[rounds[file]] = (attempt, UNREADABLE)
    warn_unreadable(folder, {**unreadable, **without_rounds})
    return ended
