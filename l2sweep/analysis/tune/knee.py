"""The knee of a curve: the smallest setting whose throughput is within a few percent of the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l2sweep.analysis.tune.bootstrap import Floats, Interval, interval, resampled_medians
from l2sweep.analysis.tune.processes import SIDE_BY_SIDE
from l2sweep.analysis.tune.settings import (
    CLIENTS,
    WORKLOAD,
    Setting,
    option_names,
    settings,
    varying,
)
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

WITHIN = 0.05


@dataclass(frozen=True)
class Knee:
    """The knee of one curve.

    Attributes:
        over: What varies along the curve: a field of the workload, ``clients``, or ``adapter.`` and an
            option.
        curve: The settings of the curve that may be recommended, in ascending order.
        at: The knee: the smallest setting whose median throughput is at least (1 - ``within``) of the best.
        best: The setting with the highest median throughput.
        interval: 95% interval of the knee's value; None if a setting has too few processes.
        within: How much less than the best the knee may have, as a fraction.
    """

    over: str
    curve: tuple[Setting, ...]
    at: Setting
    best: Setting
    interval: Interval | None
    within: float

    @property
    def value(self) -> float:
        """The value of the knee."""
        return float(self.at.value(self.over))


def knee_of(curve: Sequence[Setting], over: str, within: float = WITHIN) -> Knee | None:
    """Return the knee of a curve.

    The interval is that of the knees of curves whose processes are resampled. It covers the values that were
    measured: nothing is read between them.

    Args:
        curve: Settings that differ in ``over`` alone.
        over: What varies along the curve.
        within: How much less than the best the knee may have, as a fraction.

    Returns:
        The knee; None if fewer than two settings may be recommended. A setting of which a process failed may
        not, and a value that is no number is not on the curve.
    """
    ordered = sorted(
        (one for one in curve if one.is_candidate and is_number(one.value(over))),
        key=lambda one: float(one.value(over)),
    )
    if len(ordered) < 2:
        return None
    medians = np.array([[one.rate for one in ordered]])
    resampled = resampled_medians([one.rates for one in ordered])
    values = np.array([float(one.value(over)) for one in ordered])
    return Knee(
        over=over,
        curve=tuple(ordered),
        at=ordered[int(_first_within(medians, within)[0])],
        best=ordered[int(medians[0].argmax())],
        interval=None if resampled is None else interval(values[_first_within(resampled, within)]),
        within=within,
    )


def curves(among: Sequence[Setting], over: str) -> list[list[Setting]]:
    """Return settings that differ in ``over`` alone, each group by itself, in the order of the settings.

    Args:
        among: The settings.
        over: As in :class:`Knee`.
    """
    if over == CLIENTS:
        return [curve for family in alike_but_for_clients(among) for curve in _over_clients(family)]

    def key(one: Setting) -> Any:
        workload = tuple(one.value(name) for name in (*WORKLOAD, *SIDE_BY_SIDE) if name != over)
        options = tuple(item for item in one.spec.options if f"adapter.{item[0]}" != over)
        return one.place, one.lookup_max_hit_rate, options, workload

    return _grouped(among, key)


def alike_but_for_clients(among: Sequence[Setting]) -> list[list[Setting]]:
    """Return settings that differ in the number of clients and hosts alone, each group by itself.

    Of a point that several hosts measured together, the host is only the first one: it separates nothing.

    Args:
        among: The settings.
    """
    found = []
    for family in _grouped(among, lambda one: (one.place_on_any_host, one.spec, one.workload)):
        together = any(one.hosts > 1 for one in family)
        found += [family] if together else _grouped(family, lambda one: one.host)
    return found


def _over_clients(family: list[Setting]) -> list[list[Setting]]:
    """Return the curves of settings that differ in clients and hosts: each number of clients occurs once.

    Four clients on one host are something else than two on each of two hosts. If both were measured, each
    number of hosts has a curve, and if several hosts measured by themselves, each of them.
    """
    groups = [family]
    for key in (lambda one: one.hosts, lambda one: one.host):
        if any(len({one.clients for one in group}) < len(group) for group in groups):
            groups = [part for group in groups for part in _grouped(group, key)]
    return groups


def _grouped(among: Sequence[Setting], key: Callable[[Setting], Any]) -> list[list[Setting]]:
    groups: dict[Any, list[Setting]] = {}
    for one in among:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def default_over(among: Sequence[Setting]) -> str:
    """Return what curves vary over unless it is chosen: ``in_flight``, or else the first that varies."""
    names = ["in_flight", *option_names(among), "data_size_kb", "num_keys", CLIENTS]
    varied = varying(names, among)
    # There is no smallest text or boolean: such an option is a choice, and no curve.
    numbers = [name for name in varied if any(is_number(one.value(name)) for one in among)]
    return numbers[0] if numbers else "in_flight"


def resolved_over(over: str, among: Sequence[Setting]) -> str:
    """Return the full name of what a curve varies over.

    Args:
        over: ``size``, a field of the workload, ``clients`` where it varies, or an option of the adapter with
            or without ``adapter.``.
        among: The settings.

    Raises:
        RequestError: No setting has it.
    """
    known = [*WORKLOAD, *varying([CLIENTS], among), *option_names(among)]
    for name in (over, f"adapter.{over}", {"size": "data_size_kb"}.get(over, "")):
        if name in known:
            return name
    varied = ", ".join(varying(known, among)) or "nothing"
    raise RequestError([f"over={over}: no setting has it; these sweeps vary {varied}"])


def knee(
    rounds: pd.DataFrame,
    over: str = "in_flight",
    *,
    phase: str = "load",
    at: str = "cold",
    within: float = WITHIN,
    points: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the knee of each curve: the smallest setting whose throughput is within 5% of the best.

    Args:
        rounds: Rows of :func:`l2sweep.load_rounds`.
        over: What varies along a curve: ``in_flight``, ``num_workers`` or another option of the adapter,
            ``num_keys``, ``size``.
        phase: store, lookup or load.
        at: ``cold``, ``hot``, ``claimed`` or ``uncontrolled``: the state of the page cache.
        within: How much less than the best the knee may have, as a fraction.
        points: Rows of :func:`l2sweep.load_points` of the same sweeps: a setting whose process failed before
            it measured anything is then no part of a curve. With ``rounds=auto``, they alone tell whether a
            process is complete.

    Returns:
        One row per curve with at least two settings: the adapter, its options, the rest of the workload,
        ``over``, ``knee`` with ``knee_low`` and ``knee_high``, the throughput there (``rate`` with
        ``rate_low`` and ``rate_high``, MiB/s, for lookups keys/s), ``best`` and ``best_rate``, and the
        number of settings and of processes. Ends of intervals are missing where a setting has fewer than 3
        processes.

    Raises:
        RequestError: Nothing was measured at this temperature, or no curve has two settings.
    """
    import pandas as pd

    among = settings(rounds, phase, at, points)
    name = resolved_over(over, among)
    found = [one for curve in curves(among, name) if (one := knee_of(curve, name, within))]
    if not found:
        raise RequestError(
            [f"tune: no curve over {name}: a curve needs two values of it, each without a failed process"]
        )
    return pd.DataFrame([_row(one) for one in found])


