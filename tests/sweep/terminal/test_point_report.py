"""The text of a single point."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sample_rows import nothing_moved, point_row, round_row, second_of_trace, timed_out
from shipped import point

from l2sweep.analysis.statistics import summarise, summarise_point
from l2sweep.sweep.terminal.point_report import phase_line, round_line, sections, verify_line

WIDTH = 64


def test_the_line_above_a_phase_shows_its_rounds_and_marks_lookups_that_are_meant_to_miss() -> None:
    misses = replace(point(), warmup_rounds=1, rounds=3).amount
    hits = replace(misses, lookup_max_hit_rate=0.5)
    assert phase_line("store", misses) == "[Store] Running 1 warm-up + 3 measured rounds..."
    assert phase_line("lookup", hits) == "[Lookup] Running 1 warm-up + 3 measured rounds..."
    assert phase_line("lookup", misses) == (
        "[Lookup] Running 1 warm-up + 3 measured rounds (every key is meant to miss)..."
    )


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (round_row("store", 2), "  [Store] Round 2: 500.00 ms, stored=8/8"),
        (round_row("lookup", 3), "  [Lookup] Round 3: 500.00 ms, found=4/8"),
        (round_row("load", 1, is_warmup=True), "  [Load] Round 1: 500.00 ms, loaded=8/8 (warm-up)"),
        (
            round_row("load", 2, status="partial", keys_ok=3, detail="3 of 8 keys loaded"),
            "  [Load] Round 2: 500.00 ms, loaded=3/8 PARTIAL: 3 of 8 keys loaded",
        ),
        (
            timed_out("store", 2),
            "  [Store] Round 2: -, stored=4/8 TIMEOUT: 1 submits did not complete in time",
        ),
        (
            timed_out("store", 1, is_warmup=True),
            "  [Store] Round 1: -, stored=4/8 (warm-up) TIMEOUT: 1 submits did not complete in time",
        ),
        (nothing_moved("load", 2), "  [Load] Round 2: 1.00 ms, loaded=0/8 ERROR: nothing moved"),
        (
            round_row("store", 2, detail="disk nearly full"),
            "  [Store] Round 2: 500.00 ms, stored=8/8 [disk nearly full]",
        ),
    ],
    ids=lambda value: value["status"] if isinstance(value, dict) else "",
)
def test_the_line_of_a_round_shows_its_result(row: dict[str, Any], line: str) -> None:
    assert round_line(row) == line


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([round_row("load", 1), round_row("load", 2)], "[Verify] All 16 loaded keys have the right bytes."),
        (
            [round_row("load", 1), round_row("load", 2, mismatched_keys=1)],
            "[Verify] 1 of 16 loaded keys have wrong bytes!",
        ),
        ([nothing_moved("load")], "[Verify] No key was loaded: nothing could be checked!"),
        (
            [round_row("load", 1, is_warmup=True), nothing_moved("load", 2)],
            "[Verify] No key was loaded: nothing could be checked!",
        ),
        ([], "[Verify] No key was loaded: nothing could be checked!"),
    ],
)
def test_the_verification_line_shows_how_many_keys_were_right(rows: list[dict[str, Any]], line: str) -> None:
    assert verify_line(summarise("load", rows)) == line


def values_of(text: str, title: str) -> dict[str, str]:
    """Return the lines of one section as a mapping."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip("-=") == f" {title} ")
    values = {}
    for line in lines[start + 1 :]:
        if line.startswith(("-", "=")):
            break
        name, _, value = line.partition(":")
        values[name] = value.strip()
    return values


def test_the_report_has_a_section_per_phase_and_lines_of_one_width() -> None:
    summaries = [summarise(phase, [round_row(phase)]) for phase in ("store", "lookup", "load")]
    text = sections(point_row(), summaries)
    lines = text.splitlines()
    assert {len(line) for line in lines} == {WIDTH}
    titles = [line.strip("-= ") for line in lines if line.startswith(("-", "="))]
    assert titles == ["L2 Adapter Benchmark Result", "Configuration", "Store", "Lookup", "Load", ""]


def test_a_value_that_is_too_long_for_the_line_is_not_cut() -> None:
    spec = {"type": "fs", "base_path": "/mnt/" + "x" * 80}
    line = sections(point_row(adapter_spec=json.dumps(spec)), []).splitlines()[2]
    assert line == "L2 adapter JSON: " + json.dumps(spec, separators=(",", ":"))


