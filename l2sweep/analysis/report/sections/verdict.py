"""Section 1: the verdict in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l2sweep.analysis.compare.headline import counted
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.report.contents.overview import Verdict
from l2sweep.analysis.report.contents.trust import Trust
from l2sweep.analysis.report.source import ReportSource
from l2sweep.analysis.rounds.median_interval import CONFIDENCE
from l2sweep.analysis.tune.bootstrap import FEWEST, Interval, most_coverage
from l2sweep.analysis.tune.choice import Candidate, Choice
from l2sweep.analysis.tune.recommendation import AdapterAdvice, Advice, Recommendation, recommend
from l2sweep.analysis.tune.sentences import options_in_words, sentences
from l2sweep.analysis.tune.settings import WORKLOAD, varying
from l2sweep.analysis.tune.spec_fields import SpecFields
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

_ORDER = (
    *(("load", at) for at in ("cold", "claimed", "uncontrolled", "hot")),
    ("store", "cold"),
    *(("lookup", at) for at in ("cold", "claimed", "uncontrolled", "hot")),
)
"""What the verdict is about: the first of these that was measured. A cold load is what a tier is for."""


def recommendation_of(rounds: pd.DataFrame, points: pd.DataFrame) -> tuple[Recommendation | None, str]:
    """Return what ``l2sweep tune`` recommends for cold loads, or else for what was measured.

    Args:
        rounds: Rows of ``rounds``.
        points: Rows of ``points``.

    Returns:
        The recommendation, or None; and why it is not one for cold loads, empty if it is.
    """
    why_not = ""
    for phase, at in _ORDER:
        try:
            found = recommend(rounds, phase=phase, at=at, points=points, no_adapters=tuple(CONTROLS))
        except RequestError as error:
            why_not = why_not or _reason(error.problems[0])
        else:
            return found, why_not
    return None, why_not


def _reason(problem: str) -> str:
    """Return a problem of ``l2sweep tune`` without the advice what to run or to choose instead."""
    return problem.removeprefix("tune: ").partition("; ")[0].partition(": add an adapter")[0]


def verdict(found: Recommendation | None, why_not: str, source: ReportSource, trust: Trust) -> Verdict:
    """Return the verdict.

    Args:
        found: The recommendation; None if there is none.
        why_not: Why it is not one for cold loads; empty if it is.
        source: The rows.
        trust: Whether the numbers can be trusted.
    """
    caveats = [check.sentence for check in trust.checks if check.state in ("bad", "warning")]
    result = source.compared
    compared = source.why_not_compared or None
    if result is not None:
        base = source.base_ids[0] if len(source.base_ids) == 1 else counted(len(source.base_ids), "sweep")
        compared = f"Against the base ({base}): {result.headline}."
    if found is None:
        return Verdict(f"Nothing to recommend: {why_not}.", (), compared, tuple(caveats))
    sentence, certainty = _answer(found)
    if why_not:
        sentence += f" This is not about cold loads: {why_not}."
    return Verdict(sentence, tuple(sentences(found)), compared, tuple(caveats), certainty)


def _answer(found: Recommendation) -> tuple[str, str]:
    """Return what to use, and how sure that is with the numbers behind it."""
    what = f"{found.at} {found.phase}s" if found.phase != "store" else "stores"
    if len(found.adapters) == 1:
        only = found.adapters[0]
        start = f"For {what}, {only.settings[0].spec.adapter} is the only adapter that was measured"
        if only.option is None:
            return f"{start}, and none of its options was measured in every workload without a failure.", ""
        rates, throughput = _throughput(only, only.option, found)
        if only.choice is None:
            return f"{start}{f': {rates}' if rates else ''}.", throughput
        chosen = f"use {options_in_words(only.option)}, {_rank(only.choice)}{f', {rates}' if rates else ''}"
        return f"{start}: {chosen}.", f"{_how_sure(only.choice, found)} {throughput}"
    start = f"For {what}, no adapter is called the best"
    if found.best is None:
        return f"{start}: they were measured on different hosts, paths or releases of LMCache.", ""
    if not found.best.candidates:
        return f"{start}: none was measured in every workload without a failure.", ""
    option = found.best.candidates[0].option
    own = next(one for one in found.adapters if any(setting.spec == option for setting in one.settings))
    rates, throughput = _throughput(own, option, found)
    sentence = f"For {what}, use {_named(option)}: {_rank(found.best)}{f', {rates}' if rates else ''}."
    return sentence, f"{_how_sure(found.best, found)} {throughput}"


def _named(option: SpecFields) -> str:
    return f"{option.adapter} with {options_in_words(option)}" if option.options else option.adapter


def _rank(choice: Choice[SpecFields]) -> str:
    """Return how the first candidate compares with the others."""
    first = choice.candidates[0]
    where = "the one workload" if choice.workloads == 1 else f"{choice.workloads} workloads"
    if len(choice.candidates) == 1:
        each = "each of " if choice.workloads > 1 else ""
        return f"the only one that was measured in {each}{where} without a failure"
    among = f"of {len(choice.candidates)} adapters and options"
    if first.loss == 0:
        return f"the fastest {among} in {'each of ' if choice.workloads > 1 else ''}{where}"
    return f"at most {first.loss:.1%} below the fastest {among} in {where}"


def _how_sure(choice: Choice[SpecFields], found: Recommendation) -> str:
    """Return whether the first candidate is told apart from the second one, in a sentence."""
    first = choice.candidates[0]
    if len(choice.candidates) == 1:
        others = counted(len(choice.left_out), "other")
        return f"{others} left out, since not measured in every workload or failed there."
    loss = (
        f"{_named(first.option)} is up to {first.loss:.1%}{_range(first.loss_interval)} below the fastest. "
        if first.loss
        else ""
    )
    return f"{loss}{_told_apart(first, choice.candidates[1], found.fewest_processes)}."


def _told_apart(first: Candidate[SpecFields], second: Candidate[SpecFields], processes: int) -> str:
    behind = f"{_named(second.option)} is up to {second.loss:.1%}{_range(second.loss_interval)} below"
    if first.loss_interval is None or second.loss_interval is None:
        return f"{behind}, but how sure that is is not known: each setting needs {FEWEST} processes or more"
    intervals = "the 95% intervals"
    if most_coverage(processes) < CONFIDENCE:  # by so few values that no interval is wide enough
        intervals = f"intervals that hold at most {most_coverage(processes):.0%} of the time"
    is_apart = first.loss_interval.high < second.loss_interval.low
    return f"{behind}, {'beyond' if is_apart else 'but not beyond'} {intervals}"


def _throughput(own: AdapterAdvice, option: SpecFields, found: Recommendation) -> tuple[str, str]:
    """Return what the recommended settings reach: in a few words, and in a sentence with the workload."""
    advice = [one for one in own.advice if one.use.spec == option]
    unit = "keys/s" if found.phase == "lookup" else "MiB/s"
    if not advice:
        over = found.over.removeprefix("adapter.")
        return "", f"{_named(option)} has no setting of which no process failed along {over}."
    low, high = (f(advice, key=lambda one: one.use.rate) for f in (min, max))
    if low is high:
        reached = f"{low.use.rate:.0f} {unit}"
        interval = low.use.rate_interval
        limits = "" if interval is None else f" ({interval.low:.0f} to {interval.high:.0f})"
        return reached, f"{_named(option)} reaches {reached}{limits} with {_workload(low)}{_share(low)}."
    names = varying(WORKLOAD, [one.use for one in advice])
    return (
        f"{low.use.rate:.0f} to {high.use.rate:.0f} {unit}",
        f"{_named(option)} reaches {low.use.rate:.0f} {unit} ({_workload(low, names)}) "
        f"to {high.use.rate:.0f} {unit} ({_workload(high, names)}{_share(high)}).",
    )


def _workload(one: Advice, names: list[str] | None = None) -> str:
    return " ".join(f"{name}={one.use.value(name)}" for name in names or WORKLOAD)


def _share(one: Advice) -> str:
    if isinstance(one.ceiling, str):
        return ""
    return f", {one.ceiling.share.value:.0%} of fio at the same depth"


def _range(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval.low:.1%} to {interval.high:.1%})"
