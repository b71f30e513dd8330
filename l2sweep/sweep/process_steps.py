"""The processes of a point: one for all phases (hot), or one per phase with the page cache dropped (cold)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from l2sweep.bench.job import Job
from l2sweep.bench.page_cache import Residency, residency
from l2sweep.config.point import PointConfig
from l2sweep.sweep.cache.coldness import CacheEvidence
from l2sweep.sweep.cache.drop import CacheDrop

# Pages that are still dirty stay in the page cache. They are written by the time of the next drop.
_MAX_DROPS = 3
_SECTOR_BYTES = 512  # the unit of /sys/block/*/stat, for every sector size of the device


@dataclass(frozen=True)
class ProcessStep:
    """One benchmark process of a point.

    Attributes:
        phase: store, lookup or load; ``all`` for one process that runs all phases.
        job: The job of the process.
        is_cold: Whether the page cache is dropped before the process. It fails if it is not cold then.
        inspected_paths: Folders, files and devices whose pages the launcher counts before and after a drop.
    """

    phase: str
    job: Job
    is_cold: bool
    inspected_paths: Sequence[str]


def process_steps(point: PointConfig, job: Job) -> Iterator[ProcessStep]:
    """Yield the processes of a point, in the order in which they run.

    Args:
        point: The point.
        job: The whole job of the point.
    """
    if not point.cache.is_cold:
        yield ProcessStep(point.only or "all", job, is_cold=False, inspected_paths=job.cache_paths)
        return
    for phase in job.phases:
        is_last = phase == job.phases[-1]
        is_cold = phase in point.cache.drop_before
        # Counting the pages of files loads their names and inodes. A cold lookup measures exactly that, so
        # its process must not count pages.
        counts_pages = not (is_cold and phase == "lookup")
        job_of_phase = replace(
            job,
            phases=(phase,),
            cache_paths=job.cache_paths if counts_pages else (),
            delete_after=job.delete_after and is_last,
            max_resident_fraction=job.max_resident_fraction if is_cold else None,
        )
        yield ProcessStep(phase, job_of_phase, is_cold, job.cache_paths)


def drop_page_cache(method: CacheDrop, step: ProcessStep, paths: Sequence[str]) -> CacheEvidence:
    """Drop the page cache before a process, and count the point's pages before and after.

    Counting the pages of files loads their names and inodes. A method that drops these is therefore used once
    more after the last count.

    Args:
        method: The method to drop it.
        step: The process that runs next.
        paths: Paths where the adapter keeps its data.

    Raises:
        BenchError: The page cache could not be dropped.
    """
    namespace = step.job.namespace
    before = _count_pages(step)
    start = time.monotonic()
    method.drop(paths, namespace)
    after = _count_pages(step)
    for _ in range(_MAX_DROPS - 1):
        if after is None or after.resident_fraction <= (step.job.max_resident_fraction or 0.0):
            break
        method.drop(paths, namespace)
        after = _count_pages(step)
    if method.drops_metadata:
        method.drop(paths, namespace)
    return CacheEvidence(
        method="" if method.name == "none" else method.name,
        drops_metadata=method.drops_metadata,
        before=before,
        after=after,
        drop_s=time.monotonic() - start,
    )


def block_device_read_bytes(device: str | None) -> int | None:
    """Return the bytes that a block device has read since it was added. Source: Documentation/block/stat.rst.

    Args:
        device: Name of the device in ``/dev``; None: no device.

    Returns:
        The bytes; None if there is no device, or the kernel does not report them.
    """
    try:
        fields = Path(f"/sys/class/block/{device}/stat").read_text().split()
    except OSError:
        return None
    return int(fields[2]) * _SECTOR_BYTES  # field 3 of stat.rst: read sectors


def _count_pages(step: ProcessStep) -> Residency | None:
    return residency(step.inspected_paths, step.job.namespace) if step.inspected_paths else None
