"""Draw curves as a chart of characters, which is legible without colours.

Own code, because plotext 6.1 puts data on a logarithmic axis with given ticks in the wrong place, and has
wheels for x86-64 only.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2sweep.cli.terminal_chart.axis import Axis
from l2sweep.cli.terminal_chart.symbols import ASCII, UNICODE, Symbols

if TYPE_CHECKING:
    from rich.text import Text

NARROWEST = 30
"""Columns of the narrowest chart."""
_LOWEST = 4
_COLORS = ("cyan", "magenta", "yellow", "green", "blue", "red")


@dataclass(frozen=True)
class Series:
    """One curve.

    Attributes:
        name: Its name in the legend.
        xs: Where its points are.
        ys: The value of each point; None or NaN: no point.
        lows: The lower end of the interval of each point, in which None is no interval; None: no intervals.
        highs: The upper ends, as ``lows``.
        marked: Index of the point that is shown in brackets; None: no point.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    lows: Sequence[float | None] | None = None
    highs: Sequence[float | None] | None = None
    marked: int | None = None


@dataclass(frozen=True)
class _Point:
    column: int
    row: int
    bar: range
    is_marked: bool
    follows: bool  # whether no missing point lies between it and the point before it


class _Canvas:
    """A grid of characters, whose cells remember the series that was drawn there."""

    def __init__(self, width: int, height: int) -> None:
        self.characters = [[" "] * width for _ in range(height)]
        self.series: list[list[int | None]] = [[None] * width for _ in range(height)]
        self.width = width

    def put(self, column: int, row: int, character: str, series: int) -> None:
        if 0 <= column < self.width:
            self.characters[row][column] = character
            self.series[row][column] = series


