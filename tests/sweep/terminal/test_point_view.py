"""The view of a single point."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from sample_rows import DATE, SWEEP_ID, point_row, round_row, timed_out
from shipped import point

from l2sweep.analysis.statistics import summarise, summarise_point
from l2sweep.bench.messages import Accepted, AdapterCreated, Note, PhaseEnded, PhaseStarted, RoundMeasured
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.terminal.point_view import PointView

POINT = replace(point(), num_keys=4, in_flight=2, warmup_rounds=1, rounds=3)
PLANNED = PlannedPoint(0, 0, 0, POINT)
LOG_FILE = "sweeps/one/point-00000.1.log"


class Screen:
    """A view that prints into a text, for a point that has started."""

    def __init__(self, planned: PlannedPoint = PLANNED, *, quiet: bool = False) -> None:
        self._file = io.StringIO()
        self.view = PointView(Console(file=self._file, quiet=quiet, width=80), SweepConfig(sweep_id="one"))
        self.view.planned(Plan((planned,), ()), [planned], 0)
        self.view.started(planned)

    @property
    def lines(self) -> list[str]:
        return self._file.getvalue().splitlines()


def measured(row: dict[str, Any]) -> RoundMeasured:
    names = RoundMeasured.__dataclass_fields__
    fields = {name: row.get(name) for name in names}
    return RoundMeasured(**fields)


def result(*rows: dict[str, Any], **changes: Any) -> PointResult:
    return PointResult([point_row(log_file=LOG_FILE, **changes)], list(rows))


def test_nothing_is_printed_before_the_first_message() -> None:
    assert Screen().lines == []


def test_the_messages_become_lines() -> None:
    screen = Screen()
    for message in (
        Accepted("0.5.6", "2.9", "3.11"),
        AdapterCreated("FSL2Adapter", 0.3),
        PhaseStarted("store"),
        measured(round_row("store", 1, is_warmup=True)),
        Note("4 keys [may] stay"),
        PhaseEnded("store"),
        PhaseStarted("lookup"),
        measured(timed_out("lookup", 2)),
    ):
        screen.view.message(message)
    assert screen.lines[0].endswith(", LMCache 0.5.6: fs num_keys=4 in_flight=2 data_size_kb=256")
    assert screen.lines[1:] == [
        "",
        "[Init] Creating adapter...",
        "[Init] Adapter created successfully (FSL2Adapter).",
        "",
        "[Store] Running 1 warm-up + 3 measured rounds...",
        "  [Store] Round 1: 500.00 ms, stored=8/8 (warm-up)",
        "[Note] 4 keys [may] stay",
        "",
        "[Lookup] Running 1 warm-up + 3 measured rounds (every key is meant to miss)...",
        "  [Lookup] Round 2: -, found=0/8 TIMEOUT: 1 submits did not complete in time",
    ]


def test_the_start_is_printed_once_for_a_point_with_several_processes() -> None:
    screen = Screen()
    for _ in range(3):
        screen.view.message(Accepted("0.5.6", "2.9", "3.11"))
        screen.view.message(AdapterCreated("FSL2Adapter", 0.3))
    assert sum("[Init]" in line for line in screen.lines) == 2


def test_the_report_is_followed_by_where_the_records_are() -> None:
    screen = Screen()
    row = round_row("store")
    screen.view.ended(PLANNED, result(row), [summarise("store", [row])])
    screen.view.finished()
    end = screen.lines.index("=" * 64)
    assert screen.lines[end + 1 :] == [
        f"Records: results/rounds/{DATE}/{SWEEP_ID} and results/points/{DATE}/{SWEEP_ID}",
        f"Log file: results/{LOG_FILE}",
        "To read the records:",
        f'  import pandas as pd; pd.read_parquet("results/rounds/{DATE}/{SWEEP_ID}")',
        '  import l2sweep; l2sweep.load_rounds("results")',
    ]


@pytest.mark.parametrize(("skip_verify", "is_shown"), [(False, True), (True, False)])
def test_the_byte_check_is_shown_if_it_was_requested(skip_verify: bool, is_shown: bool) -> None:
    planned = replace(PLANNED, config=replace(POINT, skip_verify=skip_verify))
    screen = Screen(planned)
    row = round_row("load")
    screen.view.ended(planned, result(row), [summarise("load", [row])])
    assert ("[Verify] All 8 loaded keys have the right bytes." in screen.lines) == is_shown


def test_a_point_that_failed_before_its_first_round_shows_why_and_its_log_file() -> None:
    screen = Screen()
    crashed = result(status="crashed", detail="SIGSEGV during [store]")
    screen.view.ended(PLANNED, crashed, summarise_point(POINT.phases, [], crashed.points))
    screen.view.finished()
    assert screen.lines == [
        "",
        "crashed: SIGSEGV during [store]",
        f"Records: results/points/{DATE}/{SWEEP_ID}",
        f"Log file: results/{LOG_FILE}",
    ]


def test_keys_that_were_not_deleted_are_named_at_the_end() -> None:
    screen = Screen()
    screen.view.ended(PLANNED, result(round_row("store"), keys_left=4), [])
    screen.view.finished()
    assert "4 keys of 1 point were not deleted: fs, namespace l2sweep-x" in screen.lines


def test_a_point_that_was_not_run_has_no_records() -> None:
    screen = Screen()
    screen.view.note("budget.minutes=1 are used up")
    screen.view.finished()
    assert screen.lines == ["budget.minutes=1 are used up"]


def test_a_quiet_console_shows_nothing() -> None:
    screen = Screen(quiet=True)
    screen.view.message(PhaseStarted("store"))
    screen.view.ended(PLANNED, result(status="failed", detail="it broke"), [])
    screen.view.finished()
    assert screen.lines == []
