"""A point's log holds what its process printed, once the point was run, and no credential."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2sweep.process.log import PointLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PointLog]:
    made = PointLog(tmp_path / "sweeps" / "a" / "point-00000.log", {"hunter2"})
    yield made
    made.close()


def test_a_point_that_was_not_run_leaves_no_file_and_no_folder(log: PointLog, tmp_path: Path) -> None:
    log.write(b"refused\n")
    log.close()
    assert list(tmp_path.iterdir()) == []
    assert log.last_line == "refused"


def test_what_came_before_the_file_was_made_stands_in_it_in_order(log: PointLog) -> None:
    log.write(b"one\n")
    log.write(b"two\n")
    log.open()
    log.write(b"three\n")
    assert log.path.read_text() == "one\ntwo\nthree\n"


def test_a_line_is_in_the_file_at_once(log: PointLog) -> None:
    log.open()
    log.write(b"the last words before a crash\n")
    assert log.path.read_text() == "the last words before a crash\n"


def test_opening_twice_writes_nothing_twice(log: PointLog) -> None:
    log.write(b"one\n")
    log.open()
    log.open()
    assert log.path.read_text() == "one\n"


def test_no_credential_gets_into_the_file_or_the_last_line(log: PointLog) -> None:
    log.write(b"early: password=hunter2\n")
    log.open()
    log.write(b"late: xhunter2x redis://bob:other@h:6379\n")
    assert log.path.read_text() == "early: password=***\nlate: x***x redis://***@h:6379\n"
    assert log.last_line == "late: x***x redis://***@h:6379"


def test_the_last_line_is_the_last_that_is_not_empty(log: PointLog) -> None:
    assert log.last_line == ""
    log.write(b"  first \n")
    log.write(b"   \n")
    log.write(b"\n")
    assert log.last_line == "first"


def test_bytes_that_are_no_text_are_kept_readable(log: PointLog) -> None:
    log.open()
    log.write(b"\xff\xfe broken \xc3\xa4\n")
    assert log.path.read_text() == "\ufffd\ufffd broken ä\n"


def test_an_earlier_log_of_the_same_point_is_not_lost(log: PointLog, tmp_path: Path) -> None:
    log.open()
    log.write(b"first attempt\n")
    log.close()
    second = PointLog(log.path, set())
    second.open()
    second.write(b"second attempt\n")
    second.close()
    assert log.path.read_text() == "first attempt\nsecond attempt\n"


def test_a_line_from_another_thread_waits_for_those_that_came_before(
    log: PointLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    was_written = threading.Event()

    def write_second() -> None:
        log.write(b"second\n")
        was_written.set()

    writer = threading.Thread(target=write_second)

    class SlowFile(io.FileIO):
        """Lets the other thread try to write before the first line is in the file."""

        def write(self, data: Any, /) -> int:
            if data == b"first\n":
                writer.start()
                was_written.wait(0.2)
            return super().write(data)

    monkeypatch.setattr(Path, "open", lambda path, mode, **_: SlowFile(path, mode))
    log.write(b"first\n")
    log.open()
    writer.join()
    assert log.path.read_bytes() == b"first\nsecond\n"
