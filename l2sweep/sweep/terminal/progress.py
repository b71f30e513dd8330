"""The progress of a running sweep: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from l2sweep.analysis.statistics import PhaseSummary
from l2sweep.bench.messages import Message, PhaseStarted, RoundMeasured
from l2sweep.config.point import PointConfig
from l2sweep.sweep.checks.feasibility import Needs
from l2sweep.sweep.terminal.naming import describe, varied_options
from l2sweep.sweep.terminal.numbers import number

_MIB = 1 << 20
# Stands for the time to start a process, so that a point that moves no bytes also advances the bar: 47 ms
# were measured for a small point, which is the time to move 8 MiB at 170 MiB/s.
_PROCESS_WORK_BYTES = 8 << 20
# rich averages the speed over this time: it covers several points even if each takes a minute.
_SPEED_WINDOW_S = 600.0


class SweepProgress:
    """Show how much of a sweep is done.

    Args:
        console: The console to print to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._points: list[PointConfig] = []
        self._varied: frozenset[str] = frozenset()
        self._done = self._failed = self._skipped = 0
        self._point_bytes = 0  # moved by the running point so far
        self._now = ""
        self._last: dict[str, str] = {}  # throughput of the last round, by phase
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("[red]{task.fields[failures]}[/red]"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=_SPEED_WINDOW_S,
        )
        self._task = self._bar.add_task("", total=0, count="", failures="")
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=1,  # drawing uses CPU time of the measured machine
            transient=True,
        )

    def add(self, points: Sequence[PointConfig], skipped: int) -> None:
        """Add points that are about to run.

        Args:
            points: The points.
            skipped: Number of points that are not run.
        """
        self._points += points
        self._varied = varied_options(self._points)
        self._skipped += skipped
        self._bar.update(self._task, total=sum(map(_work_bytes, self._points)))

    def show(self) -> None:
        """Draw the bar if the console is a terminal."""
        if self._console.is_terminal and not self._console.quiet and not self._live.is_started:
            self._live.start()

    def hide(self) -> None:
        """Remove the bar."""
        if self._live.is_started:
            self._live.stop()

    def started(self, point: PointConfig) -> None:
        """Show the point that runs now."""
        self._now = describe(point, self._varied)
        self._last.clear()
        self._point_bytes = 0

    def message(self, message: Message) -> None:
        """Show the phase of the running point and the throughput of its last round."""
        if isinstance(message, PhaseStarted):
            self._last[message.phase] = "..."
        elif isinstance(message, RoundMeasured):
            self._point_bytes += message.bytes_requested
            self._bar.advance(self._task, message.bytes_requested)
            rate = _rate(message, message.duration_s) if message.duration_s else "-"
            self._last[message.phase] = rate if message.status == "ok" else f"{rate} ({message.status})"

    def ended(self, point: PointConfig, row: Mapping[str, Any], summaries: list[PhaseSummary]) -> None:
        """Print a line for a point that failed, and outside a terminal for every point.

        In a fleet, the line names the host: each point is measured on all of them.

        Args:
            point: The point.
            row: Its row of the data set ``points``.
            summaries: The statistics of each phase.
        """
        failed = row["status"] != "ok"
        self._failed += failed and row["status"] != "stopped"
        self._done += 1
        self._bar.advance(self._task, _work_bytes(point) - self._point_bytes)
        if failed:
            text = f"{row['status']}: {row['detail']}{_states(summaries)} (log: {row['log_file']})"
        else:
            text = ", ".join(_headline(summary) for summary in summaries)
        host = f" on {row['host']}" if row["fleet"] else ""
        line = f"[{self._done}/{len(self._points)}] {describe(point, self._varied)}{host}: {text}"
        if failed or not self._console.is_terminal:
            self._console.print(escape(line), style="red" if failed else None, soft_wrap=True)

    def _render(self) -> Group:
        counts = {"failed": self._failed, "skipped": self._skipped}
        failures = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        self._bar.update(self._task, count=f"{self._done}/{len(self._points)}", failures=failures)
        rates = "  ".join(f"{phase} {rate}" for phase, rate in self._last.items())
        return Group(self._bar, Text(self._now), Text(rates))


def _work_bytes(point: PointConfig) -> int:
    """Return the bytes that a point moves, plus a constant for starting its process."""
    needs = Needs.of(point)
    return needs.write_bytes + needs.read_bytes + _PROCESS_WORK_BYTES


def _rate(message: RoundMeasured, duration_s: float) -> str:
    if message.phase != "lookup":
        return f"{message.bytes_ok / _MIB / duration_s:.0f} MiB/s"
    return f"{message.keys_requested / duration_s:.0f} keys/s{_miss_note(message.keys_expected)}"


def _headline(summary: PhaseSummary) -> str:
    state = "" if summary.status == "ok" else f" ({summary.status})"
    if summary.phase != "lookup":
        return f"{summary.phase} {number(summary.mib_per_s, 1)} MiB/s{state}"
    return f"{summary.phase} {number(summary.keys_per_s, 0)} keys/s{_miss_note(summary.expected_hits)}{state}"


def _states(summaries: Sequence[PhaseSummary]) -> str:
    """Return the state of each phase of a failed point; empty if nothing was measured."""
    if not any(summary.rounds for summary in summaries):
        return ""
    return "".join(f"; {summary.phase}: {summary.status}" for summary in summaries)


def _miss_note(expected_hits: int) -> str:
    return "" if expected_hits else " (every key meant to miss)"
