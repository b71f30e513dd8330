"""What adapter specs say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from l2sweep.analysis.control import CONTROL_MODULE
from l2sweep.analysis.tune.spec_fields import SpecFields, spec_fields


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "fs", "base_path": "/a"}, SpecFields("fs", "/a", False, ())),
        (
            {"type": "fs_native", "use_odirect": True, "num_workers": 4, "base_path": "/a", "x": None},
            SpecFields("fs_native", "/a", True, (("num_workers", 4), ("use_odirect", True))),
        ),
        ({"type": "raw_block", "device_path": "/dev/x"}, SpecFields("raw_block", "/dev/x", True, ())),
        (
            {"type": "raw_block", "device_path": "/dev/x", "use_odirect": False},
            SpecFields("raw_block", "/dev/x", False, (("use_odirect", False),)),
        ),
        (
            {"type": "fault_inject", "rate": 0.1, "inner": {"type": "fs", "base_path": "/a"}},
            SpecFields("fault_inject", "/a", False, (("rate", 0.1),)),
        ),
        (
            {"type": "nixl_store", "backend_params": {"file_path": "/n", "use_direct_io": "true"}},
            SpecFields("nixl_store", "/n", True, (("backend_params.use_direct_io", "true"),)),
        ),
        (
            {"type": "plugin", "module_path": CONTROL_MODULE, "a": [1, 2]},
            SpecFields("control", None, False, (("a", "[1, 2]"), ("module_path", CONTROL_MODULE))),
        ),
    ],
)
def test_a_spec_is_read(spec: dict[str, Any], expected: SpecFields) -> None:
    assert spec_fields(json.dumps(spec)) == expected
