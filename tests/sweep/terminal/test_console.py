"""The console: standard output that may fail."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO, cast

import pytest

from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.terminal.console import (
    GuardedOutput,
    guarded_streams,
    make_console,
    progress_console,
)


class BrokenStream(io.StringIO):
    """A stream on a descriptor of its own that raises an error in ``write``, in ``flush``, or in both."""

    encoding = "utf-8"

    def __init__(self, descriptor: int, fails_in: str, number: int = errno.ENOSPC) -> None:
        super().__init__()
        self._number = number
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
            raise OSError(self._number, os.strerror(self._number))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("fails_in", ["write", "flush"])
@pytest.mark.parametrize(
    ("is_product", "report"),
    [
        (True, "l2sweep: standard output: No space left on device\n"),
        (False, "l2sweep: standard output: No space left on device; the run continues without output\n"),
    ],
)
def test_an_error_is_reported_once_and_later_output_is_discarded(
    pipe: tuple[int, int], fails_in: str, is_product: bool, report: str
) -> None:
    reader, writer = pipe
    errors = io.StringIO()
    output = GuardedOutput(cast(TextIO, BrokenStream(writer, fails_in)), "standard output", errors)
    output.is_product = is_product
    for _ in range(2):
        assert output.write("text") == 4
        output.flush()
    assert errors.getvalue() == report
    assert output.is_lost
    os.write(writer, b"later")  # what Python's buffer would write
    assert os.read(reader, 100) == b""  # the write end was replaced: the pipe has no writer


@pytest.mark.parametrize("is_product", [True, False])
def test_a_reader_that_closes_the_pipe_loses_nothing_and_is_reported_only_during_a_sweep(
    pipe: tuple[int, int], is_product: bool
) -> None:
    errors = io.StringIO()
    stream = BrokenStream(pipe[1], "flush", errno.EPIPE)
    output = GuardedOutput(cast(TextIO, stream), "standard output", errors)
    output.is_product = is_product
    output.write("text")
    output.flush()
    assert not output.is_lost
    assert (errors.getvalue() == "") == is_product


def test_output_passes_to_the_stream(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    errors = io.StringIO()
    with open(os.dup(writer), "w") as stream:  # noqa: PTH123 - a descriptor has no path
        output = GuardedOutput(stream, "standard output", errors)
        assert (output.isatty(), output.fileno(), output.encoding) == (
            False,
            stream.fileno(),
            stream.encoding,
        )
        output.writelines(["te", "xt"])
        output.flush()
    assert os.read(reader, 100) == b"text"
    assert (output.error, errors.getvalue()) == (None, "")


def test_a_stream_that_python_has_closed_is_an_error_like_any_other() -> None:
    stream = io.StringIO()
    stream.close()
    output = GuardedOutput(stream, "standard error")
    output.write("text")
    assert output.is_lost
    assert not output.isatty()


def test_characters_that_the_encoding_lacks_are_escaped() -> None:
    raw = io.BytesIO()
    output = GuardedOutput(io.TextIOWrapper(raw, encoding="ascii"), "standard output")
    output.write("\N{BOX DRAWINGS LIGHT HORIZONTAL} \udce9")
    output.flush()
    assert raw.getvalue() == b"\\u2500 \\udce9"


def test_streams_are_guarded_in_the_block_only(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with guarded_streams() as output:
        assert sys.stdout is cast(TextIO, output)
        print("out")
        print("err", file=sys.stderr)
    assert (sys.stdout, sys.stderr) == before
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("report_format", "are_products"), [("text", (False, True)), ("json", (True, False))]
)
def test_the_progress_of_a_sweep_is_not_what_it_is_run_for(
    report_format: str, are_products: tuple[bool, bool]
) -> None:
    with guarded_streams() as output:
        progress_console(SweepConfig(report_format=report_format))
        errors = cast(GuardedOutput, sys.stderr)
        assert (output.is_product, errors.is_product) == are_products


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
