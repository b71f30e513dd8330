"""Reading the data sets into pandas, with what follows from the columns derived."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from l2sweep.records import schema

_MIB = 1024 * 1024


def load_rounds(results_dir: str | PathLike[str] = "results") -> pd.DataFrame:
    """Read every round that was recorded.

    Derived columns: ``mib_per_s`` (``bytes_ok`` over ``duration_s``; missing for lookups, which move
    nothing), ``durable_mib_per_s`` (the same over ``duration_s + flush_s``, of stores that were flushed),
    ``keys_per_s`` (keys answered over ``duration_s``: ``keys_ok`` for stores and loads,
    ``keys_requested`` for lookups, whose misses are answers, too), ``latency_per_key_s`` (its inverse).
    All are missing where a round has no duration; nothing that failed has a speed above 0.

    Args:
        results_dir: Folder of the data sets.

    Returns:
        A row for each round, in the order in which they were run.

    Raises:
        FileNotFoundError: Nothing was recorded there.
    """
    rounds = _load(Path(results_dir) / "rounds", schema.ROUNDS)
    is_lookup = rounds["phase"] == "lookup"
    answered = rounds["keys_ok"].where(~is_lookup, rounds["keys_requested"])
    answered = answered.mask(is_lookup & ~rounds["status"].isin(["ok", "partial"]), 0)
    rounds["mib_per_s"] = (rounds["bytes_ok"] / _MIB / rounds["duration_s"]).mask(is_lookup)
    rounds["durable_mib_per_s"] = rounds["bytes_ok"] / _MIB / (rounds["duration_s"] + rounds["flush_s"])
    rounds["keys_per_s"] = answered / rounds["duration_s"]
    rounds["latency_per_key_s"] = (rounds["duration_s"] / answered).where(answered > 0)
    return _in_order(rounds)


def load_points(results_dir: str | PathLike[str] = "results") -> pd.DataFrame:
    """Read how each benchmark process of each point ended.

    Args:
        results_dir: Folder of the data sets.

    Returns:
        A row for each process, in the order in which they were run.

    Raises:
        FileNotFoundError: Nothing was recorded there.
    """
    return _in_order(_load(Path(results_dir) / "points", schema.POINTS))


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    # Sweeps by the time of their first row; within a file rows stand as they were run, and rounds that
    # were not run have no time to sort by.
    began = rows.groupby("sweep_id")["started_at"].transform("min")
    ordered: pd.DataFrame = (
        rows.assign(began=began)
        .sort_values(["began", "sweep_id", "point_index", "attempt"], kind="stable", ignore_index=True)
        .drop(columns="began")
    )
    return ordered


def _load(folder: Path, columns: pa.Schema) -> pd.DataFrame:
    if not folder.is_dir():
        raise FileNotFoundError(f"no records in {folder}: has a sweep been run with this results_dir?")
    frame: pd.DataFrame = ds.dataset(folder, schema=columns, format="parquet").to_table().to_pandas()
    return frame
