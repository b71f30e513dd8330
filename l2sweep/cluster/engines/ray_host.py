"""The actor on each host of a Ray cluster: it starts one worker as a child process, and watches it.

Nothing of Ray may be inside a measured process. Ray changes what an actor inherits, and the actor undoes it
for its child: the environment, the nice level (Ray's ``worker_niceness`` is 15), the score of the OOM killer
(``worker_oom_score_adjustment`` is 1000) and the blocked SIGINT. Ray is not imported here.
"""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from l2sweep.cluster.token import VARIABLE
from l2sweep.process.fresh import module_command

_LAST_LINES = 20
# Ray sets the first so that the title of its processes does not overwrite /proc/PID/environ.
_OF_RAY = ("SPT_NOENV", "RAY_", "__RAY_")
_PATH_LISTS = {"LD_PRELOAD": ":", "PYTHONPATH": os.pathsep, "LD_LIBRARY_PATH": ":"}


class Started(TypedDict):
    """A worker that was started, or not.

    Attributes:
        host: Name of the host.
        problem: Why it was not started; None: it runs.
        note: What holds for its measurements, in one line; None: nothing.
    """

    host: str
    problem: str | None
    note: str | None


class Ended(TypedDict):
    """A worker that has ended: its exit code, and the end of its standard error."""

    exit_code: int
    last_lines: list[str]


class RayHost:
    """One host of a Ray cluster. Its methods are called in the main thread of the actor, in order."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._last_lines: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._reader = threading.Thread(target=self._read, daemon=True)

    def start(self, module: str, arguments: Sequence[str], folder: str, token: str) -> Started:
        """Start the worker. The kernel kills it when the actor ends, for whatever reason.

        Args:
            module: The module that is the command.
            arguments: Its command line, which every user of the host can read.
            folder: The working folder.
            token: The secret of the sweep, for the environment of the worker.
        """
        host = socket.gethostname()
        if not Path(folder).is_dir():
            problem = f"the working folder {folder} does not exist there; every host needs it"
            return {"host": host, "problem": problem, "note": None}
        note = undo_priorities(os.getppid())
        before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(
                [*module_command(module), *arguments],
                cwd=folder,
                env={**worker_environment(_own_environment(), _package_folder()), VARIABLE: token},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return {"host": host, "problem": f"the worker was not started: {error.strerror}", "note": None}
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._reader.start()
        return {"host": host, "problem": None, "note": note}

    def wait(self) -> Ended:
        """Wait until the worker has ended."""
        assert self._process is not None
        code = self._process.wait()
        self._reader.join(1.0)  # a process that it left may hold the pipe open
        return {"exit_code": code, "last_lines": list(self._last_lines)}

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if text := line.decode(errors="replace").strip():
                self._last_lines.append(text)


def worker_environment(inherited: Mapping[str, str], ray_folder: str) -> dict[str, str]:
    """Return the environment of a worker: that of the actor, without what Ray added.

    Args:
        inherited: The environment with which the actor's process was started.
        ray_folder: Folder of the package ray; entries of path lists below it are dropped.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(_OF_RAY)}
    if kept.get("PYTHONBREAKPOINT", "").startswith("ray."):
        del kept["PYTHONBREAKPOINT"]
    for name, separator in _PATH_LISTS.items():
        if name in kept:
            others = [one for one in kept[name].split(separator) if not _is_below(one, ray_folder)]
            kept[name] = separator.join(others)
            if not kept[name]:
                del kept[name]
    return kept


def _own_environment() -> dict[str, str]:
    """Return the environment with which this process was started.

    Ray's worker process changes ``os.environ`` later: OMP_NUM_THREADS=1, and no GPU in CUDA_VISIBLE_DEVICES.
    """
    pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    texts = (os.fsdecode(pair).partition("=") for pair in pairs if b"=" in pair)
    return {name: value for name, _, value in texts}


def _package_folder() -> str:
    ray: Any = sys.modules.get("ray")
    return str(Path(ray.__file__).parent) if ray is not None else ""


def _is_below(path: str, folder: str) -> bool:
    return bool(folder) and (path == folder or path.startswith(folder + os.sep))


def undo_priorities(raylet: int) -> str | None:
    """Give this process the nice level and the OOM score of Ray's daemon, which started it.

    Args:
        raylet: Process id of the daemon.

    Returns:
        What could not be undone, in one line.
    """
    with contextlib.suppress(OSError):  # it decides who is killed when memory is short, and no measurement
        score = Path(f"/proc/{raylet}/oom_score_adj").read_text()
        Path("/proc/self/oom_score_adj").write_text(score)
    wanted, own = os.getpriority(os.PRIO_PROCESS, raylet), os.getpriority(os.PRIO_PROCESS, 0)
    if own == wanted:
        return None
    try:
        os.setpriority(os.PRIO_PROCESS, 0, wanted)  # of this thread, from which the worker inherits it
    except OSError:
        return (
            f"Ray runs its workers at nice level {own}, and so the measured processes on "
            f"{socket.gethostname()}: start Ray there with RAY_worker_niceness={wanted}"
        )
    return None
