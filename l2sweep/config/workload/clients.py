"""The options that say how many processes run a point at the same time, and on how many hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic.dataclasses import dataclass

from l2sweep.analysis.control import adapter_name
from l2sweep.bench.job import FIO
from l2sweep.config.adapter.kinds import INDEX
from l2sweep.config.adapter.traits import AdapterTraits
from l2sweep.config.options import STRICT, point_option
from l2sweep.config.workload.options import AUTO, WorkloadOptions
from l2sweep.errors import shown

MOST_CLIENTS = 256
"""On one host. Each is a process with buffers and connections of its own."""
MOST_HOSTS = 1000
_MOST_TOGETHER = 1000
"""Of one point, on all hosts. Their barrier has a key for each of them, and their names have three digits."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClientOptions(WorkloadOptions):
    """How many clients a point has, and on how many hosts."""

    clients: int = point_option(
        1,
        "processes that run the point at the same time on each host, each with its own keys",
        ge=1,
        le=MOST_CLIENTS,
    )
    hosts: int = point_option(
        1,
        "hosts that measure the point together (docs/hosts.md)",
        ge=1,
        le=MOST_HOSTS,
    )

    @property
    def all_clients(self) -> int:
        """Number of clients on all hosts."""
        return self.clients * self.hosts

    @property
    def clients_given(self) -> str:
        """The options that say how many clients there are, as a user gives them."""
        given = {"clients": self.clients, "hosts": self.hosts}
        return " ".join(f"{name}={value}" for name, value in given.items() if value > 1)

    @property
    def clients_measured(self) -> dict[str, Any]:
        """The part of an identity that these options are, only where they differ from their defaults."""
        given = {"clients": self.clients, "hosts": self.hosts}
        return {name: value for name, value in given.items() if value > 1}

    def clients_contradictions(
        self, *, is_trace: bool, concurrent: bool, profile: str | None
    ) -> Iterator[str]:
        """Yield a sentence for each option that several clients cannot have.

        Args:
            is_trace: Whether the point replays a trace.
            concurrent: The option with this name, as is the next one.
            profile: See ``concurrent``.
        """
        if self.all_clients == 1:
            return
        needed = f"with {self.clients_given}"
        if self.all_clients > _MOST_TOGETHER:
            yield f"{self.clients_given}: must be at most {_MOST_TOGETHER} clients on all hosts"
        for name in ("rounds", "warmup_rounds"):
            if getattr(self, name) == AUTO:
                yield f"{name}=auto: must be a number {needed}, whose rounds start together"
        if is_trace:
            yield f"workload=trace: must be rounds {needed}"
        if concurrent:
            yield f"concurrent=true: must be false {needed}"
        if profile is not None:
            yield f"profile={shown(profile)}: must be null {needed}, because only one process can be profiled"


def why_one_client(traits: AdapterTraits) -> str:
    """Return why the adapters of a point cannot have several clients; empty if they can.

    Args:
        traits: What is known of the adapter, and of those behind it.
    """
    for one in (traits, *traits.more):
        adapter = adapter_name(one.inner)
        if adapter == FIO:
            return f"adapter={adapter}, which runs a thread for each key in flight"
        if one.overwritten_path is not None:
            return f"adapter={adapter}: one process at a time can use its device or file"
        if one.kind.lookup_answered_by == INDEX:
            return f"adapter={adapter}, which keeps an index of all keys in its process"
    return ""
