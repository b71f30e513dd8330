"""``python -m l2sweep.bench.fork_server``: imports torch and LMCache once, then forks a process a point.

It speaks over one SOCK_SEQPACKET socket, whose number is its argument. Each packet that it gets names the
adapter types that the process needs, whose modules it imports if it has not yet, and carries three
descriptors, for the request, the messages and the output. It answers, with the packet's own number, by the
process id, and once more when that process has ended; or by why it must not be forked. It ends when the other
side closes the socket, and is killed with it.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.entry import die_with_parent, run_and_leave

PACKET_BYTES = 4096


def main() -> None:
    """Serve until the launcher is gone."""
    die_with_parent(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # stopping a sweep is the launcher's business
    control = socket.socket(fileno=int(sys.argv[1]))
    log = LogWatch()  # before LMCache's loggers are made
    serve(control, log, Libraries())


class Libraries:
    """What benchmark processes need, imported.

    A thread does not live on in a fork, and what it held locked stays locked. numpy's OpenBLAS starts
    threads while it is imported and stops them around a fork (its ``pthread_atfork`` handlers); of any
    other thread nothing is known. CUDA does not survive a fork at all.
    """

    def __init__(self) -> None:
        gc.disable()  # the imports make a million objects and leave no garbage: a third of their time
        import numpy  # noqa: F401

        self._known_threads = _threads()
        self._imported: set[str] = set()
        from l2sweep.bench import point, versions  # noqa: F401

        versions.lmcache_version(), versions.torch_version()
        gc.freeze()  # pages that no collection writes to are shared with every child
        gc.enable()

    def import_adapters(self, adapter_types: Sequence[str]) -> None:
        """Import adapters' modules; one that cannot be imported is refused by the process that needs it."""
        from l2sweep.bench.adapter.create import import_adapter_module

        for adapter_type in set(adapter_types) - self._imported:
            import_adapter_module(adapter_type)
            self._imported.add(adapter_type)
            gc.freeze()

    def danger(self) -> str:
        """Return why forking is not safe; an empty text where it is."""
        import torch

        if torch.cuda.is_initialized():
            return "CUDA is initialised"
        unknown = _threads() - self._known_threads
        return f"{len(unknown)} threads of unknown origin after the imports" if unknown else ""


def serve(control: socket.socket, log: LogWatch, libraries: Libraries) -> None:
    """Fork a process for each packet, and tell of each that ends."""
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is control:
                packet, descriptors, _, _ = socket.recv_fds(control, PACKET_BYTES, 3)
                if not packet:
                    return
                asked = json.loads(packet)
                libraries.import_adapters(asked["adapter_types"])
                if danger := libraries.danger():
                    control.send(json.dumps({"number": asked["number"], "danger": danger}).encode())
                    return
                pid = _fork(control, descriptors, asked["lmcache_log_level"], log)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, data=pid)
                control.send(json.dumps({"number": asked["number"], "pid": pid}).encode())
            else:
                _, status, usage = os.wait4(key.data, 0)
                selector.unregister(key.fileobj)
                os.close(int(key.fd))
                ended = {"ended": key.data, "status": status, "peak_rss_bytes": usage.ru_maxrss * 1024}
                control.send(json.dumps(ended).encode())


def _fork(control: socket.socket, descriptors: Sequence[int], log_level: str, log: LogWatch) -> int:
    server = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        control.close()
        _become_point(server, descriptors, log_level, log)
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _become_point(server: int, descriptors: Sequence[int], log_level: str, log: LogWatch) -> NoReturn:
    from l2sweep.bench.point import get_ready

    request_fd, message_fd, output_fd = descriptors
    os.setsid()
    die_with_parent(server)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard in (1, 2):
        os.dup2(output_fd, standard)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.close(output_fd)
    log.set_level(log_level)
    get_ready()  # it may have been forked ahead, and has time until its request comes
    with os.fdopen(request_fd) as request:
        request_json = request.read()
    if not request_json:
        os._exit(0)  # not needed after all
    run_and_leave(request_json, message_fd, log)


def _threads() -> set[str]:
    return {task.name for task in Path("/proc/self/task").iterdir()}


if __name__ == "__main__":
    main()
