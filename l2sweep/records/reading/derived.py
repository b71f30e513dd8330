"""Columns that are computed from the stored ones: throughput, latency, and the host of a fleet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.tune.device import COUNTERS, DERIVED_COLUMNS, derived_of

_MIB = 1024 * 1024


def _is(table: pa.Table, column: str, *values: str) -> Any:
    return pc.is_in(table[column], value_set=pa.array(values))


def _divided(dividend: Any, divisor: Any) -> Any:
    return pc.divide(dividend.cast(pa.float64()), divisor.cast(pa.float64()))


def _mib(num_bytes: Any) -> Any:
    return pc.divide(num_bytes.cast(pa.float64()), float(_MIB))


def _unless_lookup(table: pa.Table, column: Any) -> Any:
    return pc.if_else(_is(table, "phase", "lookup"), None, column)


def _answered(table: pa.Table) -> Any:
    is_lookup = _is(table, "phase", "lookup")
    answered = pc.if_else(is_lookup, table["keys_requested"], table["keys_ok"])
    has_no_answer = pc.and_(is_lookup, pc.invert(_is(table, "status", "ok", "partial")))
    return pc.if_else(has_no_answer, 0, answered)


def _mib_per_s(table: pa.Table) -> Any:
    return _unless_lookup(table, _divided(_mib(table["bytes_ok"]), table["duration_s"]))


def _mib_per_s_elapsed(table: pa.Table) -> Any:
    elapsed_s = pc.if_else(pc.is_null(table["duration_s"]), table["elapsed_s"], table["duration_s"])
    return _unless_lookup(table, _divided(_mib(table["bytes_ok"]), elapsed_s))


def _durable_mib_per_s(table: pa.Table) -> Any:
    durable = pc.if_else(_is(table, "status", "ok"), table["bytes_ok"], 0)
    return _divided(_mib(durable), pc.add(table["duration_s"], table["flush_s"]))


def _keys_per_s(table: pa.Table) -> Any:
    return _divided(_answered(table), table["duration_s"])


def _latency_per_key_s(table: pa.Table) -> Any:
    answered = _answered(table)
    return pc.if_else(pc.greater(answered, 0), _divided(table["duration_s"], answered), None)


def _of_devices(name: str) -> Callable[[pa.Table], Any]:
    """Return a function that computes one of the columns that follow from the counters of block devices."""

    def compute(table: pa.Table) -> Any:
        values = {
            column: table[column].cast(pa.float64()).to_numpy().astype(np.float64)
            for column in ("duration_s", "flush_s", *COUNTERS)
        }
        is_store = _is(table, "phase", "store").to_numpy()
        return pa.array(derived_of(is_store, values)[name], from_pandas=True)  # NaN becomes null

    return compute


def _fleet_host(table: pa.Table) -> Any:
    is_fleet = pc.fill_null(table["fleet"], False)
    if not pc.any(is_fleet).as_py():  # if_else would decode the texts of all rows
        return pa.nulls(len(table), pa.string())
    return pc.if_else(is_fleet, table["host"].cast(pa.string()), None).combine_chunks().dictionary_encode()


Derived = dict[str, tuple[tuple[str, ...], Callable[[pa.Table], Any]]]
"""By the name of the column: the stored columns that it needs, and what computes it."""
DERIVED_OF_POINTS: Derived = {FLEET_HOST: (("fleet", "host"), _fleet_host)}
DERIVED: Derived = {
    "mib_per_s": (("phase", "bytes_ok", "duration_s"), _mib_per_s),
    "mib_per_s_elapsed": (("phase", "bytes_ok", "duration_s", "elapsed_s"), _mib_per_s_elapsed),
    "durable_mib_per_s": (("status", "bytes_ok", "duration_s", "flush_s"), _durable_mib_per_s),
    "keys_per_s": (("phase", "status", "keys_ok", "keys_requested", "duration_s"), _keys_per_s),
    "latency_per_key_s": (
        ("phase", "status", "keys_ok", "keys_requested", "duration_s"),
        _latency_per_key_s,
    ),
    **{name: (("phase", "duration_s", "flush_s", *COUNTERS), _of_devices(name)) for name in DERIVED_COLUMNS},
    **DERIVED_OF_POINTS,
}
"""Those of ``rounds``."""
