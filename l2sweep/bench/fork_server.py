"""``python -m l2sweep.bench.fork_server``: import torch and LMCache once, then fork a process for each job.

The server uses one SOCK_SEQPACKET socket; its file descriptor is the only argument. Each packet from the
launcher requests one process. It holds the number of the request and the adapter types that the process
needs, and carries three file descriptors: for the job, for the messages and for the output. The server
imports the modules of new adapter types and forks. It answers with the number of the request and the process
id, or with the reason why forking is not safe. When a process has ended, it sends the exit status. The server
ends when the launcher closes the socket, and the kernel kills it when the launcher dies
(:func:`l2sweep.process.fresh.module_command`).
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
from l2sweep.bench.entry import die_with_parent, run_and_exit

PACKET_BYTES = 4096


def main() -> None:
    """Serve until the launcher closes the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides how a sweep is stopped
    control = socket.socket(fileno=int(sys.argv[1]))
    log = LogWatch()  # before LMCache creates its loggers
    serve(control, log, Libraries())


class Libraries:
    """Import the modules that benchmark processes need, and check that forking is safe.

    A thread does not exist in a forked process, and its locks stay locked there. OpenBLAS, which numpy loads,
    starts threads on import and stops them around a fork (``pthread_atfork``). All other threads are unknown,
    so that forking is not safe with them. CUDA does not work after a fork.
    """

    def __init__(self) -> None:
        gc.disable()  # the imports create no garbage, and collecting took a third of their time
        import numpy  # noqa: F401

        self._known_threads = _threads()
        self._imported: set[str] = set()
        from l2sweep.bench import versions
        from l2sweep.bench.benchmarks import lmcache_adapter  # noqa: F401

        versions.lmcache_version(), versions.torch_version()
        gc.freeze()  # pages that no collection writes to stay shared with every forked process
        gc.enable()

    def import_adapters(self, adapter_types: Sequence[str]) -> None:
        """Import the modules of adapter types. If one fails, the process that needs it refuses the spec.

        Args:
            adapter_types: The adapter types.
        """
        from l2sweep.bench.adapter.create import import_adapter_module

        for adapter_type in set(adapter_types) - self._imported:
            import_adapter_module(adapter_type)
            self._imported.add(adapter_type)
            gc.freeze()

    def why_unsafe(self) -> str:
        """Return why forking is not safe; empty if it is safe."""
        import torch

        if torch.cuda.is_initialized():
            return "CUDA is initialised"
        unknown = _threads() - self._known_threads
        return f"threads of unknown origin after the imports: {len(unknown)}" if unknown else ""


def serve(control: socket.socket, log: LogWatch, libraries: Libraries) -> None:
    """Fork a process for each packet, and send the exit status of each process that ends.

    Args:
        control: Socket to the launcher.
        log: Created before LMCache was imported.
        libraries: The imported modules.
    """
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is control:
                packet, descriptors, _, _ = socket.recv_fds(control, PACKET_BYTES, 3)
                if not packet:
                    return
                request = json.loads(packet)
                libraries.import_adapters(request["adapter_types"])
                if danger := libraries.why_unsafe():
                    control.send(json.dumps({"number": request["number"], "danger": danger}).encode())
                    return
                pid = _fork(control, descriptors, request["lmcache_log_level"], log)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, data=pid)
                control.send(json.dumps({"number": request["number"], "pid": pid}).encode())
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
        _become_bench_process(server, descriptors, log_level, log)
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _become_bench_process(server: int, descriptors: Sequence[int], log_level: str, log: LogWatch) -> NoReturn:
    from l2sweep.bench.benchmarks.lmcache_adapter import prepare_process

    job_fd, message_fd, output_fd = descriptors
    os.setsid()
    die_with_parent(server)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard in (1, 2):
        os.dup2(output_fd, standard)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.close(output_fd)
    log.set_level(log_level)
    prepare_process()  # before the job arrives: a process that was forked ahead has time for it
    with os.fdopen(job_fd) as job:
        job_json = job.read()
    if not job_json:
        os._exit(0)  # forked ahead, but not needed
    run_and_exit(job_json, message_fd, log)


def _threads() -> set[str]:
    return {task.name for task in Path("/proc/self/task").iterdir()}


if __name__ == "__main__":
    main()
