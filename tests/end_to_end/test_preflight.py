"""What is refused before anything runs, what a sweep does not overwrite, and ``status``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RunL2Sweep

MOCK = json.dumps({"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": 100})
UNKNOWN = json.dumps({"type": "no-such-type"})
WRONG_FLAG = json.dumps({"type": "fs", "base_path": "kv", "use_odirect": "yes"})


def test_all_specs_that_lmcache_refuses_are_reported_before_anything_runs(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep("-m", f"adapter_json={UNKNOWN},{WRONG_FLAG}", "num_keys=2,4")
    assert run.exit_code == 2
    assert len(run.err.splitlines()) == 1
    assert "no-such-type" in run.err
    assert "use_odirect must be a boolean" in run.err
    assert list(tmp_path.iterdir()) == []


def test_one_refused_spec_fails_the_request_with_on_infeasible_fail(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep("-m", f"adapter_json={MOCK},{UNKNOWN}", "num_keys=2", "on_infeasible=fail")
    assert run.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("adapter_type", ["raw_block", "dax"])
def test_a_file_with_content_is_not_overwritten(
    run_l2sweep: RunL2Sweep, tmp_path: Path, adapter_type: str
) -> None:
    device = tmp_path / "device"
    device.write_text("foreign content")
    spec = json.dumps({"type": adapter_type, "device_path": str(device), "slot_bytes": 2**20})
    for arguments in (["num_keys=2"], ["-m", "num_keys=2,4"]):
        run = run_l2sweep(f"adapter_json={spec}", *arguments)
        assert run.exit_code == 2
        assert f"{device} is a file that holds 15 bytes" in run.err
        assert "allow_destructive" in run.err
    assert device.read_text() == "foreign content"
    assert [path.name for path in tmp_path.iterdir()] == ["device"]


@pytest.fixture
def block_device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a block device of 128 MiB: a loop device on a file."""
    image = tmp_path_factory.mktemp("image") / "image"
    with image.open("wb") as file:
        file.truncate(128 << 20)
    made = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no loop device is available here: {made.stderr.strip()}")
    yield Path(made.stdout.strip())
    subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a block device")
def test_a_block_device_is_described_with_its_content_and_not_overwritten(
    run_l2sweep: RunL2Sweep, tmp_path: Path, block_device: Path
) -> None:
    spec = json.dumps({"type": "raw_block", "device_path": str(block_device), "slot_bytes": 2**20})
    bare = run_l2sweep(f"adapter_json={spec}", "num_keys=2")
    assert bare.exit_code == 2
    assert f"{block_device} is a block device: the adapter would overwrite it" in bare.err
    subprocess.run(["mkfs.ext4", "-q", str(block_device)], check=True)
    held = run_l2sweep("-m", f"adapter_json={spec}", "num_keys=2,4")
    assert held.exit_code == 2
    assert f"{block_device} is a block device with a ext4 file system" in held.err
    place = tmp_path / "mounted"
    place.mkdir()
    subprocess.run(["mount", str(block_device), str(place)], check=True)
    try:
        mounted = run_l2sweep(f"adapter_json={spec}", "num_keys=2")
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert f"a mount on {place}" in mounted.err
    assert subprocess.run(["fsck.ext4", "-fn", str(block_device)], capture_output=True).returncode == 0


def test_the_status_lists_each_sweep_with_its_counts(run_l2sweep: RunL2Sweep) -> None:
    assert run_l2sweep("-m", "adapter=mock", "num_keys=2,4,8", "sweep_id=good").exit_code == 0
    partly = ("-m", "adapter=mock", "adapter.max_size_gb=0.0001", "num_keys=1,2", "data_size_kb=64")
    assert run_l2sweep(*partly, "on_failure=stop", "sweep_id=bad").exit_code == 1
    status = run_l2sweep("status")
    assert status.exit_code == 0, status.err
    rows = {line.split()[0]: line.split()[1:] for line in status.out.splitlines()[1:-1]}
    assert rows == {"good": ["3", "3", "0", "0", "0"], "bad": ["2", "0", "1", "0", "1"]}
    assert "No sweep is running on this host." in status.out
    nothing = run_l2sweep("status", "--results-dir=elsewhere")
    assert nothing.exit_code == 2
    assert "elsewhere" in nothing.err
