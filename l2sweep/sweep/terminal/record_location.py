"""Tell where the records and log files are, and how to read the records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.sweep.point_attempt import PointResult


def record_location(results_dir: str, results: Sequence[PointResult]) -> list[str]:
    """Return the lines that name the records and log files, and the code that reads the records.

    Args:
        results_dir: Folder of the results.
        results: The points that were run. Without any, there are no records and no lines.
    """
    if not results:
        return []
    log_file = PurePath(results_dir, results[0].point["log_file"])
    logs = f"Log file: {log_file}" if len(results) == 1 else f"Log files: {log_file.parent}/"
    if not any(result.rounds for result in results):
        return [f"Records: {results_dir}/{POINTS}", logs]
    return [
        f"Records: {results_dir}/{ROUNDS} and {results_dir}/{POINTS}",
        logs,
        "To read the records:",
        f'  import pandas as pd; pd.read_parquet("{results_dir}/{ROUNDS}")',
        f'  import l2sweep; l2sweep.load_rounds("{results_dir}")',
    ]
