"""Tests of l2sweep.analysis.history.change_points."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from conftest import ROOT

from l2sweep.analysis.history import change_points as module
from l2sweep.analysis.history.change_points import change_points

QUIET = 0.02 * np.random.default_rng(3).normal(size=40)


def series(*levels: tuple[float, int]) -> list[float]:
    """Return a series of levels, each as (level, number of nights), with 2 % noise."""
    logs = np.log(np.repeat([level for level, _ in levels], [count for _, count in levels]))
    return [float(value) for value in np.exp(logs + QUIET[: len(logs)])]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([(1.0, 20)], []),
        ([(1.0, 12), (1.25, 8)], [12]),
        ([(1.0, 12), (0.8, 8)], [12]),
        ([(1.0, 10), (1.3, 8), (1.0, 8)], [10, 18]),
        ([(1.0, 12), (1.25, 2)], [12]),  # the last two nights
        ([(1.0, 12), (3.0, 1)], []),  # one slow night is not a level
        ([(1.0, 8), (3.0, 1), (1.0, 8)], []),
        ([(1.0, 15), (1.03, 15)], []),  # below the least change
        ([(1.0, 3), (2.0, 4)], []),  # too short
    ],
)
def test_a_change_is_found_where_a_level_begins(levels: list[tuple[float, int]], expected: list[int]) -> None:
    assert change_points(series(*levels)) == expected


def test_a_quiet_series_with_hardly_any_noise_has_no_change() -> None:
    assert change_points([1.0] * 20) == []
    assert change_points([1.0] * 10 + [1.02] * 10) == []
    assert change_points([1.0] * 10 + [1.1] * 3) == [10]


NOISE: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda generator, nights: generator.normal(size=nights),
    "heavy tails": lambda generator, nights: generator.standard_t(3, size=nights),
}


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("deviation", [0.01, 0.03, 0.06])
def test_few_quiet_series_have_a_change(kind: str, deviation: float) -> None:
    generator = np.random.default_rng(12)
    for nights in (8, 14, 30, 60):
        quiet = [np.exp(deviation * NOISE[kind](generator, nights)) for _ in range(200)]
        alarmed = sum(bool(change_points(one)) for one in quiet)
        assert alarmed <= 7, nights  # 2 % are 4; 7 or more of 200 are seen in 1 of 20 such draws


def test_the_rate_holds_for_a_table_of_many_series() -> None:
    generator = np.random.default_rng(5)
    table = [np.exp(0.05 * generator.normal(size=30)) for _ in range(1000)]
    assert sum(bool(change_points(one, len(table))) for one in table) <= 1


def test_ten_percent_are_found_in_most_series_after_three_nights() -> None:
    generator = np.random.default_rng(6)
    step = np.log(1.1) * (np.arange(13) >= 10)
    slower = [np.exp(step + 0.02 * generator.normal(size=13)) for _ in range(100)]
    assert sum(change_points(one) in ([9], [10], [11]) for one in slower) >= 80


def test_the_bound_never_hides_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(7)
    drawn = []
    for nights, size in itertools.product((9, 20, 40), (1.0, 1.1, 1.3)):
        for _ in range(30):
            step = np.log(size) * (np.arange(nights) >= generator.integers(2, nights - 1))
            drawn.append(np.exp(step + 0.04 * generator.normal(size=nights)))
    bounded = [change_points(one) for one in drawn]
    monkeypatch.setattr(module, "_may_change", lambda signal, penalty: True)
    assert bounded == [change_points(one) for one in drawn]
    assert any(bounded)


def test_quiet_series_do_not_import_ruptures() -> None:
    code = (
        "import sys\nfrom l2sweep.analysis.history.change_points import change_points\n"
        f"change_points({series((1.0, 30))!r})\nprint('ruptures' in sys.modules, 'scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "False False\n"