def _row(found: Knee) -> dict[str, Any]:
    at, of_knee, of_rate = found.at, found.interval, found.at.rate_interval
    options = {f"adapter.{name}": value for name, value in at.spec.options if f"adapter.{name}" != found.over}
    return {
        "adapter_type": at.spec.adapter,
        "host": at.host,
        "path": at.spec.path,
        "lmcache_version": at.lmcache_version,
        **options,
        **{name: at.value(name) for name in WORKLOAD if name != found.over},
        "over": found.over,
        "knee": found.value,
        "knee_low": of_knee.low if of_knee else None,
        "knee_high": of_knee.high if of_knee else None,
        "rate": at.rate,
        "rate_low": of_rate.low if of_rate else None,
        "rate_high": of_rate.high if of_rate else None,
        "best": float(found.best.value(found.over)),
        "best_rate": found.best.rate,
        "settings": len(found.curve),
        "processes": sum(len(one.rates) for one in found.curve),
    }


def _first_within(medians: Floats, within: float) -> NDArray[np.int64]:
    """Return for each row the index of the first median that is at least (1 - within) of the largest."""
    first: NDArray[np.int64] = np.argmax(medians >= (1 - within) * medians.max(axis=1, keepdims=True), axis=1)
    return first


def is_number(value: Any) -> bool:
    """Return whether a value has a place on a curve. A boolean has none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
