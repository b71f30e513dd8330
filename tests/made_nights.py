"""Write the rows of made sweeps as records, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from made_sweeps import MadeSweep, tables
from sample_rows import Row

from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.records.files import POINTS, ROUNDS, compacted_name
from l2sweep.records.storage.layout import records_folder


def write_nights(results_dir: Path, nights: Iterable[MadeSweep]) -> list[str]:
    """Write sweeps and return their ids."""
    written = []
    for night in nights:
        rounds, points = night.lists()
        write_rows(results_dir, rounds, points)
        written.append(str(points[0]["sweep_id"]))
    return written


def write_rows(results_dir: Path, rounds: Sequence[Row], points: Sequence[Row]) -> None:
    """Write the rows of a sweep as it is once it is compacted: a file in each data set."""
    for data_set, table in zip((ROUNDS, POINTS), tables(rounds, points), strict=True):
        sweep_id, began = str(points[0]["sweep_id"]), min(row["started_at"] for row in points)
        folder = records_folder(results_dir, data_set, sweep_id, began)
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.drop_columns([FLEET_HOST]), folder / compacted_name(sweep_id, 1))


def small_night(number: int, **changes: object) -> MadeSweep:
    """Return a night of fs and fio with two sizes."""
    small: dict[str, object] = {
        "adapters": ("fs", "fio"),
        "sizes_kb": (4096, 8192),
        "depths": (1,),
        "rounds": 2,
    }
    return MadeSweep(number, **{**small, **changes})  # type: ignore[arg-type]
