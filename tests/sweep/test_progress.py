"""What a person sees while a sweep runs."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from sample_rows import point_row
from shipped import point

from l2sweep.bench.messages import PhaseStarted, RoundMeasured
from l2sweep.sweep.progress import RemainingTime, SweepProgress

MIB = 1 << 20


def test_the_time_that_is_left_follows_the_bytes_and_not_the_points() -> None:
    remaining = RemainingTime([10, 90, 100])
    start = remaining._start
    assert remaining.seconds(start + 1) is None
    remaining.moved(5)
    assert remaining.seconds(start + 1) == 39
    remaining.point_ended()
    assert remaining.seconds(start + 2) == 38
    remaining.moved(1000)  # never more than the point has
    assert remaining.seconds(start + 10) == 10
    remaining.point_ended()
    remaining.point_ended()
    assert remaining.seconds(start + 20) == 0


def test_a_terminal_shows_the_point_its_phase_the_last_rates_and_what_failed() -> None:
    config = point(num_keys=4, in_flight=2)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, highlight=False)
    with SweepProgress(console, [config, config], left_out=3) as progress:
        progress.started(config)
        progress.message(PhaseStarted("store"))
        progress.message(measured("store", 64 * MIB, 0.5))
        progress.message(PhaseStarted("load"))
        console.print(progress._render())
        progress.ended(config, point_row(status="failed", detail="it broke", log_file="a.log"), [])
        console.print(progress._render())
    text = screen.getvalue()
    assert "fs num_keys=4 in_flight=2 data_size_kb=256" in text
    assert "store 128 MiB/s  load ..." in text
    assert "1 failed, 3 left out" in text
    assert "about 0:00:0" in text
    assert "failed: it broke (log: a.log)" in text


def measured(phase: str, num_bytes: int, duration_s: float) -> RoundMeasured:
    fields: dict[str, Any] = dict.fromkeys(RoundMeasured.__dataclass_fields__, 0)
    changes = {"bytes_requested": num_bytes, "bytes_ok": num_bytes, "duration_s": duration_s}
    return RoundMeasured(**{**fields, "phase": phase, **changes})
