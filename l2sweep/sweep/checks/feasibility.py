"""What a point needs, and whether this machine has it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from l2sweep.config.adapter_spec import storage_path
from l2sweep.config.point import PointConfig
from l2sweep.records.environment import nearest_existing
from l2sweep.sweep import fio

_PROCESS_BYTES = 400 << 20  # torch and LMCache alone
_GIB = 1 << 30


@dataclass(frozen=True)
class Needs:
    """What a point needs.

    Attributes:
        memory_bytes: Resident memory of its process at most: the libraries, the buffers of a round, and what
            the adapter itself keeps there.
        write_bytes: Payload that its store rounds write, warm-up included.
        read_bytes: Payload that its load rounds read, warm-up included.
    """

    memory_bytes: int
    write_bytes: int
    read_bytes: int

    @classmethod
    def of(cls, point: PointConfig) -> Needs:
        """Return what a point needs."""
        round_bytes = point.num_keys * point.in_flight * point.data_size_kb * 1024
        total_bytes = round_bytes * (point.rounds + point.warmup_rounds)
        moving = [phase for phase in point.phases if phase != "lookup"]
        kept_in_memory = total_bytes if point.adapter_type == "mock" else 0
        return cls(
            memory_bytes=_PROCESS_BYTES + round_bytes * max(1, len(moving)) + kept_in_memory,
            write_bytes=total_bytes if "store" in moving else 0,
            read_bytes=total_bytes if "load" in moving else 0,
        )


def why_infeasible(point: PointConfig, budget_disk_gb: float | None = None) -> str:
    """Return why a point cannot be run here; an empty text where it can.

    Args:
        point: The point.
        budget_disk_gb: What it may write to this machine's disks, in 10^9 bytes; None: what is free.
    """
    if point.adapter_type == fio.TYPE and not fio.is_installed():
        return fio.NOT_INSTALLED
    needs = Needs.of(point)
    available = available_memory_bytes()
    if needs.memory_bytes > available:
        return _too_much("memory", needs.memory_bytes, "available", available)
    path = storage_path(point.adapter_spec)
    if path is None or not needs.write_bytes or Path(path).is_block_device():
        return ""
    if budget_disk_gb is not None and needs.write_bytes > budget_disk_gb * 1e9:
        return f"writes {needs.write_bytes / 1e9:.2f} GB, more than budget.disk_gb={budget_disk_gb}"
    free = shutil.disk_usage(nearest_existing(Path(path).absolute())).free
    if needs.write_bytes <= free:
        return ""
    return _too_much(f"space below {path}", needs.write_bytes, "free", free)


def available_memory_bytes() -> int:
    """Return the memory that can be had without swapping: ``MemAvailable`` of proc_meminfo(5)."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 1 << 62


def _too_much(what: str, needed: int, state: str, there: int) -> str:
    return f"needs {needed / _GIB:.2f} GiB of {what}, {there / _GIB:.2f} GiB are {state}"
