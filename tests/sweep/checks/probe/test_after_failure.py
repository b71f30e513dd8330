"""The cause that is added to a report: what the server answers after a round failed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_process import round_measured
from line_server import line_server

from l2sweep.process.report import ProcessReport
from l2sweep.services.ports import free_ports
from l2sweep.sweep.checks.probe.after_failure import add_cause

LATE = replace(round_measured("load"), status="timeout", detail="1 of 1 submits did not complete in time")
REFUSED = replace(round_measured("store"), status="error", detail="0 of 4 keys stored, 1 of 1 submits failed")
ERRORS = b"$67\r\n# Errorstats\r\nerrorstat_OOM:count=%d\r\nerrorstat_WRONGPASS:count=1\r\n\r\n"


def spec(port: int) -> dict[str, object]:
    return {"type": "resp", "host": "127.0.0.1", "port": port, "password": "hunter2"}


def test_a_server_that_is_down_is_the_cause_of_a_time_out() -> None:
    (port,) = free_ports(1)
    report = ProcessReport(rounds=[round_measured("load"), LATE])
    add_cause(report, spec(port))
    cause = f"asked afterwards: 127.0.0.1:{port}: connection refused"
    assert report.first_error == cause
    assert [one.detail for one in report.rounds] == ["", f"{LATE.detail}; {cause}"]


@pytest.mark.parametrize(
    "report",
    [
        ProcessReport(rounds=[LATE], first_error="connection failed"),
        ProcessReport(rounds=[LATE], interrupted=True),
        ProcessReport(rounds=[round_measured("store")]),
    ],
    ids=["it names a cause", "the user stopped it", "nothing failed"],
)
def test_nothing_is_asked_where_it_says_nothing_new(report: ProcessReport) -> None:
    before = report.first_error, list(report.rounds)
    add_cause(report, spec(1))
    assert (report.first_error, report.rounds) == before


@pytest.mark.parametrize("count", [0, 76])
def test_a_server_that_was_full_is_the_cause_of_a_failed_store(count: int) -> None:
    def answer(received: bytes) -> bytes:
        if b"INFO" in received:
            return ERRORS % count if count else ERRORS.replace(b"errorstat_OOM:count=%d\r\n", b"")
        return b"+OK\r\n"

    report = ProcessReport(rounds=[REFUSED, round_measured("load")], first_error="GET: size header mismatch")
    with line_server(answer) as port:
        add_cause(report, spec(port))
    cause = f"asked afterwards: 127.0.0.1:{port}: since its start, the server refused 76 commands (OOM)"
    assert report.first_error.startswith(cause) == bool(count)
    assert report.first_error.endswith("GET: size header mismatch")
    assert (report.rounds[0].detail == f"{REFUSED.detail}; {cause}") == bool(count)
    assert report.rounds[1].detail == ""
