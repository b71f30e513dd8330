"""A round or a process that failed for one client failed for all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sample_rows import Row, round_row

from l2sweep.sweep.clients.together import shared_outcomes, together


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


def process_row(client: int, status: str = "ok", detail: str = "", **columns: object) -> dict[str, object]:
    more = {"phase": "load", "clients": 3, "hosts": 1, **columns}
    return {"client": client, "status": status, "detail": detail, **more}


def ends_of(rows: list[dict[str, object]], *for_another: int) -> list[tuple[str, str]]:
    return [(row["status"], row["detail"]) for row in shared_outcomes(rows, for_another)]


def test_a_process_that_did_not_end_well_is_named_in_all_rows() -> None:
    rows = [process_row(0), process_row(1, "crashed", "killed by SIGKILL"), process_row(2)]
    assert ends_of(rows) == [("crashed", "client 1: killed by SIGKILL")] * 3
    assert ends_of([process_row(client) for client in range(3)]) == [("ok", "")] * 3
    stopped = [process_row(client, "stopped", "stopped by the user during load") for client in range(3)]
    assert shared_outcomes(stopped, ()) == stopped
    alone = [process_row(0, "crashed", "killed by SIGKILL", clients=1)]
    assert shared_outcomes(alone, ()) == alone


def test_a_process_that_was_ended_for_another_is_not_the_reason() -> None:
    rows = [process_row(0, "crashed", "ended by l2sweep"), process_row(1, "timeout", "the deadline passed")]
    assert ends_of(rows, 0) == [("timeout", "client 1: the deadline passed")] * 2


def test_the_processes_of_an_earlier_phase_keep_how_they_ended() -> None:
    rows = [process_row(client, phase="store") for client in (0, 1)]
    rows += [process_row(0), process_row(1, "crashed", "killed by SIGKILL")]
    assert [status for status, _ in ends_of(rows)] == ["ok", "ok", "crashed", "crashed"]


def test_a_client_on_one_of_several_hosts_is_named_with_its_host() -> None:
    rows = [process_row(0, hosts=2, host="a"), process_row(1, "crashed", "killed", hosts=2, host="b")]
    assert ends_of(rows)[0] == ("crashed", "client 1 on b: killed")


def test_a_client_that_was_ended_for_another_is_not_named_for_a_round() -> None:
    lost = {0: "crashed: ended by l2sweep", 2: "crashed: killed by SIGKILL"}
    (row,) = together([client_row(1, clients=3)], lost, {0})
    assert row["detail"] == "client 2: crashed: killed by SIGKILL"
