"""Where a person reads; a pipe or a disk that takes no more must not cost a measurement."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console

_PLAIN_WIDTH = 160


class LastingOutput:
    """Standard output, or nowhere once it takes no more: the sweep goes on.

    Args:
        stream: Standard output.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Flush likewise."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Its descriptor, which rich asks for a terminal's size."""
        return self._stream.fileno()

    def _give_up(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())  # what Python still holds in its buffer goes there, too
        os.close(nowhere)
        print(f"l2sweep: nothing more is shown: standard output: {error.strerror}", file=sys.stderr)


def make_console(quiet: bool) -> Console:
    """Return where a person reads: standard output, or nowhere."""
    output = LastingOutput(sys.stdout)
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(file=output, quiet=quiet, highlight=False, soft_wrap=False, width=width)  # type: ignore[arg-type]