def curve_text(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    width: int,
    height: int = 16,
    log_x: bool = False,
    log_y: bool = False,
    is_ascii: bool = False,
) -> Text:
    """Return a chart of curves, with a colour for each series. A rich console prints colours where it may.

    A linear vertical axis contains 0. Lines between points only guide the eye. There is none where a point
    is missing between them.

    Args:
        series: The curves.
        x_label: What the horizontal axis shows, with its unit.
        y_label: What the vertical axis shows, with its unit.
        width: Largest number of columns; fewer than :data:`NARROWEST` count as that many.
        height: Number of rows between the label of the vertical axis and the horizontal axis.
        log_x: Whether the horizontal axis is logarithmic.
        log_y: Whether the vertical axis is logarithmic.
        is_ascii: Whether only characters of ASCII are used.

    Raises:
        ValueError: There is no point, or one that is not above 0 on a logarithmic axis.
    """
    symbols = ASCII if is_ascii else UNICODE
    width, height = max(width, NARROWEST), max(height, _LOWEST)
    xs = [x for one in series for x, y, _, _ in _points(one)]
    ys = [value for one in series for _, *values in _points(one) for value in values]
    if not xs:
        raise ValueError("no series has a point")
    y_axis = Axis.of_values(ys, height, is_log=log_y, ticks=height // 3)
    margin = max(len(y_axis.label(tick)) for tick in y_axis.ticks)
    columns = width - margin - 1
    x_axis = Axis.of_positions(xs, columns, is_log=log_x)
    canvas = _Canvas(columns, height)
    _draw(canvas, series, x_axis, y_axis, symbols)
    lines = [*_plot_lines(canvas, y_axis, margin, symbols), *_x_axis_lines(x_axis, margin, x_label, symbols)]
    return _joined(y_label[:width], lines, _legend(series, canvas, width, symbols))


def _points(one: Series) -> Iterator[tuple[float, float, float, float]]:
    """Yield place, value and interval of each point that has a value."""
    for x, y, low, high in zip(
        one.xs,
        one.ys,
        one.lows or [None] * len(one.xs),
        one.highs or [None] * len(one.xs),
        strict=True,
    ):
        if y is not None and math.isfinite(y):
            yield x, y, _known(low, y), _known(high, y)


def _known(value: float | None, otherwise: float) -> float:
    return value if value is not None and math.isfinite(value) else otherwise


def _draw(canvas: _Canvas, series: Sequence[Series], x_axis: Axis, y_axis: Axis, symbols: Symbols) -> None:
    """Draw the lines of all series, then their intervals, then their markers."""
    drawn = [_cells(one, x_axis, y_axis) for one in series]
    for number, points in enumerate(drawn):
        for first, second in itertools.pairwise(points):
            for column, row in _between(first, second) if second.follows else ():
                canvas.put(column, row, symbols.line, number)
    for number, points in enumerate(drawn):
        for point in points:
            for row in point.bar:
                canvas.put(point.column, row, symbols.bar, number)
    taken: dict[tuple[int, int], int] = {}
    for number, points in enumerate(drawn):
        for point in points:
            place = (point.column, point.row)
            is_shared = taken.setdefault(place, number) != number
            marker = symbols.shared if is_shared else symbols.markers[number % len(symbols.markers)]
            canvas.put(*place, marker, number)
    for number, points in enumerate(drawn):
        for point in points:
            for column, bracket in ((point.column - 1, "["), (point.column + 1, "]")):
                if point.is_marked and (column, point.row) not in taken:
                    canvas.put(column, point.row, bracket, number)


def _cells(one: Series, x_axis: Axis, y_axis: Axis) -> list[_Point]:
    """Return where the points of a series are, from left to right."""
    marked = None if one.marked is None else one.xs[one.marked]
    missing = [x for x, y in zip(one.xs, one.ys, strict=True) if y is None or not math.isfinite(y)]
    points: list[_Point] = []
    before = math.inf
    for x, y, low, high in sorted(_points(one)):
        row, lowest, highest = (y_axis.cells - 1 - y_axis.cell(value) for value in (y, low, high))
        bar = range(highest, lowest + 1) if lowest > highest else range(0)
        follows = not any(before < place < x for place in missing)
        points.append(_Point(x_axis.cell(x), row, bar, x == marked, follows))
        before = x
    return points


def _between(first: _Point, second: _Point) -> Iterator[tuple[int, int]]:
    """Yield the cells of a line between two points, without a gap."""
    steps = max(abs(second.column - first.column), abs(second.row - first.row))
    for step in range(1, steps):
        share = step / steps
        yield (
            round(first.column + share * (second.column - first.column)),
            round(first.row + share * (second.row - first.row)),
        )


def _plot_lines(canvas: _Canvas, y_axis: Axis, margin: int, symbols: Symbols) -> list[Text]:
    from rich.text import Text

    height = len(canvas.characters)
    labels = {height - 1 - y_axis.cell(tick): y_axis.label(tick) for tick in y_axis.ticks}
    lines = []
    for row in range(height):
        label = labels.get(row, "")
        line = Text(f"{label:>{margin}}{symbols.tick_y if label else symbols.vertical}")
        for character, number in zip(canvas.characters[row], canvas.series[row], strict=True):
            line.append(character, "" if number is None else _color(number))
        line.rstrip()
        lines.append(line)
    return lines


def _x_axis_lines(x_axis: Axis, margin: int, x_label: str, symbols: Symbols) -> list[Text]:
    """Return the horizontal axis, the labels of its ticks, and its own label."""
    from rich.text import Text

    axis = [symbols.horizontal] * x_axis.cells
    labels = [" "] * x_axis.cells
    free_from = 0
    for tick in x_axis.ticks:
        column, label = x_axis.cell(tick), x_axis.label(tick)
        start = min(max(0, column - len(label) // 2), x_axis.cells - len(label))
        if start < free_from:
            continue  # its label would overlap the one before it
        axis[column] = symbols.tick_x
        labels[start : start + len(label)] = label
        free_from = start + len(label) + 1
    indent = " " * (margin + 1)
    return [
        Text(" " * margin + symbols.corner + "".join(axis)),
        Text((indent + "".join(labels)).rstrip()),
        Text(indent + x_label[: x_axis.cells].center(x_axis.cells).rstrip()),
    ]


def _legend(series: Sequence[Series], canvas: _Canvas, width: int, symbols: Symbols) -> list[Text]:
    from rich.text import Text

    lines = []
    for number, one in enumerate(series):
        marker = symbols.markers[number % len(symbols.markers)]
        name = textwrap.fill(one.name, width, initial_indent=f"{marker} ", subsequent_indent="  ")
        line = Text(name)
        line.stylize(_color(number), 0, 1)
        lines.append(line)
    if any(symbols.shared in row for row in canvas.characters):
        lines.append(Text(f"{symbols.shared} several of them"))
    return lines


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]


def _joined(y_label: str, lines: Sequence[Text], legend: Sequence[Text]) -> Text:
    from rich.text import Text

    return Text("\n").join([Text(y_label), *lines, *legend])
