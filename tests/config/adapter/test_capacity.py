"""How many keys fit into an adapter follows from its spec, or is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from l2sweep.config.adapter.capacity import capacity_keys, padded_bytes

KIB, MIB = 1 << 10, 1 << 20
SIZE = 256 * KIB
DAX = {"type": "dax", "device_path": "/dev/dax0.0", "max_dax_size_gb": 0.001, "slot_bytes": SIZE}
NIXL = {"type": "nixl_store", "backend": "POSIX", "pool_size": 10, "backend_params": {"file_size": SIZE}}
DYNAMIC = {"type": "nixl_store_dynamic", "backend": "POSIX", "backend_params": {"max_capacity_gb": "0.001"}}


@pytest.mark.parametrize(
    ("spec", "align_bytes", "keys"),
    [
        (DAX, 4096, 4),  # 1.024 MiB
        ({**DAX, "slot_bytes": SIZE - 1}, 4096, 0),
        ({"type": "dax", "slot_bytes": SIZE, "devices": [DAX, DAX]}, 4096, 8),
        (NIXL, 4096, 10),
        (NIXL, 65536, 10),
        ({**NIXL, "backend_params": {}}, 4096, 0),  # files of one page, 10 of the 64 that a key takes
        ({**NIXL, "backend_params": {}, "pool_size": 128}, 4096, 2),
        ({**NIXL, "backend_params": {}, "pool_size": 128}, 65536, 32),
        (DYNAMIC, 4096, 4),
        ({"type": "fs", "base_path": "/a"}, 4096, None),
        ({"type": "mock", "max_size_gb": 1}, 4096, None),
        ({"type": "dax", "device_path": "/d"}, 4096, None),  # LMCache says what is missing
        ({**NIXL, "pool_size": "many"}, 4096, None),
        ({**DAX, "slot_bytes": 0}, 4096, 0),
        ({**NIXL, "backend_params": None}, 4096, None),
        ({**DAX, "devices": 3}, 4096, None),
    ],
)
def test_the_keys_that_fit_follow_from_the_spec(
    spec: dict[str, Any], align_bytes: int, keys: int | None
) -> None:
    assert capacity_keys(spec, SIZE, align_bytes) == keys


def test_raw_block_has_the_slots_of_its_file_behind_the_metadata(tmp_path: Path) -> None:
    device = tmp_path / "device"
    spec = {
        "type": "raw_block",
        "device_path": str(device),
        "slot_bytes": SIZE + 4096,
        "meta_total_bytes": MIB,
    }
    assert capacity_keys(spec, SIZE, 4096) is None  # LMCache says that it does not exist
    with device.open("wb") as file:
        file.truncate(MIB + 3 * (SIZE + 4096) + 4095)
    assert capacity_keys(spec, SIZE, 4096) == 3
    assert capacity_keys({**spec, "capacity_bytes": MIB + 2 * (SIZE + 4096)}, SIZE, 4096) == 2
    assert capacity_keys({**spec, "capacity_bytes": 1 << 40}, SIZE, 4096) == 3
    assert capacity_keys({**spec, "header_bytes": 8192}, SIZE, 4096) == 0
    assert capacity_keys({**spec, "meta_total_bytes": 1 << 30}, SIZE, 4096) is None  # LMCache refuses it


@pytest.mark.parametrize(("size_kb", "num_bytes"), [(4, 4096 + 10), (0, 0), (-1, 0), ("x", 0), (None, 0)])
def test_a_size_that_is_not_allowed_is_left_to_the_check_of_its_option(size_kb: Any, num_bytes: int) -> None:
    assert padded_bytes(size_kb, 10) == num_bytes
