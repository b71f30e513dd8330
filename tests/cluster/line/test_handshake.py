"""The handshake: who may join, who may not, and what each side is told."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import pytest
from line_pair import connected, connected_sockets

import l2sweep
from l2sweep.cluster.line import handshake
from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.cluster.line.handshake import (
    MOST_HANDSHAKE_BYTES,
    Introduction,
    RefusedError,
    introduce,
    receive_worker,
    versions_here,
)

TOKEN = "the token of this test"
LIMIT_S = 20.0
OWN = Introduction.here(1, 2)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def shake_hands(
    pool: ThreadPoolExecutor,
    own: Introduction = OWN,
    tokens: tuple[str, str] = (TOKEN, TOKEN),
    why_not_now: Callable[[Introduction], str] = lambda worker: "",
) -> tuple[Future[None], Future[Introduction]]:
    """Return what a worker and a launcher have of a handshake."""
    with connected(MOST_HANDSHAKE_BYTES) as (worker, launcher):
        both = (
            pool.submit(introduce, worker, tokens[0], own),
            pool.submit(receive_worker, launcher, tokens[1], 2, why_not_now),
        )
        for one in both:
            one.exception(LIMIT_S)
    return both


def test_a_worker_with_the_token_joins_and_tells_of_itself(pool: ThreadPoolExecutor) -> None:
    joined, received = shake_hands(pool)
    assert joined.result() is None
    assert received.result() == OWN
    assert received.result().machine.host
    assert OWN.versions["l2sweep"] == l2sweep.__version__


def test_long_messages_are_taken_only_after_the_handshake(pool: ThreadPoolExecutor) -> None:
    with connected(MOST_HANDSHAKE_BYTES) as (worker, launcher):
        joined = pool.submit(introduce, worker, TOKEN, OWN)
        receive_worker(launcher, TOKEN, 2)
        joined.result(LIMIT_S)
        text = "x" * (2 * MOST_HANDSHAKE_BYTES)
        for one, other in ((worker, launcher), (launcher, worker)):
            sent = pool.submit(one.send, {"text": text})
            assert other.receive(LIMIT_S) == {"text": text}
            sent.result(LIMIT_S)


def test_a_worker_without_the_token_is_refused(pool: ThreadPoolExecutor) -> None:
    joined, received = shake_hands(pool, tokens=("another token, as long", TOKEN))
    for one in (joined, received):
        with pytest.raises(RefusedError, match=r"^it does not have the token of the launcher$"):
            one.result()


def test_a_launcher_without_the_token_is_refused(pool: ThreadPoolExecutor) -> None:
    """It says that all is well, as somebody would who wants the worker to run something."""
    with connected(MOST_HANDSHAKE_BYTES) as (worker, launcher):
        joined = pool.submit(introduce, worker, TOKEN, OWN)
        launcher.send({"challenge": "00"})
        proof = launcher.receive(LIMIT_S)["proof"]
        launcher.send({"proof": proof})  # all that it has heard of the token
        with pytest.raises(RefusedError, match=r"^the launcher does not have the token of this worker$"):
            joined.result(LIMIT_S)


def test_the_token_is_never_sent(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    send = Connection.send

    def overhear(connection: Connection, message: dict[str, Any]) -> None:
        sent.append(json.dumps(message))
        send(connection, message)

    monkeypatch.setattr(Connection, "send", overhear)
    shake_hands(pool)
    assert len(sent) == 3
    assert not any(TOKEN in text for text in sent)


def test_a_proof_that_was_overheard_is_of_no_use_for_another_connection(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    send = Connection.send

    def overhear(connection: Connection, message: dict[str, Any]) -> None:
        sent.append(message)
        send(connection, message)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "send", overhear)
        joined, _ = shake_hands(pool)
        assert joined.exception() is None
    (of_worker,) = [message for message in sent if "answer" in message]
    with connected(MOST_HANDSHAKE_BYTES) as (stranger, launcher):
        received = pool.submit(receive_worker, launcher, TOKEN, 2)
        stranger.receive(LIMIT_S)
        stranger.send(of_worker)
        assert "refused" in stranger.receive(LIMIT_S)
        with pytest.raises(RefusedError, match="token"):
            received.result(LIMIT_S)


def test_the_challenge_sent_back_as_answer_proves_nothing(pool: ThreadPoolExecutor) -> None:
    """A proof of the launcher is not one of a worker: nobody can use one side to answer for the other."""
    with connected(MOST_HANDSHAKE_BYTES) as (stranger, launcher):
        received = pool.submit(receive_worker, launcher, TOKEN, 2)
        challenge = stranger.receive(LIMIT_S)["challenge"]
        proof = handshake._proof(TOKEN, "launcher", challenge, challenge)
        stranger.send({**asdict(OWN), "answer": challenge, "proof": proof})
        with pytest.raises(RefusedError, match="token"):
            received.result(LIMIT_S)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"proof": None},
        {"proof": 1, "answer": []},
        {"proof": "\ud800", "answer": "\ud800"},
        {"proof": "ä" * 64, "answer": {"a": 1}},
        {"refused": "no"},
    ],
)
def test_a_stranger_may_send_any_json(pool: ThreadPoolExecutor, message: dict[str, Any]) -> None:
    with connected(MOST_HANDSHAKE_BYTES) as (stranger, launcher):
        received = pool.submit(receive_worker, launcher, TOKEN, 2)
        stranger.receive(LIMIT_S)
        stranger.send(message)
        with pytest.raises(RefusedError, match="token"):
            received.result(LIMIT_S)


def test_a_stranger_who_sends_too_much_is_cut_off(pool: ThreadPoolExecutor) -> None:
    first, second = connected_sockets()
    launcher = Connection(second, MOST_HANDSHAKE_BYTES)
    received = pool.submit(receive_worker, launcher, TOKEN, 2)
    with first:
        first.sendall(b"x" * (MOST_HANDSHAKE_BYTES + 1))
        with pytest.raises(LineLostError, match="too long"):
            received.result(LIMIT_S)
    launcher.close()


def test_a_stranger_who_says_nothing_is_left(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "HANDSHAKE_S", 0.1)
    with connected(MOST_HANDSHAKE_BYTES) as (_, launcher), pytest.raises(LineLostError, match="answer"):
        receive_worker(launcher, TOKEN, 2)


@pytest.mark.parametrize("name", ["l2sweep", "lmcache", "protocol"])
def test_a_worker_with_another_version_is_refused_with_both(pool: ThreadPoolExecutor, name: str) -> None:
    machine = replace(OWN.machine, host="other")
    own = replace(OWN, machine=machine, versions={**OWN.versions, name: "0.0.1"})
    joined, received = shake_hands(pool, own)
    named = f"other has {name} 0.0.1, and the launcher has {versions_here()[name]}"
    for one in (joined, received):
        with pytest.raises(RefusedError) as refused:
            one.result()
        assert str(refused.value) == named


def test_a_version_that_a_worker_does_not_tell_is_another_one(pool: ThreadPoolExecutor) -> None:
    joined, _ = shake_hands(pool, replace(OWN, versions={}))
    with pytest.raises(RefusedError, match="has l2sweep unknown, and the launcher has"):
        joined.result()


@pytest.mark.parametrize(("rank", "size"), [(2, 2), (-1, 2), (0, 3), (5, 1)])
def test_a_worker_that_knows_of_other_hosts_is_refused(
    pool: ThreadPoolExecutor, rank: int, size: int
) -> None:
    joined, _ = shake_hands(pool, replace(OWN, rank=rank, size=size))
    with pytest.raises(RefusedError, match=f"is rank {rank} of {size} hosts, and the launcher expects 2$"):
        joined.result()


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": {"name": "other"}},
        {"machine": 3},
        {"versions": []},
        {"rank": "first"},
        {"rank": float("inf")},
        {"worker_id": None, "size": None},
    ],
)
def test_an_introduction_of_another_kind_is_refused(
    pool: ThreadPoolExecutor, changes: dict[str, Any]
) -> None:
    with connected(MOST_HANDSHAKE_BYTES) as (worker, launcher):
        received = pool.submit(receive_worker, launcher, TOKEN, 2)
        challenge = worker.receive(LIMIT_S)["challenge"]
        proof = handshake._proof(TOKEN, "worker", challenge, "00")
        worker.send({**asdict(OWN), "answer": "00", "proof": proof, **changes})
        assert "does not introduce itself" in worker.receive(LIMIT_S)["refused"]
        with pytest.raises(RefusedError, match="does not introduce itself"):
            received.result(LIMIT_S)


def test_a_worker_that_can_join_later_is_not_refused(pool: ThreadPoolExecutor) -> None:
    joined, received = shake_hands(pool, why_not_now=lambda worker: f"rank {worker.rank} is taken")
    for one in (joined, received):
        with pytest.raises(LineLostError, match=r"^rank 1 is taken$"):
            one.result()


def test_what_a_launcher_says_cannot_change_the_terminal(pool: ThreadPoolExecutor) -> None:
    with connected(MOST_HANDSHAKE_BYTES) as (worker, launcher):
        joined = pool.submit(introduce, worker, TOKEN, OWN)
        launcher.send({"challenge": "00"})
        launcher.receive(LIMIT_S)
        launcher.send({"refused": "\x1b[2J" + "x" * 5000})
        with pytest.raises(RefusedError) as refused:
            joined.result(LIMIT_S)
        assert str(refused.value).startswith("\\x1b[2Jxxx")
        assert len(str(refused.value)) < 300


def test_another_process_on_the_same_host_has_another_id() -> None:
    assert Introduction.here(1, 2).worker_id != OWN.worker_id


def test_sockets_of_strangers_are_closed_with_the_connection() -> None:
    first, second = connected_sockets()
    Connection(second, MOST_HANDSHAKE_BYTES).close()
    first.settimeout(LIMIT_S)
    assert first.recv(1) == b""
    first.close()
    assert isinstance(first, socket.socket)
