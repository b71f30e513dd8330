"""What the table tells of several clients."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console
from sample_rows import MIB, Row, point_row, round_row

from l2sweep.records.schema import ROUNDS
from l2sweep.sweep.terminal.results.result_rows import ResultRow, result_rows
from l2sweep.sweep.terminal.results.result_table import print_result_table, result_columns


def point(clients: int, **changes: Any) -> tuple[list[Row], list[Row]]:
    """Return the rows of a point whose clients load 4 MiB in 1 s each; the last one starts 0.25 s later."""
    own = {"clients": clients, "point_index": clients, "point_id": f"point {clients}", "rounds": 1, **changes}
    rounds = []
    for client in range(clients):
        row = round_row(
            "load",
            client=client,
            bytes_ok=4 * MIB,
            duration_s=1.0,
            submit_latency_s=[1.0],
            submit_started_s=[0.0],
            **own,
        )
        late_s = 0.25 if client and client == clients - 1 else 0.0
        rounds.append({**row, "started_at": row["started_at"] + timedelta(seconds=late_s)})
    return rounds, [point_row(client=client, only="load", **own) for client in range(clients)]


def rows_of(*points: tuple[list[Row], list[Row]], **options: Any) -> list[ResultRow]:
    rounds = [row for of_point, _ in points for row in of_point]
    return result_rows(rounds, [row for _, of_point in points for row in of_point], **options)


def cells(rows: list[ResultRow], **options: Any) -> dict[str, list[str]]:
    return {one.title.replace("\n", " "): list(one.texts) for one in result_columns(rows, **options)}


def test_each_number_of_clients_is_a_row_with_its_rates_and_its_scaling() -> None:
    shown = cells(rows_of(point(1), point(2), point(4)))
    assert shown["clients"] == ["1", "2", "4"]
    assert shown["throughput"] == ["4.00 MiB/s", "6.40 MiB/s", "12.8 MiB/s"]
    assert shown["all active"] == ["-", "8.00", "16.0"]
    assert shown["sum of clients"] == ["-", "8.00", "16.0"]
    assert shown["fair- ness"] == ["-", "1.00", "1.00"]
    assert shown["scaling"] == ["1.00", "1.60", "3.20"]
    assert shown["skewed rounds"] == ["-", "1 of 1", "1 of 1"]
    assert cells(rows_of(point(2)), wide=True)["start skew ms"] == ["250"]


def test_without_one_client_there_is_no_scaling() -> None:
    shown = cells(rows_of(point(2), point(4)))
    assert "scaling" not in shown


def test_points_of_one_client_have_none_of_these_columns() -> None:
    shown = cells(rows_of(point(1)), wide=True)
    assert not {"all active", "sum of clients", "fair- ness", "scaling", "skewed rounds"} & set(shown)


def test_rounds_that_did_not_start_together_are_named_below_the_table() -> None:
    out = io.StringIO()
    print_result_table(Console(file=out, width=200), rows_of(point(2)))
    assert "load, clients=2: in 1 of 1 rounds the clients started more than 5% of the duration apart" in (
        out.getvalue()
    )
    assert "clients=2" in out.getvalue().splitlines()[0]


def test_a_table_of_the_records_tells_the_same() -> None:
    rounds, points = point(2)
    (row,) = result_rows(pa.Table.from_pylist(rounds, schema=ROUNDS), points)
    assert (row.numbers["clients"], row.numbers["client_fairness"]) == (2, 1.0)
    assert row.numbers["sum_of_client_rates"] == pytest.approx(8.0)
    assert row.numbers["mib_per_s"] == pytest.approx(6.4)


def test_clients_can_be_shown_apart() -> None:
    rows = rows_of(point(2), by=["clients", "client"])
    assert cells(rows)["client"] == ["0", "1"]
    assert cells(rows)["throughput"] == ["4.00 MiB/s", "4.00 MiB/s"]