def test_the_configuration_contains_the_size_of_a_round() -> None:
    shown = values_of(sections(point_row(), []), "Configuration")
    assert json.loads(shown["L2 adapter JSON"]) == {"type": "fs", "base_path": "/mnt/nvme/kv"}
    assert (shown["Keys / submit"], shown["In-flight / round"], shown["Keys / round"]) == ("4", "2", "8")
    assert (shown["Data size / key (KiB)"], shown["Data / round (MiB)"]) == ("256", "2.00")
    assert (shown["Measured rounds"], shown["Warm-up rounds"]) == ("3", "1")
    assert shown["Lookup max hit rate"] == "0.50"
    assert shown["Namespace"] == "l2sweep-x"


def test_the_hit_rate_is_only_shown_where_a_lookup_runs() -> None:
    for phase, mode, is_shown in (
        *(("all", "hot", True), ("lookup", "hot", True), ("store", "hot", False), ("load", "hot", False)),
        ("store", "cold", True),  # the row of the first of three processes
    ):
        shown = values_of(sections(point_row(phase=phase, cache_mode=mode), []), "Configuration")
        assert ("Lookup max hit rate" in shown) == is_shown


def test_the_numbers_of_a_phase_are_those_of_its_summary() -> None:
    durations = (0.01, 0.03, 0.02, 1.94)
    rows = [round_row("store", number, duration_s=value) for number, value in enumerate(durations)]
    shown = values_of(sections(point_row(), [summarise("store", rows)]), "Store")
    assert shown == {
        "Status": "ok",
        "Rounds": "4",
        "Rounds timed out": "0",
        "Keys / round": "8",
        "Total keys": "32",
        "Total success": "32",
        "Duration avg (ms)": "500.00",
        "Duration min (ms)": "10.00",
        "Duration max (ms)": "1940.00",
        "Duration p50 (ms)": "25.00",
        "Duration p99 (ms)": "-",
        "Duration std (ms)": "960.03",
        "Throughput (MiB/s)": "4.00",
        "Throughput min (MiB/s)": "1.03",
        "Throughput max (MiB/s)": "200.00",
        "Throughput durable (MiB/s)": "2.00",
        "Flush avg (ms)": "500.00",
        "Keys/s": "16.00",
        "Latency / key (ms)": "62.500",
        "Submit latency p50 (ms)": "375.00",
        "Submit latency p99 (ms)": "-",
        "Submit latency max (ms)": "500.00",
    }


def test_a_lookup_shows_its_hit_rate_and_no_throughput() -> None:
    shown = values_of(
        sections(point_row(), [summarise("lookup", [round_row("lookup", keys_ok=3)])]), "Lookup"
    )
    assert not [name for name in shown if "Throughput" in name]
    assert shown["Expected max hit rate"] == "0.5000"
    assert shown["Expected hit keys"] == "4"
    assert shown["Actual hit rate"] == "0.3750"
    assert "Meant to miss" not in shown


def test_a_lookup_that_is_meant_to_miss_is_marked() -> None:
    misses = summarise("lookup", [round_row("lookup", keys_expected=0, keys_ok=0)])
    shown = values_of(sections(point_row(lookup_max_hit_rate=0.0), [misses]), "Lookup")
    assert shown["Actual hit rate"] == "0.0000"
    assert shown["Meant to miss"] == "every key (lookup_max_hit_rate=0)"


def test_a_lookup_without_a_completed_round_has_no_hit_rate() -> None:
    shown = values_of(sections(point_row(), [summarise("lookup", [timed_out("lookup")])]), "Lookup")
    assert shown["Actual hit rate"] == "-"


def test_a_number_that_does_not_exist_is_a_dash() -> None:
    shown = values_of(sections(point_row(), [summarise("load", [timed_out("load")])]), "Load")
    assert shown["Rounds timed out"] == "1"
    without_number = {name for name, value in shown.items() if value == "-"}
    assert without_number == {
        *(f"Duration {name} (ms)" for name in ("p50", "p99", "std")),
        *(f"Throughput{name} (MiB/s)" for name in ("", " min", " max")),
        "Keys/s",
        "Latency / key (ms)",
        "Submit latency p99 (ms)",
    }


def test_statistics_that_reach_into_time_outs_are_shown_as_lower_bounds() -> None:
    rows = [round_row("load", 1), *(timed_out("load", number) for number in (2, 3))]
    shown = values_of(sections(point_row(), [summarise("load", rows)]), "Load")
    assert shown["Duration min (ms)"] == "500.00"
    assert shown["Duration p50 (ms)"] == shown["Duration max (ms)"] == ">= 1000.00"
    assert shown["Duration avg (ms)"] == ">= 833.33"
    assert shown["Submit latency p50 (ms)"] == "375.00"
    assert shown["Submit latency max (ms)"] == ">= 1000.00"


