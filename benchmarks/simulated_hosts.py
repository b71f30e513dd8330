"""Simulate many hosts of a sweep: they join a real launcher, and answer with copies of measured rows.

Each point is measured here once, by what a real worker runs. For every other host and repeat, the same
messages and rows are sent with another place in the sweep, so that the launcher has the work of collecting
and writing them, and this process has little.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from l2sweep.bench.messages import Message
from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.cluster.line.handshake import MOST_HANDSHAKE_BYTES, Introduction, introduce
from l2sweep.cluster.line.messages import (
    Begin,
    Check,
    Checked,
    Ended,
    Heard,
    Leave,
    Measured,
    from_line,
    to_line,
)
from l2sweep.process.starter import ProcessStarter
from l2sweep.records.environment import Machine
from l2sweep.sweep.attempt.host_attempt import HostAttempt, SweepContext

_JOINING_AT_ONCE = 64
_JOIN_S = 120.0
Lines = list[dict[str, Any]]


def join(address: tuple[str, int], size: int, token: str) -> list[Connection]:
    """Let all hosts but the launcher's own join, and return their connections.

    Args:
        address: Where the launcher listens.
        size: Number of hosts.
        token: The token.
    """
    own = Introduction.here(0, size)

    def one(rank: int) -> Connection:
        machine = replace(own.machine, host=f"simulated-{rank:05}")
        for _ in _tries():
            with contextlib.suppress(OSError, LineLostError):
                connection = Connection(socket.create_connection(address, 10), MOST_HANDSHAKE_BYTES)
                introduce(connection, token, replace(own, rank=rank, machine=machine))
                return connection
        raise TimeoutError(f"rank {rank} could not join")

    with ThreadPoolExecutor(_JOINING_AT_ONCE) as pool:
        return list(pool.map(one, range(1, size)))


def _tries() -> Any:
    give_up_at = time.monotonic() + _JOIN_S
    while time.monotonic() < give_up_at:
        yield
        time.sleep(0.2)


def serve(connections: Sequence[Connection]) -> None:
    """Answer every request of the launcher until the sweep ends.

    Args:
        connections: Those of all simulated hosts.
    """
    measured: dict[int, Lines] = {}
    with selectors.DefaultSelector() as selector, ProcessStarter("auto") as starter:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
        while selector.get_map():
            for key, _ in selector.select():
                for values in key.data.arrived():
                    message = from_line(values)
                    if isinstance(message, Begin):
                        cell = message.planned["cell"]
                        if cell not in measured:
                            measured[cell] = _measure(message, starter)
                        for line in measured[cell]:
                            key.data.send(_of(line, message))
                    elif isinstance(message, Check):
                        key.data.send(to_line(Checked(message.number, [])))
                    elif isinstance(message, Leave):
                        selector.unregister(key.data)
                        break


def _measure(begin: Begin, starter: ProcessStarter) -> Lines:
    """Measure a point, and return what a worker sends."""
    planned, sweep, share = begin.read()
    lines: Lines = []

    def heard(client: int, message: Message) -> None:
        lines.append(to_line(Heard.of(begin.number, client, message)))

    context = SweepContext(sweep, Machine.here(), begin.config_git_commit, starter.start)
    attempt = HostAttempt(context, planned, share, heard)
    attempt.begin()
    lines.append(to_line(Measured.of(begin.number, attempt.run_processes())))
    attempt.end()
    return [*lines, to_line(Ended(begin.number, keys_remain=False, problem=""))]


def _of(line: dict[str, Any], begin: Begin) -> dict[str, Any]:
    """Return a message as one of another host or repeat."""
    planned = begin.planned
    place = {"point_index": planned["index"], "repeat": planned["repeat"], "attempt": planned["attempt"]}
    rows = {
        name: [{**row, **place, "host": begin.host} for row in line[name]]
        for name in ("points", "rounds")
        if name in line
    }
    return {**line, **rows, "number": begin.number}
