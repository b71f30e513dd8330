"""PointLog: lines are kept until the file is opened, and contain no credentials."""

from __future__ import annotations

import errno
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


def test_a_log_that_is_never_opened_creates_no_file_and_no_folder(log: PointLog, tmp_path: Path) -> None:
    log.write(b"refused\n")
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_lines_written_before_the_log_is_opened_come_first_in_the_file(log: PointLog) -> None:
    log.write(b"one\n")
    log.write(b"two\n")
    log.open()
    log.write(b"three\n")
    assert log.path.read_text() == "one\ntwo\nthree\n"


def test_a_line_is_written_to_the_file_immediately(log: PointLog) -> None:
    log.open()
    log.write(b"the last line before a crash\n")
    assert log.path.read_text() == "the last line before a crash\n"


def test_opening_twice_opens_the_file_once(log: PointLog, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    open_file = Path.open

    def record(path: Path, mode: str, **options: Any) -> Any:
        opened.append(path)
        return open_file(path, mode, **options)

    monkeypatch.setattr(Path, "open", record)
    log.write(b"one\n")
    log.open()
    log.open()
    assert opened == [log.path]
    monkeypatch.undo()
    assert log.path.read_text() == "one\n"


def test_credentials_are_replaced_in_the_file_and_in_the_line_that_is_returned(log: PointLog) -> None:
    assert log.write(b"early: password=hunter2\n") == "early: password=***\n"
    log.open()
    late = log.write(b"late: xhunter2x redis://bob:other@h:6379\n")
    assert log.path.read_text() == "early: password=***\nlate: x***x redis://***@h:6379\n"
    assert late == "late: x***x redis://***@h:6379\n"


def test_what_stands_in_front_of_a_line_is_only_in_the_file(log: PointLog) -> None:
    assert log.write(b"early\n", "[client 1] ") == "early\n"
    log.open()
    assert log.write(b"late\n", "[client 2] ") == "late\n"
    assert log.path.read_text() == "[client 1] early\n[client 2] late\n"


def test_invalid_utf_8_is_replaced(log: PointLog) -> None:
    log.open()
    log.write(b"\xff\xfe broken \xc3\xa4\n")
    assert log.path.read_text() == "\ufffd\ufffd broken ä\n"


def test_a_full_disk_does_not_stop_the_measurement(log: PointLog, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullFile(io.FileIO):
        def write(self, data: Any, /) -> int:
            if data:
                raise OSError(errno.ENOSPC, "No space left on device")
            return 0

    monkeypatch.setattr(Path, "open", lambda path, mode, **_: FullFile(path, mode))
    log.open()
    assert log.write(b"no space for this\n") == "no space for this\n"


def test_closing_a_log_that_was_not_opened_does_nothing(log: PointLog) -> None:
    log.close()
    log.close()


def test_an_existing_file_is_appended_to(log: PointLog, tmp_path: Path) -> None:
    log.open()
    log.write(b"first attempt\n")
    log.close()
    second = PointLog(log.path, set())
    second.open()
    second.write(b"second attempt\n")
    second.close()
    assert log.path.read_text() == "first attempt\nsecond attempt\n"


def test_a_line_from_another_thread_waits_until_the_earlier_lines_are_in_the_file(
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
                was_written.wait(0.05)
            return super().write(data)

    monkeypatch.setattr(Path, "open", lambda path, mode, **_: SlowFile(path, mode))
    log.write(b"first\n")
    log.open()
    writer.join()
    assert log.path.read_bytes() == b"first\nsecond\n"
