"""The job of a point on this machine: what is below its data, and what the kernel can count of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from l2sweep.bench.job import Job
from l2sweep.config.point import PointConfig
from l2sweep.sweep.cache.devices import StorageStack, hides_pages


def storage_stacks(point: PointConfig) -> list[StorageStack]:
    """Return what is below each path that holds the data of a point.

    Args:
        point: The point.
    """
    paths = point.traits.cached_paths or (point.traits.storage_path,)
    return [StorageStack.below(path) for path in paths]


def job_here(point: PointConfig, run_label: str, stacks: Sequence[StorageStack]) -> Job:
    """Return the whole job of a point, with what its process can count on this machine.

    Args:
        point: The point.
        run_label: As for :meth:`PointConfig.job`.
        stacks: From :func:`storage_stacks`.
    """
    job = point.job(run_label)
    if any(hides_pages(stack.storage) for stack in stacks):
        job = replace(job, cache_paths=(), hides_pages=True)
    return replace(job, block_devices=_lowest_devices(stacks))


def _lowest_devices(stacks: Sequence[StorageStack]) -> tuple[str, ...]:
    """Return the lowest block devices of all paths; none if those of one path are unknown."""
    if not all(stack.devices for stack in stacks):
        return ()
    return tuple(dict.fromkeys(device for stack in stacks for device in stack.devices))
