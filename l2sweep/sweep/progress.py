"""What a sweep shows while it runs: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from l2sweep.analysis.statistics import OperationSummary
from l2sweep.bench.messages import Message, PhaseStarted, RoundMeasured
from l2sweep.config import PointConfig
from l2sweep.sweep.feasibility import Needs
from l2sweep.sweep.naming import describe, varied_options

_MIB = 1 << 20
_PROCESS_WORK_BYTES = 8 << 20  # a point of no bytes takes its time, too


class SweepProgress:
    """Shows how far a sweep is.

    Args:
        console: Where.
        points: All that are to be run.
        left_out: How many are not.
    """

    def __init__(self, console: Console, points: Sequence[PointConfig], left_out: int) -> None:
        self._console = console
        self._total = len(points)
        self._varied = varied_options(points)
        self._left_out = left_out
        self._failed = 0
        self._now = ""
        self._last: dict[str, str] = {}  # by operation, the throughput of its last round
        self._remaining = RemainingTime([_work_bytes(point) for point in points])
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failures]}[/red]"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._task = self._bar.add_task("", total=self._total, failures="", left="")
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=1,  # drawing it takes time of the machine that is measured
            transient=True,
        )
        self._shows = console.is_terminal and not console.quiet

    def __enter__(self) -> SweepProgress:
        """Begin to show."""
        if self._shows:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        if self._shows:
            self._live.stop()

    def started(self, point: PointConfig) -> None:
        """Show which point runs now."""
        self._now = describe(point, self._varied)
        self._last.clear()

    def message(self, message: Message) -> None:
        """Show what the point's process reports: its phase, and how fast its last round was."""
        if isinstance(message, PhaseStarted):
            self._last[message.phase] = "..."
        elif isinstance(message, RoundMeasured):
            self._remaining.moved(message.bytes_requested)
            if message.duration_s:
                moved = message.keys_requested if message.phase == "lookup" else message.bytes_ok / _MIB
                unit = "keys/s" if message.phase == "lookup" else "MiB/s"
                self._last[message.phase] = f"{moved / message.duration_s:.0f} {unit}"

    def ended(self, point: PointConfig, row: Mapping[str, Any], summaries: list[OperationSummary]) -> None:
        """Show how a point ended."""
        failed = row["status"] != "ok"
        self._failed += failed
        self._remaining.point_ended()
        counts = {"failed": self._failed, "left out": self._left_out}
        failures = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        self._bar.update(self._task, advance=1, failures=failures)
        if failed:
            text = f"{row['status']}: {row['detail']} (log: {row['log_file']})"
        else:
            text = ", ".join(_headline(summary) for summary in summaries)
        line = f"[{self._remaining.points_done}/{self._total}] {describe(point, self._varied)}: {text}"
        if failed or not self._console.is_terminal:
            self._console.print(escape(line), style="red" if failed else None, soft_wrap=True)

    def _render(self) -> Group:
        seconds = self._remaining.seconds()
        left = "" if seconds is None else f"about {timedelta(seconds=round(seconds))} left"
        self._bar.update(self._task, left=left)
        rates = "  ".join(f"{operation} {rate}" for operation, rate in self._last.items())
        return Group(self._bar, Text(self._now), Text(rates))


class RemainingTime:
    """Tells how long the rest takes, from the bytes that are left and the time that those before took.

    Args:
        work_bytes: What each point moves, in the order in which they are run.
    """

    def __init__(self, work_bytes: Sequence[int]) -> None:
        self._work_bytes = work_bytes
        self._start = time.monotonic()
        self._moved_bytes = 0  # of the running point
        self.points_done = 0

    def moved(self, num_bytes: int) -> None:
        """Count bytes of the running point."""
        self._moved_bytes += num_bytes

    def point_ended(self) -> None:
        """Count a point as done, whether or not it moved all it was to move."""
        self.points_done += 1
        self._moved_bytes = 0

    def seconds(self, now: float | None = None) -> float | None:
        """Return the seconds that are left; None where nothing tells it yet.

        Args:
            now: Of the monotonic clock; None: this moment.
        """
        running = self._work_bytes[self.points_done] if self.points_done < len(self._work_bytes) else 0
        done = sum(self._work_bytes[: self.points_done]) + min(self._moved_bytes, running)
        if not done:
            return None
        elapsed_s = (time.monotonic() if now is None else now) - self._start
        return elapsed_s * (sum(self._work_bytes) - done) / done


def _work_bytes(point: PointConfig) -> int:
    """Return the bytes that a point moves, and as many again as its process takes the time of."""
    needs = Needs.of(point)
    return needs.write_bytes + needs.read_bytes + _PROCESS_WORK_BYTES


def _headline(summary: OperationSummary) -> str:
    if summary.mib_per_s is not None:
        return f"{summary.operation} {summary.mib_per_s:.1f} MiB/s"
    rate = "-" if summary.ops_per_s is None else f"{summary.ops_per_s:.0f}"
    return f"{summary.operation} {rate} keys/s"
