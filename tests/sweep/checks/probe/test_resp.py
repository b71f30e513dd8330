"""AUTH and PING: what a server answers, and what a spec says."""

from __future__ import annotations

from typing import Any

import pytest
from line_server import line_server

from l2sweep.sweep.checks.probe.resp import RespServer, command, refusal_of, resp_servers

WRONG = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"


def redis(*, user: str = "", password: str = "") -> Any:
    """Return the answers of a Redis server that has one user; empty: it asks for no password."""
    accepted = command(["AUTH", *([user] if user else []), password])

    def answer(received: bytes) -> bytes:
        if b"AUTH" in received:
            return b"+OK\r\n" if received == accepted else WRONG
        return b"+PONG\r\n"

    return answer


def test_a_command_is_an_array_of_bulk_strings_whose_length_is_in_bytes() -> None:
    assert command(["AUTH", "pä"]) == b"*2\r\n$4\r\nAUTH\r\n$3\r\np\xc3\xa4\r\n"


@pytest.mark.parametrize(
    ("reply", "clause"),
    [
        (b"+PONG", ""),
        (b"+OK", ""),
        (WRONG.strip(), "the server refuses the password (WRONGPASS invalid"),
        (b"-ERR invalid password", "the server refuses the password (ERR invalid"),
        (b"-NOAUTH Authentication required.", "the server asks for a password, and the spec has none"),
        (b"-LOADING Redis is loading", "the server answers LOADING Redis"),
    ],
)
def test_an_error_becomes_a_clause(reply: bytes, clause: str) -> None:
    found = refusal_of(reply)
    assert found.startswith(clause)
    assert bool(found) == bool(clause)


@pytest.mark.parametrize(
    ("spec", "servers"),
    [
        ({"type": "resp", "host": "h", "port": 1}, [RespServer("h", 1)]),
        (
            {"type": "resp", "host": "h", "port": 1, "username": "u", "password": "p"},
            [RespServer("h", 1, "u", "p")],
        ),
        ({"type": "resp", "host": "h"}, []),
        ({"type": "resp", "host": "h", "port": "1"}, []),
        ({"type": "resp", "host": "h", "port": True}, []),
        (
            {"type": "valkey", "startup_nodes": "a:1, b:2", "tls_enable": True},
            [
                RespServer("a", 1, uses_tls=True, is_swapped=True),
                RespServer("b", 2, uses_tls=True, is_swapped=True),
            ],
        ),
        ({"type": "valkey", "startup_nodes": "a"}, []),
        ({"type": "valkey", "startup_nodes": "a:99999"}, []),
        ({"type": "valkey"}, []),
    ],
)
def test_the_servers_of_a_spec(spec: dict[str, Any], servers: list[RespServer]) -> None:
    assert resp_servers(spec) == servers


def test_resp_takes_its_password_from_the_environment_as_lmcache_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LMCACHE_RESP_PASSWORD", "p")
    assert resp_servers({"type": "resp", "host": "h", "port": 1})[0].password == "p"
    assert resp_servers({"type": "valkey", "startup_nodes": "h:1"})[0].password == ""


def test_a_server_that_accepts_the_password_has_no_problem() -> None:
    with line_server(redis(password="right")) as port:
        assert RespServer("127.0.0.1", port, "", "right").problem(5) == ""
        assert "WRONGPASS" in RespServer("127.0.0.1", port, "", "wrong").problem(5)


def test_a_reply_in_two_parts_is_read_to_its_end() -> None:
    with line_server(lambda received: b"+PO" if received.endswith(b"PING\r\n") else b"") as port:
        server = RespServer("127.0.0.1", port)
        with pytest.raises(TimeoutError):
            server.problem(0.2)


def test_valkey_is_asked_in_the_order_in_which_lmcache_sends_user_and_password() -> None:
    with line_server(redis(user="bob", password="secret")) as port:
        swapped = RespServer("127.0.0.1", port, username="secret", password="bob", is_swapped=True)
        assert swapped.problem(5) == ""
        right = RespServer("127.0.0.1", port, username="bob", password="secret", is_swapped=True)
        assert "exchange adapter.username and adapter.password" in right.problem(5)


def test_another_server_than_redis_is_named() -> None:
    with line_server(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert RespServer("127.0.0.1", port).problem(5) == "what answers is no Redis or Valkey server"
