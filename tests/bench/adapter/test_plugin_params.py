"""The fields of plugin adapters, which their own configuration class checks."""

from __future__ import annotations

from typing import Any

import pytest

from l2sweep.bench.adapter.plugin_params import params_problems

CONTROL = {"type": "plugin", "module_path": "l2sweep.bench.control.adapter", "class_name": "ControlAdapter"}
FINE = {"servers": 2, "service_ms": 100}


def control(**params: Any) -> dict[str, Any]:
    return {**CONTROL, "adapter_params": {**FINE, **params}}


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        (control(), []),
        (control(servers=0), ["adapter.adapter_params.servers=0: must be an integer from 1"]),
        (
            {"type": "fault_inject", "inner": control(service_ms=-1)},
            ["adapter.inner.adapter_params.service_ms=-1: must be a number above 0"],
        ),
        ({"type": "fs", "base_path": "kv"}, []),
        ({**control(), "class_name": "Missing"}, []),
        ({**control(), "module_path": "no.such.module"}, []),
    ],
    ids=["right", "wrong", "inside", "no plugin", "no class", "no module"],
)
def test_a_configuration_class_that_refuses_its_fields_is_a_problem(
    spec: dict[str, Any], problems: list[str]
) -> None:
    assert params_problems(spec) == problems


def test_the_problem_of_another_plugin_names_the_option() -> None:
    fs = {"type": "plugin", "module_path": "lmcache.v1.distributed.l2_adapters.fs_l2_adapter"}
    spec = {**fs, "class_name": "FSL2Adapter", "adapter_params": {}}
    spec["config_class_name"] = "FSL2AdapterConfig"
    assert params_problems(spec) == ["adapter.adapter_params: base_path must be a non-empty string"]
