"""What a person reads of a sweep."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console
from sample_rows import nothing_moved, point_row, round_row, timed_out

from l2sweep.analysis.statistics import OperationSummary, summarise
from l2sweep.sweep.terminal.result_table import print_sweep_table, sweep_table

Result = tuple[dict[str, Any], list[OperationSummary]]


def result(index: int, *summaries: OperationSummary, **changes: Any) -> Result:
    changes = {"only": None, **changes}
    return point_row(point_index=index, **changes), list(summaries)


def cells(results: list[Result]) -> list[dict[str, str]]:
    """Return the table's rows, each as a mapping from its column's title."""
    table = sweep_table(results)
    texts = [[str(cell) for cell in column.cells] for column in table.columns]
    titles = [str(column.header) for column in table.columns]
    return [dict(zip(titles, row, strict=True)) for row in zip(*texts, strict=True)]


def printed(results: list[Result]) -> list[list[str]]:
    """Return the words of each line that a terminal shows."""
    console = Console(file=io.StringIO(), width=400)
    console.print(sweep_table(results))
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_there_is_a_row_for_each_point_and_operation_with_its_numbers() -> None:
    store = summarise("store", [round_row("store", number) for number in (1, 2)])
    lookup = summarise("lookup", [round_row("lookup")])
    rows = cells([result(0, store, lookup), result(1, store)])
    assert [(row["point"], row["operation"]) for row in rows] == [
        ("0", "store"),
        ("0", "lookup"),
        ("1", "store"),
    ]
    assert rows[0] | {"MiB/s": "4.0", "keys/s": "16.0", "p50 ms": "500.00", "p99 ms": "-"} == rows[0]
    assert rows[0]["hit rate"] == "-"
    assert (rows[1]["MiB/s"], rows[1]["hit rate"], rows[1]["p50 ms"]) == ("-", "0.500", "-")
    assert {row["status"] for row in rows} == {"ok"}


def test_parameters_that_differ_are_shown_and_constant_ones_are_not() -> None:
    results = [result(0, rounds=3, seed=1), result(1, rounds=9, seed=1)]
    rows = cells(results)
    assert [row["rounds"] for row in rows] == ["3", "9"]
    assert not {"seed", "warmup_rounds", "lookup_max_hit_rate", "only", "adapter.base_path"} & set(rows[0])


def test_what_says_what_was_measured_is_always_shown() -> None:
    (row,) = cells([result(0)])
    shown = {name: row[name] for name in ("adapter_type", "num_keys", "in_flight", "data_size_kb")}
    assert shown == {"adapter_type": "fs", "num_keys": "4", "in_flight": "2", "data_size_kb": "256"}


def test_fields_of_a_spec_that_differ_are_shown_at_any_depth() -> None:
    specs: list[dict[str, Any]] = [
        {"type": "fs", "base_path": "/a", "inner": {"n": 1, "same": 0}, "use_odirect": True},
        {"type": "fs", "base_path": "/b", "inner": {"n": 2, "same": 0}},
    ]
    rows = cells([result(index, adapter_spec=json.dumps(spec)) for index, spec in enumerate(specs)])
    assert [row["adapter.base_path"] for row in rows] == ["/a", "/b"]
    assert [row["adapter.inner.n"] for row in rows] == ["1", "2"]
    assert [row["adapter.use_odirect"] for row in rows] == ["True", "-"]
    assert not {"adapter.inner.same", "adapter.type"} & set(rows[0])


def test_a_failed_point_without_rounds_has_a_row() -> None:
    store = summarise("store", [round_row("store")])
    rows = cells([result(0, store), result(1, status="crashed")])
    assert rows[1]["point"] == "1"
    assert rows[1]["status"] == "crashed"
    titles = ("operation", "MiB/s", "keys/s", "p50 ms", "p99 ms", "hit rate")
    assert [rows[1][title] for title in titles] == ["-"] * 6


def test_an_operation_that_failed_says_so_and_has_no_speed() -> None:
    load = summarise("load", [nothing_moved("load", 1), timed_out("load", 2, keys_ok=0, bytes_ok=0)])
    (row,) = cells([result(0, load, status="failed")])
    assert row["status"] == "2 of 2 rounds not ok"
    assert (row["MiB/s"], row["keys/s"]) == ("0.0", "0.0")


@pytest.mark.parametrize("host", ["[fe80::1]", "[/x]", "a:[nvme0]", ":smile:", "[red]"])
def test_a_terminal_shows_texts_as_they_are(host: str) -> None:
    specs = [{"type": "resp", "host": host}, {"type": "resp", "host": "plain"}]
    lines = printed([result(index, adapter_spec=json.dumps(spec)) for index, spec in enumerate(specs)])
    assert host in lines[1]
    assert "plain" in lines[2]


def test_no_point_makes_a_table_without_rows() -> None:
    assert cells([]) == []
    assert printed([])[0][0] == "point"


def test_no_number_is_cut_off_in_a_narrow_terminal() -> None:
    store = summarise("store", [round_row("store", number, duration_s=0.00012345) for number in (1, 2)])
    results = [result(0, store, num_keys=4), result(1, store, num_keys=128)]
    for width in (40, 80, 400):
        console = Console(file=io.StringIO(), width=width)
        print_sweep_table(console, results)
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        assert "…" not in text
        assert "16200.9" in text  # MiB/s
        assert ("All points: adapter_type=fs, in_flight=2, data_size_kb=256" in text) == (width < 400)
