"""The processes of a point: one that does it all, or one for each operation with the page cache dropped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from l2sweep.bench.page_cache import Residency, residency
from l2sweep.bench.request import PointRequest
from l2sweep.config.point import PointConfig
from l2sweep.sweep.cache.coldness import CacheEvidence
from l2sweep.sweep.cache.drop import CacheDrop

_DROPS = 3  # what was dirty at the first one is gone after the next
_SECTOR_BYTES = 512  # of /sys/block/*/stat, whatever the device's own are


@dataclass(frozen=True)
class Step:
    """A process of a point.

    Attributes:
        phase: Its operation; ``all`` for one process that does all three.
        request: What it is to do.
        is_cold: The page cache is dropped before it, and it fails where that did not work.
        looked_at: Folders, files and devices whose pages the launcher looks at around the drop.
    """

    phase: str
    request: PointRequest
    is_cold: bool
    looked_at: Sequence[str]


def steps(point: PointConfig, request: PointRequest) -> Iterator[Step]:
    """Yield the processes of a point, in the order in which they are run.

    Args:
        point: The point.
        request: All of it.
    """
    if not point.cache.is_cold:
        yield Step(point.only or "all", request, is_cold=False, looked_at=request.cache_paths)
        return
    for phase in request.phases:
        is_last = phase == request.phases[-1]
        is_cold = phase in point.cache.between
        # To look at files is to read their names and inodes, which is all that a lookup of files does.
        looks = not (is_cold and phase == "lookup")
        alone = replace(
            request,
            phases=(phase,),
            cache_paths=request.cache_paths if looks else (),
            delete_after=request.delete_after and is_last,
            max_resident=request.max_resident if is_cold else None,
        )
        yield Step(phase, alone, is_cold, request.cache_paths)


def drop(way: CacheDrop, step: Step, paths: Sequence[str]) -> CacheEvidence:
    """Drop the page cache before a process, and look at it before and after.

    To look at files is to read their names and inodes: the last drop is one after the last look.

    Args:
        way: How.
        step: The process.
        paths: Where the adapter keeps its data.

    Raises:
        BenchError: It could not be dropped.
    """
    namespace = step.request.namespace
    before = _look(step)
    start = time.monotonic()
    way.drop(paths, namespace)
    after = _look(step)
    for _ in range(_DROPS - 1):
        if after is None or after.resident_share <= (step.request.max_resident or 0.0):
            break
        way.drop(paths, namespace)
        after = _look(step)
    if way.drops_metadata:
        way.drop(paths, namespace)
    return CacheEvidence(
        method="" if way.name == "none" else way.name,
        drops_metadata=way.drops_metadata,
        before=before,
        after=after,
        drop_s=time.monotonic() - start,
    )


def block_device_read_bytes(device: str | None) -> int | None:
    """Return what a block device has read since it was there: the kernel's Documentation/block/stat."""
    try:
        fields = Path(f"/sys/class/block/{device}/stat").read_text().split()
    except OSError:
        return None
    return int(fields[2]) * _SECTOR_BYTES


def _look(step: Step) -> Residency | None:
    return residency(step.looked_at, step.request.namespace) if step.looked_at else None
