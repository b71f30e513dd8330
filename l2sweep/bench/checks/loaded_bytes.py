"""Check the bytes of load rounds: a few words of each page always, and every byte where that is asked for.

Before a round, the sampled words of each key hold the payload with other bits, by a mask that is drawn for
the round: an adapter cannot make the payload out of them. After it, they must hold the payload. So the sample
finds a key that was not loaded, a page that was not loaded, bytes of another key, page or round, and a load
that completes before its bytes are there. It cannot find a wrong byte between the sampled words;
``skip_verify=false`` does.

Last words of a submit are also read as soon as its completion is noticed, while others are in flight.
If they hold the payload at the end of the round and did not hold it then, the latency of the submit is too
short.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l2sweep.bench.adapter.verbs import Completion, Submit
from l2sweep.bench.checks.last_words import LastWords
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.job import Job

_WORD_BYTES = 8
_PAGE_WORDS = 4096 // _WORD_BYTES
# The first and the last word of a page. Each costs a cache miss. Measured with 32 keys of 1 MiB, 6 rounds and
# fs in /dev/shm: 12 ms for the pattern and the check of all rounds, 1.1 to 1.7% of the time of all phases.
# With a third word in the middle of a page it was 1.3 to 2.0%.
_WORDS_OF_PAGE = (0, _PAGE_WORDS - 1)
# The namespace of ``lmcache bench l2``, which fills the memory of a key with one repeated byte.
_UPSTREAM_NAMESPACE = "bench-model"


@dataclass(frozen=True)
class Verification:
    """The result of checking the bytes of a load round.

    Attributes:
        verified_keys: Number of keys of which every byte was checked.
        sampled_keys: Number of keys of which a few words were checked.
        mismatched_keys: Number of checked keys with wrong bytes, or in a submit that completed too early.
        early_submits: Positions of submits that completed before their bytes were there.
        detail: The counts and the first wrong byte; empty if no byte is wrong or late.
    """

    verified_keys: int = 0
    sampled_keys: int = 0
    mismatched_keys: int = 0
    detail: str = ""
    early_submits: tuple[int, ...] = ()


@dataclass(frozen=True)
class _LoadedKey:
    slot: int
    index: int


class LoadCheck:
    """Prepare the memory of load rounds, and check what was loaded into it.

    Args:
        job: The job of the process.
        region: The memory of a round.
        payload: Generates and checks the bytes.
    """

    def __init__(self, job: Job, region: Region, payload: Payload) -> None:
        self._job = job
        self._region = region
        self._payload = payload
        self._words = region.slots.view(np.uint64)
        self._places = sampled_words(job.workload.data_size_bytes)
        self._expected: NDArray[np.uint64] = np.empty((0, 0), dtype=np.uint64)
        self._pattern = self._expected
        self._last_words = LastWords(region, job.workload.num_keys)
        # Data of other programs: whether they were loaded can be checked, but not whether they are correct.
        self._is_foreign = job.namespace == _UPSTREAM_NAMESPACE and not job.keys_stored

    def prepare(self, indices: Sequence[int]) -> None:
        """Clear the memory, and write a pattern that is not the payload into the sampled words.

        Args:
            indices: The key of each slot.
        """
        self._region.clear()  # bytes of the round before must not pass for loaded bytes
        self._expected = self._payload.words_at(indices, self._places)
        self._pattern = self._expected ^ random_mask()
        self._words[:, self._places] = self._pattern
        self._last_words.clear()

    def at_completion(self, position: int) -> None:
        """Read the last words of a submit. Call this as soon as its completion is noticed.

        Args:
            position: Position of the submit in the round.
        """
        self._last_words.read(position)

    def sample(self) -> NDArray[np.uint64]:
        """Copy the sampled words, those of the last key first. Call this as soon as the clock stops.

        The last key is loaded last by most adapters. If a load completes too early, its bytes are missing.

        Returns:
            The words. Shape ``(keys_per_round, words)``, uint64.
        """
        last = self._words[-1, self._places]
        others = self._words[:-1, self._places]
        return np.vstack([others, last])

    def check(
        self,
        sample: NDArray[np.uint64],
        submits: Sequence[Submit],
        completions: Mapping[int, Completion],
        *,
        every_byte: bool,
    ) -> Verification:
        """Check the keys that are reported as loaded.

        Args:
            sample: The words from :meth:`sample`.
            submits: The submits of the round.
            completions: Those that completed, by their position.
            every_byte: Whether to check every byte, besides the sample.
        """
        loaded = list(_loaded_keys(self._job.workload.num_keys, submits, completions))
        if not loaded:
            return Verification()
        wrong_sample, foreign = self._wrong_in_sample(sample, loaded)
        wrong_full = self._wrong_in_full(loaded) if every_byte else {}
        late = self._late_keys(sample, loaded)
        early = tuple(sorted({self._submit_of(key) for key in late}))
        in_early = {key for key in loaded if self._submit_of(key) in early}
        details = []
        if wrong_full:
            details.append(self._sentence(wrong_full, len(loaded), "loaded"))
        if wrong_sample.keys() - wrong_full.keys():  # the bytes arrived between the sample and the full check
            details.append(self._sentence(wrong_sample, len(loaded), "sampled"))
        if early:
            details.append(
                f"{len(early)} of {len(completions)} submits completed before their bytes were there, "
                f"first at key {late[0].index}"
            )
        if foreign and not every_byte:
            details.append(f"{foreign} of {len(loaded)} sampled keys were loaded, but not written by l2sweep")
        return Verification(
            verified_keys=len(loaded) if every_byte else 0,
            sampled_keys=len(loaded),
            mismatched_keys=len(wrong_sample.keys() | wrong_full.keys() | in_early),
            detail="; ".join(details),
            early_submits=early,
        )

    def _wrong_in_sample(
        self, sample: NDArray[np.uint64], loaded: Sequence[_LoadedKey]
    ) -> tuple[dict[_LoadedKey, int], int]:
        """Return the first wrong byte of each wrong key, and the number of keys of other programs."""
        found, expected, pattern = sample, self._expected, self._pattern
        if len(loaded) < len(sample):
            slots = [key.slot for key in loaded]
            found, expected, pattern = sample[slots], expected[slots], pattern[slots]
        differs = self._payload.differing(found, expected)
        foreign = 0
        if self._is_foreign:
            foreign = int(differs.any(axis=1).sum())
            differs = found == pattern  # nothing was loaded there
            foreign -= int(differs.any(axis=1).sum())
        wrong = {}
        for row in np.flatnonzero(differs.any(axis=1)):
            column = int(np.argmax(differs[row]))
            xor = int(found[row, column] ^ expected[row, column])
            first_byte = next(byte for byte in range(_WORD_BYTES) if xor.to_bytes(8, "little")[byte])
            wrong[loaded[int(row)]] = int(self._places[column]) * _WORD_BYTES + first_byte
        return wrong, foreign

    def _late_keys(self, sample: NDArray[np.uint64], loaded: Sequence[_LoadedKey]) -> list[_LoadedKey]:
        """Return the keys whose last word arrived after their submit had completed, but within the round."""
        at_end, expected = sample[:, -1], self._expected[:, -1]
        at_completion = self._last_words.merged(at_end)
        if self._is_foreign:
            pattern = self._pattern[:, -1]  # where it still is, nothing was loaded
            is_late = (at_completion == pattern) & (at_end != pattern)
        else:
            is_late = (at_completion != expected) & (at_end == expected)
        return [key for key in loaded if is_late[key.slot]]

    def _submit_of(self, key: _LoadedKey) -> int:
        return key.slot // self._job.workload.num_keys

    def _wrong_in_full(self, loaded: Sequence[_LoadedKey]) -> dict[_LoadedKey, int]:
        wrong = {}
        for key in loaded:
            offset = self._payload.first_difference(self._region.slots[key.slot], key.index)
            if offset is not None:
                wrong[key] = offset
        return wrong

    def _sentence(self, wrong: Mapping[_LoadedKey, int], checked: int, how: str) -> str:
        first, offset = next(iter(wrong.items()))
        place = f"first at key {first.index}, byte {offset}"
        if self._is_foreign:
            problem = "were not written by l2sweep" if how == "loaded" else "were not loaded"
            return f"{len(wrong)} of {checked} {how} keys {problem}, {place}"
        return f"{len(wrong)} of {checked} {how} keys {self._payload.fault}, {place}"


def random_mask() -> np.uint64:
    """Return a random word without a zero byte: a text differs in each byte from the text with this mask."""
    return np.uint64(int.from_bytes(bytes(1 + secrets.randbelow(255) for _ in range(_WORD_BYTES)), "little"))


def sampled_words(size_bytes: int) -> NDArray[np.intp]:
    """Return the positions of the words that are sampled in a key: some of each page, and the last word.

    Args:
        size_bytes: Payload of a key.

    Returns:
        The positions in ascending order. Shape ``(words,)``, in words of 8 bytes.
    """
    num_words = size_bytes // _WORD_BYTES
    pages = np.arange(0, num_words, _PAGE_WORDS)
    places = (pages[:, np.newaxis] + np.array(_WORDS_OF_PAGE)).ravel()
    sampled: NDArray[np.intp] = np.unique(np.append(places[places < num_words], num_words - 1))
    return sampled


def _loaded_keys(
    num_keys: int, submits: Sequence[Submit], completions: Mapping[int, Completion]
) -> Iterator[_LoadedKey]:
    for submit_position, completion in sorted(completions.items()):
        indices = submits[submit_position].indices
        for key_position in completion.ok_positions or ():
            yield _LoadedKey(submit_position * num_keys + key_position, indices[key_position])
