"""Ask everything that an adapter spec names, at the same time and for a limited time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from l2sweep import credentials
from l2sweep.bench.adapter.references import resolve
from l2sweep.bench.job import specs_of
from l2sweep.errors import printable
from l2sweep.interrupts import interruptible
from l2sweep.sweep.checks.probe.bigtable import bigtable_emulators
from l2sweep.sweep.checks.probe.local_place import local_places
from l2sweep.sweep.checks.probe.resp import resp_servers
from l2sweep.sweep.checks.probe.s3_bucket import s3_buckets

TIMEOUT_S = 5.0
"""How long the servers of one spec are waited for, all together, in seconds."""


class Target(Protocol):
    """A server or a place that can be asked. Two that are equal are the same one."""

    @property
    def place(self) -> str:
        """What it is called in a message: a host and port, or a path."""

    def problem(self, timeout_s: float) -> str:
        """Return why it cannot be used; empty if it can."""


_TARGETS: Mapping[str, Callable[[Mapping[str, Any]], Sequence[Target]]] = {
    "resp": resp_servers,
    "valkey": resp_servers,
    "s3": s3_buckets,
    "bigtable": bigtable_emulators,
}


def probe_problem(spec: Mapping[str, Any], timeout_s: float = TIMEOUT_S) -> str:
    """Return why the server or the place in a spec cannot be used; empty if it can, or cannot be asked.

    Args:
        spec: The spec. References to secrets are replaced by their values for the probe alone.
        timeout_s: Time limit in seconds for everything that the spec names.

    Returns:
        A clause with the host or path and the cause, without credentials.

    Raises:
        RequestError: A secret cannot be read.
        KeyboardInterrupt: The user asked to stop.
    """
    resolved = resolve(spec)
    problems = ask_all(targets_of(resolved), timeout_s)
    return credentials.scrub(next(iter(problems.values()), ""), credentials.secrets_of(resolved))


def targets_of(spec: Mapping[str, Any]) -> tuple[Target, ...]:
    """Return what the specs of a point name, and what the specs inside them name.

    Args:
        spec: The spec, without references to secrets.
    """
    return tuple(dict.fromkeys(target for one in specs_of(spec) for target in _targets_of_one(one)))


def _targets_of_one(spec: Mapping[str, Any]) -> list[Target]:
    of_type = _TARGETS.get(str(spec.get("type")))
    found: list[Target] = [*of_type(spec)] if of_type is not None else []
    if not found and "type" in spec:
        found += local_places(spec)
    inside = [value for value in spec.values() if isinstance(value, Mapping) and "type" in value]
    return [*found, *(target for value in inside for target in _targets_of_one(value))]


def ask_all(targets: Sequence[Target], timeout_s: float) -> dict[Target, str]:
    """Ask all targets at the same time, and return the problem of each that has one.

    Each is asked in a thread of its own, because resolving a host name has no time limit.

    Args:
        targets: What to ask.
        timeout_s: Time limit in seconds for all of them.

    Raises:
        KeyboardInterrupt: The user asked to stop.
    """
    give_up_s = time.monotonic() + timeout_s
    answers: dict[Target, str] = {}

    def ask(target: Target) -> None:
        try:
            answers[target] = target.problem(timeout_s)
        except (OSError, ValueError) as error:
            answers[target] = cause(error, timeout_s)

    threads = [threading.Thread(target=ask, args=(target,), daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    with interruptible():
        for thread in threads:
            thread.join(max(0.0, give_up_s - time.monotonic()))
    problems = {target: answers.get(target, cause(TimeoutError(), timeout_s)) for target in targets}
    return {target: printable(f"{target.place}: {why}") for target, why in problems.items() if why}


def cause(error: Exception, timeout_s: float) -> str:
    """Return an error of a connection as a clause.

    Args:
        error: The error.
        timeout_s: The time limit in seconds that applied.
    """
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, socket.gaierror):
        return "the host name cannot be resolved"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({getattr(error, 'verify_message', '') or error.reason or error})"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
