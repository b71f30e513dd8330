"""Whether O_DIRECT is in force, from the pages and the device reads of a load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_process import round_measured
from shipped import point

from l2sweep.bench.messages import PhaseEnded
from l2sweep.config.point import PointConfig
from l2sweep.process.report import ProcessReport
from l2sweep.records.environment import Storage
from l2sweep.sweep.cache.devices import StorageStack
from l2sweep.sweep.doctor.direct_io import direct_step
from l2sweep.sweep.doctor.steps import FAILED, NOT_POSSIBLE, OK

DISK = StorageStack(Storage(fs_type="ext4", block_device="vda"), devices=("vda",))


def point_of(folder: Path, **fields: Any) -> PointConfig:
    spec = {"type": "fs_native", "base_path": str(folder), "use_odirect": True, **fields}
    return replace(point(), adapter_spec=spec)


def loaded(read_fraction: float | None, resident: float | None, bytes_ok: int = 1000) -> ProcessReport:
    read = None if read_fraction is None else int(read_fraction * bytes_ok)
    report = ProcessReport()
    report.add(replace(round_measured("load"), bytes_ok=bytes_ok, device_read_bytes=read))
    report.add(PhaseEnded("load", resident))
    return report


@pytest.mark.parametrize(
    ("read", "resident", "outcome", "seen"),
    [
        (1.0, 0.0, OK, "in force: 100% of the loaded bytes came from the device, 0% of their pages"),
        (0.0, 1.0, FAILED, "not in force, the I/O is buffered: 0% of the loaded bytes"),
        (0.0, 0.0, FAILED, "not in force"),  # a file so large that the pages of 4 keys are no share of it
        (1.0, 1.0, FAILED, "not in force"),
        (None, None, NOT_POSSIBLE, "the kernel does not report enough"),
        (1.0, None, NOT_POSSIBLE, "the kernel does not report enough"),
        (0.0, None, FAILED, "not in force"),
    ],
)
def test_pages_and_device_reads_decide(
    tmp_path: Path, read: float | None, resident: float | None, outcome: str, seen: str
) -> None:
    step = direct_step(point_of(tmp_path), [DISK], loaded(read, resident))
    assert step.outcome == outcome
    assert step.seen.startswith(seen)


def test_a_key_that_is_no_multiple_of_the_block_is_named_as_the_cause(tmp_path: Path) -> None:
    config = replace(point_of(tmp_path), data_size_kb=6, l1_align_bytes=512)
    step = direct_step(config, [DISK], loaded(0.0, 1.0))
    assert step.outcome == FAILED
    assert "data_size_kb=6 is no multiple of the block of the file system" in step.seen


def test_a_buffered_loop_device_is_named_as_the_cause(tmp_path: Path) -> None:
    step = direct_step(point_of(tmp_path), [replace(DISK, is_buffered_below=True)], loaded(1.0, 0.0))
    assert step.outcome == FAILED
    assert "losetup --direct-io=on" in step.seen


def test_without_a_request_or_a_place_it_is_not_possible(tmp_path: Path) -> None:
    memory = replace(DISK, memory="tmpfs, whose files are memory")
    cases = [
        (point_of(tmp_path, use_odirect=False), DISK, "the spec does not ask for it"),
        (point_of(tmp_path), memory, "the data are on tmpfs, whose files are memory"),
        (replace(point(), adapter_spec={"type": "other", "use_odirect": True}), DISK, "no file or device"),
    ]
    for config, stack, reason in cases:
        step = direct_step(config, [stack], loaded(1.0, 0.0))
        assert (step.outcome, step.seen[: len(reason)]) == (NOT_POSSIBLE, reason)
    assert (
        direct_step(point_of(tmp_path), [DISK], loaded(None, None, bytes_ok=0)).seen == "nothing was loaded"
    )
