"""What block devices do during a round, and whether a store round is durable after its flush."""

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
class DeviceCounters:
    """What the lowest block devices of a point have done, for any process, summed over the devices.

    Source: Documentation/block/stat.rst of Linux, and block/genhd.c, which prints each time in whole
    milliseconds: the difference of two readings is off by less than 1 ms.

    Attributes:
        read_bytes: Bytes that were read.
        write_bytes: Bytes that were written.
        reads: Read requests that completed; requests that the kernel merged count once.
        writes: Write requests that completed, as ``reads``.
        flushes: Flush requests that completed; None if the kernel does not count them (before Linux 5.5).
        read_time_s: Time from the start to the completion of each read, summed over the reads.
        write_time_s: The same for writes.
        queue_s: The same for all requests; on kernels since 5.0, discards and flushes are included.
        busy_s: For each device, the time in which it had at least one request. The kernel counts whole ticks
            of its clock (1 to 10 ms). It is not summed: two devices that are busy together are busy once.
    """

    read_bytes: int
    write_bytes: int
    reads: int = 0
    writes: int = 0
    flushes: int | None = None
    read_time_s: float = 0.0
    write_time_s: float = 0.0
    queue_s: float = 0.0
    busy_s: tuple[float, ...] = ()

    @classmethod
    def of(cls, devices: Sequence[str]) -> DeviceCounters | None:
        """Return the counters since the devices were added.

        Args:
            devices: Names in ``/dev``.

        Returns:
            The counters; None if there is no device, or the kernel does not report one of them.
        """
        rows = []
        for device in devices:
            try:
                rows.append([int(field) for field in _stat_file(device).read_text().split()])
            except OSError:
                return None
        if not rows:
            return None
        # Fields 1 to 11 of stat.rst; 12 to 15 are discards, 16 and 17 flushes.
        reads, _, read_sectors, read_ms, writes, _, write_sectors, write_ms, _, _, queue_ms = (
            sum(column) for column in zip(*(row[:11] for row in rows), strict=True)
        )
        return cls(
            read_bytes=read_sectors * _SECTOR_BYTES,
            write_bytes=write_sectors * _SECTOR_BYTES,
            reads=reads,
            writes=writes,
            flushes=sum(row[15] for row in rows) if all(len(row) > 15 for row in rows) else None,
            read_time_s=read_ms / 1000,
            write_time_s=write_ms / 1000,
            queue_s=queue_ms / 1000,
            busy_s=tuple(row[9] / 1000 for row in rows),
        )

    def since(self, earlier: DeviceCounters | None) -> DeviceCounters | None:
        """Return the difference to an earlier reading of the same devices; None if that is unknown."""
        if earlier is None:
            return None
        return DeviceCounters(
            read_bytes=self.read_bytes - earlier.read_bytes,
            write_bytes=self.write_bytes - earlier.write_bytes,
            reads=self.reads - earlier.reads,
            writes=self.writes - earlier.writes,
            flushes=None
            if self.flushes is None or earlier.flushes is None
            else self.flushes - earlier.flushes,
            read_time_s=_difference_s(self.read_time_s, earlier.read_time_s),
            write_time_s=_difference_s(self.write_time_s, earlier.write_time_s),
            queue_s=_difference_s(self.queue_s, earlier.queue_s),
            busy_s=tuple(
                _difference_s(now, before) for now, before in zip(self.busy_s, earlier.busy_s, strict=True)
            ),
        )


class RoundDevices:
    """Observe the block devices and files of a point around each round of one phase.

    Args:
        job: The job of the process.
        phase: store, lookup or load.
    """

    def __init__(self, job: Job, phase: str) -> None:
        self._job = job
        self._is_flushed = phase == "store" and bool(job.flush_paths)
        self._before: DeviceCounters | None = None
        self._during: DeviceCounters | None = None
        self._dirty_bytes: int | None = None
        self._file_bytes = 0
        self._stored_bytes = 0

    def start_round(self) -> None:
        """Read the counters just before the first submit."""
        self._before = DeviceCounters.of(self._job.block_devices)

    def end_round(self) -> None:
        """Read the counters after the last completion and the flush, and look at the files of the point."""
        now = DeviceCounters.of(self._job.block_devices)
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
        measured = replace(measured, dirty_after_flush_bytes=self._dirty_bytes)
        if during is not None:
            measured = replace(
                measured,
                block_device_read_bytes=during.read_bytes,
                block_device_write_bytes=during.write_bytes,
                block_device_reads=during.reads,
                block_device_writes=during.writes,
                block_device_flushes=during.flushes,
                block_device_read_time_s=during.read_time_s,
                block_device_write_time_s=during.write_time_s,
                block_device_queue_s=during.queue_s,
                block_device_busy_s=max(during.busy_s, default=None),
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


def _stat_file(device: str) -> Path:
    return Path(f"/sys/class/block/{device}/stat")


def _difference_s(now: float, before: float) -> float:
    return round(now - before, 3)  # whole milliseconds, as the kernel prints them


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
