"""The engine Ray: an actor on each host starts the worker there (``hydra/launcher=ray``)."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import importlib.util
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
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
from l2sweep.process.fresh import module_command

_CONNECT_S = 120.0  # a local Ray needs 3 s on an idle machine; Ray tries a wrong address for ever
_START_S = 150.0  # for the driver to start the actors, besides the wait for free nodes
_END_S = 30.0
_LOOK_S = 0.2
_LAST_LINES = 20
# A socket of Ray's has a path of at most 107 bytes, of which Ray itself takes about 70: unix(7).
_LONGEST_FOLDER = 35


class RayWorkers(AbstractContextManager["RayWorkers"]):
    """Workers on the nodes of a Ray cluster, each the child of an actor with a node of its own.

    Entering starts them, and leaving ends those that have not ended by themselves.

    Args:
        wanted: The workers.
        address: ``auto`` or HOST:PORT of a cluster of which this host is a node; None: a local Ray, which is
            started and stopped.

    Attributes:
        hosts: From the rank of each worker to the name of its host.
        notes: What holds for the measurements on some hosts, one line each.

    Raises:
        RequestError: Ray is not installed, does not answer, or has too few nodes. Nothing was run.
        BenchError: Ray fails.
    """

    def __init__(self, wanted: WantedWorkers, address: str | None) -> None:
        self._wanted = wanted
        self._address = address
        self._at = f"Ray at {address}" if address is not None else "the local Ray"
        self._held = contextlib.ExitStack()
        self._events: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._errors: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._ended: list[EndedWorker] = []
        self._is_connected = self._is_gone = False
        self.hosts: dict[int, str] = {}
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> RayWorkers:
        """Start the workers, and return when all of them run."""
        if importlib.util.find_spec("ray") is None:
            raise RequestError(["hydra/launcher=ray: needs the package ray: pip install 'l2sweep[ray]'"])
        with contextlib.ExitStack() as held:
            self._start_driver(held)
            self._wait_until_started()
            self._held = held.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """End the workers, and a local Ray."""
        self._held.close()

    def ended(self) -> tuple[EndedWorker, ...]:
        """Return the workers that have ended, in the order in which they did."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._take(self._events.get_nowait())
        return tuple(self._ended)

    def problem(self) -> str | None:
        """Why workers are missing, in one line; None: none was lost, and none ended with an error."""
        ended = self.ended()
        if self._is_gone:
            return f"{self._at} is gone"
        return next((one.sentence for one in ended if one.exit_code != 0), None)

    def _start_driver(self, held: contextlib.ExitStack) -> None:
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        temporary = None
        if self._address is None:
            temporary = _temporary_folder()
            held.callback(shutil.rmtree, temporary, ignore_errors=True)
            environment |= _environment_of_local_ray()
        process = subprocess.Popen(
            module_command("l2sweep.cluster.engines.ray_driver"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for the launcher, which ends Ray in order
        )
        held.callback(_end, process)
        for target in (self._read_events, self._read_errors):
            threading.Thread(target=target, args=[process], daemon=True).start()
        request = {
            **dataclasses.asdict(self._wanted),
            "folder": str(self._wanted.folder),
            "arguments": {rank: self._wanted.arguments(rank) for rank in self._wanted.ranks},
            "address": self._address,
            "temporary": temporary,
        }
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: the events say so
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()

    def _wait_until_started(self) -> None:
        began_at = time.monotonic()
        while not self.hosts:
            limit_s = _CONNECT_S + (_START_S + self._wanted.wait_s if self._is_connected else 0.0)
            if time.monotonic() > began_at + limit_s:
                raise RequestError([f"{self._at} does not answer"])
            with interrupts.interruptible(), contextlib.suppress(queue.Empty):
                self._take(self._events.get(timeout=_LOOK_S))
            if self._is_gone:
                last = f": {self._shown(self._errors[-1])}" if self._errors else ""
                raise BenchError(f"{self._at} ended while it started the workers{last}")

    def _take(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == "refused":
            raise RequestError([self._shown(event["text"])])
        if kind == "failed" and not self.hosts:
            raise BenchError(f"{self._at}: {self._shown(event['text'])}")
        if kind == "connected":
            self._is_connected = True
        elif kind == "started":
            self.hosts = {int(rank): host for rank, host in event["hosts"].items()}
            self.notes = tuple(map(self._shown, event["notes"]))
        elif kind == "ended":
            lines = tuple(map(self._shown, event["last_lines"]))
            self._ended.append(EndedWorker(event["rank"], event["host"], event["exit_code"], lines))
        else:
            self._is_gone = True

    def _shown(self, text: str) -> str:
        return printable(scrub(redact_text(text), {self._wanted.token}))

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
