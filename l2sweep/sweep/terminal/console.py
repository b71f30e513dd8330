"""The only place that writes to a terminal; an output that fails never ends a measurement.

:func:`guarded_streams` replaces ``sys.stdout`` and ``sys.stderr``, so that everything that prints goes
through :class:`GuardedOutput`: ``print``, rich, logging, argparse and Hydra.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

    from l2sweep.config.sweep import SweepConfig

# rich is imported where a console is made: --help does without it.

PLAIN_WIDTH = 160  # columns of a pipe or file, where no terminal reports its width: rich would use 80


def open_standard_streams() -> None:
    """Open each of the descriptors 0, 1 and 2 that is closed on /dev/null.

    Otherwise the next file that is opened gets its number, and receives what is printed. Call this before
    any file stays open.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))  # type: ignore[unreachable, unused-ignore]
    if sys.stdout is None:
        sys.stdout = _text_output(1)  # type: ignore[unreachable, unused-ignore]
    if sys.stderr is None:
        sys.stderr = _text_output(2)  # type: ignore[unreachable, unused-ignore]


def _text_output(descriptor: int) -> TextIO:
    return io.TextIOWrapper(io.FileIO(descriptor, "w", closefd=False), line_buffering=True)


class GuardedOutput:
    """Standard output or standard error, which discards everything after its first error.

    An error is, for example, a closed pipe (``| head``) or a full disk. Characters that the encoding of the
    stream lacks are escaped.

    Args:
        stream: The stream.
        name: What the stream is called in a message.
        report_to: Where an error is reported; None: nowhere.

    Attributes:
        error: The first error; None: everything was written.
        is_product: Whether a command is run for this output, so that it fails if the output is lost. False:
            it is the progress of a sweep, whose product are the records.
    """

    def __init__(self, stream: TextIO, name: str, report_to: TextIO | None = None) -> None:
        self._stream = stream
        self._name = name
        self._report_to = report_to
        self.error: Exception | None = None
        self.is_product = True
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        """Return what is not guarded from the stream, such as its encoding and its descriptor."""
        return getattr(self._stream, name)

    @property
    def is_lost(self) -> bool:
        """Whether output is missing although its reader did not close the pipe."""
        return self.error is not None and getattr(self.error, "errno", None) != errno.EPIPE

    def write(self, text: str) -> int:
        """Write a text; on an error, discard it and everything that follows."""
        if self.error is None:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:  # ValueError: Python's object for the stream is closed
                self._discard(error)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream; on an error, discard everything that follows."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._discard(error)

    def isatty(self) -> bool:
        """Whether the stream is a terminal that still takes output."""
        try:
            return self.error is None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def _discard(self, error: Exception) -> None:
        self.error = error
        with contextlib.suppress(OSError, ValueError):  # it has no descriptor
            descriptor = self._stream.fileno()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)  # Python's buffer still holds text that must go somewhere
            os.close(null)
        if self._report_to is None or (self.is_product and not self.is_lost):
            return  # a reader that closes the pipe of `l2sweep --help` has read enough
        reason = getattr(error, "strerror", None) or error
        what_follows = "" if self.is_product else "; the run continues without output"
        self._report_to.write(f"l2sweep: {self._name}: {reason}{what_follows}\n")
        self._report_to.flush()


@contextlib.contextmanager
def guarded_streams() -> Iterator[GuardedOutput]:
    """Guard ``sys.stdout`` and ``sys.stderr`` in the block, and flush them at its end.

    Yields:
        The guard of standard output.
    """
    before = sys.stdout, sys.stderr
    errors = GuardedOutput(sys.stderr, "standard error")
    output = GuardedOutput(sys.stdout, "standard output", cast(TextIO, errors))
    sys.stdout, sys.stderr = cast(TextIO, output), cast(TextIO, errors)
    try:
        yield output
    finally:
        output.flush()
        errors.flush()
        sys.stdout, sys.stderr = before


def takes_only_ascii(stream: TextIO) -> bool:
    """Return whether a stream has no other characters than those of ASCII.

    Args:
        stream: The stream, such as ``sys.stdout``.
    """
    return "utf" not in (stream.encoding or "").lower()


def make_console(quiet: bool, *, to_stderr: bool = False) -> Console:
    """Return a console on standard output or standard error.

    Args:
        quiet: Whether it prints nothing.
        to_stderr: Whether it prints to standard error.
    """
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, quiet=quiet, highlight=False, soft_wrap=False, width=width)


def progress_console(sweep: SweepConfig) -> Console:
    """Return the console for everything but a JSON report, which has standard output for itself.

    Args:
        sweep: The options of the sweep.
    """
    console = make_console(sweep.quiet, to_stderr=sweep.report_format == "json")
    streams = [
        console.file,
        *([sys.stdout] if sweep.report_file is not None else []),
    ]  # the report is in a file
    for stream in streams:
        if isinstance(stream, GuardedOutput):
            stream.is_product = False
    return console
