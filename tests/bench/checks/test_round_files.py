"""The pages of a round's own files, on the real kernel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import _object_key_to_filename
from small_job import fs_spec, small_job

from l2sweep.bench.adapter.create import object_keys
from l2sweep.bench.checks.round_files import RoundFiles
from l2sweep.bench.page_cache import evict

KEY_BYTES = 16 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kv").mkdir()
    return tmp_path / "kv"


def write(folder: Path, namespace: str, *indices: int) -> list[Path]:
    """Write the files of keys as LMCache's fs adapter names them."""
    paths = [folder / _object_key_to_filename(key) for key in object_keys(indices, namespace)]
    for path in paths:
        path.write_bytes(os.urandom(KEY_BYTES))
    return paths


def files_of(folder: Path, **changes: Any) -> RoundFiles:
    fields = {"cache_paths": (str(folder),), "max_resident_fraction": 0.01}
    return RoundFiles(small_job(fs_spec(folder.parent), **{**fields, **changes}))


# A namespace may itself contain 32 hexadecimal digits, or a slash.
@pytest.mark.parametrize("namespace", ["test", f"run-{11:032x}", "org/model"])
def test_only_the_pages_of_the_rounds_own_keys_count(folder: Path, namespace: str) -> None:
    paths = write(folder, namespace, 10, 11, 12, 13)
    for path in paths[:3]:
        evict(str(path))
    files = files_of(folder, namespace=namespace)
    assert files.resident_fraction([10, 11]) == 0.0
    assert files.resident_fraction([12, 13]) == 0.5
    paths[0].read_bytes()
    assert files.resident_fraction([10, 11]) == 0.5


def test_keys_without_a_file_have_no_pages(folder: Path) -> None:
    write(folder, "test", 0)
    files = files_of(folder)
    assert files.resident_fraction([0, 1]) == 1.0
    assert files.resident_fraction([1]) is None


def test_one_file_for_all_keys_says_nothing_about_a_round(folder: Path) -> None:
    (folder / "slots.bin").write_bytes(os.urandom(KEY_BYTES))
    assert files_of(folder).resident_fraction([0, 1]) is None


def test_nothing_is_counted_where_a_load_need_not_be_cold_or_no_path_is_known(folder: Path) -> None:
    write(folder, "test", 0)
    assert files_of(folder, max_resident_fraction=None).resident_fraction([0]) is None
    assert files_of(folder, cache_paths=()).resident_fraction([0]) is None
