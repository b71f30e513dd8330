"""Page counts of the kernel, for files in a known state."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from l2sweep.bench import page_cache
from l2sweep.bench.page_cache import (
    Residency,
    data_files,
    evict,
    flush,
    flush_all,
    name_in_files,
    require_cold,
    residency,
    resident_fraction,
)
from l2sweep.errors import BenchError

MIB = 1 << 20


@pytest.fixture(params=["cachestat", "mincore"])
def system_call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Count the pages with each of the two system calls."""
    if request.param == "mincore":
        monkeypatch.setattr(page_cache, "_count_by_cachestat", lambda *_: None)
    return str(request.param)


def test_a_file_is_resident_until_it_is_evicted_and_again_after_a_read(
    tmp_path: Path, system_call: str
) -> None:
    file = tmp_path / "ns@1.data"
    file.write_bytes(os.urandom(4 * MIB))
    written = residency([str(tmp_path)], "ns")
    assert written is not None
    assert (written.pages, written.resident_fraction) == (1024, 1.0)
    evict(str(file))
    evicted = residency([str(tmp_path)], "ns")
    assert evicted is not None
    assert evicted.resident_pages == 0
    with file.open("rb", buffering=0) as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        opened.seek(MIB)
        opened.read(MIB)
    half = residency([str(tmp_path)], "ns")
    assert half is not None
    assert 256 <= half.resident_pages < 1024


def test_pages_are_dirty_until_they_are_flushed(tmp_path: Path) -> None:
    file = tmp_path / "a.data"
    file.write_bytes(os.urandom(MIB))
    before = residency([str(file)], "x")
    flush(str(tmp_path))
    after = residency([str(file)], "x")
    assert before is not None
    assert after is not None
    assert before.dirty_fraction == 1.0
    assert (after.dirty_fraction, after.resident_fraction) == (0.0, 1.0)


def test_the_files_of_a_point_are_those_with_its_namespace_or_else_all(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("mine@1.data", "deep/mine@2.data", "other@1.data"):
        (tmp_path / name).write_bytes(b"x")
    own = [str(tmp_path / name) for name in ("mine@1.data", "deep/mine@2.data")]
    assert sorted(data_files([str(tmp_path)], "mine")) == sorted(own)
    assert len(data_files([str(tmp_path)], "elsewhere")) == 3  # no file has the namespace in its name
    assert data_files([str(tmp_path / "other@1.data")], "mine") == [str(tmp_path / "other@1.data")]


def test_a_missing_folder_has_no_pages(tmp_path: Path) -> None:
    found = residency([str(tmp_path / "not-there")], "x")
    assert found is not None
    assert (found.pages, found.resident_fraction, found.dirty_fraction) == (0, 0.0, 0.0)


def test_mincore_is_not_used_for_files_that_the_user_may_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_nobody: Callable[[str], str]
) -> None:
    file = tmp_path / "a.data"
    file.write_bytes(os.urandom(MIB))
    file.chmod(0o644)
    evict(str(file))
    output = as_nobody(
        "from l2sweep.bench import page_cache\n"
        "page_cache._count_by_cachestat = lambda *_: None\n"
        f"print(page_cache.residency([{str(file)!r}], 'x'))"
    )
    assert output == "None"


def test_the_fraction_is_resident_pages_over_all_pages(tmp_path: Path) -> None:
    (tmp_path / "ns@1.data").write_bytes(os.urandom(MIB))
    (tmp_path / "ns@2.data").write_bytes(os.urandom(MIB))
    evict(str(tmp_path / "ns@1.data"))
    assert resident_fraction([str(tmp_path)], "ns") == 0.5


def test_without_paths_the_fraction_is_unknown() -> None:
    assert resident_fraction([], "ns") is None


def test_pages_that_the_kernel_does_not_report_make_all_counts_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ns@1.data").write_bytes(b"x")
    for name in ("_count_by_cachestat", "_count_by_mincore"):
        monkeypatch.setattr(page_cache, name, lambda *_: None)
    assert residency([str(tmp_path)], "ns") is None
    assert resident_fraction([str(tmp_path)], "ns") is None


def test_mincore_does_not_report_dirty_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ns@1.data").write_bytes(b"x")
    monkeypatch.setattr(page_cache, "_count_by_cachestat", lambda *_: None)
    assert residency([str(tmp_path)], "ns") == Residency(1, 1, None)


def test_a_namespace_with_a_slash_is_found_in_file_names(tmp_path: Path) -> None:
    (tmp_path / f"{name_in_files('org/model')}@1.data").write_bytes(b"x")
    (tmp_path / "org").write_bytes(b"x")
    assert data_files([str(tmp_path)], "org/model") == [str(tmp_path / "org-SEP-model@1.data")]


@pytest.mark.parametrize(
    ("phase", "fraction", "limit"),
    [
        ("load", 0.01, 0.01),
        ("load", 0.0, 0.0),
        ("lookup", 1.0, None),
        ("lookup", None, 0.01),
        ("store", 1.0, 0.01),
    ],
)
def test_a_phase_may_start_within_the_limit(phase: str, fraction: float | None, limit: float | None) -> None:
    require_cold(phase, fraction, limit)


@pytest.mark.parametrize("phase", ["lookup", "load"])
def test_a_phase_above_the_limit_is_not_run(phase: str) -> None:
    with pytest.raises(BenchError) as error:
        require_cold(phase, 0.25, 0.01)
    assert str(error.value) == (
        f"{phase}: not run, because 25.0% of its pages are in the page cache "
        "(cache.max_resident_fraction=0.01)"
    )


def test_flushing_returns_the_seconds_that_it_took(tmp_path: Path) -> None:
    (tmp_path / "a.data").write_bytes(os.urandom(MIB))
    assert flush_all([str(tmp_path), str(tmp_path / "a.data")]) > 0
    found = residency([str(tmp_path)], "x")
    assert found is not None
    assert found.dirty_pages == 0


def test_a_path_that_cannot_be_flushed_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(BenchError, match=f"^flushing {missing} failed: No such file or directory$"):
        flush_all([str(tmp_path), missing])
