"""The counters of block devices, and whether a flushed store round is durable."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_process import JOB, round_measured

from l2sweep.bench import block_devices
from l2sweep.bench.block_devices import DeviceCounters, RoundDevices, why_not_durable
from l2sweep.bench.job import Job
from l2sweep.bench.messages import RoundMeasured

STORED = replace(round_measured("store"), bytes_ok=8192, device_write_bytes=8192, flush_s=0.5)
DURABLE: dict[str, Any] = {"block_device_write_bytes": 9000, "dirty_after_flush_bytes": 0}


@pytest.mark.parametrize("devices", [(), ("no-such-device",)])
def test_the_counters_of_a_missing_device_are_unknown(devices: tuple[str, ...]) -> None:
    assert DeviceCounters.of(devices) is None


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Let the kernel report these lines of Documentation/block/stat.rst."""
    lines = {
        "sda": "  11   22   300   44 55 66 7 8 9 10 11 0 0 0 0 3 2",
        "sdb": "1 1 5 1 1 1 9 1 1 20 1 0 0 0 0 4 1",
        "old": "1 1 5 1 1 1 9 1 1 20 1",
    }
    monkeypatch.setattr(Path, "read_text", lambda path: lines[path.parent.name])
    return lines


def test_every_field_of_the_counters_is_read_in_its_unit(stats: dict[str, str]) -> None:
    assert DeviceCounters.of(("sda",)) == DeviceCounters(
        read_bytes=300 * 512,
        write_bytes=7 * 512,
        reads=11,
        writes=55,
        flushes=3,
        read_time_s=0.044,
        write_time_s=0.008,
        queue_s=0.011,
        busy_s=(0.01,),
    )


def test_all_counters_are_summed_over_the_devices_except_the_busy_time(stats: dict[str, str]) -> None:
    assert DeviceCounters.of(("sda", "sdb")) == DeviceCounters(
        read_bytes=305 * 512,
        write_bytes=16 * 512,
        reads=12,
        writes=56,
        flushes=7,
        read_time_s=0.045,
        write_time_s=0.009,
        queue_s=0.012,
        busy_s=(0.01, 0.02),
    )


def test_flushes_are_unknown_if_the_kernel_does_not_count_them(stats: dict[str, str]) -> None:
    old = DeviceCounters.of(("sda", "old"))
    new = DeviceCounters.of(("sda", "sdb"))
    assert old is not None
    assert new is not None
    assert old.flushes is None
    for difference in (old.since(new), new.since(old)):
        assert difference is not None
        assert difference.flushes is None


def test_the_difference_to_an_unknown_sum_is_unknown() -> None:
    assert DeviceCounters(9, 7).since(None) is None


def test_the_difference_is_taken_of_every_counter() -> None:
    later = DeviceCounters(9, 7, 10, 20, 30, 4.001, 5.002, 9.003, (1.5, 2.25))
    earlier = DeviceCounters(4, 1, 8, 17, 26, 3.9, 4.5, 8.4, (1.25, 1.0))
    assert later.since(earlier) == DeviceCounters(5, 6, 2, 3, 4, 0.101, 0.502, 0.603, (0.25, 1.25))


@pytest.mark.parametrize(
    ("expected", "changes", "stored_bytes", "file_bytes"),
    [
        ("", {}, 8192, 8192),
        ("", {"block_device_write_bytes": None, "device_write_bytes": 0}, 8192, 8192),
        ("", {"dirty_after_flush_bytes": None, "device_write_bytes": None}, 8192, 10**9),
        ("the files have 8191 bytes after the flush, 8192 were stored", {}, 8192, 8191),
        ("the files have 8192 bytes after the flush, 16384 were stored", {}, 16384, 8192),
        ("4096 bytes are not on the device after the flush", {"dirty_after_flush_bytes": 4096}, 8192, 8192),
        (
            "the device wrote 8191 of 8192 bytes until the flush ended",
            {"block_device_write_bytes": 8191},
            8192,
            8192,
        ),
        ("the process wrote 0 of 8192 bytes before it was done", {"device_write_bytes": 0}, 8192, 8192),
    ],
)
def test_a_round_is_durable_if_its_bytes_are_on_the_device(
    expected: str, changes: dict[str, Any], stored_bytes: int, file_bytes: int
) -> None:
    measured = replace(STORED, **{**DURABLE, **changes})
    problem = why_not_durable(measured, stored_bytes, file_bytes)
    assert problem == (f"not durable: {expected}" if expected else "")


