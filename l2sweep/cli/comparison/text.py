"""Print a comparison as tables, for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from l2sweep.analysis.compare.headline import counted, listed
from l2sweep.analysis.compare.result import (
    Comparison,
    ComparisonResult,
    NewFailure,
    PointComparison,
    TotalComparison,
)
from l2sweep.analysis.compare.rows.settings import settings_of_each
from l2sweep.analysis.compare.verdict import SENSITIVITY
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.cli.row_output import Column, print_rows
from l2sweep.errors import printable

if TYPE_CHECKING:
    from l2sweep.records.reading.comparing import ComparisonBy

_LOUD = ("slower", "faster")
_ENVIRONMENT = [
    Column("name", "differs", is_number=False),
    Column("base", "base", is_number=False),
    Column("candidate", "candidate", is_number=False),
]
_TOTALS = [
    Column("verdict", "in total", is_number=False),
    Column("adapter", "adapter", is_number=False),
    Column("phase", "phase", is_number=False),
    Column("points", "points"),
    Column("change", "change"),
    Column("interval", "95%", omitted_as=3),
    Column("q", "q", omitted_as=1),
    Column("beside", "vs control", omitted_as=2),
]
_POINTS = [
    Column("verdict", "verdict", is_number=False),
    Column("adapter", "adapter", is_number=False),
    Column("phase", "phase", is_number=False),
    Column("size", "KiB"),
    Column("depth", "depth"),
    Column("base", "base ms"),
    Column("candidate", "cand. ms"),
    Column("change", "change"),
    Column("interval", "95%", omitted_as=4),
    Column("q", "q", omitted_as=1),
    Column("processes", "n", omitted_as=3),
    Column("beside", "vs control", omitted_as=2),
]
_HOST = Column(FLEET_HOST, "host", is_number=False)
_SETTINGS = Column("settings", "settings", is_number=False, is_folded=True)
_SENSITIVITY = [Column("visible", "visible"), Column("enough", "enough")]
_FAILURES = [
    Column("verdict", "verdict", is_number=False),
    Column("adapter", "adapter", is_number=False),
    Column("phase", "phase", is_number=False),
    Column("size", "KiB"),
    Column("depth", "depth"),
    Column("processes", "processes"),
    Column("reason", "reason", is_number=False),
]


def print_comparison(result: ComparisonResult, output_format: str, *, every: bool) -> None:
    """Print the answer, what differs, all points together, and single points.

    Args:
        result: The comparison.
        output_format: table or markdown.
        every: Whether to print each point, and why it is inconclusive; else only those that are slower,
            faster or failing.
    """
    bold = "**" if output_format == "markdown" else ""
    print(f"{bold}{printable(result.headline)}{bold}\n")
    print(f"base:      {_sweeps(result.base)}{'  ' if bold else ''}")
    print(f"candidate: {_sweeps(result.candidate)}")
    _print_section([asdict(one) for one in result.environment], _ENVIRONMENT, output_format)
    controls = result.control_totals if every or result.host_changed else ()
    totals = [_total_row(one) for one in (*result.totals, *controls)]
    _print_section(totals, _TOTALS, output_format)
    rows = list(_point_rows(result, every=every))
    columns: Sequence[Column] = _POINTS
    if every:  # q is in CSV and JSON: with it, the lines would be longer than 120 characters
        columns = [*(column for column in _POINTS if column.name != "q"), *_SENSITIVITY]
    columns = _with_host(columns, (*result.points, *result.controls))
    if any(row["settings"] for row in rows):
        columns = [*columns, _SETTINGS]
    _print_section(rows, columns, output_format)
    _print_section(_failure_rows(result), _with_host(_FAILURES, result.new_failures), output_format)
    print("\n" + "\n".join(_notes(result, every=every)))


def print_comparison_by(found: ComparisonBy, output_format: str, *, every: bool) -> None:
    """Print the answer for each value in a line, and then each comparison.

    Args:
        found: The comparisons.
        output_format: table or markdown.
        every: Whether to print each point.
    """
    against = f"{found.by} against {printable(found.base)}"
    mark = "## " if output_format == "markdown" else ""
    lines = [(value, result.headline) for value, result in found.results.items()]
    lines += found.not_comparable.items()
    print_rows(
        [{"value": value, "answer": answer} for value, answer in lines],
        [Column("value", against, is_number=False), Column("answer", "answer", is_number=False)],
        output_format,
    )
    for value, result in found.results.items():
        print(f"\n{mark}{found.by} {printable(value)} against {printable(found.base)}\n")
        print_comparison(result, output_format, every=every)


def _with_host(columns: Sequence[Column], found: Sequence[PointComparison | NewFailure]) -> Sequence[Column]:
    """Return the columns with that of the host, if points of a fleet are among what was found."""
    is_fleet = any(one.point is not None and one.point.fleet_host for one in found)
    return [columns[0], _HOST, *columns[1:]] if is_fleet else columns


def _print_section(rows: Sequence[Mapping[str, str]], columns: Sequence[Column], output_format: str) -> None:
    if rows:
        print()
        print_rows(rows, columns, output_format)


def _sweeps(sweep_ids: Sequence[str]) -> str:
    if len(sweep_ids) == 1:
        return printable(sweep_ids[0])
    return printable(f"{len(sweep_ids)} sweeps, {sweep_ids[0]} to {sweep_ids[-1]}")


def _total_row(one: TotalComparison) -> dict[str, str]:
    return {**_numbers(one), "adapter": one.adapter, "phase": one.phase, "points": str(one.points)}


def _point_rows(result: ComparisonResult, *, every: bool) -> Iterator[dict[str, str]]:
    points = [*result.points, *result.controls]
    settings = settings_of_each([one.point for one in points])
    for index, one in enumerate(points):
        if not every and (one.verdict not in _LOUD or index >= len(result.points)):
            continue
        point, needed = one.point, one.repeats_needed
        yield {
            **_numbers(one),
            "adapter": point.adapter,
            "phase": point.phase,
            "size": str(point.data_size_kb),
            "depth": str(point.in_flight),
            "base": _milliseconds(one.base_s),
            "candidate": _milliseconds(one.candidate_s),
            "processes": f"{one.base_processes}:{one.candidate_processes}",
            "visible": "-" if one.visible_ratio is None else change(one.visible_ratio, 0),
            "enough": "-" if one.verdict != "inconclusive" else str(needed) if needed else "nights",
            FLEET_HOST: point.fleet_host or "",
            "settings": settings[index],
        }


def _numbers(one: Comparison) -> dict[str, str]:
    beside = one.relative_ratio
    return {
        "verdict": one.verdict,
        "change": change(one.ratio),
        "interval": f"{change(one.low)} to {change(one.high)}",
        "q": "-" if one.q is None else "<0.0001" if one.q < 1e-4 else f"{one.q:.4f}",
        "beside": "-" if beside is None else change(beside),
        "reason": one.reason,
    }


def change(ratio: float, digits: int = 1) -> str:
    """Return a ratio of durations as a change in percent, such as ``+11.2%``."""
    percent = 100 * (ratio - 1)
    return f"{percent:+.{digits}f}%" if abs(percent) < 999.5 else f"x{ratio:.0f}"


def _milliseconds(duration_s: float) -> str:
    milliseconds = 1000 * duration_s
    return f"{milliseconds:.3f}" if milliseconds < 10 else f"{milliseconds:.1f}"


def _failure_rows(result: ComparisonResult) -> list[dict[str, str]]:
    return [
        {
            "verdict": "failing",
            FLEET_HOST: (one.point.fleet_host if one.point else None) or "",
            "adapter": one.point.adapter if one.point else "-",
            "phase": one.phase,
            "size": str(one.point.data_size_kb) if one.point else "-",
            "depth": str(one.point.in_flight) if one.point else "-",
            "processes": str(one.processes),
            "reason": one.reason,
        }
        for one in result.new_failures
    ]


def _notes(result: ComparisonResult, *, every: bool) -> Iterable[str]:
    counts = result.counts
    names = ("slower", "faster", "same", "inconclusive")
    text = ", ".join(f"{counts[name]} {name}" for name in names if counts[name])
    hidden = counts["same"] + counts["inconclusive"] + len(result.controls)
    hint = "" if every or not hidden else "; --all shows every point"
    if every:
        hint = "; visible: the least significant change; enough: repeats"
    yield f"{counted(len(result.points), 'point')} and phases: {text or 'none'}{hint}"
    if every:
        own = [one.reason for one in (*result.points, *result.totals) if one.reason]
        yield from (f"inconclusive: {reason}" for reason in _distinct(own) if SENSITIVITY not in reason)
    for side, name in enumerate(("base", "candidate")):
        failed = [one.reason for one in result.failures if one.side == side]
        if failed:
            number = counted(len(failed), "process", "es")
            yield printable(f"{number} of the {name} failed and count nowhere: {listed(_distinct(failed))}")
    for points, name in ((result.only_base, "base"), (result.only_candidate, "candidate")):
        if points:
            kinds = [f"{one.adapter} {one.phase} ({one.cache_state or '-'})" for one in points]
            number = counted(len(points), "point")
            yield f"{number} only in the {name}, and not compared: {listed(_distinct(kinds))}"


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
