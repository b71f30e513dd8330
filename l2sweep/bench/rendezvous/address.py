"""Where the clients of a point meet, as a part of their jobs."""

from __future__ import annotations

import hashlib
import hmac
import secrets
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
    """

    token: str
    rank: int
    size: int
    host: str = LOCAL_HOST
    port: int = 0

    @classmethod
    def all_of(cls, size: int) -> list[Rendezvous]:
        """Return the same rendezvous as each of its clients needs it.

        Args:
            size: Number of clients.
        """
        token = secrets.token_hex(32)
        return [cls(token, rank, size) for rank in range(size)]

    def at(self, port: int) -> Rendezvous:
        """Return the rendezvous with the port on which client 0 listens."""
        return replace(self, port=port)

    def key(self, barrier: int, rank: int) -> str:
        """Return the name of the key by which a client says that it has arrived at a barrier.

        The store has no password, and it lists its keys to everyone who connects. A name cannot be found
        without the token, so nobody else can say that a client has arrived.

        Args:
            barrier: Number of the barrier.
            rank: Number of the client.
        """
        return hmac.new(self.token.encode(), f"{barrier}/{rank}".encode(), hashlib.sha256).hexdigest()
