"""What a person sees while a sweep runs."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from sample_rows import point_row
from shipped import point

from l2sweep.bench.messages import PhaseStarted, RoundMeasured
from l2sweep.sweep.terminal.progress import SweepProgress

MIB = 1 << 20


def test_a_terminal_shows_the_point_its_phase_the_last_rates_and_what_failed() -> None:
    config = point(num_keys=4, in_flight=2)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, highlight=False)
    progress = SweepProgress(console)
    progress.add([config, config], skipped=3)
    progress.show()
    progress.started(config)
    progress.message(PhaseStarted("store"))
    progress.message(measured("store", 64 * MIB, 0.5))
    progress.message(PhaseStarted("load"))
    console.print(progress._render())
    progress.ended(config, point_row(status="failed", detail="it broke", log_file="a.log"), [])
    console.print(progress._render())
    progress.hide()
    text = screen.getvalue()
    assert "fs num_keys=4 in_flight=2 data_size_kb=256" in text
    assert "store 128 MiB/s  load ..." in text
    assert "1/2" in text
    assert "1 failed, 3 left out" in text
    assert "failed: it broke (log: a.log)" in text


def test_the_bar_counts_the_bytes_of_each_point_once_whatever_it_moved() -> None:
    config = point(num_keys=4, in_flight=2)
    progress = SweepProgress(Console(file=io.StringIO(), force_terminal=True))
    progress.add([config, config], skipped=0)
    (task,) = progress._bar.tasks
    for moved in (3 * MIB, 0):
        progress.started(config)
        progress.message(measured("store", moved, 0.5))
        progress.ended(config, point_row(), [])
    assert task.completed == task.total


def measured(phase: str, num_bytes: int, duration_s: float) -> RoundMeasured:
    fields: dict[str, Any] = dict.fromkeys(RoundMeasured.__dataclass_fields__, 0)
    changes = {"bytes_requested": num_bytes, "bytes_ok": num_bytes, "duration_s": duration_s}
    return RoundMeasured(**{**fields, "phase": phase, **changes})
