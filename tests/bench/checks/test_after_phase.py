"""The checks around a lookup phase, with LMCache's real fs adapter and faults in it."""

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
from l2sweep.bench.checks.after_phase import PhaseCheck, check_before_lookup, check_lookup
from l2sweep.bench.checks.sentinel import Sentinel
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
        spec = changes.pop("adapter_spec", fs_spec(tmp_path))
        job = small_job(spec, workload, **changes)
        return check_lookup(Sentinel(StoredKeys(adapter, job), small_region))

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


@pytest.mark.parametrize("hit_rate", [0.5, 1.0])
def test_a_lookup_must_find_one_of_the_stored_keys_whatever_the_hit_rate_is(
    check: Check, hit_rate: float
) -> None:
    found = check(FixedLookup, hit_rate, answer=False)
    assert found.problem == "lookup: not confirmed, because it finds none of 12 stored keys"


@pytest.mark.parametrize("hit_rate", [0.0, 1.0])
def test_a_lookup_alone_that_finds_no_key_must_find_a_sentinel_that_is_stored_for_it(
    check: Check, hit_rate: float
) -> None:
    found = check(FixedLookup, hit_rate, answer=False, keys_stored=False)
    assert found.problem.startswith(
        "lookup: not confirmed, because it finds no stored key, and the sentinel "
    )
    assert found.problem.endswith(" could not be stored: a lookup does not find it")


class UnloadableFs(FixedLookup):
    """Answers lookups, and loads nothing: its server is gone, and it remembers the keys that it stored."""

    def submit_load_task(self, keys: Any, objects: Any) -> int:
        raise ConnectionError("the server is down")


def test_a_stored_key_must_be_loaded_where_the_adapter_remembers_which_keys_it_stored(check: Check) -> None:
    s3 = {"remembers_stored": True}
    for hit_rate in (0.0, 0.5):
        found = check(UnloadableFs, hit_rate, **s3)
        assert found.problem.startswith(
            "lookup: not confirmed, because key 11, the sentinel, is found and cannot be loaded: submit_load"
        )
    assert check(FixedLookup, 0.5, **s3) == PhaseCheck()
    assert check(UnloadableFs, 0.5) == PhaseCheck()
    in_a_process_that_stored_nothing = {"phases": ("lookup",), **s3}
    assert check(UnloadableFs, 0.0, **in_a_process_that_stored_nothing) == PhaseCheck()


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Any, Sentinel]]]:
    """Open an adapter for a lookup phase whose point has no store phase."""
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.02)
    opened: list[FaultyFs] = []

    def run(hit_rate: float = 0.0, **changes: Any) -> tuple[Any, Sentinel]:
        opened.append(FixedLookup(tmp_path))
        fields = {"phases": ("lookup",), "keys_stored": False, "delete_after": False, **changes}
        job = small_job(fs_spec(tmp_path), small_workload(lookup_max_hit_rate=hit_rate), **fields)
        return opened[-1], Sentinel(StoredKeys(opened[-1], job), small_region)

    yield run
    for adapter in opened:
        adapter.close()


def test_before_a_lookup_alone_a_key_that_another_process_stored_is_the_sentinel(
    alone: Callable[..., tuple[Any, Sentinel]],
) -> None:
    adapter, sentinel = alone()
    store(adapter, range(8, 12))
    assert check_before_lookup(sentinel) == PhaseCheck()
    assert (sentinel.index, sentinel.own_may_exist) == (11, False)


def test_before_a_lookup_alone_a_sentinel_is_stored_where_no_key_is(
    alone: Callable[..., tuple[Any, Sentinel]],
) -> None:
    adapter, sentinel = alone()
    assert check_before_lookup(sentinel) == PhaseCheck()
    assert (sentinel.index, sentinel.own_may_exist) == (None, True)
    assert check_lookup(sentinel) == PhaseCheck()
    adapter.answer = False
    problem = check_lookup(sentinel).problem
    assert problem.endswith(" was found before its rounds, and not after them")


def test_a_sentinel_that_is_not_found_before_a_lookup_says_so(
    alone: Callable[..., tuple[Any, Sentinel]],
) -> None:
    adapter, sentinel = alone()
    adapter.answer = False
    assert check_before_lookup(sentinel).problem == (
        "lookup: no sentinel was found before its rounds: a lookup does not find it"
    )


@pytest.mark.parametrize(
    "changes", [{"hit_rate": 1.0}, {"max_resident_fraction": 0.1}, {"keys_stored": True}]
)
def test_where_a_lookup_would_disturb_the_rounds_or_says_nothing_new_none_is_made_before_them(
    alone: Callable[..., tuple[Any, Sentinel]], tmp_path: Path, changes: dict[str, Any]
) -> None:
    adapter, sentinel = alone(**changes)
    adapter.answer = False
    assert check_before_lookup(sentinel) == PhaseCheck()
    assert list((tmp_path / "kv").iterdir()) == []


def test_a_lookup_that_raises_is_not_confirmed(check: Check) -> None:
    found = check(RaisingLookup, 1.0)
    assert found.problem.startswith(
        "lookup: the lookup of other keys failed: submit_lookup_and_lock_task raised"
    )
    assert not found.is_stuck
