"""The chart of a break-even: T_load of each tier and T_prefill over the length of the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l2sweep.analysis.breakeven.break_even import BreakEven, TierBreakEven
from l2sweep.analysis.breakeven.prefill import FITTED, Prefill, PrefillTime
from l2sweep.analysis.tune.sentences import options_in_words
from l2sweep.cli.terminal_chart import Series, curve_text

if TYPE_CHECKING:
    from rich.text import Text

_MOST_TIERS = 7
"""There are nine markers, and two curves are those of the prefill."""


def break_even_chart(found: BreakEven, *, width: int, is_ascii: bool) -> Text | None:
    """Return the chart; None if no load is known.

    Args:
        found: The break-even.
        width: Columns of the chart.
        is_ascii: Whether only characters of ASCII are used.
    """
    known = [one for one in found.tiers if any(length.load for length in one.lengths)]
    if not known:
        return None
    shown = known[:_MOST_TIERS]
    longest = max(length.tokens for one in known for length in one.lengths if length.load)
    # Where nothing is loaded, the prefill alone would flatten what is compared.
    tokens = [length.tokens for length in found.tiers[0].lengths if length.tokens <= 2 * longest]
    chart = curve_text(
        [*_prefills(found.prefill, tokens), *(_load(one, shown) for one in shown)],
        x_label="tokens",
        y_label="seconds",
        width=width,
        log_x=True,
        log_y=True,
        is_ascii=is_ascii,
    )
    if omitted := len(known) - len(shown):
        chart.append(f"\nnot shown: {omitted} more; choose with --where")
    return chart


def _prefills(prefill: Prefill, tokens: list[int]) -> list[Series]:
    def series(name: str, time: PrefillTime) -> Series:
        return Series(name, tokens, [time.seconds(length) for length in tokens])

    if prefill.source == FITTED or prefill.mfu is None:
        beyond = any(prefill.is_extrapolated(length) for length in tokens)
        return [series(f"prefill, fitted{', and extrapolated' if beyond else ''}", prefill.fast)]
    low, high = prefill.mfu
    slow = series(f"prefill, assumed MFU {low:.0%}", prefill.slow)
    return [slow] if low == high else [slow, series(f"prefill, assumed MFU {high:.0%}", prefill.fast)]


def _load(one: TierBreakEven, among: list[TierBreakEven]) -> Series:
    adapter = one.tier.spec.adapter
    several = len({other.tier.spec for other in among}) > 1
    options = f" {options_in_words(one.tier.spec)}" if several else ""
    loads = [length.load for length in one.lengths]
    intervals = [load.interval if load else None for load in loads]
    return Series(
        name=f"load, {adapter}{options}, {one.tier.at}",
        xs=[length.tokens for length in one.lengths],
        ys=[load.load_s if load else None for load in loads],
        lows=[interval.low if interval else None for interval in intervals],
        highs=[interval.high if interval else None for interval in intervals],
    )
