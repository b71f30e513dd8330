"""Estimate what a point needs, and check whether this machine has it."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path

from l2sweep.config.point import PointConfig
from l2sweep.records.environment import nearest_existing

# torch and LMCache without buffers: 384 MiB measured with LMCache 0.5.6, rounded up.
_PROCESS_BYTES = 400 << 20
_GIB = 1 << 30


@dataclass(frozen=True)
class Needs:
    """What a point needs.

    Attributes:
        memory_bytes: Largest resident memory of its process: the libraries, the buffers of a round, and the
            data that the adapter keeps in memory.
        write_bytes: Payload that its store rounds write, including warm-up rounds.
        read_bytes: Payload that its load rounds read, including warm-up rounds.
    """

    memory_bytes: int
    write_bytes: int
    read_bytes: int

    @classmethod
    def of(cls, point: PointConfig) -> Needs:
        """Return the needs of a point."""
        round_bytes = point.amount.round_bytes
        # With concurrent=true, up to four times as much is stored while the first part is loaded again.
        stored_bytes = point.stored_bytes * (5 if point.concurrent else 1)
        moving = [phase for phase in point.phases if phase != "lookup"]
        # L1 holds a round, and with a serde its serialized form.
        in_l1 = (2 if point.adapter_spec.get("serde") else 1) if point.is_managed else 0
        in_l1 *= 2 if point.concurrent else 1
        kept_in_memory = stored_bytes if point.traits.kind.keeps_data_in_process else 0
        return cls(
            memory_bytes=_PROCESS_BYTES + round_bytes * (max(1, len(moving)) + in_l1) + kept_in_memory,
            write_bytes=stored_bytes if "store" in moving else 0,
            read_bytes=point.moved_bytes if "load" in moving else 0,
        )


class Resources:
    """What this machine has when a sweep is planned: looked up once, and not for each of 10,000 points."""

    def __init__(self) -> None:
        self._free_bytes: dict[str, int] = {}

    @functools.cached_property
    def memory_bytes(self) -> int:
        """Memory that is available without swapping."""
        return available_memory_bytes()

    def free_bytes(self, path: str) -> int:
        """Return the free space on the disk of a path, which may not exist yet."""
        if path not in self._free_bytes:
            self._free_bytes[path] = shutil.disk_usage(nearest_existing(Path(path).absolute())).free
        return self._free_bytes[path]


def why_infeasible(
    point: PointConfig, budget_disk_gb: float | None = None, resources: Resources | None = None
) -> str:
    """Return why a point cannot run on this machine; empty if it can.

    Args:
        point: The point.
        budget_disk_gb: Limit of what the point may write to the disks of this machine, in 10^9 bytes; None:
            only the free space is the limit.
        resources: Of this machine, for all points of a sweep; None: they are looked up.
    """
    resources = resources or Resources()
    program = point.traits.kind.needs_program
    if program and shutil.which(program) is None:
        return not_installed(program)
    needs = Needs.of(point)
    available = resources.memory_bytes
    if needs.memory_bytes > available:
        return _shortage("memory", needs.memory_bytes, "available", available)
    if reason := _why_over_capacity(point, needs):
        return reason
    places = [path for one in point.traits.every if (path := one.storage_path) is not None]
    paths = [path for path in places if not Path(path).is_block_device()] if needs.write_bytes else []
    written = needs.write_bytes * len(paths)
    if budget_disk_gb is not None and written > budget_disk_gb * 1e9:
        return f"writes {written / 1e9:.2f} GB, more than budget.disk_gb={budget_disk_gb}"
    for path in paths:
        free = resources.free_bytes(path)
        if needs.write_bytes > free:
            return _shortage(f"space below {path}", needs.write_bytes, "free", free)
    return ""


def _why_over_capacity(point: PointConfig, needs: Needs) -> str:
    """Return why an adapter cannot hold the keys of a point; empty if it can, or if its capacity is unknown.

    A point keeps the keys of all its rounds until its end, unless LMCache evicts some.
    """
    if point.is_evicting:
        return ""
    amount = point.amount
    stored = needs.write_bytes // amount.data_size_bytes
    fitting = point.traits.capacity_keys(amount.data_size_bytes, amount.l1_align_bytes)
    if fitting is None or stored <= fitting:
        return ""
    return f"stores {stored} keys of {point.data_size_kb} KiB, {fitting} fit into {point.adapter_type}"


def not_installed(program: str) -> str:
    """Return the reason to skip a point whose adapter needs a program that is not installed."""
    return f"{program} is not installed"


def available_memory_bytes() -> int:
    """Return the memory available without swapping: ``MemAvailable`` of proc_meminfo(5)."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 1 << 62  # a kernel before 3.14 does not report it: check nothing


def _shortage(resource: str, needed_bytes: int, state: str, existing_bytes: int) -> str:
    return f"needs {needed_bytes / _GIB:.2f} GiB of {resource}, {existing_bytes / _GIB:.2f} GiB are {state}"
