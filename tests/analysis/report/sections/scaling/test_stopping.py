"""Where throughput stops growing, in words: with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from l2sweep.analysis.report.sections.scaling.stopping import Stop, stop_of
from l2sweep.analysis.tune.settings import Setting
from l2sweep.analysis.tune.spec_fields import spec_fields

SPEC = spec_fields('{"type": "fs", "base_path": "/mnt/nvme/kv"}')


def setting(clients: int, rates: Sequence[float], failed: int = 0, hosts: int = 1) -> Setting:
    return Setting(
        *(SPEC, "bench-1", "0.5.6", 256, 4, 1, None, "cold", tuple(rates), failed),
        clients=clients,
        hosts=hosts,
    )


def stop(rates: Mapping[int, Sequence[float]], *, with_ideal: bool = True) -> Stop:
    curve = [setting(clients, of_processes) for clients, of_processes in rates.items()]
    return stop_of(curve, curve[0] if with_ideal else None)


def test_it_stops_at_the_fewest_clients_that_are_as_fast_as_more() -> None:
    found = stop({1: (100, 102, 98), 2: (180, 190, 185), 4: (186, 188, 184), 8: (187, 186, 185)})
    assert found.at == 2
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (2, 2)
    assert found.sentence == (
        "throughput stops growing at 2 clients: 4 clients, the best of those with more, reach 1.01 times as "
        "much (95% interval 0.97 to 1.04). 2 clients reach 92% of 2 times one client "
        "(95% interval 88% to 97%)."
    )


def test_growth_that_the_interval_does_not_exclude_is_said() -> None:
    found = stop({1: (100, 102, 98), 2: (150, 200, 190), 4: (180, 230, 195)})
    assert found.at == 2
    assert "so that 53% more are not excluded." in found.sentence
    assert "With resampled processes, it stops at 2 to 4 clients." in found.sentence


def test_throughput_that_grows_up_to_the_last_number_has_no_end() -> None:
    found = stop({1: (100, 102, 98), 2: (198, 200, 202), 4: (390, 392, 394)})
    assert found.at is None
    assert found.sentence.startswith(
        "throughput grows up to 4 clients, the most that were measured: 1.96 times that of 2 clients "
        "(95% interval 1.93 to 1.99). 4 clients reach 98% of 4 times one client"
    )
    unsure = stop({1: (100, 102, 98), 2: (198, 200, 230), 4: (190, 250, 260)})
    assert "so that it may have stopped before" in unsure.sentence


def test_without_three_processes_there_is_no_interval_and_the_sentence_says_so() -> None:
    found = stop({1: (100,), 2: (101,), 4: (80,)})
    assert (found.at, found.interval) == (1, None)
    assert found.sentence == (
        "throughput stops growing at 1 client: 2 clients, the best of those with more, reach 1.01 times as "
        "much (no interval: fewer than 3 processes)."
    )


def test_a_throughput_that_falls_is_compared_with_the_best_of_those_with_more_clients() -> None:
    found = stop({1: (100,), 2: (70,), 4: (80,)})
    assert found.at == 1
    assert found.sentence.startswith(
        "throughput stops growing at 1 client: 4 clients, the best of those with more, reach 0.80 times "
    )


def test_a_number_of_clients_with_a_failed_process_is_left_out_and_named() -> None:
    curve = [setting(1, (100,)), setting(2, (150,)), setting(4, (), failed=1, hosts=2)]
    found = stop_of(curve, curve[0])
    assert found.at is None
    assert "throughput grows up to 2 clients" in found.sentence
    assert found.sentence.endswith("Left out, because a process failed at 4 clients on 2 hosts.")
    alone = stop_of([curve[0], *(replace(one, failed=1) for one in curve[1:])], curve[0])
    assert alone.sentence == (
        "it is not known where throughput stops growing: a process failed at 2 clients and "
        "4 clients on 2 hosts."
    )


@pytest.mark.parametrize("with_ideal", [True, False])
def test_the_ideal_is_that_of_one_client(with_ideal: bool) -> None:
    found = stop({1: (100,), 2: (190,)}, with_ideal=with_ideal)
    assert ("95% of 2 times one client" in found.sentence) == with_ideal
