"""The L1 buffer, its regions, and LMCache's memory objects in them."""

from __future__ import annotations

import errno
import mmap
from typing import Any

import numpy as np
import pytest
from small_job import KEY_BYTES, small_workload

from l2sweep.bench.data import buffers
from l2sweep.bench.data.buffers import allocate, region, start_torch_threads
from l2sweep.errors import BenchError

ROUND_BYTES = small_workload().round_bytes


@pytest.mark.parametrize("align_bytes", [1, 64, 4096, 65536])
def test_the_buffer_is_aligned_and_has_room_for_its_regions(align_bytes: int) -> None:
    buffer = allocate(small_workload(l1_align_bytes=align_bytes), 2)
    assert buffer.tensor.data_ptr() % align_bytes == 0
    assert buffer.tensor.numel() == 2 * ROUND_BYTES
    description = buffer.description
    assert (description.ptr, description.size) == (buffer.tensor.data_ptr(), 2 * ROUND_BYTES)
    assert description.align_bytes == align_bytes


def test_a_region_has_a_slot_per_key_and_a_list_per_submit() -> None:
    found = region(allocate(small_workload(), 1), small_workload(), 0)
    assert found.slots.shape == (4, KEY_BYTES)
    assert found.slots.dtype == np.uint8
    assert [len(objects) for objects in found.submits] == [2, 2]


def test_memory_objects_are_views_of_the_slots() -> None:
    found = region(allocate(small_workload(), 1), small_workload(), 0)
    found.slots[:] = np.arange(4, dtype=np.uint8)[:, None] + 1
    objects = [one for submit in found.submits for one in submit]
    assert [set(bytes(one.byte_array)) for one in objects] == [{1}, {2}, {3}, {4}]
    objects[2].tensor.fill_(9)
    assert (found.slots[2] == 9).all()
    assert (found.slots[3] == 4).all()


def test_memory_objects_have_the_metadata_of_one_key() -> None:
    found = region(allocate(small_workload(), 1), small_workload(), 0)
    metadata = found.submits[0][0].metadata
    assert list(metadata.shape) == [KEY_BYTES]
    assert [list(shape) for shape in metadata.shapes] == [[KEY_BYTES]]
    assert metadata.phy_size == found.submits[0][0].get_size() == KEY_BYTES


def test_regions_do_not_overlap() -> None:
    buffer = allocate(small_workload(), 2)
    first, second = (region(buffer, small_workload(), number) for number in range(2))
    buffer.tensor.fill_(7)
    first.clear()
    assert not first.slots.any()
    assert (second.slots == 7).all()


@pytest.mark.parametrize("number", [0, 1])
def test_an_address_is_an_offset_in_the_buffer(number: int) -> None:
    submits = region(allocate(small_workload(), 2), small_workload(), number).submits
    offsets = [one.metadata.address for submit in submits for one in submit]
    assert offsets == [number * ROUND_BYTES + key * KEY_BYTES for key in range(4)]


def test_each_slot_is_aligned_if_the_key_size_is() -> None:
    buffer = allocate(small_workload(), 2)
    slots = region(buffer, small_workload(), 1).slots
    assert [slot.ctypes.data % 4096 for slot in slots] == [0, 0, 0, 0]


def test_a_buffer_that_is_too_large_is_an_error_with_its_size() -> None:
    with pytest.raises(BenchError, match=r"^cannot allocate the L1 buffer of 4294967296 MiB: "):
        allocate(small_workload(num_keys=2**40, in_flight=1), 1)


def test_missing_huge_pages_are_an_error_and_ordinary_pages_no_substitute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {}

    def fail(descriptor: int, length: int, flags: int) -> Any:
        asked.update(length=length, flags=flags)
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(buffers.mmap, "mmap", fail)
    with pytest.raises(BenchError) as error:
        allocate(small_workload(l1_use_hugepages=True, data_size_kb=768), 1)  # 3 MiB
    assert str(error.value) == (
        "l1_use_hugepages=true: the L1 buffer needs 2 free pages of 2 MiB (sysctl vm.nr_hugepages): "
        "Cannot allocate memory"
    )
    assert asked["length"] == 2 * buffers._HUGE_PAGE_BYTES
    assert asked["flags"] & 0x40000  # MAP_HUGETLB of linux/mman.h


def test_the_buffer_uses_the_huge_pages_that_the_kernel_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    make = mmap.mmap
    monkeypatch.setattr(buffers.mmap, "mmap", lambda descriptor, length, flags: make(descriptor, length))
    buffer = allocate(small_workload(l1_use_hugepages=True), 1)
    assert buffer.tensor.numel() == ROUND_BYTES
    region(buffer, small_workload(), 0).clear()
    assert not buffer.tensor.any()


def test_torch_threads_can_be_started_twice() -> None:
    start_torch_threads()
    start_torch_threads()
