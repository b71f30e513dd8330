"""Tables as rows: the same as those of pyarrow, and faster."""

from __future__ import annotations

import pyarrow as pa
from sample_rows import point_row, round_row

from l2sweep.records import schema
from l2sweep.records.reading.as_rows import as_rows
from l2sweep.records.reading.intact import as_read


def test_rows_are_those_of_pyarrow() -> None:
    points = [point_row(), point_row(precision=0.25, exit_code=None, warmup_auto=None, release="0.5.6")]
    rounds = [round_row(), round_row("lookup", elapsed_s=None, cache_state=None, submit_latency_s=None)]
    for rows, columns in ((points, schema.POINTS), (rounds, schema.ROUNDS)):
        table = pa.Table.from_pylist(rows, columns)
        read = table.cast(as_read(columns))
        for one in (table, read, pa.concat_tables([read.slice(1), read]), read.slice(0, 0)):
            assert as_rows(one) == one.to_pylist()
            assert repr(as_rows(one)) == repr(one.to_pylist())
