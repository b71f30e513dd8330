"""The axes of a grid: each override of a command line with its values, counted before they are listed."""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.core.override_parser.types import Glob, Override, RangeSweep, Transformer, ValueType

from l2sweep.errors import RequestError, shown

UNCOUNTABLE = 10**15
"""More values than anything can list: a range whose step is too small to count."""


@dataclass(frozen=True)
class Axis:
    """An override and its values.

    Attributes:
        override: The parsed override, with one value or several.
        size: Number of its values.
    """

    override: Override
    size: int

    @classmethod
    def of(cls, override: Override) -> Axis:
        """Return the axis of an override.

        Raises:
            RequestError: Its values cannot be listed, as those of an interval, or it has none.
        """
        text = shown(override.input_line)
        if not override.is_sweep_override():
            return cls(override, 1)
        if not override.is_discrete_sweep():
            raise RequestError([f"{text}: a grid needs values that can be listed; use a search"])
        size = _size(override)
        if size == 0:
            raise RequestError([f"{text}: must have at least one value"])
        return cls(override, size)

    @property
    def name(self) -> str:
        """What it sets, with its sign: ``num_keys``, ``+adapter.use_odirect``."""
        return str(self.override.get_key_element())

    @property
    def first(self) -> Override:
        """The first value, or any of a shuffled range, without listing the others."""
        value = self.override._value
        if isinstance(value, RangeSweep):
            return self._with_value(next(iter(value.range())))
        return next(self.values())

    def values(self) -> Iterator[Override]:
        """Yield each value as an override of its own, as Hydra parses the text in its ``input_line``."""
        override = self.override
        if override.is_delete() and override.value() is None:
            yield replace(override, input_line=self.name)
        elif not override.is_sweep_override():
            yield replace(override, input_line=f"{self.name}={override.get_value_element_as_str()}")
        else:
            yield from map(self._with_value, override.sweep_iterator(transformer=Transformer.identity))

    def _with_value(self, element: Any) -> Override:
        text = f"{self.name}={Transformer.str(element)}"
        return replace(self.override, value_type=ValueType.ELEMENT, _value=element, input_line=text)


def _size(override: Override) -> int:
    """Return the number of values of a sweep that can be listed, without listing those of a range."""
    value = override._value
    if isinstance(value, RangeSweep):
        return _size_of_range(override, value)
    if isinstance(value, Glob):
        return len(list(override.sweep_iterator()))
    values: Sequence[object] = value.list  # type: ignore[union-attr]
    return len(values)


def _size_of_range(override: Override, sweep: RangeSweep) -> int:
    text = shown(override.input_line)
    try:
        start, stop, step = (decimal.Decimal(bound) for bound in (sweep.start, sweep.stop, sweep.step))  # type: ignore[arg-type]
        if not all(bound.is_finite() for bound in (start, stop, step)) or not step:
            raise RequestError([f"{text}: must have finite bounds, and a step that is not 0"])
        steps = (stop - start) / step
        return (
            UNCOUNTABLE
            if steps > UNCOUNTABLE
            else max(0, int(steps.to_integral_value(decimal.ROUND_CEILING)))
        )
    except decimal.DecimalException:
        return UNCOUNTABLE