def test_throughput_over_elapsed_time_is_shown_beside_that_of_the_completed_rounds() -> None:
    rows = [round_row("load", 1), timed_out("load", 2)]
    shown = values_of(sections(point_row(), [summarise("load", rows)]), "Load")
    assert (shown["Throughput (MiB/s)"], shown["Throughput over elapsed time (MiB/s)"]) == ("4.00", "2.00")
    assert (shown["Keys/s"], shown["Keys/s over elapsed time"]) == ("16.00", "8.00")
    complete = values_of(sections(point_row(), [summarise("load", rows[:1])]), "Load")
    assert not [name for name in complete if "elapsed" in name]


def test_each_phase_shows_its_state_also_one_that_was_not_measured() -> None:
    row = point_row(status="crashed")
    rounds = [*(round_row("store", number) for number in (2, 3, 4)), round_row("lookup", 2)]
    text = sections(row, summarise_point(("store", "lookup", "load"), rounds, [row]))
    shown = {title: values_of(text, title)["Status"] for title in ("Store", "Lookup", "Load")}
    assert shown == {"Store": "ok", "Lookup": "1 of 3 rounds, crashed", "Load": "0 of 3 rounds, crashed"}
    assert values_of(text, "Load")["Throughput (MiB/s)"] == "-"


def test_false_answers_and_sampled_keys_are_shown_in_the_phase_that_has_them() -> None:
    rows = [round_row("lookup", false_hits=2, false_misses=1), round_row("load", sampled_keys=7)]
    rows.append(round_row("load", 3, mismatched_keys=1))
    summaries = [summarise(phase, rows) for phase in ("store", "lookup", "load")]
    text = sections(point_row(), summaries)
    lookup, load = values_of(text, "Lookup"), values_of(text, "Load")
    assert (lookup["False hits"], lookup["False misses"]) == ("2", "1")
    assert (load["Sampled keys"], load["Mismatched keys"]) == ("15", "1")
    assert not {"False hits", "Sampled keys"} & set(values_of(text, "Store"))
    old = summarise("lookup", [round_row("lookup", false_hits=None, false_misses=None)])
    assert values_of(sections(point_row(), [old]), "Lookup")["False hits"] == "-"


def test_loads_of_nothing_have_no_throughput_and_no_latency() -> None:
    shown = values_of(sections(point_row(), [summarise("load", [nothing_moved("load")])]), "Load")
    assert (shown["Throughput (MiB/s)"], shown["Keys/s"]) == ("0.00", "0.00")
    assert (shown["Latency / key (ms)"], shown["Total success"]) == ("-", "0")


def test_a_profiled_point_is_marked() -> None:
    assert "Profiled" not in sections(point_row(), [])
    (line,) = [
        line
        for line in sections(point_row(profile="flamegraph:wall"), []).splitlines()
        if line.startswith("Profiled")
    ]
    assert line.endswith(" flamegraph:wall")
    assert len(line) == WIDTH


@pytest.mark.parametrize("answered_by", ["client_cache", "index", "server", None])
def test_a_lookup_that_did_not_ask_the_place_that_holds_the_data_says_so(answered_by: str | None) -> None:
    rows = [round_row("lookup", number, lookup_answered_by=answered_by) for number in (1, 2)]
    shown = values_of(sections(point_row(), [summarise("lookup", rows)]), "Lookup")
    assert shown.get("Answered by") == (answered_by if answered_by in ("client_cache", "index") else None)


def test_the_report_of_a_replay_shows_both_latencies_and_no_rounds() -> None:
    point_of_trace = point_row(trace="a.jsonl 0123456789ab", trace_speed=None, lookup_max_hit_rate=0.0)
    summaries = [summarise(phase, [second_of_trace(phase)]) for phase in ("lookup", "load")]
    text = sections(point_of_trace, summaries)
    shown = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    assert shown["Trace"].strip() == "a.jsonl 0123456789ab"
    assert shown["Trace speed"].strip() == "as fast as possible"
    assert shown["Seconds"].strip() == "1"
    assert shown["Submit latency max (ms)"].strip() == "500.00"
    assert shown["Latency since due max (ms)"].strip() == "1500.00"
    assert shown["Submit late max (ms)"].strip() == "1000.00"
    assert not {
        "Rounds",
        "Measured rounds",
        "Warm-up rounds",
        "Expected max hit rate",
        "Meant to miss",
    } & set(shown)


def test_the_lines_of_a_replay_name_its_seconds() -> None:
    assert phase_line("trace", point().amount).startswith("[Trace] Replaying 1 seconds")
    line = round_line(second_of_trace("load", 4))
    assert line == "  [Load] Second 4: 1000.00 ms, loaded=8/8"
