"""The process that talks to Ray for the launcher.

Ray is not in the launcher: it would install handlers of signals, print on the terminal, try a wrong address
for ever, and end the process when its head is lost. The protocol is JSON, one object a line: two requests on
standard input (the nodes, then the workers); events on standard output. Standard error is Ray's.

The end of standard input asks this process to end. It also comes when the launcher is killed: then the
workers have a moment to remove their keys, and no folder of a local Ray stays behind.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import ray
from ray.util import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from l2sweep.cluster.engines.ray_host import RayHost

_START_S = 120.0  # for Ray to start the processes of the actors
_LISTENER_S = 10.0  # for a TCP connection to the head
_GRACE_S = 10.0  # for the workers to end when the sweep has ended
_LONGEST_END_S = 25.0  # Ray may never return from a call, for example to a head that is gone
_LOOK_S = 0.5
_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}
# The least that Ray takes: nothing is put into its object store.
_LOCAL = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 << 20, "include_dashboard": False}

_Requests = queue.SimpleQueue[Mapping[str, Any]]


class _RefusedError(Exception):
    """The request cannot be met."""


class _Driver:
    """The nodes and the workers of one launcher.

    Args:
        request: The nodes: ``address`` (None: a local Ray), ``temporary`` (the folder of a local Ray),
            ``size`` and ``wait_s``, as in ``RayEngine``.
        events: The stream of the events.
    """

    def __init__(self, request: Mapping[str, Any], events: TextIO) -> None:
        self._request = request
        self._events = events
        self._at = f"Ray at {request['address']}" if request["address"] else "a local Ray"
        self._group: Any = None
        self._actors: Sequence[Any] = ()
        self._hosts: list[str] = []
        self._running: dict[Any, int] = {}

    def tell(self, event: str, **values: Any) -> None:
        """Send one event to the launcher."""
        self._events.write(json.dumps({"event": event, **values}) + "\n")
        self._events.flush()

    def connect(self) -> None:
        """Connect to Ray, or start a local one."""
        address, size = self._request["address"], self._request["size"]
        if address is None:
            if size > 1:
                raise _RefusedError(f"hosts={size}: a local Ray has 1 node; ray_address names a cluster")
            ray.init(address="local", _temp_dir=self._request["temporary"], **_LOCAL, **_QUIET)
        else:
            try:
                _require_listener(address)
                ray.init(address=address, **_QUIET)
            except (OSError, ValueError) as error:
                raise _RefusedError(
                    f"ray_address={address}: no Ray can be joined there from this host: {_reason(error)}"
                ) from error
        self.tell("connected")

    def reserve(self) -> None:
        """Reserve a CPU on each of as many nodes as are asked for."""
        size = self._request["size"]
        group = placement_group([{"CPU": 1}] * size, strategy="STRICT_SPREAD")
        if not group.wait(timeout_seconds=self._request["wait_s"]):
            remove_placement_group(group)
            raise _RefusedError(self._why_too_few())
        self._group = group
        own = "127.0.0.1" if self._request["address"] is None else ray.util.get_node_ip_address()
        self.tell("reserved", own_address=own)

    def start(self, workers: Mapping[str, Any]) -> None:
        """Start an actor on each node, and its worker.

        Args:
            workers: ``module``, ``arguments`` (those of each rank), ``folder`` and ``token``.
        """
        remote = ray.remote(RayHost)
        places = [
            PlacementGroupSchedulingStrategy(self._group, rank) for rank in range(self._request["size"])
        ]
        self._actors = [remote.options(num_cpus=1, scheduling_strategy=place).remote() for place in places]
        module, folder, token = (workers[name] for name in ("module", "folder", "token"))
        starts = [
            actor.start.remote(module, arguments, folder, token)
            for actor, arguments in zip(self._actors, workers["arguments"], strict=True)
        ]
        notes: dict[str, None] = {}
        for started in ray.get(starts, timeout=_START_S):
            self._hosts.append(started["host"])
            if started["problem"]:
                raise _RefusedError(f"host {started['host']} of {self._at}: {started['problem']}")
            if started["note"]:
                notes[started["note"]] = None
        self._running = {actor.wait.remote(): rank for rank, actor in enumerate(self._actors)}
        self.tell("started", notes=list(notes))

    def watch(self, end: threading.Event) -> None:
        """Report each worker that ends, until the launcher asks this process to end and all have ended."""
        while not end.is_set():
            self._report_ended()
        give_up_at = time.monotonic() + _GRACE_S
        while self._running and time.monotonic() < give_up_at:
            self._report_ended()

    def close(self) -> None:
        """End what still runs. The kernel ends a worker with its actor."""
        for actor in self._actors:
            ray.kill(actor)
        if self._group is not None:
            remove_placement_group(self._group)
        ray.shutdown()

    def _why_too_few(self) -> str:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        usable = sum(1 for node in nodes if node["Resources"].get("CPU", 0) >= 1)
        size = self._request["size"]
        count = f"{usable} node" if usable == 1 else f"{usable} nodes"
        if usable < size:
            return f"hosts={size}: {self._at} has {count}"
        return f"hosts={size}: {self._at} has {count}, but not {size} with a free CPU"

    def _report_ended(self) -> None:
        if not self._running:
            time.sleep(_LOOK_S)
            return
        done, _ = ray.wait(list(self._running), timeout=_LOOK_S)
        for reference in done:
            rank = self._running.pop(reference)
            try:
                ended = ray.get(reference)
            except ray.exceptions.RayError:  # its actor or node is lost, and the worker with it
                ray.nodes()  # asks the head: if that is lost, this process ends here, and all of Ray is gone
                ended = {"exit_code": None, "last_lines": []}
            self.tell("ended", rank=rank, host=self._hosts[rank], **ended)


def _require_listener(address: str) -> None:
    """Check that something listens at HOST:PORT: Ray would try for ever.

    Raises:
        OSError: Nothing does.
    """
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), _LISTENER_S).close()


def _reason(error: BaseException) -> str:
    """Return the first sentence of an error: Ray's have several, with advice for its own options."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].partition(". ")[0].rstrip(".") if lines else type(error).__name__


def main() -> None:
    """Serve the launcher that started this process."""
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints on standard output as well
    requests: _Requests = queue.SimpleQueue()
    end = threading.Event()
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_read, args=[requests, end, request["temporary"]], daemon=True).start()
    driver = _Driver(request, events)
    try:
        driver.connect()
        driver.reserve()
        if workers := requests.get():
            driver.start(workers)
            driver.watch(end)
        driver.close()
    except _RefusedError as refused:
        driver.tell("refused", text=str(refused))
    except Exception as error:
        driver.tell("failed", text=_reason(error))
    _remove(request["temporary"])


def _read(
    requests: queue.SimpleQueue[Mapping[str, Any]], end: threading.Event, temporary: str | None
) -> None:
    """Read requests until the launcher asks this process to end, and see that it does."""
    for line in sys.stdin:
        requests.put(json.loads(line))
    end.set()
    requests.put({})
    time.sleep(_LONGEST_END_S)
    _remove(temporary)
    os._exit(1)  # the kernel ends a local Ray with it


def _remove(temporary: str | None) -> None:
    if temporary is not None:
        shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
