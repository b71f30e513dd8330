"""A file that an adapter takes as a whole is overwritten only if l2sweep has filled it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from conftest import RunL2Sweep

TINY = ("num_keys=2", "data_size_kb=64", "rounds=1", "l1_align_bytes=4096")
MIB = 1 << 20


def dax(path: Path) -> str:
    spec = {"type": "dax", "device_path": str(path), "max_dax_size_gb": 0.0625, "slot_bytes": MIB}
    return f"adapter_json={json.dumps(spec)}"


def test_a_file_that_appears_after_a_failed_run_is_not_overwritten(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    failed = run_l2sweep(dax(device), *TINY, "probe=false")  # the probe would refuse a missing device
    assert failed.exit_code == 1, failed.out + failed.err
    assert not device.exists()
    foreign = os.urandom(64 * MIB)
    device.write_bytes(foreign)
    refused = run_l2sweep(dax(device), *TINY)
    assert refused.exit_code == 2, refused.out + refused.err
    assert f"{device} is a file that holds {64 * MIB} bytes: the adapter would overwrite it" in refused.err
    assert device.read_bytes() == foreign


def test_a_file_that_was_overwritten_with_permission_is_overwritten_again_without(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    device.write_bytes(bytes(64 * MIB))
    first = run_l2sweep(dax(device), *TINY, "allow_destructive=true")
    assert first.exit_code == 0, first.out + first.err
    again = run_l2sweep(dax(device), *TINY)
    assert again.exit_code == 0, again.out + again.err
    device.unlink()
    device.write_bytes(bytes(64 * MIB))  # another file, perhaps with the same inode
    assert run_l2sweep(dax(device), *TINY).exit_code == 2
