"""The knee of a curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sample_curves import frame, process_rows
from sample_rows import MIB

import l2sweep
from l2sweep.analysis.tune.knee import knee, knee_of
from l2sweep.analysis.tune.settings import settings
from l2sweep.errors import RequestError

CURVE = {1: (50.0, 51.0, 49.0), 2: (94.0, 97.0, 96.0), 4: (98.0, 100.0, 101.0), 8: (99.0, 97.0, 98.0)}


def rounds_of(curve: dict[int, tuple[float, ...]], first: int = 0, **changes: object) -> pd.DataFrame:
    """Return one process for each value of ``in_flight`` and throughput."""
    points = [(depth, rate) for depth, rates in curve.items() for rate in rates]
    return frame(
        *(
            process_rows(first + index, rate, in_flight=depth, **changes)
            for index, (depth, rate) in enumerate(points)
        )
    )


def test_the_knee_is_the_smallest_setting_within_a_share_of_the_best() -> None:
    rounds = rounds_of(CURVE)
    (row,) = knee(rounds).to_dict("records")
    measured = rounds[~rounds["is_warmup"]]
    rates = (measured["bytes_ok"] / MIB / measured["duration_s"]).groupby(measured["in_flight"]).median()
    within = rates[rates >= 0.95 * rates.max()]
    assert row["knee"] == within.index.min() == 2
    assert row["rate"] == pytest.approx(within.loc[2])
    assert (row["best"], row["best_rate"]) == (rates.idxmax(), pytest.approx(rates.max()))
    assert (row["adapter_type"], row["data_size_kb"], row["over"]) == ("fs_native", 256, "in_flight")
    assert (row["settings"], row["processes"]) == (4, 12)


@pytest.mark.parametrize(("within", "expected"), [(0.0, 4), (0.03, 8), (0.05, 2), (0.6, 1)])
def test_the_share_can_be_chosen(within: float, expected: int) -> None:
    changed = {**CURVE, 2: (95.0, 96.0, 95.5), 4: (90.0, 91.0, 92.0), 8: (100.0, 99.0, 98.0)}
    curve = CURVE if within in (0.0, 0.05, 0.6) else changed
    assert list(knee(rounds_of(curve), within=within)["knee"]) == [expected]


def test_the_interval_is_that_of_the_knees_of_resampled_curves() -> None:
    curve = {1: (94.0, 94.5, 95.5, 96.0), 2: (97.0, 99.0, 99.5, 98.0), 4: (100.0, 99.0, 101.0, 100.0)}
    (row,) = knee(rounds_of(curve)).to_dict("records")
    random = np.random.default_rng(7)
    knees = []
    for _ in range(3000):
        medians = {d: np.median(random.choice(rates, size=4)) for d, rates in curve.items()}
        best = max(medians.values())
        knees.append(min(d for d, median in medians.items() if median >= 0.95 * best))
    expected = np.percentile(knees, [2.5, 97.5], method="inverted_cdf")
    assert [row["knee_low"], row["knee_high"]] == list(expected) == [1, 2]
    assert row["rate_low"] <= row["rate"] <= row["rate_high"]


def test_two_processes_have_a_knee_and_no_interval() -> None:
    (row,) = knee(rounds_of({1: (50.0, 51.0), 2: (94.0, 97.0)})).to_dict("records")
    assert row["knee"] == 2
    assert (row["knee_low"], row["rate_high"]) == (None, None)


def test_each_size_adapter_host_path_and_release_has_a_curve_of_its_own() -> None:
    rounds = pd.concat(
        [
            rounds_of(CURVE),
            rounds_of(CURVE, 100, data_size_kb=512),
            rounds_of(CURVE, 200, type="fs"),
            rounds_of(CURVE, 300, host="other"),
            rounds_of(CURVE, 400, path="/other"),
            rounds_of(CURVE, 500, lmcache_version="0.5.7"),
            rounds_of(CURVE, 600, num_workers=8),
            rounds_of(CURVE, 700, num_keys=8),
        ]
    )
    found = knee(rounds)
    assert len(found) == 8
    assert set(found["settings"]) == {4}
    assert set(found["processes"]) == {12}


def test_a_curve_may_be_over_an_option_of_the_adapter_or_over_the_size() -> None:
    rounds = frame(*(process_rows(n, 10.0 * n, num_workers=n) for n in (1, 4, 16)))
    (by_workers,) = knee(rounds, "num_workers").to_dict("records")
    assert (by_workers["over"], by_workers["knee"]) == ("adapter.num_workers", 16)
    rounds = frame(*(process_rows(size, 10.0, data_size_kb=size) for size in (64, 256)))
    assert list(knee(rounds, "size")["knee"]) == [64]


def test_a_setting_of_which_a_process_failed_is_no_part_of_the_curve() -> None:
    rounds = rounds_of({**CURVE, 16: (500.0, 500.0, 500.0)})
    last = rounds["point_index"].max()
    rounds.loc[rounds["point_index"] == last, "status"] = "partial"
    (row,) = knee(rounds).to_dict("records")
    assert (row["knee"], row["best"], row["settings"]) == (2, 4, 4)


def test_a_setting_that_is_warm_is_no_part_of_a_cold_curve() -> None:
    rounds = pd.concat([rounds_of(CURVE), rounds_of({16: (900.0,) * 3}, 50, cache_state="warm")])
    assert list(knee(rounds)["best"]) == [4]


def test_one_setting_has_no_knee() -> None:
    assert knee_of(settings(rounds_of({1: (5.0,)}), "load", "cold"), "in_flight") is None
    with pytest.raises(RequestError, match="no curve over in_flight: a curve needs two values of it"):
        knee(rounds_of({1: (5.0,)}))


def test_what_no_setting_has_is_refused_with_what_varies() -> None:
    with pytest.raises(RequestError, match="over=speed: no setting has it; these sweeps vary in_flight"):
        knee(rounds_of(CURVE), "speed")


def test_it_is_part_of_the_public_interface() -> None:
    assert list(l2sweep.knee(rounds_of(CURVE), over="in_flight")["knee"]) == [2]
