"""The rows of the clients of a round become one row, in every form in which rows are read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from sample_rows import MIB, Row, point_row, round_row

from l2sweep.analysis.clients.merging import first_clients, merged
from l2sweep.records.schema import POINTS, ROUNDS


def client_row(
    client: int, start_s: float = 0.0, phase: str = "load", clients: int = 2, **changes: Any
) -> Row:
    row = round_row(phase, client=client, clients=clients, **changes)
    return {**row, "started_at": row["started_at"] + timedelta(seconds=start_s)}


def test_a_round_runs_from_the_first_start_to_the_last_end_and_moves_the_bytes_of_all() -> None:
    rows = [client_row(0, 0.25), client_row(1, 0.0, duration_s=0.6, elapsed_s=0.6)]
    (one,) = merged(rows)
    assert one["duration_s"] == one["elapsed_s"] == pytest.approx(0.75)
    assert one["started_at"] == rows[1]["started_at"]
    assert (one["keys_ok"], one["bytes_ok"], one["verified_keys"]) == (16, 4 * MIB, 16)
    assert one["submit_latency_s"] == [0.25, 0.5, 0.25, 0.5]
    assert (one["status"], one["client"], one["clients"]) == ("ok", None, 2)


def test_what_each_client_reads_of_the_same_devices_is_not_summed() -> None:
    (one,) = merged([client_row(0, block_device_reads=7), client_row(1, block_device_reads=9)])
    assert one["block_device_reads"] == 9
    assert one["device_read_bytes"] == 2**41
    (one,) = merged([client_row(0, phase="store", flush_s=1.0), client_row(1, phase="store", flush_s=2.0)])
    assert one["flush_s"] == 2.0


def test_a_round_is_only_ok_and_timed_if_it_is_for_every_client() -> None:
    bad = client_row(1, status="timeout", duration_s=None, elapsed_s=2.0, detail="late")
    (one,) = merged([client_row(0), bad])
    assert (one["status"], one["duration_s"], one["detail"]) == ("timeout", None, "late")
    assert one["elapsed_s"] == 2.0
    not_run = {**client_row(1, status="error", duration_s=None, elapsed_s=None), "started_at": None}
    (one,) = merged([client_row(0), not_run])
    assert (one["status"], one["duration_s"], one["elapsed_s"]) == ("error", None, None)
    (one,) = merged([client_row(0), client_row(1, device_read_bytes=None)])
    assert one["device_read_bytes"] is None


def test_rounds_that_were_warm_for_one_and_cold_for_another_are_both() -> None:
    (one,) = merged([client_row(0, cache_state="warm"), client_row(1)])
    assert one["cache_state"] == "cold/warm"


def mixed() -> list[Row]:
    """A sweep with a point of one client, then one of two clients with two rounds."""
    alone = round_row("load")
    own = [client_row(client, number=number, point_index=1) for client in (0, 1) for number in (2, 3)]
    return [alone, *own, round_row("store", point_index=2)]


def test_each_merged_row_takes_the_place_of_the_first() -> None:
    rows = merged(mixed())
    assert [(row["point_index"], row["round"]) for row in rows] == [(0, 2), (1, 2), (1, 3), (2, 2)]
    assert [row["keys_ok"] for row in rows] == [8, 16, 16, 8]


def test_tables_and_frames_are_merged_as_rows_are() -> None:
    rows = mixed()
    expected = merged(rows)
    table = pa.Table.from_pylist(rows, schema=ROUNDS)
    assert merged(table).to_pylist() == expected
    texts = table.set_column(
        table.column_names.index("status"), "status", table["status"].dictionary_encode()
    )
    assert merged(texts).to_pylist() == expected
    frame = merged(pd.DataFrame(rows))
    assert list(frame.columns) == list(rows[0])
    for name in ("point_index", "round", "duration_s", "keys_ok", "status", "submit_latency_s"):
        assert [*map(_plain, frame[name])] == [row[name] for row in expected]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def test_a_table_with_few_columns_is_merged_as_far_as_it_goes() -> None:
    names = ["sweep_id", "point_index", "attempt", "phase", "round", "status", "started_at", "duration_s"]
    table = pa.Table.from_pylist(mixed(), schema=ROUNDS).select([*names, "clients"])
    assert merged(table).column_names == [*names, "clients"]
    assert merged(table)["duration_s"].to_pylist() == [0.5] * 4


def test_rows_of_one_client_and_of_earlier_releases_stay_as_they_are() -> None:
    alone = [round_row("load")]
    old = [{name: value for name, value in alone[0].items() if name not in ("client", "clients")}]
    for rows in (alone, old):
        table, frame = pa.Table.from_pylist(rows), pd.DataFrame(rows)
        assert merged(table) is table
        assert merged(frame) is frame
        assert merged(rows) == rows


def test_the_row_of_the_first_client_stands_for_the_process_of_all() -> None:
    rows = [point_row(client=client, clients=3) for client in range(3)]
    old = {name: value for name, value in rows[0].items() if name not in ("client", "clients")}
    assert first_clients([*rows, old]) == [rows[0], old]
    assert len(first_clients(pd.DataFrame([*rows, old]))) == 2
    assert first_clients(pa.Table.from_pylist([*rows, old], schema=POINTS)).num_rows == 2
    assert first_clients(pa.Table.from_pylist([old])).num_rows == 1


def test_the_counters_of_devices_are_those_of_each_host_once() -> None:
    counters = {"block_device_write_bytes": 100, "block_device_busy_s": 0.5}
    hosts = [("a", 0), ("a", 1), ("b", 2), ("b", 3)]
    (one,) = merged([client_row(client, clients=4, host=host, **counters) for host, client in hosts])
    assert (one["block_device_write_bytes"], one["block_device_busy_s"]) == (200, 0.5)
