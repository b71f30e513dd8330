"""Damage the files of the data sets, and put the rows of a sweep back into a file for each attempt."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from l2sweep.records.files import POINTS, ROUNDS, file_stem
from l2sweep.records.storage.layout import record_path


def split(results_dir: Path) -> None:
    """Put the rows of each sweep into a file for each attempt, as a sweep leaves them that was killed."""
    for data_set in (ROUNDS, POINTS):
        for folder in sorted((results_dir / data_set).glob("date=*/*")):
            sweep_id = folder.name
            for file in list(folder.glob("*.parquet")):
                if len(file.name.removeprefix(sweep_id).split(".")) > 3:
                    continue  # the file of an attempt
                table = pq.read_table(file)
                places = table.group_by(["point_index", "attempt"]).aggregate([]).to_pylist()
                for place in places:
                    is_own = pc.and_(*(pc.equal(table[name], value) for name, value in place.items()))
                    stem = file_stem(sweep_id, place["point_index"], place["attempt"])
                    pq.write_table(
                        table.filter(is_own), record_path(results_dir, data_set, stem), compression="zstd"
                    )
                file.unlink()


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def damage_a_page(file: Path) -> None:
    """Damage the data and keep the footer, which tells where they are."""
    content = bytearray(file.read_bytes())
    content[4:1500] = bytes(1496)
    file.write_bytes(content)
