"""The handshake of a worker and the launcher: both prove that they have the token, and have one version.

Each side sends a random text, and proves that it has the token by a keyed hash (HMAC-SHA256) of both texts.
The token itself is never sent, and a proof that was overheard is of no use for another connection. What is
sent afterwards is neither encrypted nor signed: see docs/security.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import importlib.metadata
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import l2sweep
from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.errors import BenchError, shown
from l2sweep.records.environment import Machine

HANDSHAKE_S = 10.0
"""How long each side waits for the next line of the other."""
MOST_HANDSHAKE_BYTES = 1 << 14
"""Nobody sends more before it has proved that it has the token."""
_MOST_BYTES = 1 << 30  # the rows of a point with 256 clients and 1,000 rounds are some 100 MB
_PROTOCOL = 2


class RefusedError(BenchError):
    """The other side does not have the token, or another version, or another place among the hosts."""


@dataclass(frozen=True)
class Introduction:
    """What a worker tells of itself.

    Attributes:
        rank: Its number among the hosts, from 0.
        size: Number of hosts that it knows of.
        machine: Its machine.
        versions: The versions that must be the same on all hosts.
        worker_id: A random text, the same whenever this worker joins.
    """

    rank: int
    size: int
    machine: Machine
    versions: Mapping[str, str]
    worker_id: str

    @classmethod
    def here(cls, rank: int, size: int) -> Introduction:
        """Return the introduction of this worker."""
        return cls(rank, size, Machine.here(), versions_here(), secrets.token_hex(8))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Introduction:
        """Return the introduction in a message.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, OverflowError: It is not one.
        """
        versions = {str(name): str(version) for name, version in values["versions"].items()}
        rank, size, machine = int(values["rank"]), int(values["size"]), Machine(**values["machine"])
        return cls(rank, size, machine, versions, str(values["worker_id"]))


class SweepEndedError(BenchError):
    """The launcher lets nobody join any more, because the sweep has ended."""


WhyNotNow = Callable[[Introduction], str]
"""Returns why a worker cannot join now, although it might later; empty if it can.

It raises SweepEndedError once no worker can join any more."""


def versions_here() -> dict[str, str]:
    """Return the versions that must be the same on all hosts: rows of two releases cannot be one point."""
    try:
        lmcache = importlib.metadata.version("lmcache")
    except importlib.metadata.PackageNotFoundError:
        lmcache = "not installed"
    return {"l2sweep": l2sweep.__version__, "lmcache": lmcache, "protocol": str(_PROTOCOL)}


def introduce(connection: Connection, token: str, own: Introduction) -> None:
    """Join the launcher at the other side of a new connection.

    Args:
        connection: The connection.
        token: The token.
        own: This worker.

    Raises:
        RefusedError: The launcher refuses this worker, or does not have the token.
        SweepEndedError: The sweep has ended.
        LineLostError: The launcher does not answer, or this worker can only join later.
    """
    challenge = str(connection.receive(HANDSHAKE_S).get("challenge", ""))
    answer = secrets.token_hex(16)
    connection.send({**asdict(own), "answer": answer, "proof": _proof(token, "worker", challenge, answer)})
    reply = connection.receive(HANDSHAKE_S)
    if problem := reply.get("refused"):
        raise RefusedError(shown(problem))
    if problem := reply.get("ended"):
        raise SweepEndedError(shown(problem))
    if problem := reply.get("later"):
        raise LineLostError(shown(problem))
    if not _is_proof(reply.get("proof"), token, "launcher", challenge, answer):
        raise RefusedError("the launcher does not have the token of this worker")
    connection.longest_line_bytes = _MOST_BYTES


def receive_worker(
    connection: Connection, token: str, size: int, why_not_now: WhyNotNow = lambda worker: ""
) -> Introduction:
    """Let a worker join that has just connected.

    Args:
        connection: The connection.
        token: The token.
        size: Number of hosts.
        why_not_now: Is asked last.

    Returns:
        What the worker told of itself.

    Raises:
        RefusedError: The worker was refused, and knows why.
        SweepEndedError: ``why_not_now`` raised it. The worker knows.
        LineLostError: It does not answer, or tries again later.
    """
    challenge = secrets.token_hex(16)
    connection.send({"challenge": challenge})
    message = connection.receive(HANDSHAKE_S)
    answer = str(message.get("answer", ""))
    if not _is_proof(message.get("proof"), token, "worker", challenge, answer):
        raise _refused(connection, "it does not have the token of the launcher")
    try:
        worker = Introduction.of(message)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _refused(connection, "it does not introduce itself as this version of l2sweep does") from error
    if problem := _why_not(worker, size):
        raise _refused(connection, problem)
    try:
        problem = why_not_now(worker)
    except SweepEndedError as error:
        connection.send({"ended": str(error)})
        raise
    if problem:
        connection.send({"later": problem})
        raise LineLostError(problem)
    connection.longest_line_bytes = _MOST_BYTES
    connection.send({"proof": _proof(token, "launcher", challenge, answer)})
    return worker


def _why_not(worker: Introduction, size: int) -> str:
    here = versions_here()
    for name, version in here.items():
        if worker.versions.get(name) != version:
            theirs = worker.versions.get(name, "unknown")
            return f"{worker.machine.host} has {name} {theirs}, and the launcher has {version}"
    if worker.size != size or not 0 <= worker.rank < size:
        theirs = f"rank {worker.rank} of {worker.size}"
        return f"{worker.machine.host} is {theirs} hosts, and the launcher expects {size}"
    return ""


def _refused(connection: Connection, problem: str) -> RefusedError:
    with contextlib.suppress(LineLostError):
        connection.send({"refused": problem})
    return RefusedError(problem)


def _proof(token: str, side: str, challenge: str, answer: str) -> str:
    text = f"{side}/{challenge}/{answer}".encode("utf-8", "surrogatepass")  # JSON can have any character
    return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()


def _is_proof(given: object, token: str, side: str, challenge: str, answer: str) -> bool:
    own = _proof(token, side, challenge, answer)
    return isinstance(given, str) and given.isascii() and hmac.compare_digest(given, own)
