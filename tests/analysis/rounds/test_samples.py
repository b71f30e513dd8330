"""Order statistics of many samples at once."""

from __future__ import annotations

import random
import statistics

import numpy as np

from l2sweep.analysis.rounds.samples import Samples
from l2sweep.analysis.sample import Sample


def test_each_sample_has_the_statistics_that_it_has_alone() -> None:
    source = random.Random(2)
    values, unfinished, numbers = [], [], []
    for _ in range(4000):
        numbers.append(source.choice([0, 1, 1, 3, 3, 3, 3, 3]))
        values.append(float(source.randrange(50)))
        unfinished.append(source.random() < 0.2)
    all_samples = Samples.of(np.array(values), np.array(unfinished), np.array(numbers), 4)
    for number in range(4):
        own = [position for position, one in enumerate(numbers) if one == number]
        alone = Sample(
            tuple(values[position] for position in own if not unfinished[position]),
            tuple(values[position] for position in own if unfinished[position]),
        )
        for percent in (1, 50, 95, 99):
            found = all_samples.percentile(percent)
            expected = alone.percentile(percent)
            if expected is None:
                assert np.isnan(found.values[number])
            else:
                assert (found.values[number], found.is_lower[number]) == (
                    expected.value,
                    expected.is_lower_bound,
                )


def test_more_samples_than_fit_into_16_bits_are_kept_apart() -> None:
    count = 70_000
    numbers = np.arange(count)[::-1].repeat(2)
    values = np.arange(2 * count, dtype=np.float64)
    samples = Samples.of(values, np.zeros(2 * count, dtype=bool), numbers, count)
    assert (samples.minimum().values == values[::2][::-1]).all()
    assert (samples.median().values == values[::2][::-1] + 0.5).all()


def test_the_median_of_one_value_is_the_value() -> None:
    one = Samples.of(np.array([3.0]), np.array([True]), np.array([1]), 2)
    assert np.isnan(one.median().values[0])
    assert (one.median().values[1], one.median().is_lower[1]) == (3.0, True)
    assert np.isnan(one.percentile(50).values[1])
    assert statistics.median([3.0]) == 3.0
