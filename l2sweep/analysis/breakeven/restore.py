"""How long each model waits for its KV cache from the measured tiers: the restore times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2sweep.analysis.breakeven.geometry import ModelGeometry
from l2sweep.analysis.breakeven.loading import LoadTime, load_time
from l2sweep.analysis.breakeven.tiers import Tier, tiers

if TYPE_CHECKING:
    import pandas as pd

RESTORED_TOKENS = (8 * 1024, 32 * 1024, 128 * 1024)
"""The lengths of :func:`restore_times`."""


@dataclass(frozen=True)
class RestoreTime:
    """How long one model waits for a prompt's KV cache.

    Attributes:
        tier: Where it is loaded from.
        model: The model.
        tokens: Length of the prompt.
        load: T_load, without the copy to the device; None if it is not known.
        not_known: Why it is not known; empty otherwise.
    """

    tier: Tier
    model: ModelGeometry
    tokens: int
    load: LoadTime | None
    not_known: str


def restore_times(
    rounds: pd.DataFrame,
    models: Sequence[ModelGeometry],
    *,
    at: str,
    points: pd.DataFrame | None = None,
    concurrency: int = 1,
    tokens: Sequence[int] = RESTORED_TOKENS,
) -> list[RestoreTime]:
    """Return how long each model waits for its KV cache, from each tier that was measured at a temperature.

    Args:
        rounds: Rows of :func:`l2sweep.load_rounds`, of loads and lookups.
        models: The models, such as those of :func:`l2sweep.config.workload.presets.model_geometry`.
        at: A temperature: cold, hot, claimed or uncontrolled.
        points: Rows of :func:`l2sweep.load_points` of the same sweeps.
        concurrency: Requests that load at the same time.
        tokens: Lengths of the prompts.

    Raises:
        RequestError: No load of an adapter was measured at this temperature.
    """
    found = []
    for tier in tiers(rounds, at, points):
        for model in models:
            for length in tokens:
                time = load_time(tier, model, length, concurrency)
                known = time if isinstance(time, LoadTime) else None
                found.append(RestoreTime(tier, model, length, known, time if isinstance(time, str) else ""))
    return found
