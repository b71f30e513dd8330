"""The progress of a running sweep."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from sample_rows import point_row, round_row, timed_out
from shipped import point

from l2sweep.analysis.statistics import summarise, summarise_point
from l2sweep.bench.messages import PhaseStarted, RoundMeasured
from l2sweep.sweep.terminal.progress import SweepProgress

MIB = 1 << 20
POINT = replace(point(), num_keys=4, in_flight=2)


def test_a_terminal_shows_the_point_its_phase_the_last_rates_and_the_failures() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, highlight=False)
    progress = SweepProgress(console)
    progress.add([POINT, POINT], skipped=3)
    progress.show()
    progress.started(POINT)
    progress.message(PhaseStarted("store"))
    progress.message(measured("store", bytes_ok=64 * MIB))
    progress.message(PhaseStarted("load"))
    console.print(progress._render())
    progress.ended(POINT, point_row(status="failed", detail="it broke", log_file="a.log"), [])
    console.print(progress._render())
    progress.hide()
    text = screen.getvalue()
    assert "fs num_keys=4 in_flight=2 data_size_kb=256" in text
    assert "store 128 MiB/s  load ..." in text
    assert "1/2" in text
    assert "1 failed, 3 skipped" in text
    assert "failed: it broke (log: a.log)" in text


def test_the_rate_of_a_lookup_is_in_keys_and_marks_keys_that_are_meant_to_miss() -> None:
    progress = SweepProgress(Console(file=io.StringIO(), force_terminal=True))
    for keys_expected, text in ((4, "16 keys/s"), (0, "16 keys/s (every key meant to miss)")):
        progress.message(measured("lookup", keys_requested=8, keys_expected=keys_expected))
        assert progress._last["lookup"] == text


def test_the_rate_of_a_round_that_is_not_ok_is_marked() -> None:
    progress = SweepProgress(Console(file=io.StringIO(), force_terminal=True))
    progress.message(PhaseStarted("store"))
    progress.message(measured("store", bytes_ok=MIB, status="partial"))
    assert progress._last["store"] == "2 MiB/s (partial)"
    for _ in range(2):
        progress.message(measured("store", bytes_ok=MIB, duration_s=None, status="timeout"))
        assert progress._last["store"] == "- (timeout)"


@pytest.mark.parametrize("moved", [3 * MIB, 0])
def test_the_bar_is_full_at_the_end_even_if_a_point_moved_less_than_planned(moved: int) -> None:
    progress = SweepProgress(Console(file=io.StringIO(), force_terminal=True))
    progress.add([POINT], skipped=0)
    progress.add([POINT], skipped=0)
    (task,) = progress._bar.tasks
    for bytes_requested in (moved, 0):
        progress.started(POINT)
        progress.message(measured("store", bytes_requested=bytes_requested))
        progress.ended(POINT, point_row(), [])
    assert task.completed == task.total


def test_a_file_gets_a_plain_line_per_point() -> None:
    summaries = [
        summarise("store", [round_row("store")]),
        summarise("lookup", [round_row("lookup")]),
        summarise("lookup", [round_row("lookup", keys_expected=0, keys_ok=0)]),
        summarise("load", [timed_out("load")]),
    ]
    assert lines_of(point_row(), summaries) == [
        "[1/1] fs num_keys=4 in_flight=2 data_size_kb=256: store 4.0 MiB/s, lookup 16 keys/s, "
        "lookup 16 keys/s (every key meant to miss), load - MiB/s (1 of 1 rounds not ok)"
    ]


def test_the_line_of_a_fleet_names_the_host() -> None:
    (line,) = lines_of(point_row(fleet=True, host="node-r7"), [summarise("store", [round_row("store")])])
    assert line == "[1/1] fs num_keys=4 in_flight=2 data_size_kb=256 on node-r7: store 4.0 MiB/s"
    failed = point_row(fleet=True, host="node-r7", status="failed", detail="it broke", log_file="a.log")
    (line,) = lines_of(failed, [])
    assert " on node-r7: failed: it broke (log: a.log)" in line


def test_the_line_of_a_failed_point_shows_the_state_of_each_phase() -> None:
    row = point_row(status="crashed", detail="killed by SIGKILL during load", log_file="a.log")
    rounds = [round_row(phase, number) for phase in ("store", "lookup") for number in (2, 3, 4)]
    phases = ("store", "lookup", "load")
    (line,) = lines_of(row, summarise_point(phases, [*rounds, round_row("load", 2)], [row]))
    assert line.endswith(
        ": crashed: killed by SIGKILL during load; store: ok; lookup: ok; load: 1 of 3 rounds, crashed "
        "(log: a.log)"
    )
    (line,) = lines_of(row, summarise_point(phases, [], [row]))
    assert line.endswith(": crashed: killed by SIGKILL during load (log: a.log)")


def test_a_detail_is_not_read_as_markup() -> None:
    (line,) = lines_of(point_row(status="failed", detail="at [/x] [red]", log_file="a.log"), [])
    assert line.endswith(": failed: at [/x] [red] (log: a.log)")


def lines_of(row: dict[str, Any], summaries: list[Any]) -> list[str]:
    """Return what the progress prints into a file for one point."""
    screen = io.StringIO()
    progress = SweepProgress(Console(file=screen, width=60))
    progress.add([POINT], skipped=0)
    progress.show()
    progress.started(POINT)
    progress.ended(POINT, row, summaries)
    progress.hide()
    return screen.getvalue().splitlines()


def measured(phase: str, **changes: Any) -> RoundMeasured:
    fields: dict[str, Any] = dict.fromkeys(RoundMeasured.__dataclass_fields__, 0)
    return RoundMeasured(**{**fields, "phase": phase, "status": "ok", "duration_s": 0.5, **changes})
