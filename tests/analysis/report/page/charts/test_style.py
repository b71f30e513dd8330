"""Colours that everyone can tell apart, and axes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from l2sweep.analysis.report.page.charts.style import COLOURS, DASHES, SHAPES, is_log, series_channels

PAGES = {"light": "#ffffff", "dark": "#15181b"}
# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency",
# IEEE Transactions on Visualization and Computer Graphics 15(6), 2009: severity 1, for linear RGB.
DEFICIENCIES = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> NDArray[np.float64]:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIE L*a*b* of linear RGB under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ratio = np.array(to_xyz) @ rgb / [0.9505, 1.0, 1.089]
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", COLOURS)
def test_each_colour_has_enough_contrast_to_both_pages(page: str, colour: str) -> None:
    brighter, darker = sorted((luminance(colour), luminance(PAGES[page])), reverse=True)
    assert (brighter + 0.05) / (darker + 0.05) >= 3


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_first_four_colours_differ_for_everyone(deficiency: str) -> None:
    matrix = np.array(DEFICIENCIES[deficiency])
    seen = [lab(np.clip(matrix @ linear(colour), 0, 1)) for colour in COLOURS[:4]]
    assert min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(seen, 2)) > 12


def test_no_two_of_many_series_have_the_same_colour_and_shape() -> None:
    names = [f"series {number}" for number in range(40)]
    channels = series_channels(names)
    colours, shapes = (channels[name]["scale"]["range"] for name in ("color", "shape"))
    assert len(set(zip(colours, shapes, strict=True))) == len(names)
    assert len(SHAPES) == len(DASHES) == len(COLOURS)


@pytest.mark.parametrize(
    ("values", "expected"),
    [((1, 4, 16), True), ((1, 2, 3), False), ((0, 100), False), ((None, 5), False), ((), False)],
)
def test_an_axis_is_logarithmic_where_its_values_double(
    values: tuple[float | None, ...], expected: bool
) -> None:
    assert is_log(values) is expected
