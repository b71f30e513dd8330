"""The result table of a sweep."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console
from sample_rows import nothing_moved, point_row, round_row, timed_out

from l2sweep.analysis.statistics import PhaseSummary, summarise, summarise_point
from l2sweep.sweep.terminal.result_table import print_sweep_table, sweep_table

Result = tuple[dict[str, Any], list[PhaseSummary]]


def result(index: int, *summaries: PhaseSummary, **changes: Any) -> Result:
    changes = {"only": None, **changes}
    return point_row(point_index=index, **changes), list(summaries)


def cells(results: list[Result]) -> list[dict[str, str]]:
    """Return the table's rows, each as a mapping from its column's title."""
    table = sweep_table(results)
    texts = [[str(cell) for cell in column.cells] for column in table.columns]
    titles = [str(column.header) for column in table.columns]
    return [dict(zip(titles, row, strict=True)) for row in zip(*texts, strict=True)]


def printed(results: list[Result], width: int = 400) -> str:
    """Return what a terminal of a width shows."""
    screen = io.StringIO()
    print_sweep_table(Console(file=screen, width=width), results)
    return screen.getvalue()


def note(results: list[Result]) -> str:
    """Return the line below the table; empty if there is none."""
    lines = printed(results).splitlines()
    rows = sum(max(1, len(summaries)) for _, summaries in results)
    return "\n".join(lines[1 + rows :])


def test_the_table_has_a_row_per_point_and_phase_with_its_numbers() -> None:
    store = summarise("store", [round_row("store", number) for number in (1, 2)])
    lookup = summarise("lookup", [round_row("lookup")])
    rows = cells([result(0, store, lookup), result(1, store)])
    assert [(row["point"], row["phase"]) for row in rows] == [
        ("0", "store"),
        ("0", "lookup"),
        ("1", "store"),
    ]
    assert rows[0] | {"MiB/s": "4.0", "keys/s": "16.0", "p50 ms": "500.00", "p99 ms": "-"} == rows[0]
    assert rows[0]["hit rate"] == "-"
    assert (rows[1]["MiB/s"], rows[1]["hit rate"], rows[1]["p50 ms"]) == ("-", "0.500", "-")
    assert {row["status"] for row in rows} == {"ok"}


def test_parameters_that_differ_are_shown_and_constant_parameters_are_not() -> None:
    results = [result(0, rounds=3, seed=1), result(1, rounds=9, seed=1)]
    rows = cells(results)
    assert [row["rounds"] for row in rows] == ["3", "9"]
    assert not {"seed", "warmup_rounds", "lookup_max_hit_rate", "only", "adapter.base_path"} & set(rows[0])


def test_the_adapter_type_and_the_sizes_are_always_shown() -> None:
    (row,) = cells([result(0)])
    shown = {name: row[name] for name in ("adapter_type", "num_keys", "in_flight", "data_size_kb")}
    assert shown == {"adapter_type": "fs", "num_keys": "4", "in_flight": "2", "data_size_kb": "256"}


def test_spec_fields_that_differ_are_shown_at_any_depth() -> None:
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
    titles = ("phase", "MiB/s", "keys/s", "p50 ms", "p99 ms", "hit rate")
    assert [rows[1][title] for title in titles] == ["-"] * 6


def test_each_row_of_a_crashed_point_shows_the_state_of_its_phase() -> None:
    rounds = [*(round_row("store", number) for number in (2, 3, 4)), round_row("lookup", 2)]
    point = point_row(status="crashed")
    summaries = summarise_point(("store", "lookup", "load"), rounds, [point])
    rows = cells([(point, summaries)])
    assert [row["status"] for row in rows] == ["ok", "1 of 3 rounds, crashed", "0 of 3 rounds, crashed"]
    assert [row["MiB/s"] for row in rows] == ["4.0", "-", "-"]
    assert [row["hit rate"] for row in rows] == ["-", "0.500", "-"]


def test_time_outs_show_a_lower_bound_and_the_throughput_over_elapsed_time() -> None:
    load = summarise("load", [round_row("load", 1), timed_out("load", 2), timed_out("load", 3)])
    store = summarise("store", [round_row("store")])
    first, second = cells([result(0, store, load)])
    assert (first["MiB/s"], first["MiB/s elapsed"], first["keys/s elapsed"]) == ("4.0", "-", "-")
    assert (second["MiB/s"], second["MiB/s elapsed"]) == ("4.0", "1.6")
    assert (second["keys/s"], second["keys/s elapsed"]) == ("16.0", "6.4")
    assert second["p50 ms"] == ">= 1000.00"
    assert not {"MiB/s elapsed", "keys/s elapsed"} & set(cells([result(0, store)])[0])


def test_false_answers_of_a_lookup_are_a_note_below_the_table() -> None:
    lookup = summarise("lookup", [round_row("lookup", false_hits=2), round_row("lookup", false_misses=1)])
    assert note([result(0, lookup)]).splitlines() == [
        "point 0: lookup: 2 false hits (found, but never stored), 1 false misses (stored, but not found)"
    ]


def test_claimed_is_shown_as_it_is() -> None:
    claimed = summarise("load", [round_row("load", cache_state="claimed")])
    cold = summarise("load", [round_row("load")])
    rows = cells([result(0, claimed), result(1, cold)])
    assert [row["page cache"] for row in rows] == ["claimed", "cold"]


def test_a_phase_that_failed_has_no_throughput() -> None:
    load = summarise("load", [nothing_moved("load", 1), timed_out("load", 2, keys_ok=0, bytes_ok=0)])
    (row,) = cells([result(0, load, status="failed")])
    assert row["status"] == "2 of 2 rounds not ok"
    assert (row["MiB/s"], row["keys/s"]) == ("0.0", "0.0")


@pytest.mark.parametrize("host", ["[fe80::1]", "[/x]", "a:[nvme0]", ":smile:", "[red]"])
def test_texts_are_not_read_as_markup(host: str) -> None:
    specs = [{"type": "resp", "host": host}, {"type": "resp", "host": "plain"}]
    results = [result(index, adapter_spec=json.dumps(spec)) for index, spec in enumerate(specs)]
    lines = [line.split() for line in printed(results).splitlines()]
    assert host in lines[1]
    assert "plain" in lines[2]


def test_a_sweep_without_points_has_a_table_without_rows() -> None:
    assert cells([]) == []
    assert printed([]).split()[0] == "point"


def test_no_number_is_cut_off_in_a_narrow_terminal() -> None:
    store = summarise("store", [round_row("store", number, duration_s=0.00012345) for number in (1, 2)])
    results = [result(0, store, num_keys=4), result(1, store, num_keys=128)]
    for width in (40, 80, 400):
        text = printed(results, width)
        assert "…" not in text
        assert "16200.9" in text  # MiB/s
        assert ("All points: adapter_type=fs, in_flight=2, data_size_kb=256" in text) == (width < 400)


def test_the_hit_rate_is_a_dash_where_no_lookup_completed() -> None:
    found = summarise("lookup", [round_row("lookup")])
    hung = summarise("lookup", [timed_out("lookup")])
    load = summarise("load", [round_row("load")])
    assert [row["hit rate"] for row in cells([result(0, found, hung, load)])] == ["0.500", "-", "-"]


def test_optional_columns_are_shown_where_a_phase_has_a_value() -> None:
    flushed = summarise("store", [round_row("store", flush_s=0.5)])
    plain = summarise("store", [round_row("store", flush_s=None)])
    assert [row["durable MiB/s"] for row in cells([result(0, flushed), result(1, plain)])] == ["2.0", "-"]
    assert not {"durable MiB/s", "page cache"} & set(cells([result(0, plain)])[0])
    load = summarise("load", [round_row("load", cache_state="warm")])
    assert [row["page cache"] for row in cells([result(0, load)])] == ["warm"]


def test_lookups_that_were_meant_to_miss_are_marked_below_the_table() -> None:
    lookup = summarise("lookup", [round_row("lookup")])
    load = summarise("load", [round_row("load")])
    missing, hitting = result(0, lookup, lookup_max_hit_rate=0.0), result(1, lookup, lookup_max_hit_rate=0.5)
    assert note([missing]) == "lookup_max_hit_rate=0: every lookup was meant to miss"
    assert note([missing, hitting]) == "lookup_max_hit_rate=0: every lookup of these points was meant to miss"
    assert note([hitting]) == ""
    assert note([result(0, load, lookup_max_hit_rate=0.0)]) == ""


def test_a_profiled_point_is_marked() -> None:
    stores, failed = summarise("store", [round_row()]), summarise("store", [timed_out("store")])
    rows = cells(
        [
            result(0, stores),
            result(1, stores, profile="flamegraph:wall"),
            result(2, failed, profile="flamegraph:wall"),
        ]
    )
    assert [row["status"] for row in rows] == ["ok", "ok, profiled", "1 of 1 rounds not ok, profiled"]


def test_the_control_adapter_has_its_own_name() -> None:
    spec = {"type": "plugin", "module_path": "l2sweep.bench.control.adapter", "class_name": "ControlAdapter"}
    row = {"adapter_type": "plugin", "adapter_spec": json.dumps(spec)}
    stores = [summarise("store", [round_row("store")])]
    assert cells([(point_row(**row), stores)])[0]["adapter_type"] == "control"
