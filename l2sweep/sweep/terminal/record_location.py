"""Tell what a run leaves behind: records, log files, and keys that were not deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from l2sweep.analysis.control import adapter_name_of_row
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.storage.layout import records_folder
from l2sweep.records.store.address import is_url
from l2sweep.sweep.attempt.point_attempt import PointResult

_NAMED_PLACES = 3  # of the points with remaining keys, to keep the line readable


def record_location(results_dir: str, results: Sequence[PointResult]) -> list[str]:
    """Return the lines that name the records and log files, and the code that reads the records.

    Args:
        results_dir: Folder of the results.
        results: The points that were run. Without any, there are no records and no lines.
    """
    if not results:
        return []
    log_file = f"{results_dir}/{results[0].point['log_file']}"
    logs = f"Log file: {log_file}" if len(results) == 1 else f"Log files: {log_file.rpartition('/')[0]}/"
    # The files of this sweep have the same columns. Those of a sweep of another release may lack some, and
    # pandas would leave these out.
    sweep_id, began = results[0].point["sweep_id"], results[0].point["started_at"]
    if is_url(results_dir):  # pandas does not know which objects count
        read = f'  import l2sweep; l2sweep.load_rounds("{results_dir}", sweep="{sweep_id}")'
        return [f"Records: {results_dir}, sweep {sweep_id}", logs, "To read the records:", read]
    rounds, points = (
        records_folder(Path(results_dir), data_set, sweep_id, began) for data_set in (ROUNDS, POINTS)
    )
    if not any(result.rounds for result in results):
        return [f"Records: {points}", logs]
    return [
        f"Records: {rounds} and {points}",
        logs,
        "To read the records:",
        f'  import pandas as pd; pd.read_parquet("{rounds}")',
        f'  import l2sweep; l2sweep.load_rounds("{results_dir}")',
    ]


def lost_line(lost: Mapping[int, str]) -> str:
    """Return a line that names the records that cannot be read back.

    Args:
        lost: By the index of the point, which file cannot be read and why.
    """
    count = f"{len(lost)} point{'s' if len(lost) > 1 else ''}"
    more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"The records of {count} cannot be read back: {lost[min(lost)]}{more}"


def keys_left_lines(results: Sequence[PointResult]) -> list[str]:
    """Return a line that names the keys that a lookup still found after they were deleted.

    Args:
        results: The points that were run. Without such keys there is no line.
    """
    left = [row for result in results for row in result.points if row["keys_left"]]
    if not left:
        return []
    places = list(dict.fromkeys(f"{adapter_name_of_row(row)}, namespace {row['namespace']}" for row in left))
    named = "; ".join(places[:_NAMED_PLACES])
    more = len(places) - _NAMED_PLACES
    if more > 0:
        named += f"; and {more} more (column keys_left of {POINTS})"
    count = f"{sum(row['keys_left'] for row in left)} keys of {len(left)} point{'s' if len(left) > 1 else ''}"
    return [f"{count} were not deleted: {named}"]
