"""The table of results: one row for each point and phase over its repeats."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import pytest
from rich.console import Console
from sample_rows import Row, auto_point_row, nothing_moved, point_row, round_row, second_of_trace, timed_out

from l2sweep.sweep.terminal.results.result_rows import result_rows
from l2sweep.sweep.terminal.results.result_table import (
    MOST_COLUMNS,
    constants,
    print_result_table,
    result_columns,
)

Records = tuple[list[Row], list[Row]]


def process(index: int, *rounds: Row, status: str = "ok", only: str | None = None, **shared: Any) -> Records:
    """Return the rows of one process.

    Args:
        index: Index of the point.
        rounds: Its rounds.
        status: How it ended.
        only: The only phase that was asked for; None: those of the rounds.
        shared: Columns of the point.
    """
    phases = list(dict.fromkeys(row["phase"] for row in rounds))
    own = {
        "point_index": index,
        "point_id": f"point {index}",
        "rounds": max(1, len(rounds) // max(1, len(phases))),
    }
    changes = {**own, **shared}
    point = point_row(status=status, only=only or (phases[0] if len(phases) == 1 else None), **changes)
    return [{**row, **changes} for row in rounds], [point]


def together(*processes: Records) -> Records:
    rounds, points = zip(*processes, strict=True) if processes else ((), ())
    return list(itertools.chain(*rounds)), list(itertools.chain(*points))


def cells(*processes: Records, **options: Any) -> list[dict[str, str]]:
    """Return the table's rows, each as a mapping from its column's title."""
    columns = result_columns(
        result_rows(*together(*processes), each_repeat=options.get("each_repeat", False)), **options
    )
    titles = [column.title.replace("\n", " ") for column in columns]
    return [
        dict(zip(titles, row, strict=True)) for row in zip(*(column.texts for column in columns), strict=True)
    ]


def printed(*processes: Records, width: int = 400, **options: Any) -> str:
    """Return what a terminal of a width shows."""
    screen = io.StringIO()
    print_result_table(Console(file=screen, width=width), result_rows(*together(*processes)), **options)
    return screen.getvalue()


def notes(*processes: Records) -> list[str]:
    """Return the lines below the table."""
    lines = printed(*processes).splitlines()
    return lines[lines.index(next(line for line in lines if "status" in line)) + 1 + len(cells(*processes)) :]


def durations(phase: str, *durations_s: float, **changes: Any) -> list[Row]:
    return [
        round_row(phase, number, duration_s=each, **changes) for number, each in enumerate(durations_s, 1)
    ]


def test_the_table_has_a_row_per_point_and_phase_with_its_numbers() -> None:
    phases = ("store", "lookup", "load")
    first = process(0, *(row for phase in phases for row in durations(phase, 0.5, 0.5)))
    rows = cells(first, process(1, *durations("store", 0.5, 0.5)))
    places = [(row["point"], row["phase"]) for row in rows]
    assert places == [("0", "store"), ("1", "store"), ("0", "lookup"), ("0", "load")]
    assert rows[0]["throughput"] == "4.00 MiB/s"
    assert (rows[0]["median ms"], rows[0]["submit p50 ms"], rows[0]["hit rate"]) == ("500", "375", "-")
    assert (rows[2]["throughput"], rows[2]["hit rate"]) == ("16.0 keys/s", "0.500")
    assert {row["status"] for row in rows} == {"ok"}


def test_each_release_of_a_point_is_a_row_and_a_failure_is_that_of_its_release() -> None:
    point = {"point_id": "a", "num_keys": 4}
    rows = cells(
        process(0, *durations("load", 0.5), release="0.5.3", **point),
        process(1, *durations("load", 0.25), release="0.5.6", **point),
        process(2, *durations("load", 0.5, 0.5), release="0.5.3", repeat=1, status="crashed", **point),
    )
    assert [(row["release"], row["throughput"]) for row in rows] == [
        ("0.5.3", "4.000 MiB/s"),
        ("0.5.6", "8.00 MiB/s"),
    ]
    assert "crashed" in rows[0]["status"]
    assert rows[1]["status"] == "ok"


FIELDS = {
    "fs": {"base_path": "/mnt/nvme/l2sweep/fs", "relative_tmp_dir": ".tmp", "read_ahead_size": 4096},
    "fs_native": {"base_path": "/mnt/nvme/l2sweep/native", "num_workers": 16, "use_odirect": True},
    "mock": {"max_size_gb": 4, "mock_bandwidth_gb": 10},
}


def of_adapters(**more: Any) -> list[Records]:
    """Return a point of each adapter, and one of fs_native with each of the fields in ``more``."""
    specs = [{"type": name, **fields} for name, fields in FIELDS.items()]
    specs += [{**specs[1], name: value} for name, value in more.items()]
    return [
        process(
            index,
            *(row for phase in ("store", "lookup", "load") for row in durations(phase, 0.5, 0.25)),
            adapter_type=spec["type"],
            adapter_spec=json.dumps(spec),
            num_keys=8 * 4**index,
            data_size_kb=64 * 4**index,
        )
        for index, spec in enumerate(specs)
    ]


def test_a_sweep_over_adapters_has_a_line_and_no_columns_for_what_belongs_to_an_adapter() -> None:
    lines = printed(*of_adapters(), width=120).splitlines()
    assert lines[1:4] == [
        "fs: base_path=/mnt/nvme/l2sweep/fs, relative_tmp_dir=.tmp, read_ahead_size=4096",
        "fs_native: base_path=/mnt/nvme/l2sweep/native, num_workers=16, use_odirect=True",
        "mock: max_size_gb=4, mock_bandwidth_gb=10",
    ]
    assert max(map(len, lines)) <= 120
    assert len([line for line in lines if line.rstrip().endswith("  ok")]) == 9  # a line for each row
    (row, *_) = cells(*of_adapters())
    assert {"adapter_type", "num_keys", "data_size_kb"} <= set(row)
    assert not {"base_path", "num_workers", "max_size_gb"} & set(row)


def test_a_field_that_differs_between_points_of_an_adapter_is_a_column_with_its_short_name() -> None:
    rows = cells(*of_adapters(num_workers=64))
    stores = [(row["adapter_type"], row["num_workers"]) for row in rows if row["phase"] == "store"]
    assert stores == [("fs", "-"), ("fs_native", "16"), ("fs_native", "64"), ("mock", "-")]
    text = printed(*of_adapters(num_workers=64))
    assert "fs_native: base_path=/mnt/nvme/l2sweep/native, use_odirect=True\n" in text


def test_a_wide_table_has_a_column_for_each_field() -> None:
    (row, *_) = cells(*of_adapters(), wide=True)
    assert {"base_path", "num_workers", "max_size_gb", "use_odirect"} <= set(row)
    assert "fs_native: " not in printed(*of_adapters(), wide=True)


def test_repeats_are_one_row_with_their_median_and_their_spread() -> None:
    seconds = (0.50, 0.61, 0.52)
    repeats = [
        process(index, *durations("load", each, each), point_id="a", repeat=index)
        for index, each in enumerate(seconds)
    ]
    (row,) = cells(*repeats)
    assert row["throughput"] == "3.7 MiB/s"  # 12 MiB in 3.26 s; the repeats range from 3.3 to 4.0
    assert (row["median ms"], row["min..max ms"]) == ("520", "500..610")
    assert constants(result_rows(*together(*repeats))).endswith("rounds=2, repeats=3")
    assert len(cells(*repeats, each_repeat=True)) == 3
    assert [one["repeat"] for one in cells(*repeats, each_repeat=True)] == ["0", "1", "2"]


def test_the_number_of_repeats_is_a_column_if_it_differs() -> None:
    load = round_row("load")
    rows = cells(
        process(0, load, point_id="a"), process(1, load, point_id="a"), process(2, load, point_id="b")
    )
    assert [row["repeats"] for row in rows] == ["2", "1"]


def test_only_parameters_that_differ_are_columns_and_the_others_are_named_above() -> None:
    both = process(0, round_row(), seed=1, in_flight=4), process(1, round_row(), seed=1, in_flight=16)
    rows = cells(*both)
    assert [row["in_flight"] for row in rows] == ["4", "16"]
    assert not {"seed", "adapter_type", "num_keys", "data_size_kb", "base_path"} & set(rows[0])
    first, *_ = printed(*both).splitlines()
    assert first == "All points: adapter_type=fs, num_keys=4, data_size_kb=256, rounds=1, repeats=1"


def test_spec_fields_that_differ_are_shown_at_any_depth_by_a_short_name() -> None:
    specs: list[dict[str, Any]] = [
        {"type": "fs", "base_path": "/a", "inner": {"n": 1, "same": 0}, "use_odirect": True, "seed": 1},
        {"type": "fs", "base_path": "/b", "inner": {"n": 2, "same": 0}, "seed": 2},
    ]
    rows = cells(*(process(i, round_row(), adapter_spec=json.dumps(spec)) for i, spec in enumerate(specs)))
    assert [row["base_path"] for row in rows] == ["/a", "/b"]
    assert [row["n"] for row in rows] == ["1", "2"]
    assert [row["use_odirect"] for row in rows] == ["True", "-"]
    assert [row["adapter.seed"] for row in rows] == ["1", "2"]  # seed is an option of the point
    assert not {"same", "type"} & set(rows[0])


def test_rows_are_sorted_by_phase_and_then_by_the_values_of_the_parameters() -> None:
    order = [16, 4, 128]
    rows = cells(
        *(process(i, *(round_row(p) for p in ("store", "load")), num_keys=n) for i, n in enumerate(order))
    )
    assert [(row["phase"], row["num_keys"]) for row in rows] == list(
        itertools.product(("store", "lookup", "load"), ("4", "16", "128"))
    )


def test_a_failed_point_without_rounds_has_a_row() -> None:
    crashed = point_row(point_index=1, point_id="b", status="crashed", only="store")
    rows = cells(process(0, round_row("store")), ([], [crashed]))
    assert rows[1]["point"] == "1"
    assert rows[1]["status"] == "0 of 3 rounds, crashed"
    assert [rows[1][title] for title in ("throughput", "median ms", "submit p50 ms")] == ["-"] * 3


def test_each_row_of_a_crashed_point_shows_the_state_of_its_phase() -> None:
    rounds = [*(round_row("store", number) for number in (2, 3, 4)), round_row("lookup", 2)]
    rows = cells((rounds, [point_row(status="crashed", only=None)]))
    assert [row["status"] for row in rows] == ["ok", "1 of 3 rounds, crashed", "0 of 3 rounds, crashed"]
    assert [row["throughput"] for row in rows] == ["4.00 MiB/s", "16.0 keys/s", "-"]


def auto_process(index: int, measured: int, **changes: Any) -> Records:
    """Return the rows of a load that ran until it was precise, unless ``changes`` say otherwise."""
    shared = {"point_id": "a", "point_index": index}
    point = auto_point_row(only="load", **{**shared, **changes})
    names = ("point_id", "point_index", "rounds")
    return durations("load", *[0.5] * measured, **{name: point[name] for name in names}), [point]


def test_rounds_that_ended_by_themselves_are_ok_and_the_table_says_why() -> None:
    cut_off = {"status": "crashed", "load_rounds_ended_by": None, "point_id": "b"}
    rows = cells(auto_process(0, 9), auto_process(1, 14), auto_process(2, 14, **cut_off))
    assert [row["rounds ended"] for row in rows] == ["9..14 rounds, precision 4.1%", "-"]
    assert [row["status"] for row in rows] == ["ok", "14 of at most 50 rounds, crashed"]
    assert "rounds ended" not in cells(process(0, round_row("load")))[0]


def test_the_number_of_rounds_is_shown_as_it_was_given() -> None:
    rows = result_rows(*together(auto_process(0, 9)))
    assert "rounds=auto" in constants(rows).split(", ")
    fixed = process(1, *durations("load", *[0.5] * 50))
    assert {row["rounds"] for row in cells(auto_process(0, 9), fixed)} == {"auto", "50"}
    limits = [auto_process(index, 9, rounds=most, point_id=str(most)) for index, most in enumerate((30, 50))]
    assert [row["max_rounds"] for row in cells(*limits)] == ["30", "50"]


def test_a_long_reason_does_not_make_the_table_too_wide() -> None:
    late = {"load_rounds_ended_by": "max_rounds", "load_precision_reached": 0.073}
    text = printed(auto_process(0, 9), auto_process(1, 50, **late), auto_process(2, 14), width=120)
    assert max(map(len, text.splitlines())) <= 120
    assert "max_rounds=50" in text


def test_a_repeat_that_crashed_is_counted_beside_the_others() -> None:
    shared = {"point_id": "a", "rounds": 1}
    good = [process(index, round_row("load"), **shared) for index in (1, 2)]
    (row,) = cells(([], [point_row(status="crashed", only="load", **shared)]), *good)
    assert row["status"] == "1 of 3 repeats: 0 of 1 rounds, crashed"
    assert (row["point"], row["throughput"], row["page cache"]) == ("0", "4.000 MiB/s", "cold")


def test_time_outs_show_a_lower_bound_and_the_throughput_over_elapsed_time() -> None:
    load = process(0, round_row("load", 1), timed_out("load", 2), timed_out("load", 3))
    store = process(1, round_row("store"))
    first, second = cells(store, load)
    assert (first["throughput"], first["over time elapsed"]) == ("4.00 MiB/s", "-")
    assert (second["throughput"], second["over time elapsed"]) == ("4.00 MiB/s", "1.60 MiB/s")
    assert second["median ms"] == ">= 1000"
    assert "over time elapsed" not in cells(store)[0]


def test_a_submit_that_timed_out_is_a_lower_bound_of_the_percentiles() -> None:
    hung = timed_out("load", 1, submit_latency_s=[0.1], submit_unfinished_s=[0.4, 0.4, 0.4])
    assert cells(process(0, hung))[0]["submit p50 ms"] == ">= 400"


def test_the_latencies_of_all_submits_have_percentiles() -> None:
    latencies_s = [number / 1000 for number in range(1, 201)]
    (row,) = cells(process(0, round_row("load", submit_latency_s=latencies_s)))
    assert (row["submit p50 ms"], row["submit p99 ms"]) == ("100", "198")


def test_false_answers_of_a_lookup_are_a_note_below_the_table() -> None:
    lookup = process(0, round_row("lookup", false_hits=2), round_row("lookup", false_misses=1))
    assert notes(lookup) == [
        "point 0: lookup: 2 false hits (found, but never stored), 1 false misses (stored, but not found)"
    ]


def test_keys_that_were_evicted_before_their_load_are_a_note_below_the_table() -> None:
    load = process(0, round_row("load", evicted_keys=2), round_row("load", evicted_keys=1))
    assert notes(load) == ["point 0: load: 3 keys not loaded, because LMCache had evicted them"]


def test_claimed_is_shown_as_it_is_and_is_never_pooled_with_cold() -> None:
    claimed = process(0, round_row("load", cache_state="claimed"), point_id="a")
    rows = cells(claimed, process(1, round_row("load"), point_id="a"))
    assert [row["page cache"] for row in rows] == ["claimed", "cold"]


def test_a_phase_that_failed_has_no_throughput() -> None:
    moved_nothing = timed_out("load", 2, keys_ok=0, bytes_ok=0)
    (row,) = cells(process(0, nothing_moved("load", 1), moved_nothing, status="failed"))
    assert row["status"] == "2 of 2 rounds not ok"
    assert row["throughput"] == "0.00 MiB/s"


@pytest.mark.parametrize("host", ["[fe80::1]", "[/x]", "a:[nvme0]", ":smile:", "[red]"])
def test_texts_are_not_read_as_markup(host: str) -> None:
    specs = [{"type": "resp", "host": host}, {"type": "resp", "host": "plain"}]
    both = [process(index, round_row(), adapter_spec=json.dumps(spec)) for index, spec in enumerate(specs)]
    words = printed(*both).split()
    assert host in words
    assert "plain" in words


def test_a_sweep_without_points_has_a_table_without_rows() -> None:
    assert cells() == []
    assert "status" in printed()


def test_no_number_is_cut_off_in_a_narrow_terminal() -> None:
    store = durations("store", 0.00012345, 0.00012345)
    both = [process(0, *store, num_keys=4), process(1, *store, num_keys=128)]
    for width in (20, 40, 80, 400):
        text = printed(*both, width=width)
        assert "…" not in text
        assert "16200 MiB/s" in text
        assert "0.123" in text  # ms
        assert "All points: adapter_type=fs, in_flight=2, data_size_kb=256" in text


@pytest.mark.parametrize("count", range(8))
def test_the_table_is_never_wider_than_120_columns(count: int) -> None:
    names = [
        "num_workers",
        "use_odirect",
        "read_ahead_kb",
        "max_capacity_gb",
        "queue_depth",
        "a_long_name",
        "fsync",
    ]
    processes = []
    for index in range(4):
        spec = {"type": "fs_native", **dict.fromkeys(names[:count], index * 1234)}
        load = timed_out(
            "load", cache_state="uncontrolled", elapsed_s=1234.5, submit_unfinished_s=[1234.5] * 9
        )
        rounds = [
            round_row("store", flush_s=123.4),
            round_row("lookup"),
            round_row("load", 1, cache_state="cold"),
            load,
        ]
        shared = {"adapter_spec": json.dumps(spec), "in_flight": 1000 * index, "rounds": 3}
        processes += [
            process(index, *rounds, status="crashed", point_id=str(index), **shared),
            process(index + 9, *durations("load", 0.001, 0.002), point_id=str(index), **shared),
        ]
    for width in (120, 160, 400):
        text = printed(*processes, width=width)
        table = text[text.index("point") :].splitlines()
        assert max(len(line.rstrip()) for line in table if not line.startswith("not shown")) <= MOST_COLUMNS
        assert "…" not in text
        for name in names[:count]:
            assert name.split("_")[0] in text
    wide = printed(*processes, width=160, wide=True)
    assert all(f" {name} " in wide for name in names[:count])
    assert "not shown" not in wide


def test_columns_that_are_omitted_are_named() -> None:
    spec = {"type": "fs_native", **{f"a_field_with_a_long_name_{number}": 0 for number in range(6)}}
    others = {**spec, **dict.fromkeys(list(spec)[1:], 1234567)}
    both = [
        process(index, *durations("store", 0.5, flush_s=0.5), adapter_spec=json.dumps(one))
        for index, one in enumerate((spec, others))
    ]
    text = printed(*both, width=60)
    assert "not shown for lack of width: durable MiB/s" in text
    assert "durable" not in text.split("not shown")[0]


def test_the_hit_rate_is_a_dash_where_no_lookup_completed() -> None:
    found, hung = process(0, round_row("lookup")), process(1, timed_out("lookup"))
    load = process(2, round_row("load"))
    assert [row["hit rate"] for row in cells(found, hung, load)] == ["0.500", "-", "-"]


def test_columns_are_shown_where_a_phase_has_a_value() -> None:
    flushed, plain = process(0, round_row(flush_s=0.5)), process(1, round_row(flush_s=None))
    assert [row["durable MiB/s"] for row in cells(flushed, plain)] == ["2.00", "-"]
    assert not {"durable MiB/s", "page cache", "hit rate"} & set(cells(plain)[0])
    assert [row["page cache"] for row in cells(process(0, round_row("load", cache_state="warm")))] == ["warm"]


def test_lookups_that_were_meant_to_miss_are_marked_below_the_table() -> None:
    missing = process(0, round_row("lookup"), lookup_max_hit_rate=0.0)
    hitting = process(1, round_row("lookup"), lookup_max_hit_rate=0.5)
    assert notes(missing) == ["lookup_max_hit_rate=0: every lookup was meant to miss"]
    assert notes(missing, hitting) == [
        "lookup_max_hit_rate=0: every lookup of these points was meant to miss"
    ]
    assert notes(hitting) == []
    replayed = process(2, second_of_trace("lookup"), lookup_max_hit_rate=0.0)
    assert notes(replayed) == []
    assert notes(process(0, round_row("load"), lookup_max_hit_rate=0.0)) == []


def test_a_profiled_point_is_marked() -> None:
    rows = cells(
        process(0, round_row()),
        process(1, round_row(), profile="flamegraph:wall"),
        process(2, timed_out("store"), profile="flamegraph:wall"),
    )
    assert [row["status"] for row in rows] == ["ok", "ok, profiled", "1 of 1 rounds not ok, profiled"]


def test_the_control_adapter_has_its_own_name() -> None:
    spec = {"type": "plugin", "module_path": "l2sweep.bench.control.adapter", "class_name": "ControlAdapter"}
    control = process(0, round_row(), adapter_type="plugin", adapter_spec=json.dumps(spec))
    assert printed(control).startswith("All points: adapter_type=control, ")
    assert [row["adapter_type"] for row in cells(control, process(1, round_row()))] == ["control", "fs"]


def test_rows_of_several_sweeps_are_pooled_and_have_no_point_index() -> None:
    nights = [process(0, round_row("load"), sweep_id=night, point_id="a") for night in ("night-1", "night-2")]
    (row,) = cells(*nights)
    assert "point" not in row
    assert [one["sweep"] for one in cells(*nights, each_repeat=True)] == ["night-1", "night-2"]


def test_a_wide_table_has_the_interval_of_the_median_from_six_repeats_on() -> None:
    seconds = [0.50, 0.51, 0.52, 0.53, 0.54, 0.55]
    repeats = [process(i, *durations("load", each), point_id="a") for i, each in enumerate(seconds)]
    assert cells(*repeats, wide=True)[0]["median ms 95% interval"] == "500..550"
    assert "median ms 95% interval" not in cells(*repeats[:5], wide=True)[0]


def test_a_row_of_several_points_counts_processes_and_shows_whole_numbers() -> None:
    specs = ['{"type": "fs"}', '{"type": "fs_native", "num_workers": 4}']
    points = [
        process(index, *durations("load", 0.5), adapter_spec=spec, repeat=repeat)
        for index, spec in enumerate(specs)
        for repeat in (0, 1)
    ]
    for number, (rounds, _) in enumerate(points):
        for row in rounds:
            row["attempt"] = number + 1
    rows = result_rows(*together(*points), by=["adapter_type"])
    assert constants(rows).endswith("processes=2")
    by_field = result_rows(
        [
            {**row, "adapter.num_workers": json.loads(row["adapter_spec"]).get("num_workers", float("nan"))}
            for row in together(*points)[0]
        ],
        together(*points)[1],
        by=["adapter.num_workers"],
        has_all_rounds=False,
    )
    assert [row.parameters for row in by_field] == [{"adapter.num_workers": "4"}, {}]
