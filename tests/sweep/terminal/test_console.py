"""The console: standard output that may fail."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO, cast

import pytest

from l2sweep.sweep.terminal.console import ErrorTolerantOutput, make_console


class BrokenStream(io.StringIO):
    """A stream on a descriptor of its own that raises an error in ``write``, in ``flush``, or in both."""

    encoding = "utf-8"

    def __init__(self, descriptor: int, fails_in: str) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._fails_in = fails_in

    def write(self, text: str) -> int:
        self._maybe_fail("write")
        return len(text)

    def flush(self) -> None:
        self._maybe_fail("flush")

    def fileno(self) -> int:
        return self._descriptor

    def _maybe_fail(self, operation: str) -> None:
        if operation in self._fails_in:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("fails_in", ["write", "flush"])
def test_an_error_is_reported_and_later_output_is_discarded(
    pipe: tuple[int, int], fails_in: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = pipe
    output = ErrorTolerantOutput(cast(TextIO, BrokenStream(writer, fails_in)))
    assert output.write("text") == 4
    output.flush()
    message = "l2sweep: standard output: No space left on device; the run continues without output\n"
    assert capsys.readouterr().err == message
    os.write(writer, b"later")  # what Python's buffer would write
    assert os.read(reader, 100) == b""  # the write end was replaced: the pipe has no writer


def test_output_passes_to_the_stream(pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]) -> None:
    reader, writer = pipe
    with open(os.dup(writer), "w") as stream:  # noqa: PTH123 - a descriptor has no path
        output = ErrorTolerantOutput(stream)
        assert (output.isatty(), output.fileno(), output.encoding) == (
            False,
            stream.fileno(),
            stream.encoding,
        )
        output.write("text")
        output.flush()
    assert os.read(reader, 100) == b"text"
    assert capsys.readouterr().err == ""


def test_a_console_prints_wide_plain_text_into_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    console = make_console(quiet=False)
    assert console.width == 160
    console.print("x" * 150, "[bold]1[/bold]")
    assert stream.getvalue() == f"{'x' * 150} 1\n"


def test_a_quiet_console_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    make_console(quiet=True).print("text")
    assert stream.getvalue() == ""
