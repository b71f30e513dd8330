"""What an engine is asked to start, and how it says that a worker has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WantedWorkers:
    """The workers that an engine starts, one on each host.

    Attributes:
        rendezvous: HOST:PORT at which the launcher already listens.
        size: Number of hosts.
        token: The secret that a worker must know. It is only put into the environment of the worker.
        folder: Working folder of every worker. It must exist on each host.
        module: The module that is the command; it gets ``worker`` and the flags as arguments.
    """

    rendezvous: str
    size: int
    token: str
    folder: Path
    module: str = "l2sweep"

    def arguments(self, rank: int) -> list[str]:
        """Return the command line of one worker, behind the name of the program.

        Args:
            rank: Its rank, from 0.
        """
        return ["worker", "--rendezvous", self.rendezvous, "--rank", str(rank), "--size", str(self.size)]


@dataclass(frozen=True)
class EndedWorker:
    """A worker that has ended.

    Attributes:
        rank: Its rank.
        host: Name of its host.
        exit_code: As in :mod:`subprocess`; None: what watched it was lost, and the worker was ended with it.
        last_lines: The end of its standard error.
    """

    rank: int
    host: str
    exit_code: int | None
    last_lines: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What happened to it, in one line."""
        if self.exit_code is None:
            return f"the worker on {self.host} is lost: its actor or node has ended"
        last = f": {self.last_lines[-1].removeprefix('l2sweep: ')}" if self.last_lines else ""
        return f"the worker on {self.host} ended with exit code {self.exit_code}{last}"
