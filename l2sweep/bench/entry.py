"""One request, from its JSON to the end of the process: the same in a fresh interpreter and in a fork."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.messages import Accepted, Finished, Message, Refused, encode
from l2sweep.bench.request import PointRequest

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the one that started it dies, however it dies.

    Args:
        parent: Process id of the one that started it, to see whether it died in between.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def run_and_leave(request_json: str, message_fd: int, log: LogWatch) -> NoReturn:
    """Run a point and leave by ``os._exit``: no thread of an adapter can keep the process alive.

    Args:
        request_json: The point.
        message_fd: Where messages are written.
        log: Set up before LMCache was imported.
    """
    report = _reporter(message_fd)
    try:
        exit_code = _run(PointRequest.from_json(request_json), report, log)
    except BaseException as error:
        traceback.print_exc()
        report(Finished(1, f"{type(error).__name__}: {error}", 0))
        exit_code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _reporter(message_fd: int) -> Callable[[Message], None]:
    lock = threading.Lock()

    def report(message: Message) -> None:
        with lock:
            line = encode(message)
            while line:
                line = line[os.write(message_fd, line) :]

    return report


def _run(request: PointRequest, report: Callable[[Message], None], log: LogWatch) -> int:
    from l2sweep.bench.adapter.create import parse_spec
    from l2sweep.bench.point import PointRun
    from l2sweep.bench.versions import lmcache_version, torch_version
    from l2sweep.errors import RequestError

    try:
        config = parse_spec(request.adapter_spec)
    except RequestError as error:
        report(Refused(str(error)))
        return error.exit_code
    report(Accepted(lmcache_version(), torch_version(), platform.python_version()))
    if not request.phases and not request.delete_after:  # asked for no more than whether LMCache takes it
        report(Finished(0, "", 0))
        return 0
    finished = PointRun(request, config, report, log).run()
    report(finished)
    return finished.exit_code
