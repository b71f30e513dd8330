"""Tests of l2sweep.analysis.attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from sample_rows import point_row

from l2sweep.analysis.attempts import attempts

START = datetime(2026, 11, 24, tzinfo=UTC)


def ended(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the attempts of points, as plain rows."""
    return [
        {str(name): value for name, value in row.items()}
        for row in attempts(pd.DataFrame([point_row(**row) for row in rows])).to_dict("records")
    ]


def test_the_processes_of_an_attempt_are_one_row() -> None:
    (row,) = ended(
        {"phase": "store", "started_at": START, "wall_s": 1.0, "drop_s": None},
        {"phase": "load", "started_at": START + timedelta(seconds=2), "wall_s": 2.0, "drop_s": 0.5},
    )
    assert row["seconds"] == 3.5
    assert row["started_at"] == START
    assert row["status"] == "ok"
    assert row["point_id"] == "0123456789abcdef"


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["ok", "ok", "ok"], "ok"),
        (["ok", "warm", "failed"], "warm"),
        (["crashed"], "crashed"),
    ],
)
def test_the_status_is_that_of_the_first_process_that_is_not_ok(statuses: list[str], status: str) -> None:
    (row,) = ended(*({"status": one} for one in statuses))
    assert row["status"] == status


def test_attempts_points_and_sweeps_are_separate_rows() -> None:
    rows = ended(
        {"attempt": 1, "status": "crashed"},
        {"attempt": 2},
        {"point_index": 1},
        {"sweep_id": "another"},
    )
    assert len(rows) == 4
    assert {row["attempt"]: row["status"] for row in rows if row["status"] != "ok"} == {1: "crashed"}


def test_clients_that_ran_at_the_same_time_take_the_time_of_one() -> None:
    (row,) = ended(*({"wall_s": 2.0, "drop_s": 0.5, "client": client, "clients": 4} for client in range(4)))
    assert row["seconds"] == 2.5
