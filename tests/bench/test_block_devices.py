"""The counters of block devices, and whether a flushed store round is durable."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_process import JOB, round_measured

from l2sweep.bench import block_devices
from l2sweep.bench.block_devices import RoundDevices, Transferred, why_not_durable
from l2sweep.bench.job import Job
from l2sweep.bench.messages import RoundMeasured

STORED = replace(round_measured("store"), bytes_ok=8192, device_write_bytes=8192, flush_s=0.5)
DURABLE: dict[str, Any] = {"block_device_write_bytes": 9000, "dirty_after_flush_bytes": 0}


@pytest.mark.parametrize("devices", [(), ("no-such-device",)])
def test_the_counters_of_a_missing_device_are_unknown(devices: tuple[str, ...]) -> None:
    assert Transferred.of(devices) is None


def test_the_counters_are_sectors_of_512_bytes_summed_over_all_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # fields 3 and 7 of Documentation/block/stat.rst: read sectors, written sectors
    stats = {"sda": "  11   22   300   44 55 66 7 8 9 10 11", "sdb": "1 1 5 1 1 1 9 1 1 1 1"}
    monkeypatch.setattr(Path, "read_text", lambda path: stats[path.parent.name])
    assert Transferred.of(("sda",)) == Transferred(300 * 512, 7 * 512)
    assert Transferred.of(("sda", "sdb")) == Transferred(305 * 512, 16 * 512)


def test_the_difference_to_an_unknown_sum_is_unknown() -> None:
    assert Transferred(9, 7).since(Transferred(4, 1)) == Transferred(5, 6)
    assert Transferred(9, 7).since(None) is None


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
def counters(monkeypatch: pytest.MonkeyPatch) -> list[Transferred]:
    """Let the devices have these counters, one after another."""
    given = [Transferred(0, 0), Transferred(3000, 20000)]
    answers = iter(given)
    monkeypatch.setattr(block_devices.Transferred, "of", lambda devices: next(answers))
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


def test_a_durable_round_has_the_counters_of_its_devices(flushed: Job, counters: list[Transferred]) -> None:
    measured = judged(flushed)
    assert (measured.status, measured.detail, measured.flush_s) == ("ok", "", 0.5)
    assert (measured.block_device_read_bytes, measured.block_device_write_bytes) == (3000, 20000)
    assert measured.dirty_after_flush_bytes == 0


def test_a_round_that_is_not_durable_is_an_error_without_the_time_of_its_flush(
    flushed: Job, counters: list[Transferred], tmp_path: Path
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
    flushed: Job, counters: list[Transferred], measured: RoundMeasured, is_flushed: bool
) -> None:
    job = flushed if is_flushed else replace(flushed, flush_paths=())
    result = judged(job, replace(measured, bytes_ok=10**9))
    assert (result.status, result.flush_s) == (measured.status, measured.flush_s)
    assert result.block_device_read_bytes == 3000


def test_dirty_pages_are_unknown_where_the_kernel_does_not_show_them(flushed: Job) -> None:
    assert judged(replace(flushed, hides_pages=True)).dirty_after_flush_bytes is None
    assert judged(flushed).dirty_after_flush_bytes is not None
