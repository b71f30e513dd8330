"""What the kernel says of pages, against files whose state the test makes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from l2sweep.bench import page_cache
from l2sweep.bench.page_cache import data_files, flush, forget, residency

MIB = 1 << 20


@pytest.fixture(params=["cachestat", "mincore"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Ask the kernel in each of the two ways."""
    if request.param == "mincore":
        monkeypatch.setattr(page_cache, "_by_cachestat", lambda *_: None)
    return str(request.param)


def test_a_file_is_resident_until_it_is_forgotten_and_again_when_read(tmp_path: Path, way: str) -> None:
    file = tmp_path / "ns@1.data"
    file.write_bytes(os.urandom(4 * MIB))
    written = residency([str(tmp_path)], "ns")
    assert written is not None
    assert (written.pages, written.resident_share) == (1024, 1.0)
    forget(str(file))
    forgotten = residency([str(tmp_path)], "ns")
    assert forgotten is not None
    assert forgotten.resident_pages == 0
    with file.open("rb", buffering=0) as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        opened.seek(MIB)
        opened.read(MIB)
    half = residency([str(tmp_path)], "ns")
    assert half is not None
    assert 256 <= half.resident_pages < 1024


def test_dirty_pages_are_told_until_they_are_flushed(tmp_path: Path) -> None:
    file = tmp_path / "a.data"
    file.write_bytes(os.urandom(MIB))
    before = residency([str(file)], "x")
    flush(str(tmp_path))
    after = residency([str(file)], "x")
    assert before is not None
    assert after is not None
    assert before.dirty_share == 1.0
    assert (after.dirty_share, after.resident_share) == (0.0, 1.0)


def test_only_the_points_own_files_count_where_their_names_tell(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("mine@1.data", "deep/mine@2.data", "other@1.data"):
        (tmp_path / name).write_bytes(b"x")
    own = [str(tmp_path / name) for name in ("mine@1.data", "deep/mine@2.data")]
    assert sorted(data_files([str(tmp_path)], "mine")) == sorted(own)
    assert len(data_files([str(tmp_path)], "elsewhere")) == 3  # names that tell nothing: all of them
    assert data_files([str(tmp_path / "other@1.data")], "mine") == [str(tmp_path / "other@1.data")]


def test_nothing_there_is_nothing_resident(tmp_path: Path) -> None:
    found = residency([str(tmp_path / "not-there")], "x")
    assert found is not None
    assert (found.pages, found.resident_share, found.dirty_share) == (0, 0.0, 0.0)


def test_mincore_is_not_believed_of_files_that_one_may_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_nobody: Callable[[str], str]
) -> None:
    file = tmp_path / "a.data"
    file.write_bytes(os.urandom(MIB))
    file.chmod(0o644)
    forget(str(file))
    said = as_nobody(
        "from l2sweep.bench import page_cache\n"
        "page_cache._by_cachestat = lambda *_: None\n"
        f"print(page_cache.residency([{str(file)!r}], 'x'))"
    )
    assert said == "None"
