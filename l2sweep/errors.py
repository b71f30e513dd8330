"""The errors that reach a user, each with the exit code that it means."""

from __future__ import annotations

from collections.abc import Sequence

STOPPED = 130
"""Exit code of what the user stopped: 128 and the number of SIGINT, as a shell has it."""


class L2SweepError(Exception):
    """Something went wrong that one line can explain.

    Attributes:
        exit_code: What the process ends with when this error reaches the command line.
    """

    exit_code = 1


class RequestError(L2SweepError):
    """The request itself is wrong: nothing was run.

    Args:
        problems: One sentence for each thing that is wrong, naming the option, its value and what is
            allowed.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class BenchError(L2SweepError):
    """A benchmark process could not do what it was asked, although the request was well formed."""
