"""Start a benchmark process in a new Python interpreter."""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import l2sweep
from l2sweep.bench.adapter.lmcache_log import quiet_environment
from l2sweep.bench.job import Job
from l2sweep.bench.messages import MESSAGE_FD_VARIABLE
from l2sweep.process.bench_process import BenchProcess, OnOutput, ProcessLimits
from l2sweep.process.pipes import Pipes

_PACKAGE = Path(l2sweep.__file__).resolve().parent
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Read by the launcher only: the first two may contain credentials, the third changes what a failure prints.
_NOT_INHERITED = ("L2_ADAPTER_JSON", "L2SWEEP_TOKEN", "HYDRA_FULL_ERROR")
_PRIVATE_MODE = 0o700  # the mode of a folder that tempfile.mkdtemp() makes


class FreshInterpreter(BenchProcess):
    """A benchmark process in an interpreter of its own.

    It needs seconds to import torch and LMCache, and shares no memory with other benchmark processes.

    Args:
        job: The job to run.
        limits: The limits to enforce, and the interpreter to use.
        on_output: Called with each line of standard output and standard error, in another thread.

    Raises:
        OSError: The interpreter cannot be started.
    """

    isolation = "spawn"

    def __init__(self, job: Job, limits: ProcessLimits, on_output: OnOutput) -> None:
        pipes = Pipes.make()
        job_fd, message_fd, output_fd = pipes.child_ends
        environment = {
            **bench_environment(limits.python),
            **quiet_environment(limits.lmcache_log_level),
            MESSAGE_FD_VARIABLE: str(message_fd),
        }
        try:
            self._process = subprocess.Popen(
                module_command("l2sweep.bench", limits.python),
                stdin=job_fd,
                stdout=output_fd,
                stderr=output_fd,
                pass_fds=[message_fd],
                start_new_session=True,
                env=environment,
            )
        except BaseException:
            pipes.close_parent_ends()
            raise
        finally:
            pipes.close_child_ends()
        super().__init__(self._process.pid, job, limits, pipes, on_output)

    def _poll(self) -> tuple[int, int] | None:
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return None
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code  # reaped by wait4(), for its resource usage: Popen must not wait
        return code, usage.ru_maxrss * 1024


def module_command(module: str, python: str | None = None) -> list[str]:
    """Return the command that runs a module like ``python -m``, for a child of this process.

    ``-m`` puts the current folder first in ``sys.path``: a ``torch.py`` or another l2sweep in it would be
    imported and measured. The child is killed when this process dies, from its first instruction on: its
    imports take seconds.

    Args:
        module: Full name of the module.
        python: Path of the interpreter; None: the running one.
    """
    lines = [
        "import sys; sys.path[:] = filter(None, sys.path)",
        "import ctypes, os, signal",
        f"sys.platform == 'linux' and ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGKILL)",
    ]
    if python is None:  # another interpreter may be a script that starts Python as its own child
        lines.append(f"os.getppid() == {os.getpid()} or os._exit(1)  # the parent died before prctl()")
    lines.append(f"import runpy; runpy.run_module({module!r}, run_name='__main__')")
    return [python or sys.executable, "-c", "\n".join(lines)]


def bench_environment(python: str | None) -> Mapping[str, str]:
    """Return the environment variables of a benchmark process.

    Args:
        python: Path of another interpreter. It can import this l2sweep, but no other package of the running
            interpreter, so that it measures its own LMCache. None: the running interpreter, with its
            PYTHONPATH.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    root = _PACKAGE.parent if python is None else _folder_with_only_l2sweep()
    paths = [str(root), inherited.get("PYTHONPATH", "") if python is None else ""]
    return {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}


_own_folder: Path | None = None


def _folder_with_only_l2sweep() -> Path:
    """Return a folder from which only this l2sweep can be imported: it contains one symbolic link.

    The first call makes the folder, with a random name and for this user alone. It is removed when this
    process exits. If the process is killed, it stays until the folder for temporary files is cleaned. A
    cleaner may also remove it during a long sweep: then a new one is made.
    """
    global _own_folder
    if _own_folder is None or not _is_private(_own_folder):
        _own_folder = Path(tempfile.mkdtemp(prefix="l2sweep-"))
        atexit.register(_remove, _own_folder)
        (_own_folder / "l2sweep").symlink_to(_PACKAGE, target_is_directory=True)
    return _own_folder


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it may be gone
        (folder / "l2sweep").unlink()
        folder.rmdir()


def _is_private(folder: Path) -> bool:
    """Whether a folder exists that only this user could have made and filled, with a link in it."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    is_ours = status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode)
    return is_ours and stat.S_IMODE(status.st_mode) == _PRIVATE_MODE and (folder / "l2sweep").is_symlink()
