"""The engine Ray: an actor on each host starts the worker there (``hydra/launcher=ray``)."""

from __future__ import annotations

import collections
import contextlib
import importlib.util
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from l2sweep import interrupts
from l2sweep.cluster.engines.workers import EndedWorker, WantedWorkers
from l2sweep.credentials import redact_text, scrub
from l2sweep.errors import BenchError, RequestError, printable
from l2sweep.process.fresh import bench_environment

_CONNECT_S = 90.0  # a local Ray needs 3 s on an idle machine; Ray may try a wrong address for ever
_START_S = 150.0  # to start the processes of the actors
_END_S = 30.0
_LOOK_S = 0.2
_LAST_LINES = 20
# A socket of Ray's has a path of at most 107 bytes, of which Ray itself takes about 70: unix(7).
_LONGEST_FOLDER = 35


class RayEngine(AbstractContextManager["RayEngine"]):
    """Nodes of a Ray cluster, each with an actor that runs one worker as its child.

    Entering connects to Ray and reserves the nodes. Leaving ends a local Ray, and the workers that have not
    ended by themselves.

    Args:
        ray_address: ``auto`` or HOST:PORT of a cluster of which this host is a node; None: a local Ray, which
            is started and stopped.
        size: Number of nodes.
        wait_s: Seconds to wait at most until every node has a free CPU.

    Attributes:
        own_address: Address of this host at which the other nodes reach it.

    Raises:
        RequestError: Ray is not installed, does not answer, or has too few nodes. Nothing was run.
        BenchError: Ray fails.
    """

    def __init__(self, ray_address: str | None, size: int, wait_s: float) -> None:
        self._at = f"Ray at {ray_address}" if ray_address is not None else "a local Ray"
        self._address, self._size, self._wait_s = ray_address, size, wait_s
        self._held = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._events: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._errors: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._ended: list[EndedWorker] = []
        self._is_gone = False
        self._token = ""
        self.own_address = ""

    def __enter__(self) -> RayEngine:
        """Connect, and reserve a CPU on each of as many nodes as are asked for."""
        if importlib.util.find_spec("ray") is None:
            raise RequestError(["hydra/launcher=ray: needs the package ray: pip install 'l2sweep[ray]'"])
        with contextlib.ExitStack() as held:
            temporary = None
            if self._address is None:
                temporary = _temporary_folder()
                held.callback(shutil.rmtree, temporary, ignore_errors=True)
            self._start_driver(held)
            self._tell(address=self._address, temporary=temporary, size=self._size, wait_s=self._wait_s)
            self._wait_for("connected", _CONNECT_S)
            self.own_address = self._wait_for("reserved", self._wait_s + _CONNECT_S)["own_address"]
            self._held = held.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """End the workers, and a local Ray."""
        self._held.close()

    def start(self, wanted: WantedWorkers) -> tuple[str, ...]:
        """Start a worker on each node, and return what holds for their measurements, one line each.

        Args:
            wanted: The workers.

        Raises:
            RequestError: A worker cannot run on its host.
            BenchError: Ray fails.
        """
        self._token = wanted.token
        self._tell(
            module=wanted.module,
            arguments=[wanted.arguments(rank) for rank in range(wanted.size)],
            folder=str(wanted.folder),
            token=wanted.token,
        )
        return tuple(map(self._shown, self._wait_for("started", _START_S)["notes"]))

    def problem(self) -> str | None:
        """Return why workers are missing, in one line; None: all of them run."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._take(self._events.get_nowait())
        if self._is_gone:
            return f"{self._at} is gone"
        return next((one.sentence for one in self._ended), None)

    def _start_driver(self, held: contextlib.ExitStack) -> None:
        environment = {**bench_environment(None), "RAY_USAGE_STATS_ENABLED": "0"}
        if self._address is None:
            environment |= _environment_of_local_ray()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "l2sweep.cluster.engines.ray_driver"],  # -P: not the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for the launcher, which ends Ray in order
        )
        held.callback(_end, self._process)
        for target in (self._read_events, self._read_errors):
            threading.Thread(target=target, args=[self._process], daemon=True).start()

    def _tell(self, **request: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: the events say so
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def _wait_for(self, kind: str, limit_s: float) -> Mapping[str, Any]:
        give_up_at = time.monotonic() + limit_s
        while time.monotonic() < give_up_at:
            with interrupts.interruptible(), contextlib.suppress(queue.Empty):
                event = self._events.get(timeout=_LOOK_S)
                if event["event"] == kind:
                    return event
                if event["event"] == "refused":
                    raise RequestError([self._shown(event["text"])])
                if event["event"] == "failed":
                    raise BenchError(f"{self._at}: {self._shown(event['text'])}")
                self._take(event)
            if self._is_gone:
                last = f": {self._shown(self._errors[-1])}" if self._errors else ""
                raise BenchError(f"{self._at} ended before the sweep began{last}")
        raise RequestError([f"{self._at} does not answer"])

    def _take(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "ended":
            lines = tuple(map(self._shown, event["last_lines"]))
            self._ended.append(EndedWorker(event["rank"], event["host"], event["exit_code"], lines))
        else:
            self._is_gone = True

    def _shown(self, text: str) -> str:
        return printable(scrub(redact_text(text), {self._token} - {""}))

    def _read_events(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with contextlib.suppress(ValueError):  # the process died while it wrote
                    self._events.put(json.loads(line))
        self._events.put({"event": "gone"})

    def _read_errors(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                if text := line.decode(errors="replace").strip():
                    self._errors.append(text)


def _environment_of_local_ray() -> dict[str, str]:
    """Return what a local Ray gets: a secret of its own, in no file, and workers of ordinary priority."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_worker_niceness": "0",
        "RAY_worker_oom_score_adjustment": "0",
    }


def _temporary_folder() -> str:
    """Make the folder of a local Ray: for its sockets and logs, and for this user alone."""
    folder = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="l2s-", dir=folder if len(folder) <= _LONGEST_FOLDER else "/tmp")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the driver end the workers and Ray; kill it if it does not, or if the user is in a hurry."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    give_up_at = time.monotonic() + _END_S
    while process.poll() is None and time.monotonic() < give_up_at and not interrupts.hurried():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_S)
    with contextlib.suppress(ProcessLookupError):  # a local Ray is in its session
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
