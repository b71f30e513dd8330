from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.bench.rounds import resource_usage
from l2sweep.bench.rounds.resource_usage import ResourceUsage


def test_resource_usage_is_the_difference_of_two_moments() -> None:
    earlier = ResourceUsage(1.0, 2.0, 100, 200)
    later = ResourceUsage(1.5, 2.25, 4196, 200)
    assert later.since(earlier) == ResourceUsage(0.5, 0.25, 4096, 0)


def test_unknown_device_bytes_stay_unknown() -> None:
    known, unknown = ResourceUsage(1.0, 2.0, 100, 200), ResourceUsage(1.0, 2.0, None, None)
    for difference in (known.since(unknown), unknown.since(known)):
        assert (difference.device_read_bytes, difference.device_write_bytes) == (None, None)


def test_resource_usage_of_this_process_only_grows() -> None:
    before = ResourceUsage.now()
    sum(range(10**5))
    used = ResourceUsage.now().since(before)
    assert used.cpu_user_s + used.cpu_sys_s >= 0
    assert before.cpu_user_s > 0


def test_without_proc_io_the_device_bytes_are_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resource_usage, "_PROCESS_IO", tmp_path / "io")
    assert ResourceUsage.now().device_read_bytes is None
    (tmp_path / "io").write_text("rchar: 5\nwchar: 6\nread_bytes: 4096\nwrite_bytes: 8192\n")
    usage = ResourceUsage.now()
    assert (usage.device_read_bytes, usage.device_write_bytes) == (4096, 8192)
