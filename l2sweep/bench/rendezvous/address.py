"""Where the clients of a point meet, as a part of their jobs."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace

LOCAL_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Rendezvous:
    """Where the clients of a point meet.

    Attributes:
        token: A secret that all clients have. It travels through the pipes of their jobs only.
        rank: Number of this client, from 0. Client 0 listens.
        size: Number of clients.
        host: Address of the interface on which client 0 listens, and on no other.
        port: Port on which it listens; 0 until it has one.
        remote: Numbers of the clients that run on other hosts than client 0, whose clocks are compared.
    """

    token: str
    rank: int
    size: int
    host: str = LOCAL_HOST
    port: int = 0
    remote: tuple[int, ...] = ()

    def at(self, port: int) -> Rendezvous:
        """Return the rendezvous with the port on which client 0 listens."""
        return replace(self, port=port)

    def key(self, *parts: int | str) -> str:
        """Return the name of a key, such as the one by which a client says that it has arrived at a barrier.

        The store has no password, and it lists its keys to everyone who connects. A name cannot be found
        without the token, so nobody else can say that a client has arrived.

        Args:
            parts: What the key is for, such as the number of the barrier and that of the client.
        """
        text = "/".join(map(str, parts))
        return hmac.new(self.token.encode(), text.encode(), hashlib.sha256).hexdigest()
