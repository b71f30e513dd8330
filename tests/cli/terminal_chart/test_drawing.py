"""Tests of l2sweep.cli.terminal_chart.drawing."""

from __future__ import annotations

import io
import itertools
from typing import Any

import pytest
from rich.console import Console

from l2sweep.cli.terminal_chart import Series, curve_text

DEPTHS = (1, 2, 4, 8)
KNEE = Series("fs_native", DEPTHS, (100, 390, 400, 400), (80, 380, 390, 395), (120, 395, 400, 400), 1)
FLAT = Series("fs", DEPTHS, (200, 200, 200, 200))


def chart(*series: Series, **changes: Any) -> list[str]:
    settings = {"x_label": "in_flight", "y_label": "load, MiB/s", "width": 70, "height": 12, **changes}
    return curve_text(series, **settings).plain.splitlines()


def place(lines: list[str], marker: str) -> list[tuple[int, int]]:
    """Return line and column of each cell of the plot with a marker."""
    plot = [line for line in lines if "│" in line or "┤" in line]
    return [(row, at) for row, line in enumerate(plot) for at, cell in enumerate(line) if cell == marker]


def test_axes_have_their_labels_and_the_legend_a_marker_for_each_series() -> None:
    lines = chart(KNEE, FLAT, log_x=True)
    assert lines[0] == "load, MiB/s"
    assert lines[-3].strip() == "in_flight"
    assert lines[-4].split() == ["1", "2", "4", "8"]
    assert lines[-2:] == ["● fs_native", "▲ fs"]
    assert lines[1].startswith("400┤")
    assert lines[12].startswith("  0┤")


def test_a_point_is_where_its_values_are() -> None:
    lines = chart(Series("a", (1, 2, 3), (0, 5, 10)), width=30, height=11)
    columns = [column for _, column in place(lines, "●")]
    assert [row for row, _ in place(lines, "●")] == [0, 5, 10]
    assert columns[0] == 29
    assert columns[0] - columns[1] == pytest.approx(columns[1] - columns[2], abs=1)


def test_a_logarithmic_axis_puts_doublings_at_equal_distances() -> None:
    columns = sorted(column for _, column in place(chart(FLAT, log_x=True), "●"))
    steps = {second - first for first, second in itertools.pairwise(columns)}
    assert max(steps) - min(steps) <= 1
    assert len(chart(Series("a", (1, 2), (1, 1000)), log_y=True, height=4)) == 4 + 5


def test_only_the_marked_point_is_in_brackets() -> None:
    assert [line.count("[●]") for line in chart(KNEE) if "[" in line] == [1]
    assert "[" not in "".join(chart(FLAT))
    marked = next(line for line in chart(KNEE, log_x=True) if "[●]" in line)
    assert marked.startswith("400┤")


def test_an_interval_is_a_bar_and_a_missing_point_a_gap() -> None:
    wide = Series("a", (1, 2), (50, 50), (0, None), (100, None))
    assert [line[3] if len(line) > 3 else "" for line in chart(wide)[1:13]].count("│") >= 9
    dotted = "".join(chart(Series("a", (1, 2, 4, 8), (5, None, 5, 5))))
    whole = "".join(chart(Series("a", (1, 2, 4, 8), (5, 5, 5, 5))))
    assert 0 < dotted.count("·") < whole.count("·") - 5
    assert dotted.count("●") == 4  # with that of the legend


def test_points_of_several_series_at_one_place_are_shown_as_such() -> None:
    lines = chart(FLAT, Series("same", DEPTHS, (200, 200, 200, 100)))
    assert len(place(lines, "✶")) == 3
    assert lines[-1] == "✶ several of them"


@pytest.mark.parametrize("width", [10, 30, 47, 80, 160])
def test_no_line_is_wider_than_asked(width: int) -> None:
    long = Series("fs_native num_workers=16 use_odirect=true " * 3, (1, 2, 1000), (1, 1e6, 3))
    lines = chart(long, KNEE, width=width, x_label="x" * 200, y_label="y" * 200)
    assert max(map(len, lines)) <= max(width, 30)
    assert "".join(chart(long, width=width)).replace(" ", "").count("use_odirect=true") >= 1


def test_ascii_suffices() -> None:
    lines = chart(KNEE, FLAT, is_ascii=True)
    assert "".join(lines).isascii()
    assert lines[-2:] == ["o fs_native", "x fs"]


def test_colours_are_only_where_a_terminal_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = curve_text([KNEE, FLAT], x_label="in_flight", y_label="MiB/s", width=60)

    def printed(**settings: Any) -> str:
        stream = io.StringIO()
        Console(file=stream, width=80, **settings).print(text)
        return stream.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[36m" in printed(force_terminal=True, color_system="standard")
    assert "\x1b" not in printed()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[36m" not in printed(force_terminal=True, color_system="standard")
    assert printed().rstrip() == text.plain.rstrip()


def test_what_has_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no series has a point"):
        chart(Series("a", (1, 2), (None, float("nan"))))
    with pytest.raises(ValueError, match="0 has no place on a logarithmic axis"):
        chart(Series("a", (0, 2), (1, 2)), log_x=True)
