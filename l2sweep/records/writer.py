"""Write the files of the data sets so that a reader never sees an incomplete file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from l2sweep.credentials import map_texts
from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS, sync_folder, written_whole
from l2sweep.records.storage.layout import make_folder, record_path


def get_ready_to_write() -> None:
    """Load the libraries that pyarrow loads with its first table before anything is measured."""
    for columns in (schema.ROUNDS, schema.POINTS):
        pq.write_table(_table([{}], columns), io.BytesIO())


def write_point(
    results_dir: Path,
    file_stem: str,
    rounds: Sequence[Mapping[str, Any]],
    points: Sequence[Mapping[str, Any]],
) -> None:
    """Write the rows of one point: a file in ``rounds/`` and one in ``points/``, in the folders of its sweep.

    The rounds are written first, so that a reader that finds a point also finds its rounds. The folders of a
    new sweep get the date of its first process.

    Args:
        results_dir: Folder of the data sets.
        file_stem: Name of the files, without the extension. Existing files are replaced.
        rounds: Rows of the data set ``rounds``, as mappings from column to value. No file is written if there
            are none.
        points: Rows of the data set ``points``, in the same form.
    """
    started = [at for row in (*points, *rounds) if (at := row.get("started_at")) is not None]
    began = min(started, default=datetime.now(UTC))
    _write(record_path(results_dir, ROUNDS, file_stem, began), rounds, schema.ROUNDS)
    _write(record_path(results_dir, POINTS, file_stem, began), points, schema.POINTS)


def _write(path: Path, rows: Sequence[Mapping[str, Any]], columns: pa.Schema) -> None:
    if not rows:
        return
    changed = make_folder(path.parent)
    table = _table(rows, columns)
    with written_whole(path) as file:
        pq.write_table(table, file, compression="zstd")
    for folder in (path.parent, *changed):  # a folder is an entry of the folder above it
        sync_folder(folder)


def _table(rows: Sequence[Mapping[str, Any]], columns: pa.Schema) -> pa.Table:
    """Return rows as a table.

    The rows pass through JSON: ``pa.Table.from_pylist`` imports pandas, which takes most of a second.
    """
    text = "\n".join(
        json.dumps(map_texts(row, _in_utf8), default=datetime.isoformat, allow_nan=False) for row in rows
    )
    table = pyarrow.json.read_json(
        io.BytesIO(text.encode()),
        # One block, so that no row is split, and one thread: a point has few rows.
        read_options=pyarrow.json.ReadOptions(block_size=len(text) + 1, use_threads=False),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=columns, unexpected_field_behavior="error"),
    )
    return table.replace_schema_metadata(columns.metadata)


def _in_utf8(text: str) -> str:
    """Return a text that UTF-8 can encode. Python decodes foreign bytes to surrogates (PEP 383)."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
