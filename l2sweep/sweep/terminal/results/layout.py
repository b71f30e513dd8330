"""Fit a table of results into the width of the terminal."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from l2sweep.sweep.terminal.results.result_columns import BLANK

_LEAST_FOLDED = 12
"""Narrowest width, in characters, of a column whose texts are folded into lines."""
_USUAL_STATUS = 22
"""A status that is wider is folded: about the width of ``1 of 4 rounds, crashed``."""
_LISTED = "parameters"


@dataclass(frozen=True)
class Column:
    """A column of texts.

    Attributes:
        title: Its header.
        texts: A text for each row.
        is_text: Whether it is aligned to the left.
        is_parameter: Whether it shows a parameter of the point.
        is_folded: Whether long texts may be folded into lines.
        omitted_as: The place of this column in the order in which columns are omitted from a table that is
            too wide, from 1; 0: it is always shown.
        style: Returns the style of a row.
    """

    title: str
    texts: Sequence[str]
    is_text: bool = False
    is_parameter: bool = False
    is_folded: bool = False
    omitted_as: int = 0
    style: Callable[[int], str] = lambda _: ""

    @functools.cached_property
    def width(self) -> int:
        """Width of the longest line."""
        return max(cell_len(line) for text in {self.title, *self.texts} for line in text.split("\n"))


@dataclass(frozen=True)
class Table:
    """Columns side by side.

    Long tables are printed: rich's own table takes two seconds for 1,000 rows.

    Attributes:
        columns: The columns.
        widths: Their widths in characters. Only texts of folded columns are wider.
    """

    columns: Sequence[Column]
    widths: Sequence[int]

    def print(self, console: Console) -> None:
        """Print the header and the rows. Lines are longer than the terminal if they must."""
        headers = [one.title.split("\n") for one in self.columns]
        text = self._lines(headers, ["bold"] * len(headers))
        for position in range(len(self.columns[0].texts) if self.columns else 0):
            text.append("\n")
            cells = [
                self._folded(console, one.texts[position], width)
                for one, width in zip(self.columns, self.widths, strict=True)
            ]
            text.append_text(self._lines(cells, [one.style(position) for one in self.columns]))
        console.print(text, soft_wrap=True, highlight=False)

    def _lines(self, cells: Sequence[Sequence[str]], styles: Sequence[str]) -> Text:
        """Return the lines of one row: those of its cells side by side."""
        text, plain = Text(), ""  # texts without a style are appended together: appending is slow
        for line in range(max(map(len, cells), default=0)):
            plain += "\n" if line else ""
            behind = 0
            for one, width, cell, style in zip(self.columns, self.widths, cells, styles, strict=True):
                content = cell[line] if line < len(cell) else ""
                blank = width - cell_len(content)
                if content:
                    plain += " " * (behind + (0 if one.is_text else blank))
                if content and style:
                    text.append(plain).append(content, style)
                    plain = ""
                else:
                    plain += content
                # No blanks at the end of a line: those behind a cell are written before the next one.
                behind = 2 + (behind + width if not content else blank if one.is_text else 0)
        return text.append(plain)

    @staticmethod
    def _folded(console: Console, text: str, width: int) -> Sequence[str]:
        if len(text) <= width and "\n" not in text:
            return (text,)
        return [line.plain.rstrip() for line in Text(text).wrap(console, width, overflow="fold")]


def laid_out(columns: Sequence[Column], most: int) -> tuple[Table, list[str]]:
    """Return a table that is at most as wide as asked, if its numbers leave it a choice.

    One after another, headers are broken into lines, a column is omitted, the parameters are listed in one
    column, and further columns are omitted. No text is cut off.

    Args:
        columns: The columns, in their order.
        most: Width in characters.

    Returns:
        The table, and the titles of the omitted columns.
    """
    stacked = [replace(one, title=_broken(one.title)) if one.is_parameter else one for one in columns]
    in_order = sorted((one for one in columns if one.omitted_as), key=lambda one: one.omitted_as)
    flat = [replace(one, title=_on_one_line(one.title)) for one in columns]
    choices = [(flat, 0), (columns, 0), (stacked, 0), (stacked, 1)]
    for choice, count in choices:
        shown = _without(choice, in_order[:count])
        spare = most - _width(shown)
        if -spare <= _foldable(shown):
            return _table(shown, spare), _titles(in_order[:count])
    listed = _listed(columns)
    fitting = (
        count for count in range(len(in_order)) if _narrowest(_without(listed, in_order[:count])) <= most
    )
    count = next(fitting, len(in_order))
    shown = _without(listed, in_order[:count])
    return _table(shown, most - _width(shown)), _titles(in_order[:count])


def _without(columns: Sequence[Column], omitted: Sequence[Column]) -> list[Column]:
    titles = _titles(omitted)
    return [one for one in columns if _on_one_line(one.title) not in titles]


def _titles(columns: Sequence[Column]) -> list[str]:
    return [_on_one_line(one.title) for one in columns]


def _on_one_line(title: str) -> str:
    return title.replace("\n", " ")


def _broken(title: str) -> str:
    return title.replace("_", "_\n").replace(".", ".\n")


def _width(columns: Sequence[Column]) -> int:
    return sum(one.width for one in columns) + 2 * (len(columns) - 1)


def _narrowest(columns: Sequence[Column]) -> int:
    folded = [one.width - _LEAST_FOLDED for one in columns if one.is_folded]
    return _width(columns) - sum(max(0, width) for width in folded)


def _foldable(columns: Sequence[Column]) -> int:
    """Return by how much the folded columns can be narrowed without becoming hard to read."""
    return sum(max(0, one.width - _USUAL_STATUS) for one in columns if one.is_folded)


def _listed(columns: Sequence[Column]) -> list[Column]:
    """Return columns in which one lists all parameters."""
    parameters = [one for one in columns if one.is_parameter]
    if not parameters:
        return list(columns)
    lists = [
        " ".join(f"{one.title}={text}" for one, text in zip(parameters, texts, strict=True) if text != BLANK)
        for texts in zip(*(one.texts for one in parameters), strict=True)
    ]
    first = columns.index(parameters[0])
    others = [one for one in columns if not one.is_parameter]
    before = sum(not one.is_parameter for one in columns[:first])
    return [*others[:before], Column(_LISTED, lists, is_text=True, is_folded=True), *others[before:]]


def _table(columns: Sequence[Column], spare: int) -> Table:
    """Return a table.

    Args:
        columns: The columns.
        spare: Number of characters by which the table is narrower than it may be. If it is wider, the folded
            columns are narrowed, the widest first.
    """
    widths = {one.title: one.width for one in columns}
    folded = [one.title for one in columns if one.is_folded]
    while spare < 0 and any(widths[title] > _LEAST_FOLDED for title in folded):
        widths[max(folded, key=lambda title: widths[title])] -= 1
        spare += 1
    return Table(columns, [widths[one.title] for one in columns])
