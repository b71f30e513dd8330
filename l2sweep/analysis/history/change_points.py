"""Find the nights at which the level of a series changed.

The method is PELT (Killick, Fearnhead and Eckley, "Optimal detection of changepoints with a linear
computational cost", JASA 107, 2012) with the squared error of the logarithms, as ``ruptures.KernelCPD`` with
a linear kernel computes it (Truong, Oudre and Vayatis, "Selective review of offline change point detection
methods", Signal Processing 167, 2020). It finds the exact optimum, is deterministic, and takes less than a
millisecond for a series of 60 nights. E-divisive (Matteson and James, JASA 109, 2014) was not chosen: it
decides by random permutations, so two calls on the same data may differ, and ruptures does not have it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_CHANGE = 0.05
"""Changes of the level below this fraction are not reported: the same as the least effect of ``compare``."""
MIN_NIGHTS = 8
"""Shorter series have no change points: their noise is not known well enough."""
MIN_LEVEL_NIGHTS = 2
"""A level lasts at least this number of nights. One slow night among normal ones is an outlier."""
_PENALTY = 6.0
# The noise of the logarithms is taken to be at least 1 %, so that a change of a very quiet series must also
# last for a while to be reported.
_LEAST_NOISE = 0.01
# The mean of the smaller 80 % of the steps from night to night: a few changes of the level do not enter it.
# Of a normal variable, the mean of the smaller 80 % of its absolute values is 0.5586 standard deviations.
_SMALLER_STEPS = 0.8
_STEPS_PER_DEVIATION = 0.5586 * math.sqrt(2)
_OUTLIER = 3.0  # standard deviations, as in Hampel, "The influence curve and its role", JASA 69, 1974


def change_points(values: Sequence[float], num_series: int = 1) -> list[int]:
    """Return the positions at which a new level begins.

    The penalty of a change is ``6 ln(nights) + 2 ln(series)`` in units of the variance of the noise. The
    first term was chosen by simulation: with independent noise, at most 2 in 100 quiet series of 8 to 60
    nights have a change point (``docs/history.md``). The second term is for a table of many series: the gain
    of a split of pure noise exceeds x with a probability of about exp(-x / 2).

    Args:
        values: Positive values, oldest first, without missing ones.
        num_series: Number of series that are examined together.

    Returns:
        Positions in ``values``, ascending. Empty if there is no change of ``LEAST_CHANGE`` or more.
    """
    import numpy as np

    if len(values) < MIN_NIGHTS:
        return []
    logs = np.log(np.asarray(values, dtype=float))
    noise = _noise(logs)
    signal = _without_outliers(logs, noise) / noise
    penalty = _PENALTY * math.log(len(logs)) + 2 * math.log(max(1, num_series))
    if np.ptp(signal) * noise < math.log1p(LEAST_CHANGE) or not _may_change(signal, penalty):
        return []
    from ruptures import KernelCPD  # imports scipy.stats, which takes a second

    search = KernelCPD(kernel="linear", min_size=MIN_LEVEL_NIGHTS).fit(signal.reshape(-1, 1))
    return _large_changes(logs, search.predict(pen=penalty)[:-1])


def _noise(logs: NDArray[np.float64]) -> float:
    """Return the standard deviation of the noise, from the steps between neighbours."""
    import numpy as np

    steps = np.sort(np.abs(np.diff(logs)))
    smaller = steps[: math.ceil(_SMALLER_STEPS * len(steps))]
    return max(float(smaller.mean()) / _STEPS_PER_DEVIATION, _LEAST_NOISE)


def _without_outliers(logs: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Replace single values far from their neighbours by the median of the three; steps stay as they are."""
    import numpy as np

    triples = np.lib.stride_tricks.sliding_window_view(logs, 3)
    medians = np.median(triples, axis=1)
    medians = np.concatenate([medians[:1], medians, medians[-1:]])
    return np.where(np.abs(logs - medians) > _OUTLIER * noise, medians, logs)


def _may_change(signal: NDArray[np.float64], penalty: float) -> bool:
    """Return whether the optimum may have a change point: a cheap bound, which saves importing ruptures.

    In an optimal segmentation, joining two neighbouring segments costs more than the penalty that it saves.
    So there is no change point if this holds for no two neighbouring segments at all.
    """
    import numpy as np

    total = np.concatenate([[0.0], np.cumsum(signal)])
    nights = len(signal)
    for split in range(MIN_LEVEL_NIGHTS, nights - MIN_LEVEL_NIGHTS + 1):
        before = np.arange(MIN_LEVEL_NIGHTS, split + 1)
        after = np.arange(MIN_LEVEL_NIGHTS, nights - split + 1)
        mean_before = (total[split] - total[split - before]) / before
        mean_after = (total[split + after] - total[split]) / after
        weights = np.outer(before, after) / np.add.outer(before, after)
        if (weights * np.subtract.outer(mean_before, mean_after) ** 2).max() > penalty:
            return True
    return False


def _large_changes(logs: NDArray[np.float64], positions: list[int]) -> list[int]:
    """Drop the smallest change until each change of the median is at least ``LEAST_CHANGE``."""
    import numpy as np

    positions = list(positions)
    while positions:
        borders = [0, *positions, len(logs)]
        levels = [float(np.median(logs[start:end])) for start, end in itertools.pairwise(borders)]
        changes = [abs(after - before) for before, after in itertools.pairwise(levels)]
        smallest = min(range(len(changes)), key=changes.__getitem__)
        if changes[smallest] >= math.log1p(LEAST_CHANGE):
            break
        del positions[smallest]
    return positions
