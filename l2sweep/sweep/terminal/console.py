"""Create the console that shows a sweep; an output error never ends a measurement."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from l2sweep.config.sweep import SweepConfig

PLAIN_WIDTH = 160  # columns of a pipe or file, where no terminal reports its width: rich would use 80


class ErrorTolerantOutput:
    """An output that discards everything after the first error, such as a closed pipe or a full disk.

    Args:
        stream: Standard output or standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Write a text; on an error, discard it and everything that follows."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        """Flush the stream; on an error, discard everything that follows."""
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream, from which rich reads the size of the terminal."""
        return self._stream.fileno()

    def _discard(self, error: OSError) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())  # Python's buffer still holds text that must go somewhere
        os.close(null)
        if self._stream is sys.stderr:
            return
        print(
            f"l2sweep: standard output: {error.strerror}; the run continues without output", file=sys.stderr
        )


def make_console(quiet: bool, *, to_stderr: bool = False) -> Console:
    """Return a console on standard output or standard error.

    Args:
        quiet: Whether it prints nothing.
        to_stderr: Whether it prints to standard error.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    output = ErrorTolerantOutput(stream)
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=output, quiet=quiet, highlight=False, soft_wrap=False, width=width)  # type: ignore[arg-type]


def progress_console(sweep: SweepConfig) -> Console:
    """Return the console for everything but a JSON report, which has standard output for itself.

    Args:
        sweep: The options of the sweep.
    """
    return make_console(sweep.quiet, to_stderr=sweep.report_format == "json")
