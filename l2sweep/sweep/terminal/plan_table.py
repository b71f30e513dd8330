"""What a sweep would do, for ``dry_run=true``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from l2sweep.analysis.attempts import attempts
from l2sweep.config.point import SweepConfig
from l2sweep.sweep.checks.feasibility import Needs
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.terminal.naming import describe, varied_options

_MIB = 1 << 20
_TITLES = ("point", "repeat", "what", "write MiB", "read MiB", "memory MiB", "expected s")
_WHAT = _TITLES.index("what")
_BATCH = 500


def print_plan(
    console: Console, plan: Plan, to_run: Sequence[PlannedPoint], wall_s: Mapping[str, float]
) -> None:
    """Print what a sweep would run.

    Args:
        console: Where.
        plan: The sweep.
        to_run: Its points that are not measured yet.
        wall_s: Seconds that points took before, by their identity.
    """
    varied = varied_options(plan.configs)
    widths = [len(title) for title in _TITLES]
    totals = [0, 0, 0]
    expected_s = 0.0
    unknown = processes = 0
    for planned in to_run:
        needs = Needs.of(planned.config)
        seconds = wall_s.get(planned.config.point_id)
        cells = _cells(planned, needs, seconds, varied)
        widths = [max(width, len(cell)) for width, cell in zip(widths, cells, strict=True)]
        totals[0] += needs.write_bytes
        totals[1] += needs.read_bytes
        totals[2] = max(totals[2], needs.memory_bytes)
        expected_s += seconds or 0.0
        unknown += seconds is None
        processes += len(planned.config.phases) if planned.config.cache.is_cold else 1
    for start in range(0, len(to_run), _BATCH):  # a table of rich takes 5 KiB of memory a row
        rows = (
            _cells(planned, Needs.of(planned.config), wall_s.get(planned.config.point_id), varied)
            for planned in to_run[start : start + _BATCH]
        )
        console.print(_table(rows, widths, console.width, shows_header=start == 0))
    for left in plan.left_out:
        console.print(Text(f"left out: {describe(left.config, varied)}: {left.reason}"), soft_wrap=True)
    time_text = str(timedelta(seconds=round(expected_s)))
    if unknown:
        time_text += f" and {unknown} points that were not measured before"
    console.print(
        Text(
            f"{len(to_run)} points in {processes} processes, {len(plan.left_out)} left out; "
            f"{totals[0] / _MIB:.0f} MiB to write, {totals[1] / _MIB:.0f} MiB to read, "
            f"{totals[2] / _MIB:.0f} MiB of memory at most; expected time {time_text}"
        ),
        soft_wrap=True,
    )


def _cells(
    planned: PlannedPoint, needs: Needs, seconds: float | None, varied: Collection[str]
) -> tuple[str, ...]:
    sizes = (needs.write_bytes, needs.read_bytes, needs.memory_bytes)
    return (
        str(planned.index),
        str(planned.repeat),
        describe(planned.config, varied),
        *(f"{size / _MIB:.1f}" for size in sizes),
        "-" if seconds is None else f"{seconds:.1f}",
    )


def _table(
    rows: Iterable[Sequence[str]], widths: Sequence[int], console_width: int, shows_header: bool
) -> Table:
    """Return a part of the plan's table; its columns are as wide as those of the other parts."""
    room = console_width - (sum(widths) - widths[_WHAT]) - 2 * len(widths)
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=shows_header)
    for position, (title, width) in enumerate(zip(_TITLES, widths, strict=True)):
        if position == _WHAT:
            table.add_column(title, overflow="fold", width=max(10, min(width, room)))
        else:
            table.add_column(title, justify="right", width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def earlier_wall_s(sweep: SweepConfig) -> dict[str, float]:
    """Return the median of the seconds that points took in earlier sweeps, by their identity."""
    from l2sweep.records.reader import load_points

    try:
        points = load_points(sweep.results_dir)
    except FileNotFoundError:
        return {}
    ended = attempts(points)
    medians = ended[ended["status"] == "ok"].groupby("point_id")["seconds"].median()
    return {str(name): float(value) for name, value in medians.items()}
