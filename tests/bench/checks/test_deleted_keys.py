"""A deletion counts as proven only while a stored key is found, with LMCache's real fs adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from adapters.misreporting_adapters import _bitmap
from faulty_fs import FaultyFs
from small_job import fs_spec, small_job, small_region, submit

from l2sweep.bench.adapter.verbs import Store
from l2sweep.bench.checks import stored_keys
from l2sweep.bench.checks.deleted_keys import Deletion, delete_keys
from l2sweep.bench.checks.sentinel import Sentinel
from l2sweep.bench.checks.stored_keys import StoredKeys
from l2sweep.bench.clock import RoundClock


class BreakingCircuit(FaultyFs):
    """Moves, finds and deletes nothing, without an error, after so many deletions and lookups."""

    calls_until_open = 1000

    def is_open(self) -> bool:
        self.calls_until_open -= 1
        return self.calls_until_open < 0

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self.is_open():
            raise ConnectionError("circuit-broken")
        return int(super().submit_store_task(keys, objects))

    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        if not self.is_open():
            await super()._execute_lookup(keys, task_id)
            return
        with self._lock:
            self._completed_lookup_tasks[task_id] = _bitmap([False] * len(keys))
        self._lookup_efd.notify()

    def delete(self, keys: Any) -> None:
        if not self.is_open():
            super().delete(keys)


class HalfDeleting(FaultyFs):
    """Never deletes every second key, however often it is asked to."""

    def delete(self, keys: Any) -> None:
        super().delete([key for key in keys if key.chunk_hash[-1] % 2])


Delete = Callable[..., Deletion]


@pytest.fixture
def delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delete]:
    """Delete the keys of a point, of which some are stored, with an adapter of a class."""
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.02)
    opened: list[FaultyFs] = []

    def run(
        stored: Sequence[int], kind: type[FaultyFs] = FaultyFs, calls_until_open: int = 1000, **changes: Any
    ) -> Deletion:
        adapter = kind(tmp_path)
        opened.append(adapter)
        memory = small_region()
        for start in range(0, len(stored), len(memory.slots)):
            part = stored[start : start + len(memory.slots)]
            RoundClock(Store(adapter, memory.slots.shape[1]), 10.0).time([submit(part, memory)])
        if isinstance(adapter, BreakingCircuit):
            adapter.calls_until_open = calls_until_open
        job = small_job(fs_spec(tmp_path), **changes)
        return delete_keys(Sentinel(StoredKeys(adapter, job), small_region))

    yield run
    for adapter in opened:
        adapter.close()


def left(folder: Path) -> int:
    return len(list((folder / "kv").iterdir()))


@pytest.mark.parametrize("stored", [range(12), range(4), (0,), ()])
def test_all_keys_are_deleted_and_the_sentinel_as_well(
    delete: Delete, tmp_path: Path, stored: Sequence[int]
) -> None:
    deletion = delete(stored)
    assert (deletion, deletion.is_proven) == (Deletion(12, 0), True)
    assert deletion.problem("n", "fs") == ""
    assert left(tmp_path) == 0


def test_keys_that_are_still_found_are_counted(delete: Delete, tmp_path: Path) -> None:
    deletion = delete(range(12), HalfDeleting)
    assert (deletion.keys_left, deletion.is_proven) == (6, False) == (left(tmp_path), False)
    assert deletion.problem("n", "fs") == (
        "6 of 12 keys of namespace 'n' are still found after they were deleted (fs)"
    )


@pytest.mark.parametrize(
    ("calls_until_open", "why"),
    [
        (0, "no stored key is found, and the sentinel (one key of namespace 'l2sweep-sentinel-"),
        (1, "key 11, the sentinel, is not found either"),  # the lookup that finds the sentinel
        (3, "key 11, the sentinel, is not found either"),  # and the deletion and lookup of the others
    ],
)
def test_a_deletion_that_an_adapter_leaves_out_without_an_error_is_not_proven(
    delete: Delete, tmp_path: Path, calls_until_open: int, why: str
) -> None:
    deletion = delete(range(12), BreakingCircuit, calls_until_open)
    assert (deletion.keys_left, deletion.is_proven) == (0, False)
    assert deletion.why_unproven.startswith(why)
    assert deletion.problem("n", "fs").startswith(f"12 keys of namespace 'n' may be left (fs): {why}")
    assert left(tmp_path) == (1 if calls_until_open == 3 else 12)


def test_a_process_that_only_deletes_also_deletes_a_sentinel_of_a_process_that_was_killed(
    delete: Delete, tmp_path: Path
) -> None:
    killed = FaultyFs(tmp_path)
    assert Sentinel(StoredKeys(killed, small_job(fs_spec(tmp_path))), small_region).store_own()
    killed.close()
    assert left(tmp_path) == 1
    assert delete(range(12), phases=()).is_proven
    assert left(tmp_path) == 0
