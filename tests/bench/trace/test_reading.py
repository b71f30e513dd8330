"""Read a trace of either format."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from l2sweep.bench.trace.reading import read_trace

TRACES = Path(__file__).parents[2] / "traces"


@pytest.mark.parametrize("name", ["conversations.jsonl", "conversations.lct"])
def test_the_content_tells_the_format(name: str) -> None:
    trace, sha256 = read_trace(TRACES / name)
    assert sha256 == hashlib.sha256((TRACES / name).read_bytes()).hexdigest()
    assert trace.num_keys == 76


def test_any_other_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("timestamp,hash_ids\n")
    with pytest.raises(ValueError, match="neither a trace of LMCache nor one of Mooncake"):
        read_trace(tmp_path / "text")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileNotFoundError):
        read_trace(tmp_path / "fifo")
    with pytest.raises(FileNotFoundError):
        read_trace(tmp_path)


def test_the_generator_writes_the_traces_of_the_tests(tmp_path: Path) -> None:
    sys.path.insert(0, str(TRACES))
    try:
        import generate
    finally:
        sys.path.remove(str(TRACES))
    requests = list(generate.turns(0))
    assert generate.mooncake(requests) == (TRACES / "conversations.jsonl").read_bytes()
    assert generate.lmcache(requests) == (TRACES / "conversations.lct").read_bytes()
    assert max(file.stat().st_size for file in TRACES.iterdir()) < 50 * 1024
