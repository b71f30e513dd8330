"""Tests of l2sweep.bench.control.servers: all times are given, nothing is waited for."""

from __future__ import annotations

import pytest

from l2sweep.analysis.control import ControlTheory
from l2sweep.bench.control.servers import BlockingServer, Servers


@pytest.mark.parametrize("servers", [1, 2, 3, 16])
@pytest.mark.parametrize("in_flight", [1, 2, 4, 16])
def test_requests_that_arrive_together_complete_as_theory_says(servers: int, in_flight: int) -> None:
    theory = ControlTheory(servers, service_s=0.5)
    schedule = Servers(servers, service_s=0.5)
    completions = [schedule.completion_s(8.0) for _ in range(in_flight)]
    assert completions == [8.0 + theory.latency_s(position) for position in range(in_flight)]
    assert completions[-1] == 8.0 + theory.duration_s(in_flight)


def test_a_request_waits_only_while_all_servers_are_in_use() -> None:
    schedule = Servers(2, service_s=1.0)
    assert [schedule.completion_s(arrival) for arrival in (0.0, 0.25, 0.5, 1.5, 4.0)] == [
        1.0,  # first server
        1.25,  # second server
        2.0,  # waits for the first server
        2.5,  # the second server is free since 1.25
        5.0,
    ]


def test_no_request_is_served_faster_than_the_service_time() -> None:
    schedule = Servers(3, service_s=1.0)
    arrivals = [0.0, 0.1, 0.1, 0.2, 2.0, 2.0, 7.0]
    latencies = [schedule.completion_s(arrival) - arrival for arrival in arrivals]
    assert min(latencies) == pytest.approx(1.0)


def test_a_late_return_does_not_delay_the_next_blocking_request() -> None:
    server = BlockingServer(service_s=1.0)
    assert server.completion_s(5.0) == 6.0
    server.returned(6.25)
    assert server.completion_s(6.25 + 1e-5) == 7.0
    server.returned(7.0)
    assert server.completion_s(7.0) == 8.0


def test_a_blocking_request_after_a_pause_takes_the_whole_service_time() -> None:
    server = BlockingServer(service_s=1.0)
    server.completion_s(5.0)
    server.returned(6.125)
    assert server.completion_s(6.25) == 7.25


def test_a_very_late_return_leaves_half_of_the_service_time() -> None:
    server = BlockingServer(service_s=1.0)
    server.completion_s(5.0)
    server.returned(16.0)
    assert server.completion_s(16.0) == 16.5
