"""The worker of the launcher's own host: a child process that joins like any other worker."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections import deque

from l2sweep.cluster.token import VARIABLE
from l2sweep.errors import printable
from l2sweep.interrupts import hurried
from l2sweep.process.fresh import bench_environment, module_command

_END_S = 15.0
_LAST_LINES = 5


class OwnWorker(contextlib.AbstractContextManager["OwnWorker"]):
    """Runs the worker with rank 0 on this host.

    Args:
        rendezvous: HOST:PORT on which the launcher listens.
        size: Number of hosts.
        token: The token. The worker gets it in its environment.
    """

    def __init__(self, rendezvous: str, size: int, token: str) -> None:
        flags = ["--rendezvous", rendezvous, "--rank", "0", "--size", str(size), "--once"]
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = subprocess.Popen(
            [*module_command("l2sweep"), "worker", *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**bench_environment(None), VARIABLE: token},
            start_new_session=True,  # Ctrl-C in a terminal is for the launcher, which stops its workers
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        """End it: it deletes the keys of its attempt first, unless the user asked twice to stop."""
        if not hurried():
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        self._process.kill()
        self._process.wait()

    def problem(self) -> str | None:
        """Return how it ended, in one line; None while it runs."""
        if (code := self._process.poll()) is None:
            return None
        last = f": {self._lines[-1].removeprefix('l2sweep: ')}" if self._lines else ""
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the worker of this host {how}{last}"

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr:
            for line in self._process.stderr:
                if text := line.decode(errors="replace").strip():
                    self._lines.append(printable(text))
