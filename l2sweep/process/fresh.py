"""A benchmark process in a new Python interpreter, this one or another."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import l2sweep
from l2sweep.bench.adapter.lmcache_log import quiet_environment
from l2sweep.bench.messages import MESSAGE_FD_VARIABLE
from l2sweep.bench.request import PointRequest
from l2sweep.process.bench_process import BenchProcess, OnOutput, Pipes, ProcessLimits

_PACKAGE = Path(l2sweep.__file__).resolve().parent
_OURS_ALONE = ("L2_ADAPTER_JSON", "HYDRA_FULL_ERROR")  # may hold credentials; changes what a failure prints


class FreshInterpreter(BenchProcess):
    """Takes seconds to import torch and LMCache, and shares nothing with any other process.

    Args:
        request: What it is to do.
        limits: What it is given.
        on_output: Takes each line of its standard output and error, from another thread.
    """

    isolation = "spawn"

    def __init__(self, request: PointRequest, limits: ProcessLimits, on_output: OnOutput) -> None:
        pipes = Pipes.make()
        request_fd, message_fd, output_fd = pipes.of_the_process
        environment = {
            **bench_environment(limits.python),
            **quiet_environment(limits.lmcache_log_level),
            MESSAGE_FD_VARIABLE: str(message_fd),
        }
        try:
            self._process = subprocess.Popen(
                module_command("l2sweep.bench", limits.python),
                stdin=request_fd,
                stdout=output_fd,
                stderr=output_fd,
                pass_fds=[message_fd],
                start_new_session=True,
                env=environment,
            )
        except BaseException:
            pipes.close_ours()
            raise
        finally:
            pipes.close_those_of_the_process()
        super().__init__(request, limits, pipes, on_output)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _poll(self) -> tuple[int, int] | None:
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return None
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code  # reaped here, for its resource usage: Popen need not look for it
        return code, usage.ru_maxrss * 1024


def module_command(module: str, python: str | None = None) -> list[str]:
    """Return the command that runs a module as ``python -m`` does, but for the current folder.

    ``-m`` would put that first on the path: a ``torch.py`` or another l2sweep that lies there would be
    imported, and measured.
    """
    run = f"runpy.run_module({module!r}, run_name='__main__')"
    code = f"import runpy, sys; sys.path[:] = filter(None, sys.path); {run}"
    return [python or sys.executable, "-c", code]


def bench_environment(python: str | None) -> Mapping[str, str]:
    """Return the environment of a benchmark process.

    Args:
        python: Another interpreter, which must find l2sweep and nothing else of this one's packages.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS_ALONE}
    root = _PACKAGE.parent if python is None else _folder_with_l2sweep_alone()
    paths = [str(root), inherited.get("PYTHONPATH", "") if python is None else ""]
    return {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}


def _folder_with_l2sweep_alone() -> Path:
    """Return a folder in which nothing but this l2sweep can be imported."""
    folder = Path(tempfile.gettempdir()) / f"l2sweep-{os.getuid()}-{zlib.crc32(str(_PACKAGE).encode()):08x}"
    folder.mkdir(mode=0o700, exist_ok=True)
    link = folder / "l2sweep"
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(_PACKAGE, target_is_directory=True)
    return folder
