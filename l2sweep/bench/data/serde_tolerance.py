"""How far a loaded number may be from the stored one, for each serde of LMCache.

A serde that quantizes changes the numbers. The payload of such a point has only numbers with a magnitude of
0.125 to 2 (:class:`l2sweep.bench.data.numbers.NumberPayload`), which every 8-bit float represents as normal
numbers. Rounding to the nearest number with ``m`` bits of mantissa then changes a number by at most
``2**-(m+1)`` of its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OF_FP8 = {
    "float8_e4m3fn": 2.0**-4,
    "float8_e4m3fnuz": 2.0**-4,
    "float8_e5m2": 2.0**-3,
    "float8_e5m2fnuz": 2.0**-3,
}
_DEFAULT_FP8 = "float8_e4m3fn"  # _create_fp8_serde of LMCache 0.5.6
_LOSSLESS = ("aesgcm",)


def stated_tolerance(serde: Mapping[str, Any]) -> float | None:
    """Return the largest relative error of a serde; 0 if it changes no bit, None if it is not known.

    Args:
        serde: The field ``serde`` of an adapter spec.
    """
    if serde.get("type") in _LOSSLESS:
        return 0.0
    if serde.get("type") == "fp8":
        return _OF_FP8.get(str(serde.get("fp8_dtype", _DEFAULT_FP8)))
    return None


def tolerance_of(spec: Mapping[str, Any], given: float | None) -> float:
    """Return the largest relative error of loaded numbers; 0 if each bit must be as it was stored.

    Args:
        spec: An adapter spec.
        given: The option ``serde_tolerance``.
    """
    serde = spec.get("serde")
    if serde is None:
        return 0.0
    stated = stated_tolerance(serde) if isinstance(serde, Mapping) else None
    return float(given if given is not None else stated or 0.0)
