"""The process that holds one server: it ends the server and removes its data when the launcher ends.

It runs as a script under ``python -I -S``, which starts in 15 ms and imports no package: so nothing of
l2sweep is imported here. The launcher holds the other end of its standard input and never writes to it. The
kernel closes that end when the launcher dies for any reason, SIGKILL included. If this process is killed
itself, the kernel kills the server (prctl(2), PR_SET_PDEATHSIG), and the next run removes the folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

LOG = "server.log"
"""Name of the file in the folder with the output of the server."""
DATA = "data"
"""Name of the folder in it that is the server's current folder."""
OUTSIDE = "outside.txt"
"""Name of the file in it with the paths of the sockets that the server makes elsewhere."""
ENDED = b"ended"
"""What this process writes to its standard output when the server has ended on its own."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_STDIN, _STDOUT = 0, 1


def hold(folder: Path, command: Sequence[str]) -> None:
    """Run a server until the launcher ends, then kill it and remove its folder.

    The server is killed, and not asked to end: its data are removed, so it has nothing to save.

    Args:
        folder: Folder of the server. The folder above it is removed as well if nothing else is in it.
        command: The command of the server. Other users can read it.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # the launcher decides; SIG_IGN would be inherited
    with (folder / LOG).open("ab") as log:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder / DATA,
            preexec_fn=_die_with(os.getpid()),
        )
    ended = os.pidfd_open(server.pid)
    if ended in select.select([_STDIN, ended], [], [])[0]:
        with contextlib.suppress(OSError):  # the launcher has died at the same time
            os.write(_STDOUT, ENDED)
        select.select([_STDIN], [], [])
    server.kill()
    server.wait()
    remove(folder)


def remove(folder: Path) -> None:
    """Remove the folder of a server, its sockets elsewhere, and the folder above if nothing else is in it.

    Args:
        folder: The folder.
    """
    for socket in _sockets_outside(folder):
        with contextlib.suppress(OSError):  # the server had not made it yet
            if stat.S_ISSOCK(socket.lstat().st_mode):
                socket.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _sockets_outside(folder: Path) -> list[Path]:
    try:
        return [Path(line) for line in (folder / OUTSIDE).read_text().splitlines()]
    except OSError:  # the launcher died before it wrote the file
        return []


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a child does before its program starts, so that the kernel kills it with its parent."""
    libc = ctypes.CDLL(None)  # before the fork: a child of fork() should load nothing

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


if __name__ == "__main__":
    hold(Path(sys.argv[1]), sys.argv[2:])
