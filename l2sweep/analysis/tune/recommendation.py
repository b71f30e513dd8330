"""Recommend settings: the options with the least worst-case loss, and the knee of each curve."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2sweep.analysis.control import CONTROL
from l2sweep.analysis.tune.ceiling import FIO, Ceiling, ceiling
from l2sweep.analysis.tune.choice import Choice, least_worst_loss
from l2sweep.analysis.tune.knee import WITHIN, Knee, curves, default_over, knee_of, resolved_over
from l2sweep.analysis.tune.settings import WORKLOAD, Setting, settings
from l2sweep.analysis.tune.spec_fields import SpecFields
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

NO_ADAPTERS = (FIO, CONTROL)
"""What is measured beside adapters, and never recommended."""


@dataclass(frozen=True)
class Advice:
    """What to use in one curve of an adapter.

    Attributes:
        use: The recommended setting: the knee, or the only setting of the curve.
        knee: The knee; None if the curve has fewer than two settings.
        ceiling: What fio reaches there, or why that is not known.
    """

    use: Setting
    knee: Knee | None
    ceiling: Ceiling | str


@dataclass(frozen=True)
class AdapterAdvice:
    """What to use of one adapter at one place.

    Attributes:
        settings: All its settings.
        choice: The choice among its options; None if they were not varied.
        option: The recommended options; None if none was measured in every workload.
        advice: What to use, for each curve with these options.
    """

    settings: tuple[Setting, ...]
    choice: Choice[SpecFields] | None
    option: SpecFields | None
    advice: tuple[Advice, ...]


@dataclass(frozen=True)
class Recommendation:
    """The answer of ``l2sweep tune``.

    Attributes:
        phase: store, lookup or load.
        at: The temperature.
        over: What the curves vary over.
        within: How much less than the best a knee may have, as a fraction.
        settings: All settings that were measured, those of fio and of the control included.
        adapters: The advice for each adapter.
        best: The choice among all adapters with all their options; None if there is only one, or if they were
            measured at several places.
    """

    phase: str
    at: str
    over: str
    within: float
    settings: tuple[Setting, ...]
    adapters: tuple[AdapterAdvice, ...]
    best: Choice[SpecFields] | None

    @property
    def fewest_processes(self) -> int:
        """Number of processes of the setting with the fewest, among those that were complete."""
        return min((len(one.rates) for one in self.settings if one.rates), default=0)


def recommend(
    rounds: pd.DataFrame,
    *,
    phase: str = "load",
    at: str = "cold",
    over: str = "",
    within: float = WITHIN,
    points: pd.DataFrame | None = None,
    no_adapters: Collection[str] = NO_ADAPTERS,
) -> Recommendation:
    """Recommend settings for a phase at a temperature, from what was measured and nothing else.

    Args:
        rounds: Rows of :func:`l2sweep.load_rounds`.
        phase: store, lookup or load.
        at: ``cold``, ``hot``, ``claimed`` or ``uncontrolled``.
        over: What the curves vary over, as in :func:`l2sweep.knee`; empty: ``in_flight``, or else the first
            that varies.
        points: Rows of :func:`l2sweep.load_points` of the same sweeps: a setting whose process failed before
            it measured anything is not recommended either.
        within: How much less than the best the knee may have, as a fraction.
        no_adapters: Names of what is not recommended.

    Raises:
        RequestError: Nothing was measured that can be recommended.
    """
    every = settings(rounds, phase, at, points)
    of_adapters = [one for one in every if one.spec.adapter not in no_adapters]
    if not any(one.rates for one in of_adapters):
        what = "only controls were" if not of_adapters else "no process of an adapter was complete that was"
        state = "" if phase == "store" else f" at {at}"  # a store reads nothing
        raise RequestError(
            [f"tune: {what} measured for {phase}{state}: add an adapter, such as adapter=fs,fio"]
        )
    over = resolved_over(over or default_over(of_adapters), of_adapters)
    places: dict[object, list[Setting]] = {}
    for one in of_adapters:
        places.setdefault(one.place, []).append(one)
    return Recommendation(
        phase=phase,
        at=at,
        over=over,
        within=within,
        settings=tuple(every),
        adapters=tuple(_of_adapter(own, every, over, within) for own in places.values()),
        best=_best(of_adapters) if len(places) > 1 else None,
    )


def _of_adapter(own: Sequence[Setting], every: Sequence[Setting], over: str, within: float) -> AdapterAdvice:
    options = list(dict.fromkeys(one.spec for one in own))
    choice = least_worst_loss(own, lambda one: one.spec) if len(options) > 1 else None
    option = options[0] if choice is None else choice.candidates[0].option if choice.candidates else None
    # Along an option, the curve itself leads to the recommended value.
    shown = own if over not in WORKLOAD else [one for one in own if one.spec == option]
    advice = []
    for curve in curves(shown, over):
        knee = knee_of(curve, over, within)
        measured = [one for one in curve if one.is_candidate]
        if knee or len(measured) == 1:
            use = knee.at if knee else measured[0]
            advice.append(Advice(use, knee, ceiling(use, every)))
    return AdapterAdvice(tuple(own), choice, option, tuple(advice))


def _best(among: Sequence[Setting]) -> Choice[SpecFields] | None:
    """Return the choice among adapters; None if their hosts or paths differ, or two releases of LMCache."""
    if len({(one.host, one.spec.path, one.lmcache_version) for one in among}) > 1:
        return None
    return least_worst_loss(among, lambda one: one.spec)
