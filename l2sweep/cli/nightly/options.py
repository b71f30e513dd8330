"""The options that ``nightly`` and ``night`` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from l2sweep.cli.command_options import NumberRange
from l2sweep.cli.nightly.settings import Kept, Limits

INSTEAD_OF_NIGHTS = (
    "run l2sweep experiment=nightly_cold results_dir=URL, then l2sweep history URL@latest shows the nights"
)
"""What to do if the results are in a store."""
_LIMITS = (
    click.option(
        "--compare-nights",
        default=7,
        show_default=True,
        type=click.IntRange(min=1),
        help="Number of previous nights to compare with.",
    ),
    click.option(
        "--min-control-fraction",
        default=0.5,
        show_default=True,
        type=NumberRange(0, 1),
        help="A control is too slow below this share of its throughput in the previous nights.",
    ),
    click.option(
        "--max-control-error-percent",
        default=1.0,
        show_default=True,
        type=NumberRange(min=0, min_open=True),
        help="The control adapter is too inexact above this error against theory. inf: no limit.",
    ),
)
_KEEP = (
    click.option(
        "--keep-nights",
        default=60,
        show_default=True,
        type=click.IntRange(min=2),
        help="Number of nights with the same name to keep. Older ones are removed.",
    ),
    click.option(
        "--keep-gb",
        type=NumberRange(min=0, min_open=True),
        help="Largest total size of the kept nights, in 10^9 bytes. Default: no limit.",
    ),
)


def limit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what is a problem, given to the function as ``limits``."""

    @functools.wraps(function)
    def with_limits(
        *arguments: Any,
        compare_nights: int,
        min_control_fraction: float,
        max_control_error_percent: float,
        **others: Any,
    ) -> Any:
        limits = Limits(compare_nights, min_control_fraction, max_control_error_percent)
        return function(*arguments, limits=limits, **others)

    return _with_options(with_limits, _LIMITS)


def keep_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which old nights are kept, given to the function as ``kept``."""

    @functools.wraps(function)
    def with_kept(*arguments: Any, keep_nights: int, keep_gb: float | None, **others: Any) -> Any:
        return function(*arguments, kept=Kept(keep_nights, keep_gb), **others)

    return _with_options(with_kept, _KEEP)


def _with_options(
    function: Callable[..., Any], options: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...]
) -> Callable[..., Any]:
    for option in reversed(options):  # click lists the option that was added last first
        function = option(function)
    return function
