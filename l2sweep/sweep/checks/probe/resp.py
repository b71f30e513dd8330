"""Ask a Redis or Valkey server: AUTH, then PING. Source: the RESP specification of Redis."""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

_LONGEST_REPLY_BYTES = 4096
_REFUSED_WHEN_FULL = re.compile(rb"errorstat_OOM:count=([0-9]{1,18})")  # Redis 6.2, and Valkey
_USERNAME, _PASSWORD = "LMCACHE_RESP_USERNAME", "LMCACHE_RESP_PASSWORD"  # resp_l2_adapter.py takes these
_TO_SWAP = (
    "the server refuses user name and password as LMCache's valkey adapter sends them, in the wrong order, "
    "and accepts them in the right order: exchange adapter.username and adapter.password"
)


@dataclass(frozen=True)
class RespServer:
    """A server that speaks RESP.

    Attributes:
        host: Its host.
        port: Its port.
        username: User name; empty: there is none.
        password: Password; empty: there is none.
        uses_tls: Whether it uses TLS.
        is_swapped: Whether the adapter sends the user name as the password and the password as the user name.
    """

    host: str
    port: int
    username: str = ""
    password: str = ""
    uses_tls: bool = False
    is_swapped: bool = False

    @property
    def place(self) -> str:
        """Host and port, for a message."""
        return f"{self.host}:{self.port}"

    def problem(self, timeout_s: float) -> str:
        """Return why the server cannot be used; empty if it answers PING.

        Args:
            timeout_s: Time limit in seconds.

        Raises:
            OSError: The server cannot be reached, or does not answer in time.
        """
        give_up_s = time.monotonic() + timeout_s
        login = self.username, self.password
        if not self.is_swapped:
            return self._refusal(login, give_up_s)
        refusal = self._refusal((self.password, self.username), give_up_s)
        if refusal and any(login) and not self._refusal(login, give_up_s):
            return _TO_SWAP
        return refusal

    def why_full(self, timeout_s: float) -> str:
        """Return how many commands it refused because its memory was full; empty if none.

        LMCache 0.5.6 drops what a refused SET answers (native_connector_l2_adapter.py).

        Args:
            timeout_s: Time limit in seconds.

        Raises:
            OSError: As for :meth:`problem`.
        """
        give_up_s = time.monotonic() + timeout_s
        login = (self.password, self.username) if self.is_swapped else (self.username, self.password)
        with self._connect(give_up_s) as connection:
            if any(login):
                _ask(connection, ["AUTH", *filter(None, login)], give_up_s)
            reply = _ask(connection, ["INFO", "errorstats"], give_up_s, end=b"\r\n\r\n")
        found = _REFUSED_WHEN_FULL.search(reply)
        return "" if found is None else f"since its start, the server refused {int(found[1])} commands (OOM)"

    def _refusal(self, login: tuple[str, str], give_up_s: float) -> str:
        """Return the error that the server answers to AUTH or PING; empty if it answers PONG."""
        username, password = login
        with self._connect(give_up_s) as connection:
            if username or password:
                names = [username] if username else []
                reply = _ask(connection, ["AUTH", *names, password], give_up_s)
                if refusal := refusal_of(reply):
                    return refusal
            reply = _ask(connection, ["PING"], give_up_s)
            if refusal := refusal_of(reply):
                return refusal
            return "" if reply == b"+PONG" else "what answers is no Redis or Valkey server"

    def _connect(self, give_up_s: float) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), _left_s(give_up_s))
        if not self.uses_tls:
            return plain
        try:
            return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def resp_servers(spec: Mapping[str, Any]) -> list[RespServer]:
    """Return the servers of a spec of the type resp or valkey; none where LMCache refuses the spec.

    Args:
        spec: The spec, without references to secrets.
    """
    login = str(spec.get("username") or ""), str(spec.get("password") or "")
    if spec["type"] == "resp":
        host, port = spec.get("host"), spec.get("port")
        login = login[0] or os.environ.get(_USERNAME, ""), login[1] or os.environ.get(_PASSWORD, "")
        return [RespServer(host, int(port), *login)] if isinstance(host, str) and _is_port(port) else []
    uses_tls = bool(spec.get("tls_enable", False))
    servers = []
    for node in str(spec.get("startup_nodes") or "").split(","):
        host, separator, text = node.strip().rpartition(":")
        if not (separator and host and text.isascii() and text.isdigit() and _is_port(int(text))):
            return []
        servers.append(RespServer(host, int(text), *login, uses_tls=uses_tls, is_swapped=True))
    return servers


def command(words: Sequence[str]) -> bytes:
    """Return a command as RESP encodes it: an array of bulk strings.

    Args:
        words: Name and arguments.
    """
    encoded = [word.encode() for word in words]
    parts = [b"*%d\r\n" % len(encoded), *(b"$%d\r\n%s\r\n" % (len(one), one) for one in encoded)]
    return b"".join(parts)


def refusal_of(reply: bytes) -> str:
    """Return the error in a reply as a clause; empty if it is no error.

    Args:
        reply: The first line of the reply, without its line break.
    """
    if not reply.startswith(b"-"):
        return ""
    error = reply[1:].decode(errors="replace").strip()
    if error.startswith("NOAUTH"):
        return f"the server asks for a password, and the spec has none ({error})"
    if error.startswith(("WRONGPASS", "ERR AUTH", "ERR invalid password")):
        return f"the server refuses the password ({error})"
    return f"the server answers {error}"


def _ask(connection: socket.socket, words: Sequence[str], give_up_s: float, end: bytes = b"\r\n") -> bytes:
    connection.settimeout(_left_s(give_up_s))
    connection.sendall(command(words))
    reply = b""
    while end not in reply and len(reply) < _LONGEST_REPLY_BYTES:
        connection.settimeout(_left_s(give_up_s))
        received = connection.recv(_LONGEST_REPLY_BYTES)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        reply += received
    return reply.partition(end)[0]


def _left_s(give_up_s: float) -> float:
    left_s = give_up_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _is_port(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
