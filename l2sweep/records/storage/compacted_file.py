"""Write the rows of a sweep into one file, each phase in row groups of its own, and verify the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from l2sweep.records.reading.intact import as_read, read_file
from l2sweep.records.schema import PHASES
from l2sweep.records.trusted_files import create_new

_ROWS_PER_GROUP = 64 * 1024  # see "A fleet: 20 million rounds" in docs/benchmarks.md


def in_file_order(table: pa.Table) -> list[pa.Table]:
    """Return the rows of each phase, in the order of the points, their attempts and their rounds.

    A reader that wants the rows of one phase reads only its row groups. If a phase has several row groups,
    the rows of equal points, such as those of the hosts of a fleet, are beside each other, so that a reader
    that wants one point reads few of them. A stable sort by point and attempt gives the order in which the
    rounds were run.

    Args:
        table: The rows, of each attempt in the order in which they were run. Texts are dictionary-encoded.
    """
    keys = [table[name].to_numpy() for name in ("attempt", "point_index")]
    of_phases = pc.value_counts(table["phase"]).field("counts").to_pylist()
    if max(of_phases, default=0) > _ROWS_PER_GROUP:
        keys.append(_alphabetical(table["point_id"]))
    table = table.take(pa.array(np.lexsort(keys)))  # a stable sort; the last key is the first to decide
    found = pc.unique(table["phase"]).to_pylist()
    phases = [*(phase for phase in PHASES if phase in found), *(one for one in found if one not in PHASES)]
    return [
        table.filter(pc.is_null(table["phase"]) if phase is None else pc.equal(table["phase"], phase))
        for phase in phases
    ]


def _alphabetical(texts: pa.ChunkedArray) -> Any:
    """Return numbers whose order is that of the texts."""
    encoded = texts.unify_dictionaries().combine_chunks()
    rank = np.argsort(np.argsort(encoded.dictionary.to_numpy(zero_copy_only=False)))
    codes = pc.fill_null(encoded.indices, len(rank)).to_numpy(zero_copy_only=False)
    return np.append(rank, len(rank))[codes]


def write_compacted(path: Path, parts: Sequence[pa.Table], columns: pa.Schema) -> None:
    """Write rows into a new file, each part into row groups of its own, and flush it to the device.

    Args:
        path: Path of the file.
        parts: The rows.
        columns: The columns and their metadata.

    Raises:
        OSError: It cannot be written.
    """
    with create_new(path) as file:
        with pq.ParquetWriter(file, columns, compression="zstd") as writer:
            for part in parts:
                for start in range(0, len(part), _ROWS_PER_GROUP):
                    writer.write_table(_plain(part.slice(start, _ROWS_PER_GROUP), columns))
        file.flush()
        os.fsync(file.fileno())


def why_not_the_same(path: Path, sweep_id: str, parts: Sequence[pa.Table], columns: pa.Schema) -> str:
    """Read a file back, and return how its rows differ from those that it should have; empty if they do not.

    Args:
        path: Path of the file.
        sweep_id: The sweep.
        parts: The rows.
        columns: Their columns.

    Raises:
        OSError, ArrowException, ValueError: The file cannot be read.
    """
    written = pa.concat_tables(parts)
    found = read_file(path, sweep_id, columns)
    if len(found) != len(written):
        return f"it has {len(found)} of {len(written)} rows"
    for field in as_read(columns):
        if not _are_same(found[field.name], written[field.name]):
            return f"its column {field.name} differs"
    return ""


def _are_same(found: pa.ChunkedArray, written: pa.ChunkedArray) -> bool:
    if pa.types.is_dictionary(found.type):  # two dictionaries may have the same texts in another order
        found, written = found.cast(found.type.value_type), written.cast(found.type.value_type)
    return bool(found.equals(written))


def _plain(table: pa.Table, columns: pa.Schema) -> pa.Table:
    # Otherwise pandas would read the texts as categories. Parquet encodes them as dictionaries anyway.
    return table.cast(pa.schema(list(columns))).replace_schema_metadata(columns.metadata)
