"""Write the rows of made sweeps as records, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from made_sweeps import MadeSweep
from sample_rows import Row

from l2sweep.records.writer import write_point


def write_nights(results_dir: Path, nights: Iterable[MadeSweep]) -> list[str]:
    """Write sweeps and return their ids."""
    written = []
    for night in nights:
        rounds, points = night.lists()
        write_rows(results_dir, rounds, points)
        written.append(str(points[0]["sweep_id"]))
    return written


def write_rows(results_dir: Path, rounds: Sequence[Row], points: Sequence[Row]) -> None:
    """Write the rows of a sweep, a file in each data set for each point."""
    for point in points:
        index, sweep_id = point["point_index"], point["sweep_id"]
        own = [row for row in rounds if row["point_index"] == index]
        write_point(results_dir, f"{sweep_id}.{index:05}.1", own, [point])


def small_night(number: int, **changes: object) -> MadeSweep:
    """Return a night of fs and fio with two sizes."""
    small: dict[str, object] = {
        "adapters": ("fs", "fio"),
        "sizes_kb": (4096, 8192),
        "depths": (1,),
        "rounds": 2,
    }
    return MadeSweep(number, **{**small, **changes})  # type: ignore[arg-type]
