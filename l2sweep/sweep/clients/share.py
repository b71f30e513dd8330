"""The part of a point that one host measures: which clients run there, and how they meet the others."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from l2sweep.bench.rendezvous.address import LOCAL_HOST, Rendezvous


@dataclass(frozen=True)
class Share:
    """The clients of a point that run on one host.

    Attributes:
        rank: Number of this host among those of the point, from 0.
        hosts: Number of hosts of the point.
        clients_per_host: Number of clients on each of them.
        label: Six random hexadecimal digits, the same on all hosts. They are part of the namespace of a run.
        secret: A text that only the clients of this attempt know.
        address: Address of the first host on which its first client listens for the others.
    """

    rank: int
    hosts: int
    clients_per_host: int
    label: str
    secret: str
    address: str = LOCAL_HOST

    @classmethod
    def all_of(cls, hosts: int, clients_per_host: int, address: str = LOCAL_HOST) -> list[Share]:
        """Return the share of each host in a new attempt.

        Args:
            hosts: Number of hosts of the point.
            clients_per_host: Number of clients on each of them.
            address: See the class.
        """
        label, secret = secrets.token_hex(3), secrets.token_hex(32)
        return [cls(rank, hosts, clients_per_host, label, secret, address) for rank in range(hosts)]

    @property
    def size(self) -> int:
        """Number of clients of the point, on all hosts."""
        return self.hosts * self.clients_per_host

    @property
    def clients(self) -> range:
        """Numbers of the clients on this host."""
        first = self.rank * self.clients_per_host
        return range(first, first + self.clients_per_host)

    def rendezvous(self, phase: str) -> list[Rendezvous]:
        """Return where the clients of this host meet all others in one process step.

        Args:
            phase: The step. Each one has a secret of its own.
        """
        token = hmac.new(self.secret.encode(), phase.encode(), hashlib.sha256).hexdigest()
        remote = tuple(range(self.clients_per_host, self.size))
        return [Rendezvous(token, client, self.size, self.address, remote=remote) for client in self.clients]
