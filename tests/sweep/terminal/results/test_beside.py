"""What stores and loads at the same time cost each other."""

from __future__ import annotations

from typing import Any

import pytest

from l2sweep.sweep.terminal.results.beside import beside_notes, beside_text


def row(phase: str, mib_per_s: float | None, **changes: Any) -> dict[str, Any]:
    point = {"point_id": "a", "sweep_id": "s", "repeat": 0, "attempt": 1, "point_index": 3}
    return {**point, "phase": phase, "mib_per_s": mib_per_s, **changes}


def test_each_phase_is_compared_with_itself_alone() -> None:
    rows = [row("store", 200.0), row("load", 393.0), row("mixed_store", 180.0), row("mixed_load", 157.2)]
    assert beside_notes(rows) == [
        "point 3: store 200.0 MiB/s alone, 180.0 beside loads: 10% less",
        "point 3: load 393.0 MiB/s alone, 157.2 beside stores: 60% less",
    ]


@pytest.mark.parametrize(
    "alone", [[], [row("load", None)], [row("load", 0.0)], [row("load", 9.0, point_id="b")]]
)
def test_without_its_phase_alone_there_is_no_loss(alone: list[dict[str, Any]]) -> None:
    assert beside_notes([*alone, row("mixed_load", 157.2)]) == []


def test_a_gain_is_no_loss() -> None:
    assert beside_text("load", 100.0, 125.0) == "load 100.0 MiB/s alone, 125.0 beside stores: not less"
