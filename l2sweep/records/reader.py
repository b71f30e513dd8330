"""Read the data sets into pandas, and derive throughput and latency."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import pandas as pd
import pyarrow as pa

from l2sweep.analysis.tune.device import device_columns
from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.intact import (
    FILE_NAME,
    UNREADABLE,
    read_records,
    record_files,
    warn_unreadable,
    why_unreadable,
)
from l2sweep.records.schema import RENAMED_COLUMNS

_MIB = 1024 * 1024


def load_rounds(results_dir: str | PathLike[str] = "results") -> pd.DataFrame:
    """Read all recorded rounds, of every schema version.

    Derived columns:

    - ``mib_per_s``: ``bytes_ok`` / ``duration_s``. Missing for lookups, which move no payload.
    - ``mib_per_s_elapsed``: ``bytes_ok`` / ``elapsed_s``, also for a round that timed out. Before schema
      version 4, ``elapsed_s`` is ``duration_s``. Missing for lookups.
    - ``durable_mib_per_s``: ``bytes_ok`` / (``duration_s`` + ``flush_s``), for stores that were flushed; 0 if
      the round is not ok.
    - ``keys_per_s``: answered keys / ``duration_s``. Answered keys are ``keys_ok`` of stores and loads, and
      ``keys_requested`` of lookups, because a miss is an answer.
    - ``latency_per_key_s``: ``duration_s`` / answered keys.
    - ``block_device_queue_depth``, ``block_device_request_bytes``, ``block_device_latency_s``,
      ``block_device_busy_fraction``: see :func:`l2sweep.analysis.tune.device.device_columns`.

    All but ``mib_per_s_elapsed`` are missing if a round has no duration. The throughput of a round that
    failed is above 0 only if bytes moved or keys were answered.

    Args:
        results_dir: Folder of the data sets.

    Returns:
        One row per round, in the order in which the rounds were run. The rows of a file that cannot be read
        are missing.

    Raises:
        FileNotFoundError: The folder has no records.

    Warns:
        UnreadableRecordsWarning: With the files that cannot be read.
    """
    rounds, unreadable, others = _load(Path(results_dir) / ROUNDS, schema.ROUNDS)
    warn_unreadable(Path(results_dir), unreadable, others)
    is_lookup = rounds["phase"] == "lookup"
    answered = rounds["keys_ok"].where(~is_lookup, rounds["keys_requested"])
    answered = answered.mask(is_lookup & ~rounds["status"].isin(["ok", "partial"]), 0)
    rounds["mib_per_s"] = (rounds["bytes_ok"] / _MIB / rounds["duration_s"]).mask(is_lookup)
    elapsed_s = rounds["elapsed_s"].where(rounds["duration_s"].isna(), rounds["duration_s"])
    rounds["mib_per_s_elapsed"] = (rounds["bytes_ok"] / _MIB / elapsed_s).mask(is_lookup)
    durable_bytes = rounds["bytes_ok"].where(rounds["status"] == "ok", 0)
    rounds["durable_mib_per_s"] = durable_bytes / _MIB / (rounds["duration_s"] + rounds["flush_s"])
    rounds["keys_per_s"] = answered / rounds["duration_s"]
    rounds["latency_per_key_s"] = (rounds["duration_s"] / answered).where(answered > 0)
    rounds = rounds.join(device_columns(rounds))
    return _in_order(rounds)


def load_points(results_dir: str | PathLike[str] = "results") -> pd.DataFrame:
    """Read the results of all benchmark processes, of every schema version.

    Args:
        results_dir: Folder of the data sets.

    Returns:
        One row per process, in the order in which the processes were run. The rows of a file that cannot be
        read are missing. A process that was ``ok`` has the status ``unreadable`` if the rounds of its point
        cannot be read, unless the folder has no ``rounds`` at all.

    Raises:
        FileNotFoundError: The folder has no records.

    Warns:
        UnreadableRecordsWarning: With the files that cannot be read.
    """
    points, unreadable, others = _load(Path(results_dir) / POINTS, schema.POINTS)
    without_rounds = _mark_points_without_rounds(points, Path(results_dir) / ROUNDS)
    warn_unreadable(Path(results_dir), {**unreadable, **without_rounds}, others)
    return _in_order(points.drop(columns=FILE_NAME))


def _mark_points_without_rounds(points: pd.DataFrame, rounds: Path) -> dict[Path, str]:
    """Change the status of processes whose rounds cannot be read.

    Args:
        points: Rows of the data set ``points``, changed in place.
        rounds: Folder of the data set ``rounds``.

    Returns:
        Why each file with rounds cannot be read. A process that was not ``ok`` may have no rounds.
    """
    measured = points["status"] == "ok"
    files = {name: rounds / Path(name).name for name in points.loc[measured, FILE_NAME].unique()}
    if not rounds.is_dir():
        return {}
    reasons = {name: reason for name, file in files.items() if (reason := why_unreadable(file))}
    lost = measured & points[FILE_NAME].isin(list(reasons))
    points.loc[lost, "status"] = UNREADABLE
    points.loc[lost, "detail"] = "its rounds cannot be read: " + points.loc[lost, FILE_NAME].map(reasons)
    return {files[name]: reason for name, reason in reasons.items()}


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    # Sweeps are sorted by their first start time. The rows of a file are already in order, and rounds that
    # did not run have no start time to sort by.
    began = rows.groupby("sweep_id")["started_at"].transform("min")
    ordered: pd.DataFrame = (
        rows.assign(began=began)
        .sort_values(["began", "sweep_id", "point_index", "attempt"], kind="stable", ignore_index=True)
        .drop(columns="began")
    )
    return ordered


def _load(folder: Path, columns: pa.Schema) -> tuple[pd.DataFrame, dict[Path, str], list[Path]]:
    """Return the rows of a data set, why files cannot be read, and the files that are not records.

    The rows of ``points`` have one more column: the path of the file.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no records in {folder}: run a sweep with this results_dir first")
    old = [
        pa.field(old, columns.field(new).type) for old, new in RENAMED_COLUMNS.items() if new in columns.names
    ]
    files, others = record_files(folder)
    table, unreadable = read_records(files, pa.schema([*columns, *old]), with_names=folder.name == POINTS)
    frame: pd.DataFrame = table.to_pandas()
    for field in old:
        new = RENAMED_COLUMNS[field.name]
        frame[new] = frame[new].where(frame[new].notna(), frame[field.name])
    return frame.drop(columns=[field.name for field in old]), unreadable, others
