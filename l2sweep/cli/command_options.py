"""Arguments and options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from l2sweep.bench.job import MIXED_PHASES, PHASES
from l2sweep.errors import RequestError, shown
from l2sweep.records.store.address import StoreAddress, is_url

if TYPE_CHECKING:
    from pathlib import Path

    from l2sweep.records.store.place import Place

Function = TypeVar("Function", bound=Any)

SELECTORS = (
    "A selector is a sweep id, latest, latest~1 (the sweep before it), name:nightly (the latest of that "
    "name), name:nightly~1..7 (the seven sweeps before it), or one of these in another place: PATH@latest, "
    "s3://BUCKET/PREFIX@latest."
)
"""For the help of a command that takes a selector."""


class NumberRange(click.FloatRange):
    """The type of an option that takes a number in a range. It refuses ``nan``, which click takes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number.

        Raises:
            click.BadParameter: It is not a number, or not in the range.
        """
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


def results_dir_option(function: Function) -> Function:
    """Add ``--results-dir``, given to the function as ``results_dir``."""
    return click.option(
        *("--results-dir", "results_dir"),
        default="results",
        show_default=True,
        metavar="FOLDER",
        callback=_require_path,
        help="Folder of the records, or s3://, gs:// or file://.",
    )(function)


def require_folder(place: Place, command: str, instead: str) -> Path:
    """Return a place of results as a folder, for a command that changes files.

    Args:
        place: The place.
        command: Name of the command.
        instead: What to do with a store.

    Raises:
        RequestError: It is a store.
    """
    from l2sweep.records.store.place import StorePath

    if isinstance(place, StorePath):
        raise RequestError([f"{command}: {shown(place.url)}: must be a local folder: {instead}"])
    return place


def where_option(function: Function) -> Function:
    """Add ``--where``, given to the function as ``where``: a condition on rows, or None."""
    return click.option(
        "--where",
        metavar="CONDITION",
        help="Only rows that meet a condition, such as 'num_keys >= 32 and adapter.num_workers == 8'.",
    )(function)


def phase_option(function: Function) -> Function:
    """Add ``--phase``, given to the function as ``phase``: store, lookup, load, or None for all."""
    return click.option(
        "--phase", type=click.Choice([*PHASES, *MIXED_PHASES]), help="Only rows of this phase."
    )(function)


def threshold_option(explanation: str) -> Callable[[Function], Function]:
    """Return an option ``--threshold``, given to the function as ``threshold``: a share, by default 0.05.

    Args:
        explanation: What the share means.
    """
    return click.option(
        "--threshold",
        default="5%",
        show_default=True,
        metavar="SHARE",
        callback=lambda _context, _parameter, value: percent(value),
        help=f"{explanation}: 5% or 0.05.",
    )


def format_option(*more: str) -> Callable[[Function], Function]:
    """Return an option ``--format``, given to the function as ``output_format``.

    Args:
        more: Formats besides table, markdown, csv and json.
    """
    return click.option(
        *("--format", "output_format"),
        type=click.Choice(["table", "markdown", "csv", "json", *more]),
        default="table",
        show_default=True,
        help="How the result is printed.",
    )


def over_option(what: str, *more: str) -> Callable[[Function], Function]:
    """Return an option ``--over``, given to the function as ``over``: a name, or an empty text.

    Args:
        what: How its help begins: "What", with a condition before it.
        more: Names that this command takes besides those that all take.
    """
    names = ", ".join(("in_flight", "num_keys", "size", *more))
    return click.option(
        "--over",
        default="",
        metavar="NAME",
        help=f"{what} the curves vary over: {names}, or an option of the adapter such as num_workers. "
        "Default: in_flight, or else the first that varies.",
    )


def percent(text: str) -> float:
    """Return a fraction that is given as ``5%`` or ``0.05``.

    Args:
        text: The value of an option.

    Raises:
        click.BadParameter: It is neither, or not from 0% to 1000%.
    """
    try:
        value = float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 10:
        raise click.BadParameter(f"{text} must be a percentage such as 5%, or a fraction such as 0.05")
    return value


def _require_path(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if is_url(value):
        StoreAddress.parse(value, "--results-dir")
        return value
    if not value or "\0" in value:
        raise click.BadParameter(f"{value!r} must be a path")
    if any(len(part.encode(errors="surrogateescape")) > 255 for part in value.split("/")):
        raise click.BadParameter(f"{value[:40]}... must be a path whose parts have at most 255 bytes")
    return value
