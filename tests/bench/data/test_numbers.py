"""A payload of finite numbers, which a serde may change within a tolerance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from l2sweep.bench.data.numbers import NumberPayload
from l2sweep.bench.data.serde_tolerance import stated_tolerance, tolerance_of

SIZE = 2 * 256 * 1024 + 4096


def payload(tolerance: float) -> NumberPayload:
    return NumberPayload(7, "mine", tolerance)


def memory_of(key_index: int) -> NDArray[np.uint8]:
    memory = np.zeros(SIZE, dtype=np.uint8)
    payload(0.5).fill(memory, key_index)
    return memory


def numbers_in(memory: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(memory).view(torch.bfloat16)


def test_every_number_is_finite_and_of_the_stated_magnitude() -> None:
    magnitudes = numbers_in(memory_of(3)).float().abs()
    assert magnitudes.min() == 0.125
    assert 1.99 < magnitudes.max() < 2


def test_two_keys_have_other_numbers() -> None:
    assert payload(0.0625).first_difference(memory_of(3), 4) is not None
    same = numbers_in(memory_of(3)) == numbers_in(memory_of(4))
    assert same.float().mean() < 0.01


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_the_stated_tolerance_of_fp8_is_just_large_enough(dtype: torch.dtype) -> None:
    memory = memory_of(3)
    numbers = numbers_in(memory)
    numbers.copy_(numbers.to(dtype).to(torch.bfloat16))
    stated = stated_tolerance({"type": "fp8", "fp8_dtype": str(dtype).removeprefix("torch.")})
    assert stated is not None
    assert payload(stated).first_difference(memory, 3) is None
    assert payload(0.8 * stated).first_difference(memory, 3) is not None


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_number_that_is_wrong_or_not_finite_is_found_at_its_place(wrong: float) -> None:
    memory = memory_of(3)
    numbers = numbers_in(memory)
    place = numbers.numel() - 3
    numbers[place] = wrong if numbers[place] > 0 else -wrong
    assert payload(0.1).first_difference(memory, 3) == 2 * place
    words = memory.view(np.uint64)[np.newaxis, -4:]
    expected = memory_of(3).view(np.uint64)[np.newaxis, -4:]
    assert payload(0.1).differing(words, expected).tolist() == [[False, False, False, True]]


def test_sampled_words_are_those_of_the_payload() -> None:
    places = np.array([0, 511, 40_000], dtype=np.intp)
    words = payload(0.1).words_at([3, 4], places)
    for row, key_index in zip(words, (3, 4), strict=True):
        assert row.tolist() == memory_of(key_index).view(np.uint64)[places].tolist()


@pytest.mark.parametrize(
    ("spec", "given", "expected"),
    [
        ({"type": "fs"}, None, 0.0),
        ({"type": "fs", "serde": {"type": "fp8"}}, None, 2**-4),
        ({"type": "fs", "serde": {"type": "fp8", "fp8_dtype": "float8_e5m2"}}, None, 2**-3),
        ({"type": "fs", "serde": {"type": "fp8"}}, 0.01, 0.01),
        ({"type": "fs", "serde": {"type": "aesgcm"}}, None, 0.0),
        ({"type": "fs", "serde": {"type": "own"}}, 0.2, 0.2),
    ],
)
def test_the_tolerance_is_that_of_the_serde_unless_one_is_given(
    spec: dict[str, object], given: float | None, expected: float
) -> None:
    assert tolerance_of(spec, given) == expected
