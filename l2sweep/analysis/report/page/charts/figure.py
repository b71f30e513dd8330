"""A figure: panels side by side, and the sentence that says what they show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import altair as alt

Columns = Mapping[str, Sequence[Any]]
"""A data set by column."""
Item = TypeVar("Item")
PHASES = ("load", "mixed_load", "lookup", "store", "mixed_store")
"""The phases in the order of the page: what a reader waits for comes first."""


@dataclass(frozen=True)
class Entry:
    """An entry of a legend.

    Attributes:
        name: What it stands for.
        colour: Its colour.
        shape: The shape of its points, a key of ``legend.SHAPE_PATHS``; empty if it has none.
        dash: The dashes of its line; None if it has none.
        is_band: Whether it is an area.
    """

    name: str
    colour: str
    shape: str = ""
    dash: Sequence[int] | None = None
    is_band: bool = False


@dataclass(frozen=True)
class Panel:
    """One chart of a figure.

    Attributes:
        title: What distinguishes it from the other panels; empty if it is the only one.
        chart: The chart over ``rows``: the rows of the figure with the position of this panel. Panels that
            look the same have the same object, which the page has once.
        height: Height in pixels.
        legend: What tells its series apart; empty if there is one series.
        note: A sentence below the chart; may be empty.
        numbers: What a screen reader is told besides titles and caption; may be empty.
    """

    title: str
    chart: alt.LayerChart
    height: int
    legend: tuple[Entry, ...] = ()
    note: str = ""
    numbers: str = ""


@dataclass(frozen=True)
class Figure:
    """One figure of the report.

    Attributes:
        name: Its id in the page, and its name as a file.
        title: Its heading.
        caption: What is shown, in a sentence or two.
        panels: Its panels.
        columns: Its data by column. ``panel`` has the position of a panel.
        settings: Data to which the rows of ``columns`` refer by the position ``s``; None if they do not.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    columns: Columns
    settings: Columns | None = None

    @property
    def legend(self) -> tuple[Entry, ...]:
        """The legend that all panels share; empty if they differ."""
        first = self.panels[0].legend
        return first if all(panel.legend == first for panel in self.panels) else ()


def columns_of(rows: Sequence[Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return fields of dataclasses by column.

    Args:
        rows: The dataclasses.
        names: Names of the fields.
    """
    return {name: [getattr(row, name) for row in rows] for name in names}


def evenly_chosen(items: Sequence[Item], most: int) -> list[Item]:
    """Return all items, or the first, the last and evenly chosen ones between them.

    Args:
        items: The items.
        most: The number of items at most; at least 2.
    """
    if len(items) <= most:
        return list(items)
    step = (len(items) - 1) / (most - 1)
    return [items[round(position * step)] for position in range(most)]


def in_order(names: Iterable[str]) -> list[str]:
    """Return names without duplicates, in the order of their first use.

    Args:
        names: The names.
    """
    return list(dict.fromkeys(names))


Placed = TypeVar("Placed", bound="HasPlace")


class HasPlace(Protocol):
    """What has an adapter and a temperature."""

    @property
    def adapter(self) -> str:
        """Name of the adapter."""

    @property
    def temperature(self) -> str | None:
        """Temperature; None for a store."""


def side_by_side(items: Sequence[Placed]) -> list[Placed]:
    """Return items by adapter, in the order of their first use, with its temperatures beside each other.

    Args:
        items: The items.
    """
    adapters = in_order(one.adapter for one in items)
    temperatures = in_order(str(one.temperature) for one in items)
    return sorted(
        items, key=lambda one: (adapters.index(one.adapter), temperatures.index(str(one.temperature)))
    )


def named(*parts: str | None) -> str:
    """Return the parts of a name that there are, with a comma between them.

    Args:
        parts: The parts.
    """
    return ", ".join(part for part in parts if part)
