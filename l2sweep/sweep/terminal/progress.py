"""What a sweep shows while it runs: a bar in a terminal, plain lines elsewhere."""

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

from l2sweep.analysis.statistics import OperationSummary
from l2sweep.bench.messages import Message, PhaseStarted, RoundMeasured
from l2sweep.config.point import PointConfig
from l2sweep.sweep.checks.feasibility import Needs
from l2sweep.sweep.terminal.naming import describe, varied_options

_MIB = 1 << 20
_PROCESS_WORK_BYTES = 8 << 20  # a point that moves no bytes takes time, too
_SPEED_WINDOW_S = 600.0  # over which rich averages the speed: a few points even where each takes a minute


class SweepProgress:
    """Shows how far a sweep is.

    Args:
        console: Where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._points: list[PointConfig] = []
        self._varied: frozenset[str] = frozenset()
        self._done = self._failed = self._skipped = 0
        self._point_bytes = 0  # what the running point has moved
        self._now = ""
        self._last: dict[str, str] = {}  # by phase, the throughput of its last round
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
            refresh_per_second=1,  # drawing takes time of the machine that is measured
            transient=True,
        )

    def add(self, points: Sequence[PointConfig], skipped: int) -> None:
        """Add points that are about to run.

        Args:
            points: The points.
            skipped: How many points are not run.
        """
        self._points += points
        self._varied = varied_options(self._points)
        self._skipped += skipped
        self._bar.update(self._task, total=sum(map(_work_bytes, self._points)))

    def show(self) -> None:
        """Draw the bar, in a terminal."""
        if self._console.is_terminal and not self._console.quiet and not self._live.is_started:
            self._live.start()

    def hide(self) -> None:
        """Remove the bar."""
        if self._live.is_started:
            self._live.stop()

    def started(self, point: PointConfig) -> None:
        """Show which point runs now."""
        self._now = describe(point, self._varied)
        self._last.clear()
        self._point_bytes = 0

    def message(self, message: Message) -> None:
        """Show what the point's process reports: its phase, and how fast its last round was."""
        if isinstance(message, PhaseStarted):
            self._last[message.phase] = "..."
        elif isinstance(message, RoundMeasured):
            self._point_bytes += message.bytes_requested
            self._bar.advance(self._task, message.bytes_requested)
            if message.duration_s:
                moved = message.keys_requested if message.phase == "lookup" else message.bytes_ok / _MIB
                unit = "keys/s" if message.phase == "lookup" else "MiB/s"
                self._last[message.phase] = f"{moved / message.duration_s:.0f} {unit}"

    def ended(self, point: PointConfig, row: Mapping[str, Any], summaries: list[OperationSummary]) -> None:
        """Show how a point ended."""
        failed = row["status"] != "ok"
        self._failed += failed
        self._done += 1
        self._bar.advance(self._task, _work_bytes(point) - self._point_bytes)
        if failed:
            text = f"{row['status']}: {row['detail']} (log: {row['log_file']})"
        else:
            text = ", ".join(_headline(summary) for summary in summaries)
        line = f"[{self._done}/{len(self._points)}] {describe(point, self._varied)}: {text}"
        if failed or not self._console.is_terminal:
            self._console.print(escape(line), style="red" if failed else None, soft_wrap=True)

    def _render(self) -> Group:
        counts = {"failed": self._failed, "left out": self._skipped}
        failures = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        self._bar.update(self._task, count=f"{self._done}/{len(self._points)}", failures=failures)
        rates = "  ".join(f"{phase} {rate}" for phase, rate in self._last.items())
        return Group(self._bar, Text(self._now), Text(rates))


def _work_bytes(point: PointConfig) -> int:
    """Return the bytes that a point moves, and a share for starting its process."""
    needs = Needs.of(point)
    return needs.write_bytes + needs.read_bytes + _PROCESS_WORK_BYTES


def _headline(summary: OperationSummary) -> str:
    if summary.mib_per_s is not None:
        return f"{summary.operation} {summary.mib_per_s:.1f} MiB/s"
    rate = "-" if summary.ops_per_s is None else f"{summary.ops_per_s:.0f}"
    return f"{summary.operation} {rate} keys/s"
