"""Say a recommendation in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from l2sweep.analysis.tune.bootstrap import FEWEST, Interval, most_coverage
from l2sweep.analysis.tune.ceiling import DEPTH, DEVICE, LMCACHE, NEAR, Ceiling, Ratio, depth
from l2sweep.analysis.tune.choice import Choice
from l2sweep.analysis.tune.knee import Knee
from l2sweep.analysis.tune.recommendation import AdapterAdvice, Advice, Recommendation
from l2sweep.analysis.tune.settings import WORKLOAD, Setting, varying
from l2sweep.analysis.tune.spec_fields import SpecFields

_MOVED = ("num_keys", "data_size_kb")
_ENOUGH = 6
"""Processes from which the interval of a median can contain it 95% of the time (``most_coverage``)."""


def sentences(recommendation: Recommendation) -> list[str]:
    """Return the lines that say what to use, how much that gives, and what limits it.

    Args:
        recommendation: The recommendation.
    """
    lines = [] if recommendation.best is None else _best_of_all(recommendation.best)
    for one in recommendation.adapters:
        lines += _of_adapter(one, recommendation)
    advice = [of_curve for one in recommendation.adapters for of_curve in one.advice]
    if any(isinstance(one.ceiling, str) and one.use.spec.path for one in advice):
        lines.append("To know what limits an adapter, measure fio beside it, as experiment=tune does.")
    return [*lines, about_intervals(recommendation.fewest_processes)]


def options_in_words(spec: SpecFields) -> str:
    """Return the options of an adapter, such as ``num_workers=4``; ``defaults`` if there are none."""
    return " ".join(f"{name}={value_in_words(value)}" for name, value in spec.options) or "defaults"


def _best_of_all(choice: Choice[SpecFields]) -> list[str]:
    if not choice.candidates:
        return ["No adapter was measured in every workload, so none is the best of all."]
    option = choice.candidates[0].option
    return [f"Of all adapters, use {option.adapter} with {options_in_words(option)}: {_loss(choice)}."]


def _of_adapter(one: AdapterAdvice, recommendation: Recommendation) -> list[str]:
    first = one.settings[0]
    release = f"LMCache {first.lmcache_version}, " if first.lmcache_version else ""
    lines = [f"{first.spec.adapter} ({release}{first.spec.path or 'no path'}, {first.host}):"]
    if one.choice is not None:
        if one.option is None:
            lines.append("  No choice of options: none was measured in every workload without a failure.")
        else:
            lines.append(f"  Use {options_in_words(one.option)}: {_loss(one.choice)}.")
        if one.choice.left_out and one.option is not None:
            names = ", ".join(map(options_in_words, one.choice.left_out))
            lines.append(f"  Left out, since not measured in every workload or failed there: {names}.")
    if not one.advice and any(setting.is_candidate for setting in one.settings):
        name = recommendation.over.removeprefix("adapter.")
        why = "its values are no numbers, or a process failed at each of them"
        lines.append(f"  No knee over {name}: {why}.")
    elif not one.advice:
        lines.append("  No setting to recommend: in each, a process failed.")
    for advice in one.advice:
        lines += _of_curve(advice, one, recommendation)
    return lines


def _loss(choice: Choice[SpecFields]) -> str:
    first, number = choice.candidates[0], len(choice.candidates)
    where = f"{choice.workloads} workloads" if choice.workloads > 1 else "the one workload"
    if first.loss == 0:
        return f"the best of {number} in {'each of ' if choice.workloads > 1 else ''}{where}"
    what = options_in_words(first.best_there.spec)
    if first.best_there.spec.adapter != first.option.adapter:
        what = f"{first.best_there.spec.adapter} with {what}"
    return (
        f"at most {first.loss:.1%}{_in_brackets(first.loss_interval, '.1%')} below the best of {number} in "
        f"{where} (most at {_workload(first.worst)}, where {what} is the best)"
    )


def _of_curve(advice: Advice, one: AdapterAdvice, recommendation: Recommendation) -> list[str]:
    over, use, knee = recommendation.over, advice.use, advice.knee
    unit = "keys/s" if recommendation.phase == "lookup" else "MiB/s"
    among = one.settings if over not in WORKLOAD else [own for own in one.settings if own.spec == use.spec]
    names = varying([name for name in WORKLOAD if name != over], among)
    label = " ".join(f"{name}={use.value(name)}" for name in names)
    rate = f"{use.rate:.1f} {unit}{_in_brackets(use.rate_interval, '.1f')}"
    name = over.removeprefix("adapter.")
    value = value_in_words(use.value(over))
    if knee is None:
        text = f"{name}={value}: {rate}; no other {name} was measured without a failure."
    else:
        text = f"{name}={value}{_of_knee(knee)} {_of_curves_best(knee, over, rate, unit)}."
    start = f"  At {label}, {text}" if label else f"  {text}"
    return [start, f"    {_limit(advice)}"]


def _of_knee(knee: Knee) -> str:
    if knee.interval is None:
        return ""
    return f" ({_number(knee.interval.low)} to {_number(knee.interval.high)})"


def _of_curves_best(knee: Knee, over: str, rate: str, unit: str) -> str:
    """Return what a knee reaches. The best setting is not called enough: a larger one may be better."""
    if knee.at is knee.best:
        at_edge = "; no larger one was measured" if knee.at is knee.curve[-1] else ""
        return f"is the best of {len(knee.curve)}: {rate}{at_edge}"
    # How much is moved is no setting that could be enough.
    reaches = f"reaches {rate}" if over in _MOVED else f"is enough: {rate}"
    best = f"{over.removeprefix('adapter.')}={value_in_words(knee.best.value(over))}"
    return f"{reaches}, within {knee.within:.0%} of the most, {knee.best.rate:.1f} {unit} at {best}"


def _limit(advice: Advice) -> str:
    device = advice.use.device
    at_device = (
        f"Its mean queue depth at the device is not known: {device.why_unknown}"
        if device.queue_depth is None
        else f"It keeps {device.queue_depth:.1f} requests at the device"
    )
    found = advice.ceiling
    if isinstance(found, str):
        return f"Limit not known: {found}. {at_device}."
    deeper = ""
    if found.best is not found.same and found.gain.value > 1.05:
        deeper = f"; fio reaches {found.gain.value:.1f}x as much with {depth(found.best)} in flight"
    return f"{_limited_by(found)}. {at_device}{deeper}."


def _limited_by(found: Ceiling) -> str:
    same = f"{_share(found.share)} of fio with {depth(found.same)} in flight, as here"
    of_best = f"{_share(found.share_of_best)} of the most that fio reaches"
    if found.limit == DEVICE:
        return f"Limited by the device: {of_best}"
    if found.limit == DEPTH:
        return f"Limited by the depth: {same}"
    if found.limit == LMCACHE:
        return f"Limited by LMCache: {same}"
    if found.share_of_best.value > 1 / NEAR:
        return f"Limit not known: fio is slower at every depth, so it is no ceiling: {of_best}"
    return f"Limit not known, too close or too uncertain: {of_best}, {same}"


def about_intervals(fewest: int) -> str:
    """Return what the numbers in brackets are, and whether there are enough processes for them.

    Args:
        fewest: Number of processes of the setting with the fewest.
    """
    text = "In brackets: 95% intervals by bootstrap over processes"
    if fewest < FEWEST:
        return f"{text}, where each setting has {FEWEST} or more: use repeats={_ENOUGH}."
    if fewest >= _ENOUGH:
        return f"{text}."
    coverage = most_coverage(fewest)
    return (
        f"{text}. With {fewest} processes a setting, that of a median contains it at most {coverage:.0%} of "
        f"the time: use repeats={_ENOUGH}."
    )


def _share(ratio: Ratio) -> str:
    return f"{ratio.value:.0%}{_in_brackets(ratio.interval, '.0%')}"


def _workload(one: Setting) -> str:
    return " ".join(f"{name}={one.value(name)}" for name in WORKLOAD)


def _in_brackets(interval: Interval | None, form: str) -> str:
    return "" if interval is None else f" ({interval.low:{form}} to {interval.high:{form}})"


def value_in_words(value: object) -> str:
    """Return a value of an option or of the workload, such as ``true`` or ``0.5``."""
    return str(value).lower() if isinstance(value, bool) else _number(value)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def lines_within(lines: Sequence[str], width: int) -> list[str]:
    """Wrap lines to a width. What continues a line is indented by two more columns.

    Args:
        lines: The lines.
        width: Columns of the terminal.
    """
    import textwrap

    wrapped = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        wrapped += textwrap.wrap(line, width, initial_indent="", subsequent_indent=f"{indent}  ") or [""]
    return wrapped
