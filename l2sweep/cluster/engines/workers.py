"""What an engine is asked to start, and how it says that a worker has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WantedWorkers:
    """The workers that an engine starts, one on each host.

    Attributes:
        rendezvous: HOST:PORT at which rank 0 already listens.
        size: Number of hosts that take part.
        ranks: Ranks to start. Without 0, rank 0 runs on this host already, outside the engine.
        token: The secret that a worker must know. It is only put into the environment of the worker.
        folder: Working folder of every worker. It must exist on each host.
        wait_s: Seconds to wait at most until every host has room for its worker.
        module: The module that is the command; it gets ``worker`` and the flags as arguments.
    """

    rendezvous: str
    size: int
    ranks: tuple[int, ...]
    token: str
    folder: Path
    wait_s: float = 60.0
    module: str = "l2sweep"

    def arguments(self, rank: int) -> list[str]:
        """Return the command line of one worker, behind the name of the program."""
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
        how = "was lost with its host" if self.exit_code is None else f"ended with exit code {self.exit_code}"
        last = f": {self.last_lines[-1]}" if self.last_lines else ""
        return f"worker {self.rank} on {self.host} {how}{last}"
