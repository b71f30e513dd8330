"""The charts of ``l2sweep summary --plot``: throughput against what varies, one chart for each phase."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l2sweep.analysis.clients.merging import CLIENT_COLUMNS, ROUND, first_clients, merged
from l2sweep.analysis.tune.knee import Knee, curves, default_over, is_number, knee_of, resolved_over
from l2sweep.analysis.tune.processes import POINT_COLUMNS, ROUND_COLUMNS, SIDE_BY_SIDE, TEMPERATURES
from l2sweep.analysis.tune.recommendation import NO_ADAPTERS
from l2sweep.analysis.tune.sentences import value_in_words
from l2sweep.analysis.tune.settings import WORKLOAD, Setting, settings
from l2sweep.bench.job import MIXED_PHASES, PHASES
from l2sweep.cli.terminal_chart import Series, curve_text
from l2sweep.errors import RequestError
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.records.selectors import select

if TYPE_CHECKING:
    import pandas as pd
    from rich.text import Text

_MOST_CURVES = 9
"""Curves of a chart: as many as there are markers."""
_ROUND_COLUMNS = tuple(dict.fromkeys((*ROUND_COLUMNS, *ROUND, *CLIENT_COLUMNS, "started_at")))
_POINT_COLUMNS = tuple(dict.fromkeys((*POINT_COLUMNS, *CLIENT_COLUMNS)))
_HEIGHT = 12
"""Rows of a chart: three of them fit on one screen."""
_LOG_FROM = 8
"""Ratio of the largest to the smallest value from which a logarithmic axis shows all of them apart."""


@dataclass(frozen=True)
class Curve:
    """Settings that differ in what the curves of a chart vary over, and in nothing else.

    Attributes:
        settings: The settings, in ascending order. Those that no process completed have no throughput.
        knee: The knee; None if fewer than two settings may be recommended, and for a control.
    """

    settings: tuple[Setting, ...]
    knee: Knee | None

    @property
    def measured(self) -> list[Setting]:
        """The settings with a throughput."""
        return [one for one in self.settings if one.rates]


def phase_charts(
    selector: str,
    results_dir: str,
    *,
    where: str | None,
    phase: str | None,
    over: str,
    width: int,
    is_ascii: bool,
) -> list[Text | str]:
    """Return for each phase a chart, or a sentence that says why there is none, and what they have in common.

    Args:
        selector: The sweeps.
        results_dir: Folder of the records, unless the selector names one.
        where: A condition on the rounds.
        phase: The only phase; None: all that were measured.
        over: What the curves vary over, as in :func:`l2sweep.knee`; empty: ``in_flight``, or else the first
            that varies.
        width: Columns of a chart.
        is_ascii: Whether only characters of ASCII are used.

    Raises:
        RequestError: The selector selects nothing, the condition is wrong, or no setting has ``over``.
    """
    selection = select(selector, results_dir)
    chosen: dict[str, Any] = {"sweep": list(selection.sweep_ids), "where": where}
    rounds = merged(load_rounds(selection.results_dir, phase=phase, columns=_ROUND_COLUMNS, **chosen))
    points = first_clients(load_points(selection.results_dir, columns=_POINT_COLUMNS, **chosen))
    measured = set(rounds["phase"])
    if not measured:
        return ["no chart: no round was measured"]
    charts: list[Text | str] = []
    notes: list[str] = []
    for one in (*PHASES, *MIXED_PHASES):
        if one in measured:
            chart, own_notes = _phase_chart(rounds, points, one, over=over, width=width, is_ascii=is_ascii)
            charts.append(chart)
            notes += own_notes
    return [*charts, *(["\n".join(dict.fromkeys(notes))] if notes else [])]


def _phase_chart(
    rounds: pd.DataFrame, points: pd.DataFrame, phase: str, *, over: str, width: int, is_ascii: bool
) -> tuple[Text | str, list[str]]:
    """Return a chart or a sentence, and the explanations of what the chart contains."""
    by_state = _settings(rounds, points, phase)
    every = [one for own in by_state for one in own]
    if not every:
        return f"{phase}: no chart: no process measured it in rounds with one state of the page cache", []
    adapters = [one for one in every if one.spec.adapter not in NO_ADAPTERS]
    name = resolved_over(over or default_over(adapters or every), every)
    found = [curve for own in by_state for curve in _curves(own, name)]
    if not any(len(curve.measured) > 1 for curve in found):
        short = name.removeprefix("adapter.")
        return f"{phase}: no chart: fewer than two values of {short} were measured, all else being equal", []
    shown = _shown(found)
    is_lookup = phase == "lookup"
    unit = "keys/s" if is_lookup else "MiB/s"
    series = [
        _series(curve, label, name, unit) for curve, label in zip(shown, _labels(shown, name), strict=True)
    ]
    xs = [x for one in series for x in one.xs]
    chart = curve_text(
        series,
        x_label=name.removeprefix("adapter."),
        y_label=f"{phase}, {unit} (median of the processes)",
        width=width,
        height=_HEIGHT,
        log_x=min(xs) > 0 and max(xs) >= _LOG_FROM * min(xs),
        is_ascii=is_ascii,
    )
    if omitted := len(found) - len(shown):
        chart.append(f"\nnot shown: {omitted} more, with less throughput; choose with --where")
    return chart, _notes(series, shown, is_ascii=is_ascii)


def _settings(rounds: pd.DataFrame, points: pd.DataFrame, phase: str) -> list[list[Setting]]:
    """Return the settings of a phase, those of each temperature by themselves."""
    found = []
    for at in TEMPERATURES:
        with contextlib.suppress(RequestError):  # nothing was measured at this temperature
            found.append(settings(rounds, phase, at, points, with_clients=True))
        if phase == "store":  # it has no temperature
            break
    return found


def _curves(own: Sequence[Setting], over: str) -> list[Curve]:
    found = []
    for group in curves(own, over):
        on_curve = sorted(
            (one for one in group if is_number(one.value(over))), key=lambda one: float(one.value(over))
        )
        if any(one.rates for one in on_curve):
            is_adapter = on_curve[0].spec.adapter not in NO_ADAPTERS
            found.append(Curve(tuple(on_curve), knee_of(on_curve, over) if is_adapter else None))
    return found


def _shown(found: Sequence[Curve]) -> list[Curve]:
    """Return the curves with the highest throughput, in their order."""
    ordered = sorted(found, key=lambda curve: -max(one.rate for one in curve.measured))[:_MOST_CURVES]
    return [curve for curve in found if any(curve is one for one in ordered)]


def _series(curve: Curve, label: str, over: str, unit: str) -> Series:
    """Return what a chart draws of a curve. A knee at the largest setting is none: it may lie further on."""
    short = over.removeprefix("adapter.")
    texts, marked = [label], None
    if (knee := curve.knee) is not None:
        at = f"{short}={value_in_words(knee.at.value(over))}, {knee.at.rate:.1f} {unit}"
        is_last = knee.at is knee.curve[-1]
        texts.append(f"no knee up to {at}" if is_last else f"knee at {at}")
        marked = None if is_last else next(i for i, one in enumerate(curve.settings) if one is knee.at)
    if failed := [value_in_words(one.value(over)) for one in curve.settings if one.failed]:
        texts.append(f"processes failed at {short}={','.join(failed)}")
    intervals = [one.rate_interval for one in curve.settings]
    return Series(
        name="; ".join(texts),
        xs=[float(one.value(over)) for one in curve.settings],
        ys=[one.rate if one.rates else None for one in curve.settings],
        lows=[one.low if one else None for one in intervals],
        highs=[one.high if one else None for one in intervals],
        marked=marked,
    )


def _labels(shown: Sequence[Curve], over: str) -> list[str]:
    """Return a label for each curve: adapter, fields in which they differ, and state of the page cache."""
    fields = [_fields(curve.settings[0]) for curve in shown]
    names = [name for name in dict.fromkeys(name for one in fields for name in one) if name != over]
    adapters = [curve.settings[0].spec.adapter for curve in shown]
    differing = [name for name in names if _differs([one.get(name) for one in fields], adapters)]
    labels = []
    for curve, own in zip(shown, fields, strict=True):
        states = sorted({one.cache_state for one in curve.settings if one.cache_state})
        words = [
            f"{name.removeprefix('adapter.')}={value_in_words(own[name])}"
            for name in differing
            if own.get(name) is not None
        ]
        labels.append(" ".join([curve.settings[0].spec.adapter, *words, "/".join(states)]).rstrip())
    return labels


def _differs(values: Sequence[Any], adapters: Sequence[str]) -> bool:
    """Return whether the values differ. That an adapter lacks the field only counts within this adapter."""
    texts = [repr(value) for value in values]
    known = {text for text, value in zip(texts, values, strict=True) if value is not None}
    return len(known) > 1 or len(set(zip(adapters, texts, strict=True))) > len(set(adapters))


def _fields(one: Setting) -> Mapping[str, Any]:
    return {
        **{f"adapter.{name}": value for name, value in one.spec.options},
        **{name: one.value(name) for name in (*WORKLOAD, *SIDE_BY_SIDE)},
        "lookup_max_hit_rate": one.lookup_max_hit_rate,
        "LMCache": one.lmcache_version,
        "host": one.host,
        "path": one.spec.path,
        "answered_by": one.lookup_answered_by,
    }


def _notes(series: Sequence[Series], shown: Sequence[Curve], *, is_ascii: bool) -> list[str]:
    notes = []
    if any(one.marked is not None for one in series):
        within = next(curve.knee.within for curve in shown if curve.knee)
        notes.append(f"[ ] knee: the smallest setting within {within:.0%} of the most of its curve")
    if any(low is not None for one in series for low in one.lows or ()):
        notes.append(f"{'|' if is_ascii else '│'} 95% interval of the median of the processes")
    return notes
