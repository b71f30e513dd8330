"""A point's one number."""

from __future__ import annotations

import math

import pytest
from sample_rows import round_row

from l2sweep.analysis.objective import OBJECTIVES, objective


def test_the_objective_is_taken_from_measured_rounds_of_its_operation() -> None:
    rows = [
        round_row(phase="load", is_warmup=True, duration_s=9.0, bytes_ok=2**20),
        round_row(phase="load", is_warmup=False, duration_s=1.0, bytes_ok=2**20),
        round_row(phase="load", is_warmup=False, duration_s=3.0, bytes_ok=2**20),
        round_row(phase="store", is_warmup=False, duration_s=0.5, bytes_ok=2**20),
    ]
    assert objective("load_mib_per_s", rows) == 0.5
    assert objective("store_mib_per_s", rows) == 2.0
    assert objective("load_duration_p50_s", rows) == 1.0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_was_not_measured_is_not_a_number(name: str) -> None:
    assert math.isnan(objective(name, []))
