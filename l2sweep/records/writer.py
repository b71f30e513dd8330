"""Writing a data set's files so that no reader ever sees half of one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS, half_written
from l2sweep.records.owner import open_held


def get_ready_to_write() -> None:
    """Load what pyarrow loads with its first table, pandas among it, before something is measured."""
    for columns in (schema.ROUNDS, schema.POINTS):
        pq.write_table(pa.Table.from_pylist([{}], schema=columns), pa.BufferOutputStream())


def write_point(
    results_dir: Path,
    file_stem: str,
    rounds: Sequence[Mapping[str, Any]],
    points: Sequence[Mapping[str, Any]],
) -> None:
    """Write the rows of one point: a file in ``rounds/`` and a file in ``points/``.

    The rounds are written first: whoever finds the point finds its rounds.

    Args:
        results_dir: Folder of the data sets.
        file_stem: Name of the files, without their ending; an existing file is replaced.
        rounds: Rows of the data set ``rounds``, as mappings from column to value.
        points: Rows of the data set ``points``, likewise.
    """
    _write(results_dir / ROUNDS, file_stem, rounds, schema.ROUNDS)
    _write(results_dir / POINTS, file_stem, points, schema.POINTS)


def _write(folder: Path, file_stem: str, rows: Sequence[Mapping[str, Any]], columns: pa.Schema) -> None:
    if not rows:
        return
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=columns)
    aside = half_written(folder, file_stem)
    try:
        with open_held(aside) as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / f"{file_stem}.parquet")
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
