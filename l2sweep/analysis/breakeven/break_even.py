"""Compare loading from the measured tiers with computing, for lengths from 1k to 128k tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2sweep.analysis.breakeven.cost import Prices, reuses_a_month
from l2sweep.analysis.breakeven.crossing import Crossing, crossing
from l2sweep.analysis.breakeven.geometry import ModelGeometry
from l2sweep.analysis.breakeven.loading import LoadTime, load_time
from l2sweep.analysis.breakeven.prefill import Prefill, PrefillTime
from l2sweep.analysis.breakeven.tiers import Tier, tiers
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

TOKENS = tuple(1024 * 2**step for step in range(8))
"""The lengths of the table: 1k to 128k tokens."""
DEFAULT_AT = ("cold", "hot", "claimed", "uncontrolled")
"""The temperatures that are looked for if none is asked for."""


@dataclass(frozen=True)
class Compared:
    """Loading and computing one prompt, with one prefill time.

    Attributes:
        prefill_s: T_prefill.
        needed_gb_s: B* = n * kappa / T_prefill: the bandwidth that a request needs for loading to be as fast.
        both_s: T_load * T_prefill / (T_load + T_prefill): part is loaded while the rest is computed. Source:
            Cake, arXiv 2410.03065. None if T_load is not known.
        reuses_a_month: Loads a month from which on storing pays; None without prices or T_load, infinite if
            loading is slower.
    """

    prefill_s: float
    needed_gb_s: float
    both_s: float | None
    reuses_a_month: float | None


@dataclass(frozen=True)
class Length:
    """One length of a prompt.

    Attributes:
        tokens: The length.
        load: T_load; None if it is not known.
        not_known: Why it is not known; empty otherwise.
        fast: Compared with the fastest prefill.
        slow: Compared with the slowest prefill.
        is_extrapolated: Whether the prefill is outside of the ladder that it was fitted to.
    """

    tokens: int
    load: LoadTime | None
    not_known: str
    fast: Compared
    slow: Compared
    is_extrapolated: bool


@dataclass(frozen=True)
class TierBreakEven:
    """The break-even of one tier at one temperature.

    Attributes:
        tier: The tier.
        lengths: The lengths of the table.
        curve: T_load of every known multiple of a chunk, up to the largest length.
        fast: n* if the prefill is the fastest: from there on loading is faster in any case.
        slow: n* if the prefill is the slowest.
    """

    tier: Tier
    lengths: tuple[Length, ...]
    curve: tuple[LoadTime, ...]
    fast: Crossing
    slow: Crossing

    @property
    def threshold_tokens(self) -> int | None:
        """Length from which on a request should load, to be faster with the fastest prefill as well.

        It is the upper end of the interval of n*, where there is one. None if loading is not faster at any
        known length, or is slower again at a larger one.
        """
        if self.fast.lost_at is not None:
            return None
        return self.fast.high if self.fast.has_interval else self.fast.tokens


@dataclass(frozen=True)
class BreakEven:
    """The answer of ``l2sweep breakeven``.

    Attributes:
        model: The model.
        prefill: How long computing takes.
        concurrency: Requests that load at the same time.
        h2d_bytes_s: Bytes a second from host to device that a load is counted with; None if it is not.
        tiers: The tiers, in the order of their temperatures.
        missing: For each temperature without a tier, why.
    """

    model: ModelGeometry
    prefill: Prefill
    concurrency: int
    h2d_bytes_s: float | None
    tiers: tuple[TierBreakEven, ...]
    missing: dict[str, str]


def break_even(
    rounds: pd.DataFrame,
    *,
    model: ModelGeometry,
    prefill: Prefill,
    points: pd.DataFrame | None = None,
    at: Sequence[str] = (),
    concurrency: int = 1,
    h2d_bytes_s: float | None = None,
    prices: Prices | None = None,
    tokens: Sequence[int] = TOKENS,
) -> BreakEven:
    """Compare loading from every measured tier with computing.

    Args:
        rounds: Rows of :func:`l2sweep.load_rounds`, of loads and lookups.
        model: The model.
        prefill: How long computing takes.
        points: Rows of :func:`l2sweep.load_points` of the same sweeps.
        at: Temperatures that must have been measured; empty: those that were, of :data:`DEFAULT_AT`.
        concurrency: Requests that load at the same time.
        h2d_bytes_s: Bytes a second from host to device; None: the copy overlaps, or does not count.
        prices: What storing and computing cost; None: not known.
        tokens: Lengths of the table, in ascending order.

    Raises:
        RequestError: No load was measured, or none at a temperature that was asked for.
    """
    found: list[Tier] = []
    missing: dict[str, str] = {}
    for state in at or DEFAULT_AT:
        try:
            found += tiers(rounds, state, points)
        except RequestError as error:
            missing[state] = error.problems[0]
    if missing and (at or not found):
        raise RequestError(list(missing.values())[: len(at) or 1])
    curve_tokens = range(model.chunk_tokens, max(tokens) + 1, model.chunk_tokens)
    results = []
    for tier in found:
        known = [load_time(tier, model, length, concurrency, h2d_bytes_s) for length in curve_tokens]
        curve = tuple(one for one in known if isinstance(one, LoadTime))
        rows = tuple(
            _length(load_time(tier, model, length, concurrency, h2d_bytes_s), length, model, prefill, prices)
            for length in tokens
        )
        results.append(
            TierBreakEven(tier, rows, curve, crossing(curve, prefill.fast), crossing(curve, prefill.slow))
        )
    return BreakEven(model, prefill, concurrency, h2d_bytes_s, tuple(results), missing)


def _length(
    load: LoadTime | str, tokens: int, model: ModelGeometry, prefill: Prefill, prices: Prices | None
) -> Length:
    known = load if isinstance(load, LoadTime) else None

    def compared(time: PrefillTime) -> Compared:
        seconds = time.seconds(tokens)
        needed = model.loaded_bytes(tokens) / seconds / 1e9
        if known is None:
            return Compared(seconds, needed, None, None)
        both = known.load_s * seconds / (known.load_s + seconds)
        saved = seconds - known.load_s
        reuses = None if prices is None else reuses_a_month(prices, model, tokens, saved, prefill.gpus)
        return Compared(seconds, needed, both, reuses)

    return Length(
        tokens=tokens,
        load=known,
        not_known=load if isinstance(load, str) else "",
        fast=compared(prefill.fast),
        slow=compared(prefill.slow),
        is_extrapolated=prefill.is_extrapolated(tokens),
    )
