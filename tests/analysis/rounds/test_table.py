"""Rounds as columns are the same from rows, from a data frame and from an Arrow table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sample_rows import nothing_moved, round_row, timed_out

from l2sweep.analysis.rounds.group_summary import summarise_groups
from l2sweep.analysis.rounds.table import RoundTable
from l2sweep.records import schema

ROWS = [
    round_row("store", 1, is_warmup=True, submit_latency_s=[9.0]),
    round_row("store", 2, cache_state=None, submit_latency_s=[0.1, 0.2, 0.3]),
    timed_out("load", 3, point_index=1),
    nothing_moved("load", 4, started_at=None, duration_s=None, elapsed_s=None, submit_latency_s=[]),
    round_row("lookup", 5, submit_latency_s=None),
]


def sources() -> dict[str, Any]:
    table = pa.Table.from_pylist(ROWS, schema.ROUNDS)
    texts = [name for name in table.column_names if table[name].type == pa.string()]
    encoded = table
    for name in texts:
        place = encoded.column_names.index(name)
        encoded = encoded.set_column(place, name, encoded[name].dictionary_encode())
    return {
        "frame": pd.DataFrame(ROWS),
        "read frame": table.to_pandas(),
        "table": table,
        "encoded table": encoded,
        "chunked table": pa.concat_tables([encoded.slice(0, 2), encoded.slice(2)]),
    }


@pytest.mark.parametrize("name", sources())
def test_every_source_gives_the_same_summary(name: str) -> None:
    expected = summarise_groups(RoundTable.of(ROWS), ("point_id",), ("num_keys", "model"))
    found = summarise_groups(RoundTable.of(sources()[name]), ("point_id",), ("num_keys", "model"))
    assert list(found) == list(expected)
    for column, values in expected.items():
        if isinstance(values, list):
            assert found[column] == values, column
        else:
            np.testing.assert_array_equal(found[column], values, err_msg=column)


@pytest.mark.parametrize("name", sources())
def test_lists_of_some_rows_are_joined_in_their_order(name: str) -> None:
    some = RoundTable.of(sources()[name]).at(np.array([3, 1, 4, 2]))
    values, lengths = some.lists("submit_latency_s")
    assert values.tolist() == [0.1, 0.2, 0.3, 0.25]
    assert lengths.tolist() == [0, 3, 0, 1]


def test_a_column_that_is_missing_has_no_values() -> None:
    for source in sources().values():
        rounds = RoundTable.of(source)
        assert np.isnan(rounds.floats("colour")).all()
        assert rounds.lists("colour")[1].tolist() == [0] * len(ROWS)
