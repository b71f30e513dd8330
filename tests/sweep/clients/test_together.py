"""A round or a process that failed for one client failed for all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sample_rows import Row, round_row

from l2sweep.process.supervisor import ProcessReport
from l2sweep.sweep.clients.together import shared_outcomes, together

OK = ("ok", "")


def client_row(client: int, start_s: float = 0.0, clients: int = 2, number: int = 2, **changes: Any) -> Row:
    row = round_row("load", number, client=client, clients=clients, **changes)
    return {**row, "started_at": row["started_at"] + timedelta(seconds=start_s)}


def test_the_skew_is_the_time_since_the_first_client_of_the_round_started() -> None:
    rows = [
        client_row(0, 0.5),
        client_row(1, 0.25),
        client_row(0, 7.0, number=3),
        client_row(1, 7.0, number=3),
    ]
    assert [row["start_skew_s"] for row in together(rows, {})] == pytest.approx([0.25, 0.0, 0.0, 0.0])
    assert together([round_row("load")], {}) == [round_row("load")]


@pytest.mark.parametrize("status", ["timeout", "error", "unconfirmed"])
def test_a_round_that_failed_for_one_failed_for_all_and_names_it(status: str) -> None:
    bad = client_row(1, status=status, detail="late", duration_s=None)
    first, second = together([client_row(0), bad], {})
    assert (first["status"], first["duration_s"]) == ("error", None)
    assert first["detail"] == f"client 1: {status}: late"
    assert first["keys_ok"] == 8  # they were moved
    assert (second["status"], second["detail"]) == (status, "late")


def test_other_rounds_stay() -> None:
    rows = [client_row(0, number=3), client_row(0), client_row(1, number=3), client_row(1, status="error")]
    assert [row["status"] for row in together(rows, {})] == ["ok", "error", "ok", "error"]


def test_a_partial_round_of_one_is_no_failure_of_the_others() -> None:
    first, _ = together([client_row(0), client_row(1, status="partial")], {})
    assert (first["status"], first["duration_s"]) == ("ok", 0.5)


def test_a_round_that_a_lost_client_did_not_report_failed_for_the_others() -> None:
    rows = [client_row(0), client_row(0, number=3), client_row(1)]
    first, second, _ = together(rows, {1: "crashed: killed by SIGKILL during load"})
    assert first["status"] == "ok"
    assert (second["status"], second["duration_s"]) == ("error", None)
    assert second["detail"] == "client 1: crashed: killed by SIGKILL during load"
    (alone,) = together([client_row(0)], {})
    assert alone["detail"] == "client 1 did not report it"


def test_the_client_that_was_run_is_named_before_those_that_did_not_run_because_of_it() -> None:
    not_run = {**client_row(0, clients=3, status="error", detail="not run"), "started_at": None}
    late = client_row(2, clients=3, status="timeout", detail="late")
    rows = together([not_run, client_row(1, clients=3), late], {})
    assert rows[1]["detail"] == "client 2: timeout: late"


def test_a_process_that_did_not_end_well_is_named_in_all_rows() -> None:
    outcomes = [OK, ("crashed", "killed by SIGKILL"), OK]
    reports = [ProcessReport() for _ in outcomes]
    assert shared_outcomes(reports, outcomes) == [("crashed", "client 1: killed by SIGKILL")] * 3
    assert shared_outcomes(reports, [OK] * 3) == [OK] * 3
    stopped = ("stopped", "stopped by the user during load")
    assert shared_outcomes(reports, [stopped] * 3) == [stopped] * 3
    assert shared_outcomes(reports[:1], outcomes[1:2]) == outcomes[1:2]


def test_a_process_that_was_ended_for_another_is_not_the_reason() -> None:
    ended = ProcessReport(ended_for_another=True)
    outcomes = [("crashed", "ended by l2sweep"), ("timeout", "the deadline passed")]
    assert (
        shared_outcomes([ended, ProcessReport()], outcomes)
        == [("timeout", "client 1: the deadline passed")] * 2
    )
