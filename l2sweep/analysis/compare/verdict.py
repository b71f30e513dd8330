"""Judge a difference: slower, faster, same or inconclusive."""

from __future__ import annotations

from dataclasses import dataclass

from l2sweep.analysis.compare.result import Verdict

SENSITIVITY = "only a change from"
"""How the reason of a verdict begins where the samples vary too much."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a difference.

    Attributes:
        ratio: Ratio of the medians.
        is_finding: Whether it is significant, and at least as large as the threshold.
        limits: Lower and upper limit of each 95 % interval of the ratio.
        visible: The smallest ratio that would be significant alone; NaN if there is no test.
        untestable: Why there is no test; empty if there is one.
        repeats: How many repeats would be enough, in words.
        host_change: The change of a control beside which the difference is no finding; else empty.
        unmeasurable: Why a difference that is significant is not measurable; else empty.
    """

    ratio: float
    is_finding: bool
    limits: tuple[tuple[float, float], ...]
    visible: float
    untestable: str
    repeats: str
    host_change: str
    unmeasurable: str = ""


def judge(evidence: Evidence, threshold: float) -> tuple[Verdict, str]:
    """Return the verdict, and why it is inconclusive.

    Args:
        evidence: What is known.
        threshold: The least change that counts, as a share.
    """
    if reason := evidence.untestable or evidence.unmeasurable:
        return "inconclusive", reason
    if evidence.is_finding and evidence.host_change:
        return "inconclusive", f"the host changed: {evidence.host_change}"
    if evidence.is_finding:
        return ("slower" if evidence.ratio > 1 else "faster"), ""
    if all(1 / (1 + threshold) <= low and high <= 1 + threshold for low, high in evidence.limits):
        return "same", ""
    return "inconclusive", f"{SENSITIVITY} {in_percent(evidence.visible)} could be seen; {evidence.repeats}"


def in_percent(ratio: float) -> str:
    """Return a ratio above 1 as a change in percent, or as a factor such as ``x73`` from 1000% on."""
    percent = 100 * (ratio - 1)
    return f"{percent:.0f}%" if percent < 999.5 else f"x{ratio:.0f}"


def in_words(ratio: float) -> str:
    """Return a ratio of durations in words, such as ``takes 12% longer``."""
    percent = 100 * abs(ratio - 1)
    digits = 0 if percent >= 2 else 1
    return f"takes {percent:.{digits}f}% {'longer' if ratio >= 1 else 'less time'}"
