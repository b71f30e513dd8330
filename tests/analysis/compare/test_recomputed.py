"""Every number of a comparison, recomputed from the rows with plain pandas and scipy."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_sweeps import MadeSweep, Rows, together
from scipy import stats
from scipy.special import digamma, polygamma

from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.tested import NIGHT_OF_POINT
from l2sweep.analysis.control import CONTROLS

ADAPTERS = ("fs", "fs_native", "fio")
SLOWER = {("fs", "load"): 1.12}
KEYS = ["point_id", "phase"]


def sides(design: str) -> tuple[Rows, Rows]:
    """Return one sweep and another one, or seven and one. Some processes of the base are missing."""
    if design == "one sweep":
        return MadeSweep(1, ADAPTERS).rows(), MadeSweep(2, ADAPTERS, factors=SLOWER).rows()
    nights = [
        MadeSweep(number, ADAPTERS, night_deviation=0.01, repeats=2 + number % 2) for number in range(7)
    ]
    tonight = MadeSweep(9, ADAPTERS, night_deviation=0.01, factors=SLOWER)
    return together(*(night.rows() for night in nights)), tonight.rows()


def processes(rows: Rows) -> pd.DataFrame:
    """Return one row per process, with its median round."""
    frame = rows[0].to_pandas()
    keys = [*KEYS, "adapter_type", "sweep_id", "repeat"]
    return frame.groupby(keys, as_index=False)["duration_s"].median()


@pytest.fixture(scope="module", params=["one sweep", "seven sweeps"])
def compared(request: pytest.FixtureRequest) -> tuple[ComparisonResult, pd.DataFrame, pd.DataFrame, bool]:
    base, candidate = sides(request.param)
    result = compare_tables([base[0], candidate[0]], [base[1], candidate[1]], controls=CONTROLS)
    return result, processes(base), processes(candidate), request.param == "seven sweeps"


def own(side: pd.DataFrame, one: object) -> pd.DataFrame:
    point = one.point  # type: ignore[attr-defined]
    return side[(side["point_id"] == point.point_id) & (side["phase"] == point.phase)]


Compared = tuple[ComparisonResult, pd.DataFrame, pd.DataFrame, bool]


def test_medians_ratios_and_counts_are_those_of_pandas(compared: Compared) -> None:
    result, base, candidate, _ = compared
    for one in (*result.points, *result.controls):
        old, new = own(base, one), own(candidate, one)
        assert one.base_s == pytest.approx(old["duration_s"].median(), rel=1e-12)
        assert one.candidate_s == pytest.approx(new["duration_s"].median(), rel=1e-12)
        assert one.ratio == pytest.approx(new["duration_s"].median() / old["duration_s"].median(), rel=1e-12)
        assert (one.base_processes, one.candidate_processes) == (len(old), len(new))
        assert (one.base_nights, one.candidate_nights) == (
            old["sweep_id"].nunique(),
            new["sweep_id"].nunique(),
        )


def test_the_rank_test_is_that_of_scipy(compared: Compared) -> None:
    result, base, candidate, _ = compared
    for one in result.points:
        old, new = own(base, one)["duration_s"], own(candidate, one)["duration_s"]
        assert one.rank_p == pytest.approx(stats.mannwhitneyu(old, new, method="exact").pvalue, rel=1e-9)
        assert one.least_rank_p == pytest.approx(2 / math.comb(len(old) + len(new), len(new)))


def estimate(old: pd.DataFrame, new: pd.DataFrame, by_night: bool) -> tuple[float, float, float, float]:
    """Return difference, variance of a unit, degrees of freedom and factor, from the formulas of the docs."""
    logs = [side.assign(log=np.log(side["duration_s"])) for side in (old, new)]
    if not by_night:
        groups = [side["log"].to_numpy() for side in logs]
        freedom = sum(len(group) - 1 for group in groups)
        pooled = sum((len(group) - 1) * group.var(ddof=1) for group in groups) / freedom
        return groups[1].mean() - groups[0].mean(), pooled, freedom, sum(1 / len(group) for group in groups)
    nights = [side.groupby("sweep_id")["log"].agg(["mean", "count", "var"]) for side in logs]
    within = sum(((night["count"] - 1) * night["var"].fillna(0)).sum() for night in nights)
    process = within / sum((night["count"] - 1).sum() for night in nights)
    freedom = sum(len(night) - 1 for night in nights)
    between = sum(((night["mean"] - night["mean"].mean()) ** 2).sum() for night in nights) / freedom
    shares = [(1 / night["count"]).mean() for night in nights]
    share = sum((len(night) - 1) * one for night, one in zip(nights, shares, strict=True)) / freedom
    night_variance = max(0.0, between - process * share)
    factor = sum(1 / len(night) for night in nights)
    variance = night_variance * factor
    variance += process * sum(one / len(night) for night, one in zip(nights, shares, strict=True))
    return nights[1]["mean"].mean() - nights[0]["mean"].mean(), variance / factor, freedom, factor


def test_p_and_q_follow_from_the_formulas_of_the_documentation(compared: Compared) -> None:
    result, base, candidate, by_night = compared
    every = [*result.points, *result.controls]
    rows = pd.DataFrame(
        [estimate(own(base, one), own(candidate, one), by_night) for one in every],
        columns=["difference", "variance", "freedom", "factor"],
    )
    rows["group"] = [f"{one.point.adapter} {one.point.phase}" for one in every]
    half = rows["freedom"] / 2
    rows["level"] = np.log(rows["variance"]) - digamma(half) + np.log(half)
    mean = rows.groupby("group")["level"].transform("mean")
    sizes = rows.groupby("group").size()
    excess = ((rows["level"] - mean) ** 2).sum() / (sizes - 1).sum() - polygamma(1, half).mean()
    prior = math.inf if excess <= 0 else 2 * _inverse_trigamma(excess)
    prior_variance = np.exp(mean if excess <= 0 else mean + digamma(prior / 2) - math.log(prior / 2))
    weighted = (prior * prior_variance + rows["freedom"] * rows["variance"]) / (prior + rows["freedom"])
    variance = prior_variance if excess <= 0 else weighted
    most = rows.groupby("group")["freedom"].transform("sum")
    for one, difference, scale, own_freedom, at_most, factor in zip(
        every, rows["difference"], variance, rows["freedom"], most, rows["factor"], strict=True
    ):
        # Points that vary together have fewer degrees of freedom than the formula for independent ones.
        ps = []
        for freedom in (own_freedom, min(prior + own_freedom, at_most)):
            total, degrees = scale * factor, freedom
            if not by_night:
                least = 2 * NIGHT_OF_POINT.least_deviation**2
                of_night = max(least, 2 * NIGHT_OF_POINT.share**2 * scale)
                if of_night == least:  # it is no estimate
                    degrees = freedom * ((total + of_night) / total) ** 2
                total += of_night
            ps.append(2 * stats.t.sf(abs(difference) / math.sqrt(total), degrees))
        assert ps[1] * (1 - 1e-6) <= one.p <= ps[0] * (1 + 1e-6)
    for family in (result.points, result.controls):
        expected = stats.false_discovery_control([one.p for one in family])
        assert [one.q for one in family] == pytest.approx(list(expected))


def _inverse_trigamma(value: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda x: polygamma(1, x) - value, 1e-6, 1e9, xtol=1e-12))


def test_totals_are_geometric_means_of_their_points(compared: Compared) -> None:
    result, *_ = compared
    every = [*result.points, *result.controls]
    for total in (*result.totals, *result.control_totals):
        ratios = [
            one.ratio for one in every if (one.point.adapter, one.point.phase) == (total.adapter, total.phase)
        ]
        assert total.points == len(ratios)
        assert total.ratio == pytest.approx(stats.gmean(ratios))


def test_verdicts_follow_from_the_numbers_that_are_shown(compared: Compared) -> None:
    result, *_ = compared
    for one in (*result.points, *result.totals):
        if one.verdict in ("slower", "faster"):
            assert one.q is not None
            assert one.q <= result.level
            assert max(one.ratio, 1 / one.ratio) >= 1 + result.threshold
        if one.verdict == "same":
            assert 1 / 1.05 <= one.low <= one.high <= 1.05


def test_the_interval_agrees_with_a_plain_bootstrap(compared: Compared) -> None:
    """Resample nights, processes and rounds one by one; the two differ by the chance of the draws."""
    result, *_, by_night = compared
    rows = sides("seven sweeps" if by_night else "one sweep")
    base, _ = rows
    one = result.points[0]
    generator = np.random.default_rng(0)
    nested = [_nested(side, one) for side in rows]
    draws = [[_draw(side, generator) for side in nested] for _ in range(1500)]
    ratios = [new / old for old, new in draws]
    if by_night:  # tonight is one draw of a night
        old = own(processes(base), one)
        means = np.log(old["duration_s"]).groupby(old["sweep_id"]).mean()
        deviations = (means - means.mean()) * math.sqrt(len(means) / (len(means) - 1))
        ratios = list(np.array(ratios) * np.exp(generator.choice(deviations, len(ratios))))
    low, high = np.percentile(ratios, [2.5, 97.5])
    width = high - low
    assert one.low == pytest.approx(low, abs=0.15 * width)
    assert one.high == pytest.approx(high, abs=0.15 * width)


def _nested(rows: Rows, one: object) -> list[list[np.ndarray]]:
    """Return the rounds of each process of each night."""
    frame = own(rows[0].to_pandas(), one)
    return [
        [process["duration_s"].to_numpy() for _, process in night.groupby("repeat")]
        for _, night in frame.groupby("sweep_id")
    ]


def _draw(nights: list[list[np.ndarray]], generator: np.random.Generator) -> float:
    medians = []
    for night in generator.choice(len(nights), len(nights)):
        rounds = nights[night]
        for process in generator.choice(len(rounds), len(rounds)):
            medians.append(np.median(generator.choice(rounds[process], len(rounds[process]))))
    return float(np.median(medians))
