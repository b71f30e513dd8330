"""The characters of a chart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Symbols:
    """The characters of a chart.

    Attributes:
        markers: A marker for each series. They begin again after the last one.
        shared: The marker where several series have a point.
        line: What connects two points.
        bar: An interval.
        horizontal: The horizontal axis.
        vertical: The vertical axis.
        corner: Where the axes meet.
        tick_x: A tick on the horizontal axis.
        tick_y: A tick on the vertical axis.
    """

    markers: str
    shared: str
    line: str
    bar: str
    horizontal: str
    vertical: str
    corner: str
    tick_x: str
    tick_y: str


UNICODE = Symbols("●▲■◆○△□◇", "✶", "·", "│", "─", "│", "└", "┬", "┤")
ASCII = Symbols("ox@#%&svn", "*", ".", "|", "-", "|", "+", "+", "+")
