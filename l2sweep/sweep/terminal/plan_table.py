"""The table of the points that a sweep would run, for ``dry_run=true``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from l2sweep.analysis.attempts import attempts
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.checks.feasibility import Needs
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.terminal.naming import describe, varied_options

_MIB = 1 << 20
_TITLES = ("point", "repeat", "parameters", "write MiB", "read MiB", "memory MiB", "expected s")
_PARAMETERS = _TITLES.index("parameters")
_MIN_PARAMETERS_WIDTH = (
    10  # the text is folded; narrower, a very narrow terminal would show a few letters per line
)
_GAP = "  "
_BATCH = 500  # rows that are printed at once


def print_plan(
    console: Console, plan: Plan, to_run: Sequence[PlannedPoint], wall_s: Mapping[str, float]
) -> None:
    """Print the points that a sweep would run, the skipped points, and the totals.

    Args:
        console: The console to print to.
        plan: All points.
        to_run: The points that are not measured yet.
        wall_s: Expected seconds of a point by ``point_id``, from :func:`earlier_wall_s`.
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
        steps = len(planned.config.phases) if planned.config.cache.is_cold else 1
        processes += planned.config.all_clients * steps
    available = console.width - sum(widths) + widths[_PARAMETERS] - len(_GAP) * (len(widths) - 1)
    widths[_PARAMETERS] = max(_MIN_PARAMETERS_WIDTH, min(widths[_PARAMETERS], available))
    console.print(Text("\n".join(_lines(console, _TITLES, widths)), style="bold"), soft_wrap=True)
    for start in range(0, len(to_run), _BATCH):
        rows = (
            _cells(planned, Needs.of(planned.config), wall_s.get(planned.config.point_id), varied)
            for planned in to_run[start : start + _BATCH]
        )
        console.out("\n".join(line for row in rows for line in _lines(console, row, widths)), highlight=False)
    for skipped in plan.skipped:
        console.print(Text(f"skipped: {describe(skipped.config, varied)}: {skipped.reason}"), soft_wrap=True)
    time_text = str(timedelta(seconds=round(expected_s)))
    if unknown:
        time_text += f", without {unknown} points that were not measured before"
    are_open = any(planned.config.amount.rounds_are_open for planned in to_run)
    console.print(
        Text(
            f"{len(to_run)} points in {processes} processes, {len(plan.skipped)} skipped; "
            f"{'at most ' if are_open else ''}{totals[0] / _MIB:.0f} MiB to write, "
            f"{totals[1] / _MIB:.0f} MiB to read, "
            f"at most {totals[2] / _MIB:.0f} MiB of memory; expected time {time_text}"
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


def _lines(console: Console, cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a row. A table of rich takes ten times as long, and 5 KiB of memory for each row."""
    parameters = [cells[_PARAMETERS]]
    if cell_len(parameters[0]) > widths[_PARAMETERS]:
        folded = Text(parameters[0]).wrap(console, widths[_PARAMETERS], overflow="fold")
        parameters = [line.plain.rstrip() for line in folded]
    for number, part in enumerate(parameters):
        yield _GAP.join(
            part + " " * (width - cell_len(part))
            if position == _PARAMETERS
            else (cells[position] if number == 0 else "").rjust(width)
            for position, width in enumerate(widths)
        )


def earlier_wall_s(sweep: SweepConfig) -> dict[str, float]:
    """Return the median seconds of each point in earlier sweeps, by ``point_id``.

    Args:
        sweep: The options of the sweep; its ``results_dir`` holds the earlier sweeps.
    """
    from l2sweep.records.reader import load_points

    try:
        points = load_points(sweep.results_dir)
    except FileNotFoundError:
        return {}
    ended = attempts(points)
    medians = ended[ended["status"] == "ok"].groupby("point_id")["seconds"].median()
    return {str(name): float(value) for name, value in medians.items()}
