"""The process that talks to Ray for the launcher.

Ray is not in the launcher: it would install handlers of signals, print on the terminal, and end the process
when its head is lost. The first line of standard input is the request, and its end asks this process to end.
Each line of standard output is an event; standard error is Ray's. The protocol is JSON, one object a line.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.util import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from l2sweep.cluster.engines.ray_host import RayHost

_START_S = 120.0  # for Ray to start the processes of the actors
_GRACE_S = 10.0  # for the workers to end when the sweep has ended
_LOOK_S = 0.5
_HEAD = "node:__internal_head__"  # a resource of the head beside that of its address
# The least that Ray takes: nothing is put into its object store.
_LOCAL = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 << 20, "include_dashboard": False}


class _RefusedError(Exception):
    """The request cannot be met."""


class _Driver:
    """The workers of one request.

    Args:
        request: Attributes of ``WantedWorkers``, the ``address`` (None: a local Ray) and ``temporary``, the
            folder of a local Ray.
        events: The stream of the events.
    """

    def __init__(self, request: Mapping[str, Any], events: Any) -> None:
        self._request = request
        self._events = events
        self._size = int(request["size"])
        self._ranks: Sequence[int] = request["ranks"]
        self._at = f"Ray at {request['address']}" if request["address"] else "a local Ray"
        self._running: dict[Any, int] = {}
        self._hosts: dict[int, str] = {}

    def run(self, end: threading.Event) -> None:
        """Start the workers, report those that end, and end the others when the launcher asks for it."""
        self._connect()
        self.tell("connected")
        group = self._reserved()
        actors = self._start_workers(group)
        self._running = {actor.wait.remote(): rank for rank, actor in actors.items()}
        while not end.is_set():
            self._report_ended(_LOOK_S)
        give_up_at = time.monotonic() + _GRACE_S
        while self._running and time.monotonic() < give_up_at:
            self._report_ended(_LOOK_S)
        for actor in actors.values():
            ray.kill(actor)
        remove_placement_group(group)
        ray.shutdown()

    def tell(self, event: str, **values: Any) -> None:
        """Send one event to the launcher."""
        self._events.write(json.dumps({"event": event, **values}) + "\n")
        self._events.flush()

    def _connect(self) -> None:
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._request["address"] is None:
            if self._size > 1:
                raise _RefusedError(f"hosts={self._size}: a local Ray has 1 node; give ray_address")
            ray.init(address="local", _temp_dir=self._request["temporary"], **_LOCAL, **quiet)
            return
        try:
            ray.init(address=self._request["address"], **quiet)
        except ConnectionError as error:
            raise _RefusedError(
                f"ray_address={self._request['address']}: no Ray answers there ({_first_line(error)})"
            ) from error

    def _reserved(self) -> Any:
        """Reserve a CPU on each of as many nodes as hosts take part, and return the placement group."""
        bundles: list[dict[str, float]] = [{"CPU": 1} for _ in range(self._size)]
        if 0 not in self._ranks:
            bundles[0] = self._bundle_of_this_node()
        group = placement_group(bundles, strategy="STRICT_SPREAD")
        if not group.wait(timeout_seconds=self._request["wait_s"]):
            remove_placement_group(group)
            raise _RefusedError(self._why_too_few())
        return group

    def _bundle_of_this_node(self) -> dict[str, float]:
        """Return what keeps the node of the launcher, where rank 0 runs already, from being chosen again."""
        own = ray.get_runtime_context().get_node_id()
        resources = next(node["Resources"] for node in ray.nodes() if node["NodeID"] == own)
        address = next(name for name in resources if name.startswith("node:") and name != _HEAD)
        return {address: 0.001, **({"CPU": 1} if resources.get("CPU") else {})}

    def _why_too_few(self) -> str:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        usable = sum(1 for node in nodes if node["Resources"].get("CPU", 0) >= 1)
        if usable < self._size:
            count = f"{usable} node" if usable == 1 else f"{usable} nodes"
            return f"hosts={self._size}: {self._at} has {count}"
        return (
            f"hosts={self._size}: {self._at} has {usable} nodes, but not a free CPU on {self._size} of them "
            f"within {self._request['wait_s']:.0f} s"
        )

    def _start_workers(self, group: Any) -> dict[int, Any]:
        """Start an actor in each bundle and its worker, and return the actors by rank."""
        remote = ray.remote(RayHost)
        actors = {
            rank: remote.options(
                num_cpus=1, scheduling_strategy=PlacementGroupSchedulingStrategy(group, rank)
            ).remote()
            for rank in self._ranks
        }
        module, folder, token = (self._request[name] for name in ("module", "folder", "token"))
        starts = {
            rank: actor.start.remote(module, self._request["arguments"][str(rank)], folder, token)
            for rank, actor in actors.items()
        }
        notes = []
        give_up_at = time.monotonic() + _START_S
        for rank, start in starts.items():
            started = ray.get(start, timeout=max(give_up_at - time.monotonic(), 1.0))
            self._hosts[rank] = started["host"]
            if started["problem"]:
                raise _RefusedError(f"host {started['host']} of {self._at}: {started['problem']}")
            notes += [started["note"]] if started["note"] else []
        self.tell("started", hosts=self._hosts, notes=list(dict.fromkeys(notes)))
        return actors

    def _report_ended(self, wait_s: float) -> None:
        if not self._running:
            time.sleep(wait_s)
            return
        done, _ = ray.wait(list(self._running), timeout=wait_s)
        for reference in done:
            rank = self._running.pop(reference)
            try:
                ended = ray.get(reference)
            except ray.exceptions.RayError:  # its actor or node is lost, and the worker with it
                ended = {"exit_code": None, "last_lines": []}
            self.tell("ended", rank=rank, host=self._hosts[rank], **ended)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def main() -> None:
    """Serve the launcher that started this process."""
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints on standard output as well
    driver = _Driver(json.loads(sys.stdin.readline()), events)
    end = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        end.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    try:
        driver.run(end)
    except _RefusedError as refused:
        driver.tell("refused", text=str(refused))
    except Exception as error:
        driver.tell("failed", text=_first_line(error))


if __name__ == "__main__":
    main()
