"""Tests of l2sweep.analysis.control."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from sample_rows import round_row

from l2sweep.analysis.control import (
    CONTROL_MODULE,
    CONTROLS,
    ControlTheory,
    adapter_name,
    error_percent,
    with_adapter_names,
)


def control_spec(servers: int = 2, service_ms: float = 100, synchronous: bool = False) -> dict[str, Any]:
    params = {"servers": servers, "service_ms": service_ms, "synchronous": synchronous}
    return {
        "type": "plugin",
        "module_path": CONTROL_MODULE,
        "class_name": "ControlAdapter",
        "adapter_params": params,
    }


def control_rounds(spec: dict[str, Any], in_flight: int, durations_s: list[float]) -> pd.DataFrame:
    changes = {"adapter_type": "plugin", "adapter_spec": json.dumps(spec), "in_flight": in_flight}
    return pd.DataFrame([round_row("load", duration_s=value, **changes) for value in durations_s])


@pytest.mark.parametrize(
    ("servers", "in_flight", "services"), [(1, 1, 1), (1, 3, 3), (2, 1, 1), (2, 3, 2), (2, 4, 2), (4, 16, 4)]
)
def test_submits_are_served_in_batches_of_as_many_as_there_are_servers(
    servers: int, in_flight: int, services: int
) -> None:
    theory = ControlTheory(servers, service_s=0.25)
    assert theory.duration_s(in_flight) == services * 0.25
    assert theory.latency_s(in_flight - 1) == theory.duration_s(in_flight)  # the last submit ends the round


def test_the_latency_of_a_submit_is_that_of_its_batch() -> None:
    latencies = [ControlTheory(2, service_s=0.25).latency_s(position) for position in range(5)]
    assert latencies == [0.25, 0.25, 0.5, 0.5, 0.75]


def test_blocking_submits_are_served_one_after_another_whatever_the_number_of_servers() -> None:
    theory = ControlTheory(4, service_s=0.25, synchronous=True)
    assert theory.duration_s(3) == 0.75
    assert [theory.latency_s(position) for position in range(3)] == [0.25, 0.25, 0.25]


def test_the_theory_of_a_spec_is_read_from_its_parameters() -> None:
    assert ControlTheory.of(control_spec(3, 50, True)) == ControlTheory(3, 0.05, synchronous=True)
    spec = control_spec(3, 50)
    del spec["adapter_params"]["synchronous"]
    assert ControlTheory.of(spec) == ControlTheory(3, 0.05, synchronous=False)


def test_the_error_is_the_median_deviation_in_either_direction() -> None:
    rounds = control_rounds(control_spec(), 4, [0.2, 0.198, 0.204, 0.21, 0.196])  # theory: 0.2 s
    assert error_percent(rounds) == pytest.approx(2.0)


def test_each_round_is_compared_with_the_theory_of_its_own_point() -> None:
    rounds = pd.concat(
        [
            control_rounds(control_spec(), 1, [0.1]),
            control_rounds(control_spec(), 4, [0.2]),
            control_rounds(control_spec(synchronous=True), 4, [0.4]),
        ]
    )
    assert error_percent(rounds) == pytest.approx(0.0)


def test_only_the_plugin_of_l2sweep_is_named_control() -> None:
    other = {"type": "plugin", "module_path": "mine", "class_name": "ControlAdapter"}
    assert adapter_name(control_spec()) == "control"
    assert adapter_name(other) == "plugin"
    assert adapter_name({"type": "fs"}) == "fs"
    rows = [
        round_row(adapter_type=str(spec["type"]), adapter_spec=json.dumps(spec))
        for spec in (control_spec(), other, {"type": "fs"}, {"type": "fault_inject", "inner": control_spec()})
    ]
    named = with_adapter_names(pd.DataFrame(rows))
    assert named["adapter_type"].tolist() == ["control", "plugin", "fs", "fault_inject"]


def test_the_controls_tell_of_the_disk_or_of_the_harness() -> None:
    assert CONTROLS == {"fio": "disk", "mock": "harness", "control": "harness"}
