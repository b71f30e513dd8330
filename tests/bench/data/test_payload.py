"""The payload of a key: reproducible, different for every key and place, and not compressible."""

from __future__ import annotations

import hashlib
import random
import zlib

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from l2sweep.bench.data.payload import Payload

KIB = 1024
BLOCK = 256 * KIB
PAGE = 4 * KIB
SIZES = [8, KIB, PAGE, BLOCK - 8, BLOCK, BLOCK + 8, 2 * BLOCK, 2 * BLOCK + 3 * KIB]


NAMESPACES = ("", "l2sweep-a-20261124-0-1", "l2sweep-a-20261124-0-2", "mine")


def payload_of(
    key_index: int, size: int = 2 * BLOCK, seed: int = 0, namespace: str = ""
) -> NDArray[np.uint8]:
    view = np.zeros(size, dtype=np.uint8)
    Payload(seed, namespace).fill(view, key_index)
    return view


def strings_of_8_bytes(view: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return every string of 8 bytes, at whichever offset it starts."""
    return np.concatenate([view[start : view.size - 8 + start].view(np.uint64) for start in range(8)])


@pytest.mark.parametrize("size", SIZES)
def test_a_seed_and_a_key_always_give_the_same_bytes(size: int) -> None:
    payload = Payload(3)
    view = np.zeros(size, dtype=np.uint8)
    for key_index in (9, 5, 2**40, 0):
        payload.fill(view, key_index)
        assert view.tobytes() == payload_of(key_index, size, seed=3).tobytes()
        assert payload.first_difference(view, key_index) is None


def test_a_short_payload_is_the_start_of_a_long_one() -> None:
    assert payload_of(7, 8 * KIB).tobytes() == payload_of(7, BLOCK).tobytes()[: 8 * KIB]


@pytest.mark.parametrize("size", SIZES)
def test_the_payload_fills_its_memory_and_no_byte_outside(size: int) -> None:
    memory = np.zeros(size + 16, dtype=np.uint8)
    Payload(0).fill(memory[8:-8], 1)
    assert memory[8:-8].tobytes() == payload_of(1, size).tobytes()
    assert not memory[:8].any()
    assert not memory[-8:].any()
    assert memory[-16:-8].any()


def test_two_keys_or_two_seeds_have_no_word_in_common_at_the_same_place() -> None:
    base = payload_of(0).view(np.uint64)
    for key_index in (1, 2, 3, 255, 256, 2**32, 2**63):
        assert (payload_of(key_index).view(np.uint64) != base).all(), key_index
    for seed in (1, 2, 2**40, 2**63 - 1):
        assert (payload_of(0, seed=seed).view(np.uint64) != base).all(), seed


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_the_first_blocks_of_two_keys_share_no_8_bytes_at_any_two_offsets(namespace: str) -> None:
    base = payload_of(0, BLOCK, namespace=namespace)
    for key_index in (1, 2, 255, 2**32):
        other = payload_of(key_index, BLOCK, namespace=namespace)
        assert not np.intersect1d(strings_of_8_bytes(base), other.view(np.uint64)).size, key_index


def test_two_namespaces_share_no_8_bytes_at_any_two_offsets() -> None:
    base = strings_of_8_bytes(payload_of(3, BLOCK, namespace=NAMESPACES[1]))
    for namespace in (*NAMESPACES[:1], *NAMESPACES[2:]):
        other = payload_of(3, BLOCK, namespace=namespace)
        assert not np.intersect1d(base, other.view(np.uint64)).size, namespace


def test_the_difference_of_two_namespaces_is_no_repeated_word() -> None:
    base = payload_of(3, BLOCK, namespace=NAMESPACES[1]).view(np.uint64)
    for namespace in (*NAMESPACES[:1], *NAMESPACES[2:]):
        difference = base ^ payload_of(3, BLOCK, namespace=namespace).view(np.uint64)
        assert np.unique(difference).size == difference.size, namespace


@pytest.mark.parametrize("other", [("", 1), (NAMESPACES[1], 1), (NAMESPACES[2], 0)])
def test_a_block_is_no_smaller_as_a_delta_to_another(other: tuple[str, int]) -> None:
    namespace, key_index = other
    reference = payload_of(key_index, BLOCK, namespace=namespace).tobytes()
    block = payload_of(0, BLOCK, namespace=namespace if key_index else NAMESPACES[1]).tobytes()
    dictionary = zstandard.ZstdCompressionDict(reference, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    assert len(zstandard.ZstdCompressor(level=19, dict_data=dictionary).compress(block)) > 0.99 * BLOCK


def test_the_payload_of_another_namespace_is_found() -> None:
    for namespace in NAMESPACES[1:]:
        difference = Payload(0).first_difference(payload_of(5, namespace=namespace), 5)
        assert difference is not None
        assert difference < 8
        assert Payload(0, namespace).first_difference(payload_of(5, namespace=namespace), 5) is None


def test_no_page_occurs_twice_in_many_keys_and_namespaces() -> None:
    keys = [
        payload_of(key_index, namespace=namespace).tobytes()
        for key_index in range(8)
        for namespace in NAMESPACES
    ]
    pages = [key[start : start + PAGE] for key in keys for start in range(0, 2 * BLOCK, PAGE)]
    assert len(set(pages)) == len(pages)


def test_the_payload_does_not_compress() -> None:
    data = b"".join(payload_of(key_index, BLOCK + 64 * KIB).tobytes() for key_index in range(4))
    assert len(zlib.compress(data, 6)) / len(data) > 0.99
    assert len(zstandard.ZstdCompressor(level=3).compress(data)) / len(data) > 0.99
    parameters = zstandard.ZstdCompressionParameters.from_level(9, window_log=24, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    assert len(compressor.compress(data)) / len(data) > 0.99


@pytest.mark.parametrize("size", SIZES)
def test_a_flipped_bit_is_found_at_every_place(size: int) -> None:
    payload = Payload(0)
    view = payload_of(5, size)
    source = random.Random(size)
    places = {0, size - 1, size // 2, *(source.randrange(size) for _ in range(40))}
    for place in places:
        bit = np.uint8(1 << source.randrange(8))
        view[place] ^= bit
        assert payload.first_difference(view, 5) == place
        view[place] ^= bit
    assert payload.first_difference(view, 5) is None


def test_the_first_of_several_differences_is_returned() -> None:
    view = payload_of(5)
    for place in (2 * BLOCK - 1, BLOCK + 13, BLOCK + 11):
        view[place] ^= 0xFF
        assert Payload(0).first_difference(view, 5) == place


def test_the_check_does_not_change_the_bytes() -> None:
    view = payload_of(5)
    before = view.tobytes()
    Payload(0).first_difference(view, 6)
    assert view.tobytes() == before


@pytest.mark.parametrize("size", SIZES)
def test_the_payload_of_another_key_or_seed_is_found(size: int) -> None:
    # Two words differ, but some of their bytes may agree by chance: the first difference is in word 0.
    for view in (payload_of(6, size), payload_of(5, size, seed=1)):
        difference = Payload(0).first_difference(view, 5)
        assert difference is not None
        assert difference < 8


def test_payload_that_is_shifted_by_a_block_is_found() -> None:
    shifted = payload_of(5, 3 * BLOCK)[BLOCK:]
    difference = Payload(0).first_difference(shifted, 5)
    assert difference is not None
    assert difference < 8
    swapped = np.concatenate([payload_of(5)[BLOCK:], payload_of(5)[:BLOCK]])
    assert Payload(0).first_difference(swapped, 5) is not None


@pytest.mark.parametrize("shift", [1, 8, PAGE])
def test_payload_that_is_shifted_by_less_is_found(shift: int) -> None:
    assert Payload(0).first_difference(np.roll(payload_of(5), shift), 5) is not None


@pytest.mark.parametrize("start", [0, 8, PAGE, BLOCK, 2 * BLOCK - 8])
def test_zeros_of_memory_that_was_not_loaded_are_found(start: int) -> None:
    view = payload_of(5)
    view[start:] = 0
    difference = Payload(0).first_difference(view, 5)
    assert difference is not None
    assert start <= difference < start + 8


def test_memory_that_is_filled_with_one_byte_is_found() -> None:
    view = payload_of(5)
    view[:] = view[0]
    difference = Payload(0).first_difference(view, 5)
    assert difference is not None
    assert 0 < difference < 8


@pytest.mark.parametrize("size", SIZES)
def test_single_words_are_those_of_the_whole_payload(size: int) -> None:
    places = np.array(sorted({0, size // 16, size // 8 - 1}))
    keys = [5, 0, 2**40]
    whole = np.array([payload_of(key, size, seed=3).view(np.uint64) for key in keys])
    assert (Payload(3).words_at(keys, places) == whole[:, places]).all()


def test_payload_is_the_same_in_every_process_and_release() -> None:
    assert hashlib.sha256(payload_of(1, BLOCK + KIB).tobytes()).hexdigest() == (
        "5ffd0cd432c294c9bacd0e002d1c6935137ee31e0ea7ada561d1de90b99d8782"
    )
    assert hashlib.sha256(payload_of(1, BLOCK + KIB, namespace="mine").tobytes()).hexdigest() == (
        "923045667c5a7ba7b10a835a1416c021859faa135cf06271de83e86ec0740ff2"
    )
