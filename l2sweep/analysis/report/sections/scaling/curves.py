"""The section Scaling: curves over the number of clients, from the settings and the rows of the clients."""

from __future__ import annotations

import contextlib
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from l2sweep.analysis.clients.aggregates import ClientRates, client_rates
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.report.contents.curves import Temperature
from l2sweep.analysis.report.contents.scaling import Scaling, ScalingCurve, ScalingPoint
from l2sweep.analysis.report.measured import PHASES, Measured, temperatures_of
from l2sweep.analysis.report.sections.curves import group_label
from l2sweep.analysis.report.sections.scaling.stopping import ratio, stop_of
from l2sweep.analysis.tune.knee import alike_but_for_clients, curves
from l2sweep.analysis.tune.processes import SIDE_BY_SIDE
from l2sweep.analysis.tune.settings import CLIENTS, Setting, settings
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

_Process = tuple[Any, ...]


def scaling(measured: Measured) -> Scaling:
    """Return the curves over the number of clients; none if no point was measured with several numbers.

    Args:
        measured: The rows.
    """
    of_clients = measured.source.client_rounds
    if of_clients is None or of_clients.empty:
        return Scaling(())
    rounds, points = measured.source.rounds, measured.source.points
    found: list[ScalingCurve] = []
    for phase in PHASES:
        for at in temperatures_of(rounds, phase) if phase != "store" else ("cold",):
            with contextlib.suppress(RequestError):  # nothing was measured in this state
                own = settings(rounds, phase, at, points, "report", with_clients=True)
                temperature = None if phase == "store" else at
                found += _curves(own, phase, cast("Temperature | None", temperature), of_clients)
    return Scaling(tuple(found))


def _curves(
    own: Sequence[Setting], phase: str, temperature: Temperature | None, of_clients: pd.DataFrame
) -> list[ScalingCurve]:
    by_adapter: dict[str, list[tuple[list[Setting], Setting | None]]] = defaultdict(list)
    for family in alike_but_for_clients(own):
        one_client = next((one for one in family if one.clients == 1 and one.rates), None)
        for curve in curves(family, CLIENTS):
            if len([one for one in curve if one.rates]) > 1:
                curve.sort(key=lambda one: one.clients)
                by_adapter[curve[0].spec.adapter].append((curve, one_client))
    shown = [one for pairs in by_adapter.values() for curve, _ in pairs for one in curve]
    rates = _rates_of_processes(of_clients, phase, shown) if shown else {}
    return [
        _curve(curve, one_client, phase, temperature, group_label(curve[0], [c for c, _ in pairs]), rates)
        for pairs in by_adapter.values()
        for curve, one_client in pairs
    ]


def _rates_of_processes(
    of_clients: pd.DataFrame, phase: str, shown: Sequence[Setting]
) -> dict[_Process, ClientRates]:
    """Return what the clients of each process did in a phase."""
    wanted = {process for one in shown if one.clients > 1 for process in one.processes}
    rows: dict[_Process, list[Mapping[str, Any]]] = defaultdict(list)
    for row in of_clients[of_clients["phase"] == phase].to_dict("records"):
        process = row["sweep_id"], row["point_index"], row["attempt"]
        if process in wanted:
            rows[process].append(cast("Mapping[str, Any]", row))
    found = {process: client_rates(own) for process, own in rows.items()}
    return {process: rates for process, rates in found.items() if rates is not None}


def _curve(
    curve: Sequence[Setting],
    one_client: Setting | None,
    phase: str,
    temperature: Temperature | None,
    label: str,
    rates: Mapping[_Process, ClientRates],
) -> ScalingCurve:
    adapter = curve[0].spec.adapter
    stop = stop_of(curve, one_client)
    subject = ", ".join(part for part in (f"{phase} of {adapter}", temperature, label) if part)
    return ScalingCurve(
        phase=phase,
        temperature=temperature,
        adapter=adapter,
        is_control=adapter in CONTROLS,
        label=label,
        points=tuple(_point(one, one_client, rates) for one in curve),
        stops_at=stop.at,
        stops_at_low=None if stop.interval is None else round(stop.interval.low),
        stops_at_high=None if stop.interval is None else round(stop.interval.high),
        sentence=f"{subject[:1].upper()}{subject[1:]}: {stop.sentence}",
    )


def _point(one: Setting, one_client: Setting | None, rates: Mapping[_Process, ClientRates]) -> ScalingPoint:
    of_clients = [rates[process] for process in one.processes if process in rates]
    interval = one.rate_interval
    growth, of_growth = ratio(one, one_client) if one_client is not None and one.rates else (None, None)
    return ScalingPoint(
        **{name: one.value(name) for name in SIDE_BY_SIDE},
        processes=len(one.rates),
        failed_processes=one.failed,
        rate=one.rate if one.rates else None,
        rate_low=None if interval is None else interval.low,
        rate_high=None if interval is None else interval.high,
        all_active_rate=_median(each.all_active_rate for each in of_clients),
        sum_of_client_rates=_median(each.sum_of_rates for each in of_clients),
        client_fairness=_median(each.fairness for each in of_clients),
        start_skew_s=max((each.start_skew_s or 0.0 for each in of_clients), default=None),
        skewed_rounds=sum(each.skewed_rounds for each in of_clients) if of_clients else None,
        client_rounds=sum(each.rounds for each in of_clients) if of_clients else None,
        ideal_rate=None if one_client is None else one_client.rate * one.clients,
        client_scaling=growth,
        client_scaling_low=None if of_growth is None else of_growth.low,
        client_scaling_high=None if of_growth is None else of_growth.high,
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
