"""What a sweep would do, for ``dry_run=true``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from l2sweep.analysis.attempts import attempts
from l2sweep.config import SweepConfig
from l2sweep.sweep.feasibility import Needs
from l2sweep.sweep.plan import Plan
from l2sweep.sweep.progress import describe

_MIB = 1 << 20


def print_plan(console: Console, plan: Plan, wall_s: Mapping[str, float]) -> None:
    """Print what a sweep would run.

    Args:
        console: Where.
        plan: The sweep.
        wall_s: Seconds that points took before, by their identity.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("point", "repeat"):
        table.add_column(title, justify="right")
    table.add_column("what", overflow="fold")
    for title in ("write MiB", "read MiB", "memory MiB", "expected s"):
        table.add_column(title, justify="right")
    totals = [0, 0, 0]
    expected_s = 0.0
    unknown = processes = 0
    for planned in plan.points:
        needs = Needs.of(planned.config)
        seconds = wall_s.get(planned.config.point_id)
        totals[0] += needs.write_bytes
        totals[1] += needs.read_bytes
        totals[2] = max(totals[2], needs.memory_bytes)
        expected_s += seconds or 0.0
        unknown += seconds is None
        processes += len(planned.config.phases) if planned.config.cache.is_cold else 1
        table.add_row(
            *(str(planned.index), str(planned.repeat), Text(describe(planned.config))),
            *(f"{size / _MIB:.1f}" for size in (needs.write_bytes, needs.read_bytes, needs.memory_bytes)),
            "-" if seconds is None else f"{seconds:.1f}",
        )
    console.print(table)
    for left in plan.left_out:
        console.print(Text(f"left out: {describe(left.config)}: {left.reason}"), soft_wrap=True)
    time_text = str(timedelta(seconds=round(expected_s)))
    if unknown:
        time_text += f" and {unknown} points that were not measured before"
    console.print(
        Text(
            f"{len(plan.points)} points in {processes} processes, {len(plan.left_out)} left out; "
            f"{totals[0] / _MIB:.0f} MiB to write, {totals[1] / _MIB:.0f} MiB to read, "
            f"{totals[2] / _MIB:.0f} MiB of memory at most; expected time {time_text}"
        ),
        soft_wrap=True,
    )


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
