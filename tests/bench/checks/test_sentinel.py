"""A sentinel is a stored key of the point, or one that is stored for it, with LMCache's real fs adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from faulty_fs import FaultyFs
from small_job import NAMESPACE, fs_spec, small_job, small_region, submit

from l2sweep.bench.adapter.verbs import Store
from l2sweep.bench.checks import sentinel as sentinel_module
from l2sweep.bench.checks import stored_keys
from l2sweep.bench.checks.sentinel import Sentinel
from l2sweep.bench.checks.stored_keys import StoredKeys
from l2sweep.bench.clock import RoundClock
from l2sweep.bench.page_cache import data_files


class ReadOnlyFs(FaultyFs):
    """Fails every store."""

    is_read_only = False

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self.is_read_only:
            raise PermissionError("read-only")
        return int(super().submit_store_task(keys, objects))


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadOnlyFs]:
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.02)
    opened = ReadOnlyFs(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def sentinel(adapter: ReadOnlyFs, tmp_path: Path) -> Sentinel:
    return Sentinel(StoredKeys(adapter, small_job(fs_spec(tmp_path))), small_region)


def store(adapter: FaultyFs, indices: Sequence[int]) -> None:
    memory = small_region()
    RoundClock(Store(adapter, memory.slots.shape[1]), 10.0).time([submit(indices, memory)])


def test_the_last_stored_key_is_the_sentinel(adapter: ReadOnlyFs, sentinel: Sentinel) -> None:
    store(adapter, [9, 11])
    assert sentinel.choose_stored()
    assert (sentinel.index, sentinel.is_chosen, sentinel.is_found()) == (11, True, True)


def test_where_the_last_keys_are_lost_another_one_is_the_sentinel(
    adapter: ReadOnlyFs, sentinel: Sentinel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentinel_module, "_KEYS_PER_SEARCH", 5)
    store(adapter, [1, 3])
    assert sentinel.choose_stored()
    assert sentinel.index == 3


def test_a_key_that_is_only_a_sentinel_is_no_key_of_the_point(sentinel: Sentinel, tmp_path: Path) -> None:
    assert not sentinel.choose_stored()
    assert sentinel.store_own()
    assert (sentinel.index, sentinel.is_chosen, sentinel.is_found()) == (None, True, True)
    assert sentinel.keys.find(sentinel.keys.job.key_layout.stored) == set()
    (tmp_path / "kv" / f"{NAMESPACE}@1@0@ab.data").touch()
    assert len(data_files([str(tmp_path / "kv")], NAMESPACE)) == 1  # what counts the pages of the point


def test_a_sentinel_of_a_process_that_was_killed_is_used_and_deleted(
    adapter: ReadOnlyFs, sentinel: Sentinel, tmp_path: Path
) -> None:
    assert Sentinel(sentinel.keys, small_region).store_own()
    adapter.is_read_only = True
    assert sentinel.store_own()
    assert sentinel.delete_own() == ""
    assert list((tmp_path / "kv").iterdir()) == []


def test_a_sentinel_that_cannot_be_stored_says_why(adapter: ReadOnlyFs, sentinel: Sentinel) -> None:
    adapter.is_read_only = True
    assert not sentinel.store_own()
    assert not sentinel.is_chosen
    assert sentinel.why_none == "submit_store_task raised PermissionError: read-only"


def test_a_sentinel_that_cannot_be_deleted_is_named(
    sentinel: Sentinel, adapter: ReadOnlyFs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sentinel.store_own()
    monkeypatch.setattr(adapter, "delete", lambda keys: None)
    namespace = sentinel.keys.job.sentinel_namespace
    assert sentinel.delete_own() == (
        f"the sentinel (one key of namespace {namespace!r}) is still found after it was deleted"
    )
