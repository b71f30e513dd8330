"""What block devices transfer during a round, and whether a store round is durable after its flush."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from l2sweep.bench.job import Job
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.page_cache import (
    PAGE_BYTES,
    data_files,
    open_for_inspection,
    residency,
    size_in_bytes,
)

_SECTOR_BYTES = 512  # the unit of /sys/block/*/stat, for every sector size of the device


@dataclass(frozen=True)
class Transferred:
    """Bytes that block devices have transferred, for any process.

    Attributes:
        read_bytes: Bytes that were read.
        write_bytes: Bytes that were written.
    """

    read_bytes: int
    write_bytes: int

    @classmethod
    def of(cls, devices: Sequence[str]) -> Transferred | None:
        """Return the sums since the devices were added. Source: Documentation/block/stat.rst of Linux.

        Args:
            devices: Names in ``/dev``.

        Returns:
            The sums; None if there is no device, or the kernel does not report one of them.
        """
        sectors = [0, 0]
        for device in devices:
            try:
                fields = Path(f"/sys/class/block/{device}/stat").read_text().split()
            except OSError:
                return None
            sectors[0] += int(fields[2])  # field 3 of stat.rst: read sectors
            sectors[1] += int(fields[6])  # field 7: written sectors
        return cls(sectors[0] * _SECTOR_BYTES, sectors[1] * _SECTOR_BYTES) if devices else None

    def since(self, earlier: Transferred | None) -> Transferred | None:
        """Return the difference to an earlier sum; None if that is unknown."""
        if earlier is None:
            return None
        return Transferred(self.read_bytes - earlier.read_bytes, self.write_bytes - earlier.write_bytes)


class RoundDevices:
    """Observe the block devices and files of a point around each round of one phase.

    Args:
        job: The job of the process.
        phase: store, lookup or load.
    """

    def __init__(self, job: Job, phase: str) -> None:
        self._job = job
        self._is_flushed = phase == "store" and bool(job.flush_paths)
        self._before: Transferred | None = None
        self._during: Transferred | None = None
        self._dirty_bytes: int | None = None
        self._file_bytes = 0
        self._stored_bytes = 0

    def start_round(self) -> None:
        """Read the counters just before the first submit."""
        self._before = Transferred.of(self._job.block_devices)

    def end_round(self) -> None:
        """Read the counters after the last completion and the flush, and look at the files of the point."""
        now = Transferred.of(self._job.block_devices)
        self._during = None if now is None else now.since(self._before)
        if self._is_flushed:
            self._dirty_bytes = _dirty_bytes(self._job)
            self._file_bytes = _file_bytes(self._job.flush_paths, self._job.namespace)

    def judge(self, measured: RoundMeasured) -> RoundMeasured:
        """Add the observations to a round.

        A store round that was flushed but is not durable becomes an error without ``flush_s``, so that it has
        no durable throughput.

        Args:
            measured: The round that :meth:`end_round` was called for.
        """
        during = self._during
        measured = replace(
            measured,
            block_device_read_bytes=None if during is None else during.read_bytes,
            block_device_write_bytes=None if during is None else during.write_bytes,
            dirty_after_flush_bytes=self._dirty_bytes,
        )
        self._stored_bytes += measured.bytes_ok
        if not self._is_flushed or measured.flush_s is None:
            return measured
        problem = why_not_durable(measured, self._stored_bytes, self._file_bytes)
        if not problem:
            return measured
        detail = "; ".join(part for part in (problem, measured.detail) if part)
        return replace(measured, status="error", detail=detail, flush_s=None)


def why_not_durable(measured: RoundMeasured, stored_bytes: int, file_bytes: int) -> str:
    """Return why the bytes of a flushed store round are not all on the device; empty if they are.

    The counter of the devices includes writes of other processes, so that of the process must agree.

    Args:
        measured: The round, with the counters of its block devices.
        stored_bytes: Bytes that the process has stored until now, as the adapter reports them.
        file_bytes: Size of the point's files after the flush.
    """
    if file_bytes < stored_bytes:
        return f"not durable: the files have {file_bytes} bytes after the flush, {stored_bytes} were stored"
    if measured.dirty_after_flush_bytes:
        return f"not durable: {measured.dirty_after_flush_bytes} bytes are not on the device after the flush"
    by_devices, by_process = measured.block_device_write_bytes, measured.device_write_bytes
    if by_devices is None:  # neither do network file systems count what the process writes
        return ""
    if by_devices < measured.bytes_ok:
        return (
            f"not durable: the device wrote {by_devices} of {measured.bytes_ok} bytes until the flush ended"
        )
    if by_process is not None and by_process < measured.bytes_ok:
        return f"not durable: the process wrote {by_process} of {measured.bytes_ok} bytes before it was done"
    return ""


def _dirty_bytes(job: Job) -> int | None:
    found = None if job.hides_pages else residency(job.flush_paths, job.namespace)
    return None if found is None or found.dirty_pages is None else found.dirty_pages * PAGE_BYTES


def _file_bytes(paths: Sequence[str], namespace: str) -> int:
    total = 0
    for path in data_files(paths, namespace):
        try:
            information = Path(path).stat()
            if not stat.S_ISBLK(information.st_mode):
                total += information.st_size
                continue
            with open_for_inspection(path) as descriptor:
                total += size_in_bytes(descriptor)
        except OSError:
            continue  # deleted since the folder was listed, or not readable
    return total
