"""The 95% interval of a median, without an assumption about the distribution."""

from __future__ import annotations

import functools

import numpy as np

from l2sweep.analysis.rounds.samples import Bounds, Samples

CONFIDENCE = 0.95
SMALLEST_SAMPLE = 6
"""With 5 values, the median lies outside of all of them with a probability of 2 / 2**5, more than 5%."""


def median_intervals(samples: Samples) -> tuple[Bounds, Bounds]:
    """Compute an interval that contains the true median with a probability of at least 95%.

    Its ends are two values of the sample. Of ``n`` independent values, the number below the true median
    follows the binomial distribution with p = 1/2, whatever the values are distributed like. The ends are at
    the ranks ``r`` and ``n + 1 - r`` with the largest ``r`` whose probability of a miss is at most 2.5% on
    each side: Hahn and Meeker, "Statistical Intervals" (1991), section 5.2. Hoefler and Belli, "Scientific
    Benchmarking of Parallel Computing Systems", SC'15, recommend it for benchmarks.

    Args:
        samples: The samples. The values of a sample must be independent: one for each process.

    Returns:
        The lower and the upper ends; none for a sample of fewer than 6 values.
    """
    sizes = samples.sizes
    ranks_of = {size: _rank(int(size)) for size in np.unique(sizes)}
    ranks = np.array([ranks_of[size] for size in sizes], dtype=np.int64)
    upper = np.where(ranks > 0, sizes + 1 - ranks, 0)
    return samples.between(ranks, ranks), samples.between(upper, upper)


@functools.cache
def _rank(size: int) -> int:
    """Return the rank of the lower end; 0 if the sample is too small."""
    ways = 1  # to draw `rank` values below the median
    below = 0
    rank = 0
    while (below := below + ways) * 2 <= round((1 - CONFIDENCE) * 1000) * (1 << size) // 1000:
        ways = ways * (size - rank) // (rank + 1)
        rank += 1
    return rank
