"""``python -m l2sweep.bench.fork_server``: imports torch and LMCache once, then forks a process a point.

It speaks over one SOCK_SEQPACKET socket, whose number is its first argument; the others are the adapter
types to import. It says once whether it is safe to fork. Then each packet that it gets carries three
descriptors, for the request, the messages and the output; it answers with the process id, and once more
when that process has ended. It ends when the other side closes the socket, and is killed with it.
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

from l2sweep.bench.entry import die_with_parent, run_and_leave
from l2sweep.bench.lmcache_log import LogWatch

PACKET_BYTES = 4096


def main() -> None:
    """Serve until the launcher is gone."""
    die_with_parent(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # stopping a sweep is the launcher's business
    control = socket.socket(fileno=int(sys.argv[1]))
    log = LogWatch()
    danger = preload(sys.argv[2:])
    gc.collect()
    gc.freeze()  # pages that no collection writes to are shared with every child
    control.send(json.dumps({"danger": danger}).encode())
    if not danger:
        serve(control, log)


def preload(adapter_types: Sequence[str]) -> str:
    """Import what benchmark processes need, and return why forking is not safe; else an empty text.

    A thread does not live on in a fork, and what it held locked stays locked. numpy's OpenBLAS starts
    threads while it is imported and stops them around a fork (its ``pthread_atfork`` handlers); of any
    other thread nothing is known. CUDA does not survive a fork at all.
    """
    import numpy  # noqa: F401

    known = _threads()
    import torch

    from l2sweep.bench.adapter import import_adapter_module

    for adapter_type in adapter_types:
        import_adapter_module(adapter_type)  # what cannot be imported is refused where it is asked for
    if torch.cuda.is_initialized():
        return "CUDA is initialised"
    unknown = _threads() - known
    return f"{len(unknown)} threads of unknown origin after the imports" if unknown else ""


def serve(control: socket.socket, log: LogWatch) -> None:
    """Fork a process for each packet, and tell of each that ends."""
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is control:
                packet, descriptors, _, _ = socket.recv_fds(control, PACKET_BYTES, 3)
                if not packet:
                    return
                pid = _fork(control, descriptors, packet.decode(), log)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, data=pid)
                control.send(json.dumps({"pid": pid}).encode())
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
    request_fd, message_fd, output_fd = descriptors
    os.setsid()
    die_with_parent(server)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard in (1, 2):
        os.dup2(output_fd, standard)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.close(output_fd)
    with os.fdopen(request_fd) as request:
        request_json = request.read()
    log.set_level(log_level)
    run_and_leave(request_json, message_fd, log)


def _threads() -> set[str]:
    return {task.name for task in Path("/proc/self/task").iterdir()}


if __name__ == "__main__":
    main()
