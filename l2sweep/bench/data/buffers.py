"""The L1 buffer that an adapter reads from and writes to.

Objects are views into one buffer, as adapters that register memory with a device need it. The buffer has
one region for what is stored and one for what is loaded, each as large as a round.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np
import torch
from lmcache.v1.distributed.internal_api import L1MemoryDesc
from lmcache.v1.memory_management import MemoryFormat, MemoryObj, MemoryObjMetadata, TensorMemoryObj
from numpy.typing import NDArray

from l2sweep.bench.request import PointRequest
from l2sweep.errors import BenchError

_HUGE_PAGE_BYTES = 2 * 1024 * 1024
_MAP_HUGETLB = 0x40000 | 21 << 26  # with 2 MiB as the size of a page: linux/mman.h, unknown to Python's mmap


@dataclass(frozen=True)
class L1Buffer:
    """Aligned memory for the objects of a round.

    Attributes:
        tensor: Shape ``(bytes,)``, uint8, ``align_bytes``-aligned.
        align_bytes: Alignment of its first byte.
    """

    tensor: torch.Tensor
    align_bytes: int

    @property
    def description(self) -> L1MemoryDesc:
        """What an adapter that registers memory is told."""
        return L1MemoryDesc(
            ptr=self.tensor.data_ptr(), size=self.tensor.numel(), align_bytes=self.align_bytes
        )


@dataclass(frozen=True)
class Region:
    """The part of the buffer that the keys of a round use, one slot a key.

    Attributes:
        slots: Shape ``(keys_per_round, data_size_bytes)``, uint8: the bytes of each key.
        submits: The same slots as LMCache's memory objects, one list a submit.
    """

    slots: NDArray[np.uint8]
    submits: list[list[MemoryObj]]

    def clear(self) -> None:
        """Fill with zeros, which also makes the kernel back every page before a clock starts."""
        self.slots.fill(0)


def allocate(request: PointRequest, num_regions: int) -> L1Buffer:
    """Return memory for ``num_regions`` rounds of keys.

    Raises:
        BenchError: There are not enough huge pages, or not enough memory.
    """
    num_bytes = num_regions * request.keys_per_round * request.data_size_bytes
    if request.l1_use_hugepages:
        return L1Buffer(_huge_pages(num_bytes), request.l1_align_bytes)
    try:
        backing = torch.empty(num_bytes + request.l1_align_bytes - 1, dtype=torch.uint8)
    except RuntimeError as error:
        raise BenchError(f"no memory for the L1 buffer of {num_bytes / 2**20:.0f} MiB: {error}") from error
    offset = -backing.data_ptr() % request.l1_align_bytes
    return L1Buffer(backing[offset : offset + num_bytes], request.l1_align_bytes)


def start_torch_threads() -> None:
    """Have torch start its OpenMP threads from this thread, before a clock starts.

    libgomp lets threads that wait for one another spin for milliseconds while it manages no more threads
    than there are processors. An adapter that copies with torch in a thread of its own (mock) would be
    the first: on a machine that does anything else its rounds then take up to fifty times as long. With
    a second group of threads libgomp lets them sleep at once, as it does in ``lmcache bench l2``, which
    fills its buffers with torch.
    Once, not before each round: threads that have just worked would spin into the round.
    """
    torch.empty(1 << 20, dtype=torch.uint8).fill_(0)


def _huge_pages(num_bytes: int) -> torch.Tensor:
    """Return memory from the pool of 2 MiB pages: mmap(2) with MAP_HUGETLB.

    LMCache's own allocator gives ordinary pages without a word where there is no CUDA.
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


def region(buffer: L1Buffer, request: PointRequest, number: int, *, offset_addresses: bool) -> Region:
    """Return one region of the buffer.

    Args:
        buffer: Made by :func:`allocate`.
        request: Gives the number and size of the keys.
        number: Which region, from 0.
        offset_addresses: LMCache 0.5.4 and later want an object's offset in the buffer as its address,
            earlier ones its pointer.
    """
    size = request.data_size_bytes
    base = number * request.keys_per_round * size
    part = buffer.tensor[base : base + request.keys_per_round * size]
    objects = [
        _memory_object(part[start : start + size], base + start if offset_addresses else None)
        for start in range(0, part.numel(), size)
    ]
    submits = [objects[i : i + request.num_keys] for i in range(0, len(objects), request.num_keys)]
    # numpy, not torch, touches the memory: a large torch fill starts OpenMP threads.
    return Region(part.numpy().reshape(request.keys_per_round, size), submits)


def _memory_object(tensor: torch.Tensor, offset: int | None) -> MemoryObj:
    shape = torch.Size([tensor.numel()])
    metadata = MemoryObjMetadata(
        shape=shape,
        dtype=torch.uint8,
        address=tensor.data_ptr() if offset is None else offset,
        phy_size=tensor.numel(),
        ref_count=1,
        fmt=MemoryFormat.KV_2LTD,
        shapes=[shape],
        dtypes=[torch.uint8],
    )
    return TensorMemoryObj(raw_data=tensor, metadata=metadata, parent_allocator=None)
