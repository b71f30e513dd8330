"""``python -m l2sweep.bench``: run the point that standard input describes, report on a descriptor."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Callable

from l2sweep.bench.messages import (
    MESSAGE_FD_VARIABLE,
    Accepted,
    Finished,
    Message,
    Refused,
    encode,
)
from l2sweep.bench.request import PointRequest

Report = Callable[[Message], None]

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Run one point and leave by ``os._exit``: no thread of an adapter can keep this process alive."""
    die_with_parent()
    descriptor = int(os.environ.pop(MESSAGE_FD_VARIABLE))
    lock = threading.Lock()

    def report(message: Message) -> None:
        with lock:
            line = encode(message)
            while line:
                line = line[os.write(descriptor, line) :]

    try:
        exit_code = _run(PointRequest.from_json(sys.stdin.read()), report)
    except BaseException as error:
        traceback.print_exc()
        report(Finished(1, f"{type(error).__name__}: {error}", 0))
        exit_code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it dies, however it dies."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)


def _run(request: PointRequest, report: Report) -> int:
    from l2sweep.bench.lmcache_log import LogWatch

    log = LogWatch()  # before LMCache is imported: what it warns of while importing counts, too
    from importlib.metadata import version

    from l2sweep.bench.adapter import parse_spec
    from l2sweep.bench.point import PointRun
    from l2sweep.errors import RequestError

    try:
        config = parse_spec(request.adapter_spec)
    except RequestError as error:
        report(Refused(str(error)))
        return error.exit_code
    report(Accepted(version("lmcache"), version("torch"), platform.python_version()))
    finished = PointRun(request, config, report, log).run()
    report(finished)
    return finished.exit_code


if __name__ == "__main__":
    main()