@pytest.fixture
def counters(monkeypatch: pytest.MonkeyPatch) -> list[DeviceCounters]:
    """Let the devices have these counters, one after another."""
    given = [
        DeviceCounters(0, 0, flushes=0, busy_s=(0.0, 0.0)),
        DeviceCounters(3000, 20000, 5, 6, 7, 0.008, 0.009, 0.017, (0.002, 0.001)),
    ]
    answers = iter(given)
    monkeypatch.setattr(block_devices.DeviceCounters, "of", lambda devices: next(answers))
    return given


def judged(job: Job, measured: RoundMeasured = STORED) -> RoundMeasured:
    devices = RoundDevices(job, measured.phase)
    devices.start_round()
    devices.end_round()
    return devices.judge(measured)


@pytest.fixture
def flushed(tmp_path: Path) -> Job:
    """Return the job of a point with one file of 8 KiB on the device, whose store rounds are flushed."""
    path = tmp_path / "test@1.data"
    path.write_bytes(os.urandom(8192))
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return replace(JOB, flush_paths=(str(tmp_path),))


def test_a_durable_round_has_the_counters_of_its_devices(
    flushed: Job, counters: list[DeviceCounters]
) -> None:
    measured = judged(flushed)
    assert (measured.status, measured.detail, measured.flush_s) == ("ok", "", 0.5)
    assert (measured.block_device_read_bytes, measured.block_device_write_bytes) == (3000, 20000)
    requests = (measured.block_device_reads, measured.block_device_writes, measured.block_device_flushes)
    assert requests == (5, 6, 7)
    assert (measured.block_device_read_time_s, measured.block_device_write_time_s) == (0.008, 0.009)
    assert (measured.block_device_queue_s, measured.block_device_busy_s) == (0.017, 0.002)  # of the busiest
    assert measured.dirty_after_flush_bytes == 0


def test_a_round_without_a_device_has_no_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_devices.DeviceCounters, "of", lambda devices: None)
    measured = judged(JOB)
    counters = {name: value for name, value in vars(measured).items() if name.startswith("block_device_")}
    assert len(counters) == 9
    assert set(counters.values()) == {None}


def test_a_round_that_is_not_durable_is_an_error_without_the_time_of_its_flush(
    flushed: Job, counters: list[DeviceCounters], tmp_path: Path
) -> None:
    (tmp_path / "test@2.data").write_bytes(b"late")
    measured = judged(flushed, replace(STORED, detail="a warning"))
    assert (measured.status, measured.flush_s) == ("error", None)
    assert measured.detail == "not durable: 4096 bytes are not on the device after the flush; a warning"
    assert measured.dirty_after_flush_bytes == 4096


def test_the_files_must_hold_all_that_was_stored_until_now(flushed: Job, tmp_path: Path) -> None:
    devices = RoundDevices(flushed, "store")
    for expected in ("", "not durable: the files have 8192 bytes after the flush, 16384 were stored"):
        devices.start_round()
        devices.end_round()
        assert devices.judge(STORED).detail == expected


@pytest.mark.parametrize(
    ("measured", "is_flushed"),
    [(STORED, False), (replace(STORED, phase="load"), True), (replace(STORED, flush_s=None), True)],
)
def test_what_was_not_flushed_is_not_judged(
    flushed: Job, counters: list[DeviceCounters], measured: RoundMeasured, is_flushed: bool
) -> None:
    job = flushed if is_flushed else replace(flushed, flush_paths=())
    result = judged(job, replace(measured, bytes_ok=10**9))
    assert (result.status, result.flush_s) == (measured.status, measured.flush_s)
    assert result.block_device_read_bytes == 3000


def test_dirty_pages_are_unknown_where_the_kernel_does_not_show_them(flushed: Job) -> None:
    assert judged(replace(flushed, hides_pages=True)).dirty_after_flush_bytes is None
    assert judged(flushed).dirty_after_flush_bytes is not None
