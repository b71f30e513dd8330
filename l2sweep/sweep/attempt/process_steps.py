"""The processes of a point: one for all phases (hot), or one per phase with the page cache dropped (cold).

With several clients, each of them is as many processes as there are clients on this host.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from l2sweep.bench.job import Job
from l2sweep.bench.page_cache import PAGE_BYTES, Residency, residency
from l2sweep.config.point import PointConfig
from l2sweep.sweep.cache.coldness import CacheEvidence
from l2sweep.sweep.cache.drop import CacheDrop
from l2sweep.sweep.clients.jobs import meeting_jobs
from l2sweep.sweep.clients.share import Share

# Pages that are still dirty stay in the page cache. They are written by the time of the next drop.
_MAX_DROPS = 3
# The file of a loop device is also read for the metadata of the file system in it, when files are opened.
_LOOP_FILE_METADATA_BYTES = 1 << 20


@dataclass(frozen=True)
class ProcessStep:
    """One benchmark process of a point, or one of each client.

    Attributes:
        phase: store, lookup or load; ``all`` for one process that runs all phases.
        job: The job of the process.
        is_cold: Whether the page cache is dropped before the process. It fails if it is not cold then.
        inspected_paths: Folders, files and devices whose pages the launcher counts before and after a drop.
        share: The clients that run the job at the same time on this host, each with keys of its own.
    """

    phase: str
    job: Job
    is_cold: bool
    inspected_paths: Sequence[str]
    share: Share

    @property
    def jobs(self) -> list[Job]:
        """The job of each client on this host."""
        return meeting_jobs(self.job, self.share, self.phase)

    def after_store(self, stored_rounds: int | None) -> ProcessStep:
        """Return the step with the number of rounds that an earlier process stored.

        Args:
            stored_rounds: The number; None where no earlier process stored.
        """
        return replace(self, job=replace(self.job, stored_rounds=stored_rounds))


def process_steps(point: PointConfig, job: Job, share: Share) -> Iterator[ProcessStep]:
    """Yield the processes of a point, in the order in which they run.

    Args:
        point: The point.
        job: The whole job of the point.
        share: The clients that run on this host.
    """
    if not point.cache.is_cold:
        yield ProcessStep(point.only or "all", job, False, job.cache_paths, share)
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
        yield ProcessStep(phase, job_of_phase, is_cold, job.cache_paths, share)


def drop_page_cache(
    method: CacheDrop, step: ProcessStep, paths: Sequence[str], loop_files: Sequence[str] = ()
) -> CacheEvidence:
    """Drop the page cache before a process, and count the point's pages before and after.

    Counting the pages of files loads their names and inodes. A method that drops these is therefore used once
    more after the last count.

    Args:
        method: The method to drop it.
        step: The process that runs next.
        paths: Paths where the adapter keeps its data.
        loop_files: Files of the loop devices below, from the highest to the lowest.

    Raises:
        BenchError: The page cache could not be dropped.
    """
    namespace = step.job.namespace
    limit = step.job.max_resident_fraction or 0.0
    num_keys = step.share.clients_per_host * len(step.job.key_layout.owned)
    loop_limit = limit * num_keys * step.job.workload.data_size_bytes
    paths = [*paths, *(file for file in loop_files if os.access(file, os.R_OK))]
    before = _count_pages(step)
    start = time.monotonic()
    method.drop(paths, namespace)
    after, loop_bytes = _count_pages(step), _cached_bytes(loop_files)
    for _ in range(_MAX_DROPS - 1):
        is_gone = after is None or after.resident_fraction <= limit
        if is_gone and loop_bytes <= loop_limit + _LOOP_FILE_METADATA_BYTES:
            break
        method.drop(paths, namespace)
        after, loop_bytes = _count_pages(step), _cached_bytes(loop_files)
    if method.drops_metadata:
        method.drop(paths, namespace)
    return CacheEvidence(
        method="" if method.name == "none" else method.name,
        drops_metadata=method.drops_metadata,
        before=before,
        after=after,
        loop_files_stayed=loop_bytes > loop_limit + _LOOP_FILE_METADATA_BYTES,
        drop_s=time.monotonic() - start,
    )


def _count_pages(step: ProcessStep) -> Residency | None:
    return residency(step.inspected_paths, step.job.namespace) if step.inspected_paths else None


def _cached_bytes(loop_files: Sequence[str]) -> int:
    """Return the bytes of files that are in the page cache; 0 if the kernel does not report them."""
    found = residency(loop_files, "") if loop_files else None
    return 0 if found is None else found.resident_pages * PAGE_BYTES
