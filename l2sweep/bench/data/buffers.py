"""The L1 buffer that an adapter reads from and writes to.

Memory objects are views of one buffer, because some adapters register memory with a device. The buffer has
one region for the store phase and one for the load phase, each as large as a round.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np
import torch
from lmcache.v1.distributed.internal_api import L1MemoryDesc
from lmcache.v1.memory_management import MemoryFormat, MemoryObj, MemoryObjMetadata, TensorMemoryObj
from numpy.typing import NDArray

from l2sweep.bench.workload import Workload
from l2sweep.errors import BenchError

_HUGE_PAGE_BYTES = 2 * 1024 * 1024
_MAP_HUGETLB = 0x40000 | 21 << 26  # MAP_HUGETLB | MAP_HUGE_2MB of linux/mman.h; Python has no such constants


@dataclass(frozen=True)
class L1Buffer:
    """Aligned memory for the memory objects of rounds.

    Attributes:
        tensor: The memory. Shape ``(bytes,)``, uint8.
        align_bytes: Alignment of its first byte.
    """

    tensor: torch.Tensor
    align_bytes: int

    @property
    def description(self) -> L1MemoryDesc:
        """LMCache's description of the buffer, for adapters that register memory."""
        return L1MemoryDesc(
            ptr=self.tensor.data_ptr(), size=self.tensor.numel(), align_bytes=self.align_bytes
        )


@dataclass(frozen=True)
class Region:
    """The part of the buffer that a round uses, with one slot per key.

    Attributes:
        slots: The bytes of each key. Shape ``(keys_per_round, data_size_bytes)``, uint8.
        submits: The same slots as LMCache's memory objects, one list per submit.
    """

    slots: NDArray[np.uint8]
    submits: list[list[MemoryObj]]

    def clear(self) -> None:
        """Fill with zeros. This also makes the kernel allocate every page before the clock starts."""
        self.slots.fill(0)


def allocate(workload: Workload, num_regions: int) -> L1Buffer:
    """Allocate the L1 buffer.

    Args:
        workload: Gives the size of a round, the alignment, and whether to use huge pages.
        num_regions: Number of regions, each as large as a round.

    Raises:
        BenchError: There are not enough huge pages, or not enough memory.
    """
    num_bytes = num_regions * workload.keys_per_round * workload.data_size_bytes
    if workload.l1_use_hugepages:
        return L1Buffer(_huge_pages(num_bytes), workload.l1_align_bytes)
    try:
        backing = torch.empty(num_bytes + workload.l1_align_bytes - 1, dtype=torch.uint8)
    except RuntimeError as error:
        raise BenchError(f"cannot allocate the L1 buffer of {num_bytes / 2**20:.0f} MiB: {error}") from error
    offset = -backing.data_ptr() % workload.l1_align_bytes
    return L1Buffer(backing[offset : offset + num_bytes], workload.l1_align_bytes)


def start_torch_threads() -> None:
    """Make torch start its OpenMP threads in this thread, before the clock starts.

    While libgomp manages at most as many threads as there are processors, its waiting threads spin for
    milliseconds. Without this call, the threads of an adapter that copies with torch in a thread of its own
    (mock) would be the only ones. On a machine with other load, its rounds then take up to fifty times as
    long. With a second group of threads, waiting threads sleep at once. ``lmcache bench l2`` has the same
    effect, because it fills its buffers with torch.

    Call this once, and not before each round: threads that have just worked would spin during the round.
    """
    torch.empty(1 << 20, dtype=torch.uint8).fill_(0)


def _huge_pages(num_bytes: int) -> torch.Tensor:
    """Allocate 2 MiB huge pages with mmap(2) and MAP_HUGETLB.

    Without CUDA, LMCache's own allocator uses ordinary pages without a message.
    """
    num_pages = -(-num_bytes // _HUGE_PAGE_BYTES)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_HUGETLB
    try:
        pages = mmap.mmap(-1, num_pages * _HUGE_PAGE_BYTES, flags=flags)
    except OSError as error:
        raise BenchError(
            f"l1_use_hugepages=true: the L1 buffer needs {num_pages} free pages of 2 MiB "
            f"(sysctl vm.nr_hugepages): {error.strerror}"
        ) from error
    return torch.frombuffer(pages, dtype=torch.uint8)[:num_bytes]


def region(buffer: L1Buffer, workload: Workload, number: int) -> Region:
    """Return one region of the buffer.

    Args:
        buffer: The buffer from :func:`allocate`.
        workload: Gives the number and size of the keys.
        number: Number of the region, from 0.
    """
    size = workload.data_size_bytes
    base = number * workload.keys_per_round * size
    part = buffer.tensor[base : base + workload.keys_per_round * size]
    objects = [
        _memory_object(part[start : start + size], base + start) for start in range(0, part.numel(), size)
    ]
    submits = [objects[i : i + workload.num_keys] for i in range(0, len(objects), workload.num_keys)]
    # The memory is filled with numpy: a large fill with torch starts OpenMP threads.
    return Region(part.numpy().reshape(workload.keys_per_round, size), submits)


def _memory_object(tensor: torch.Tensor, offset: int) -> MemoryObj:
    shape = torch.Size([tensor.numel()])
    metadata = MemoryObjMetadata(
        shape=shape,
        dtype=torch.uint8,
        # LMCache before 0.5.4 has the pointer here. Its NIXL adapters take it as an offset in the buffer, and
        # no adapter needs the pointer.
        address=offset,
        phy_size=tensor.numel(),
        ref_count=1,
        fmt=MemoryFormat.KV_2LTD,
        shapes=[shape],
        dtypes=[torch.uint8],
    )
    return TensorMemoryObj(raw_data=tensor, metadata=metadata, parent_allocator=None)
