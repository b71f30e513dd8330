"""A key's bytes: made again at any time, unlike any other key's, and of no use to a compressor."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from l2sweep.bench.data.payload import Payload

KIB = 1024
BLOCK = 256 * KIB
PAGE = 4 * KIB
SIZES = [8, KIB, PAGE, BLOCK - 8, BLOCK, BLOCK + 8, 2 * BLOCK, 2 * BLOCK + 3 * KIB]


def made(key_index: int, size: int = 2 * BLOCK, seed: int = 0) -> NDArray[np.uint8]:
    view = np.zeros(size, dtype=np.uint8)
    Payload(seed).fill(view, key_index)
    return view


@pytest.mark.parametrize("size", SIZES)
def test_the_same_seed_and_key_make_the_same_bytes_whatever_was_made_before(size: int) -> None:
    payload = Payload(3)
    view = np.zeros(size, dtype=np.uint8)
    for key_index in (9, 5, 2**40, 0):
        payload.fill(view, key_index)
        assert view.tobytes() == made(key_index, size, seed=3).tobytes()
        assert payload.first_difference(view, key_index) is None


def test_another_process_makes_the_same_bytes() -> None:
    program = (
        "import hashlib, numpy as np; from l2sweep.bench.data.payload import Payload\n"
        "view = np.zeros(300000, dtype=np.uint8); Payload(11).fill(view, 123456)\n"
        "print(hashlib.sha256(view.tobytes()).hexdigest())"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == hashlib.sha256(made(123456, 300000, seed=11).tobytes()).hexdigest()


def test_a_short_payload_is_the_beginning_of_a_long_one() -> None:
    assert made(7, 8 * KIB).tobytes() == made(7, BLOCK).tobytes()[: 8 * KIB]


@pytest.mark.parametrize("size", SIZES)
def test_the_payload_reaches_the_last_byte_and_none_behind_it(size: int) -> None:
    memory = np.zeros(size + 16, dtype=np.uint8)
    Payload(0).fill(memory[8:-8], 1)
    assert memory[8:-8].tobytes() == made(1, size).tobytes()
    assert not memory[:8].any()
    assert not memory[-8:].any()
    assert memory[-16:-8].any()


def test_no_word_of_two_keys_or_two_seeds_is_alike_at_one_place() -> None:
    base = made(0).view(np.uint64)
    for key_index in (1, 2, 3, 255, 256, 2**32, 2**63):
        assert (made(key_index).view(np.uint64) != base).all(), key_index
    for seed in (1, 2, 2**40, 2**63 - 1):
        assert (made(0, seed=seed).view(np.uint64) != base).all(), seed


def test_no_page_stands_twice_in_many_keys() -> None:
    keys = [made(key_index).tobytes() for key_index in range(16)]
    pages = [key[start : start + PAGE] for key in keys for start in range(0, 2 * BLOCK, PAGE)]
    assert len(set(pages)) == len(pages)


def test_no_compressor_gains_anything_from_a_few_keys() -> None:
    data = b"".join(made(key_index, BLOCK + 64 * KIB).tobytes() for key_index in range(4))
    assert len(zlib.compress(data, 6)) / len(data) > 0.99
    assert len(zstandard.ZstdCompressor(level=3).compress(data)) / len(data) > 0.99
    parameters = zstandard.ZstdCompressionParameters.from_level(9, window_log=24, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    assert len(compressor.compress(data)) / len(data) > 0.99


@pytest.mark.parametrize("size", SIZES)
def test_a_flipped_bit_is_found_wherever_it_is(size: int) -> None:
    payload = Payload(0)
    view = made(5, size)
    source = random.Random(size)
    places = {0, size - 1, size // 2, *(source.randrange(size) for _ in range(40))}
    for place in places:
        bit = np.uint8(1 << source.randrange(8))
        view[place] ^= bit
        assert payload.first_difference(view, 5) == place
        view[place] ^= bit
    assert payload.first_difference(view, 5) is None


def test_of_several_differences_the_first_is_told() -> None:
    view = made(5)
    for place in (2 * BLOCK - 1, BLOCK + 13, BLOCK + 11):
        view[place] ^= 0xFF
        assert Payload(0).first_difference(view, 5) == place


def test_looking_changes_nothing() -> None:
    view = made(5)
    before = view.tobytes()
    Payload(0).first_difference(view, 6)
    assert view.tobytes() == before


@pytest.mark.parametrize("size", SIZES)
def test_another_keys_bytes_and_another_seeds_are_found(size: int) -> None:
    # Any two words differ, but the first byte of them may be alike by chance: a difference lies in word 0.
    for view in (made(6, size), made(5, size, seed=1)):
        difference = Payload(0).first_difference(view, 5)
        assert difference is not None
        assert difference < 8


def test_a_key_that_is_shifted_by_a_block_is_found() -> None:
    shifted = made(5, 3 * BLOCK)[BLOCK:]
    difference = Payload(0).first_difference(shifted, 5)
    assert difference is not None
    assert difference < 8
    swapped = np.concatenate([made(5)[BLOCK:], made(5)[:BLOCK]])
    assert Payload(0).first_difference(swapped, 5) is not None


@pytest.mark.parametrize("shift", [1, 8, PAGE])
def test_a_key_that_is_shifted_by_less_is_found(shift: int) -> None:
    assert Payload(0).first_difference(np.roll(made(5), shift), 5) is not None


@pytest.mark.parametrize("start", [0, 8, PAGE, BLOCK, 2 * BLOCK - 8])
def test_zeros_where_nothing_was_loaded_are_found(start: int) -> None:
    view = made(5)
    view[start:] = 0
    difference = Payload(0).first_difference(view, 5)
    assert difference is not None
    assert start <= difference < start + 8


def test_one_byte_spread_over_a_key_is_found() -> None:
    view = made(5)
    view[:] = view[0]
    difference = Payload(0).first_difference(view, 5)
    assert difference is not None
    assert 0 < difference < 8


def test_what_was_stored_on_an_earlier_day_can_be_checked_today() -> None:
    assert hashlib.sha256(made(1, BLOCK + KIB).tobytes()).hexdigest() == (
        "5ffd0cd432c294c9bacd0e002d1c6935137ee31e0ea7ada561d1de90b99d8782"
    )
