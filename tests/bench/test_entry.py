"""One job from its JSON to the exit of the process, with the exit replaced."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_job import fs_spec, mock_spec, small_job

from l2sweep.bench import entry
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.entry import die_with_parent, message_writer, run, run_and_exit
from l2sweep.bench.messages import Accepted, Finished, Message, Note, Refused, decode


class MessagePipe:
    """A pipe of messages; the test holds both ends."""

    def __init__(self) -> None:
        self._read_fd, self.write_fd = os.pipe()
        self._closed = False

    def messages(self) -> list[Message]:
        """Close the write end and return all messages."""
        self._close_write_end()
        with os.fdopen(os.dup(self._read_fd), "rb") as lines:
            return [decode(line) for line in lines]

    def close(self) -> None:
        self._close_write_end()
        os.close(self._read_fd)

    def _close_write_end(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self.write_fd)


@pytest.fixture
def pipe() -> Iterator[MessagePipe]:
    opened = MessagePipe()
    yield opened
    opened.close()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise SystemExit in place of the exit of the process."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(entry.os, "_exit", leave)


def finish(job_json: str, pipe: MessagePipe, log: LogWatch) -> tuple[Any, list[Message]]:
    """Run a job, and return its exit code and its messages."""
    with pytest.raises(SystemExit) as left:
        run_and_exit(job_json, pipe.write_fd, log)
    return left.value.code, pipe.messages()


def test_messages_are_written_as_lines_at_once(pipe: MessagePipe) -> None:
    report = message_writer(pipe.write_fd)
    report(Note("one"))
    report(Note("two\nlines"))
    assert pipe.messages() == [Note("one"), Note("two\nlines")]


def test_messages_of_several_threads_are_whole_lines(
    pipe: MessagePipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(entry.os, "write", lambda descriptor, line: write(descriptor, line[:7]))
    report = message_writer(pipe.write_fd)
    notes = [Note(f"{number} " + "x" * 500) for number in range(40)]
    threads = [threading.Thread(target=report, args=(note,)) for note in notes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(message) for message in pipe.messages()) == sorted(str(note) for note in notes)


def test_a_message_that_is_written_in_parts_arrives_whole(
    pipe: MessagePipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(entry.os, "write", lambda descriptor, line: write(descriptor, line[:7]))
    message_writer(pipe.write_fd)(Note("longer than seven bytes"))
    assert pipe.messages() == [Note("longer than seven bytes")]


def test_a_job_without_phases_only_checks_the_spec(log: LogWatch, tmp_path: Path) -> None:
    reported: list[Message] = []
    job = small_job(fs_spec(tmp_path), phases=(), delete_after=False)
    assert run(job, reported.append, log) == 0
    assert [type(message) for message in reported] == [Accepted, Finished]
    assert list(tmp_path.iterdir()) == []


def test_a_refused_spec_is_one_message_and_exit_code_2(log: LogWatch) -> None:
    reported: list[Message] = []
    assert run(small_job({"type": "fs"}), reported.append, log) == 2
    assert reported == [Refused("adapter=fs: base_path must be a non-empty string")]


def test_a_refused_fio_spec_is_one_message_and_exit_code_2(log: LogWatch) -> None:
    reported: list[Message] = []
    job = small_job({"type": "fio", "base_path": "kv", "direct": True}, phases=("store",))
    assert run(job, reported.append, log) == 2
    assert reported == [Refused("adapter.direct: the fio adapter does not read this field")]


@pytest.mark.usefixtures("exits")
def test_a_job_ends_with_its_last_message_and_exit_code_0(pipe: MessagePipe, log: LogWatch) -> None:
    code, messages = finish(small_job(mock_spec(), phases=("store",)).to_json(), pipe, log)
    assert code == 0
    assert isinstance(messages[0], Accepted)
    assert isinstance(messages[-1], Finished)
    assert messages[-1].exit_code == 0


@pytest.mark.usefixtures("exits")
def test_a_job_runs_in_its_folder(
    pipe: MessagePipe, log: LogWatch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # and back at the end of the test
    job = small_job(
        {"type": "fs", "base_path": "kv"}, phases=("store",), delete_after=False, folder=str(tmp_path)
    )
    assert finish(job.to_json(), pipe, log)[0] == 0
    assert len(list((tmp_path / "kv").glob("*.data"))) > 0


@pytest.mark.usefixtures("exits")
def test_a_job_that_failed_ends_with_exit_code_1(pipe: MessagePipe, log: LogWatch) -> None:
    code, messages = finish(small_job(mock_spec(), phases=("load",)).to_json(), pipe, log)
    assert code == 1
    assert isinstance(messages[-1], Finished)
    assert messages[-1].detail == "load: 2 of 2 rounds failed: 0 of 4 keys loaded"


@pytest.mark.usefixtures("exits")
@pytest.mark.parametrize("raised", [RuntimeError("a defect"), KeyboardInterrupt("a defect")])
def test_an_unexpected_exception_is_the_last_message_and_in_the_output(
    pipe: MessagePipe,
    log: LogWatch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(entry, "run", fail)
    code, messages = finish(small_job(mock_spec()).to_json(), pipe, log)
    assert code == 1
    assert messages == [Finished(1, f"{type(raised).__name__}: a defect", 0)]
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.usefixtures("exits")
def test_a_text_that_is_not_a_job_is_reported(pipe: MessagePipe, log: LogWatch) -> None:
    code, messages = finish(json.dumps({"workload": {}}), pipe, log)
    assert code == 1
    assert isinstance(messages[0], Finished)
    assert messages[0].detail.startswith("TypeError: ")


@pytest.mark.usefixtures("exits")
def test_a_process_whose_parent_has_died_exits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Library:
        def prctl(self, option: int, number: int) -> None:
            calls.append((option, number))

    monkeypatch.setattr(entry.ctypes, "CDLL", lambda *_, **__: Library())
    die_with_parent(os.getppid())
    with pytest.raises(SystemExit):
        die_with_parent(os.getppid() + 1)
    assert calls == [(1, signal.SIGKILL)] * 2  # PR_SET_PDEATHSIG of linux/prctl.h
