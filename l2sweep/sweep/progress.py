"""What a sweep shows while it runs: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from l2sweep.analysis.statistics import OperationSummary
from l2sweep.config import PointConfig

_PLAIN_WIDTH = 160


def make_console(quiet: bool) -> Console:
    """Return where a person reads: standard output, or nowhere."""
    console = Console(quiet=quiet, highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(quiet=quiet, highlight=False, width=_PLAIN_WIDTH)


class SweepProgress:
    """Shows how far a sweep is.

    Args:
        console: Where.
        total: Points of the sweep.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._failed = 0
        self._start = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failures]}[/red]"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            refresh_per_second=1,  # drawing it takes time of the machine that is measured
            disable=not console.is_terminal or console.quiet,
        )
        self._task = self._bar.add_task("starting", total=total, failures="", left="")

    def __enter__(self) -> SweepProgress:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self._bar.stop()

    def started(self, point: PointConfig) -> None:
        """Show which point runs now."""
        self._bar.update(self._task, description=escape(describe(point)))

    def ended(self, point: PointConfig, row: Mapping[str, Any], summaries: list[OperationSummary]) -> None:
        """Show how a point ended."""
        self._done += 1
        failed = row["status"] != "ok"
        self._failed += failed
        per_point_s = (time.monotonic() - self._start) / self._done
        left = timedelta(seconds=round(per_point_s * (self._total - self._done)))
        failures = f"{self._failed} failed" if self._failed else ""
        self._bar.update(self._task, advance=1, failures=failures, left=f"about {left} left")
        if failed:
            text = f"{row['status']}: {row['detail']} (log: {row['log_file']})"
        else:
            text = ", ".join(_headline(summary) for summary in summaries)
        line = f"[{self._done}/{self._total}] {describe(point)}: {text}"
        if failed or not self._console.is_terminal:
            self._console.print(escape(line), style="red" if failed else None, soft_wrap=True)


def describe(point: PointConfig) -> str:
    """Name a point by its type and sizes."""
    return (
        f"{point.adapter_type} num_keys={point.num_keys} in_flight={point.in_flight} "
        f"data_size_kb={point.data_size_kb}"
    )


def _headline(summary: OperationSummary) -> str:
    if summary.mib_per_s is not None:
        return f"{summary.operation} {summary.mib_per_s:.1f} MiB/s"
    rate = "-" if summary.ops_per_s is None else f"{summary.ops_per_s:.0f}"
    return f"{summary.operation} {rate} keys/s"
