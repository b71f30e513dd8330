"""The check after a lookup phase, with LMCache's real fs adapter and faults in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from adapters.misreporting_adapters import _bitmap
from faulty_fs import FaultyFs
from small_job import fs_spec, small_job, small_region, small_workload, submit

from l2sweep.bench.adapter.verbs import Store
from l2sweep.bench.checks import stored_keys
from l2sweep.bench.checks.after_phase import PhaseCheck, check_lookup
from l2sweep.bench.checks.stored_keys import StoredKeys
from l2sweep.bench.clock import RoundClock

Check = Callable[..., PhaseCheck]


class FixedLookup(FaultyFs):
    """Gives every lookup one answer for all keys."""

    answer: bool | None = None

    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        if self.answer is None:
            await super()._execute_lookup(keys, task_id)
            return
        with self._lock:
            self._completed_lookup_tasks[task_id] = _bitmap([self.answer] * len(keys))
        self._lookup_efd.notify()


class RaisingLookup(FixedLookup):
    """Raises an error in a lookup."""

    def submit_lookup_and_lock_task(self, keys: Any, group_layout_descs: Any) -> int:
        raise ConnectionError("the server is down")


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Check]:
    """Check a lookup phase over an adapter of a class, with all keys of the point stored."""
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.02)
    opened: list[FaultyFs] = []

    def run(
        kind: type[FixedLookup], hit_rate: float, answer: bool | None = None, **changes: Any
    ) -> PhaseCheck:
        adapter = kind(tmp_path)
        adapter.answer = answer
        opened.append(adapter)
        workload = small_workload(lookup_max_hit_rate=hit_rate)
        store(adapter, range(4), range(4, 8), range(8, 12))
        return check_lookup(StoredKeys(adapter, small_job(fs_spec(tmp_path), workload, **changes)))

    yield run
    for adapter in opened:
        adapter.close()


def store(adapter: FaultyFs, *rounds: Sequence[int]) -> None:
    memory = small_region()
    for indices in rounds:
        RoundClock(Store(adapter, memory.slots.shape[1]), 10.0).time([submit(indices, memory)])


@pytest.mark.parametrize("hit_rate", [0.0, 0.5, 1.0])
def test_a_correct_lookup_is_confirmed(check: Check, hit_rate: float) -> None:
    assert check(FixedLookup, hit_rate) == PhaseCheck()


@pytest.mark.parametrize("hit_rate", [0.0, 0.5, 1.0])
def test_a_lookup_that_finds_keys_that_were_never_stored_is_not_confirmed(
    check: Check, hit_rate: float
) -> None:
    found = check(FixedLookup, hit_rate, answer=True, keys_stored=False)
    assert found.problem == "lookup: not confirmed, because it finds 4 keys that were never stored"


def test_in_a_namespace_of_others_a_key_that_is_found_is_no_problem(check: Check) -> None:
    assert check(FixedLookup, 1.0, answer=True, shared_namespace=True) == PhaseCheck()


@pytest.mark.parametrize("shared", [False, True])
def test_a_lookup_that_should_find_nothing_must_find_stored_keys(check: Check, shared: bool) -> None:
    found = check(FixedLookup, 0.0, answer=False, shared_namespace=shared)
    assert found.problem == "lookup: not confirmed, because it does not find 4 of 4 stored keys"


@pytest.mark.parametrize(("hit_rate", "keys_stored"), [(0.0, False), (0.5, True)])
def test_no_stored_key_is_looked_up_where_none_is_known_or_the_rounds_ask_for_some(
    check: Check, hit_rate: float, keys_stored: bool
) -> None:
    assert check(FixedLookup, hit_rate, answer=False, keys_stored=keys_stored) == PhaseCheck()


def test_a_lookup_that_raises_is_not_confirmed(check: Check) -> None:
    found = check(RaisingLookup, 1.0)
    assert found.problem.startswith(
        "lookup: the lookup of other keys failed: submit_lookup_and_lock_task raised"
    )
    assert not found.is_stuck
