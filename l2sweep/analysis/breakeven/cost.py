"""How often a stored GB must be reused for its price to be less than that of the GPU time that it saves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from l2sweep.analysis.breakeven.geometry import ModelGeometry

_HOUR_S = 3600


@dataclass(frozen=True)
class Prices:
    """Prices in any currency.

    Attributes:
        gpu_hour: Price of one GPU for an hour.
        gb_month: Price of storing 10^9 bytes for a month.
    """

    gpu_hour: float
    gb_month: float


def reuses_a_month(prices: Prices, model: ModelGeometry, tokens: int, saved_s: float, gpus: int) -> float:
    """Return the loads a month from which on a stored prompt costs less than it saves.

    price of storing its bytes for a month / price of the GPU seconds that one load saves

    Args:
        prices: The prices.
        model: The model.
        tokens: Length of the prompt.
        saved_s: T_prefill - T_load: the GPUs are counted as held while the cache is loaded.
        gpus: Number of GPUs.

    Returns:
        The loads; infinite if a load saves nothing.
    """
    if saved_s <= 0:
        return math.inf
    stored = prices.gb_month * model.loaded_bytes(tokens) / 1e9
    saved = prices.gpu_hour / _HOUR_S * saved_s * gpus
    return stored / saved if saved else math.inf
