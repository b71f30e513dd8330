"""The errors that reach a user, their exit codes, and how a value is shown in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

STOPPED = 130
"""Exit code of a run that the user stopped: 128 and the number of SIGINT, as in a shell."""

_LONGEST_SHOWN = 200


class L2SweepError(Exception):
    """Something went wrong that one line can explain.

    Attributes:
        exit_code: Exit code of the process when this error reaches the command line.
    """

    exit_code = 1


class RequestError(L2SweepError):
    """The request itself is wrong: nothing was run.

    Args:
        problems: One sentence for each problem. It names the option, its value and what is allowed.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@contextmanager
def collected(problems: list[str]) -> Iterator[None]:
    """Add the problems of a RequestError to a list instead of raising it, so that all are reported together.

    Args:
        problems: The list, which the block's problems are appended to.
    """
    try:
        yield
    except RequestError as error:
        problems += error.problems


class UnreadableRecordsWarning(UserWarning):
    """Files of a results folder cannot be read, or are not records. Their rows are missing."""


class BenchError(L2SweepError):
    """A point could not be measured or recorded, although the request was well formed."""


def shown(value: Any) -> str:
    """Return a value as a user gave it, in one line that a terminal can take."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[:_LONGEST_SHOWN]}..."
    return printable(text)


def printable(text: str) -> str:
    """Return a text with its line breaks and control characters escaped."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
