"""The option that says how many processes run a point at the same time, against the same store."""

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
"""Each is a process with buffers and connections of its own. Their barrier has a key for each of them."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClientOptions(WorkloadOptions):
    """How many clients a point has."""

    clients: int = point_option(
        1,
        "processes that run the point at the same time, each with its own keys",
        ge=1,
        le=MOST_CLIENTS,
    )

    @property
    def clients_measured(self) -> dict[str, Any]:
        """The part of an identity that this option is, only where it differs from its default."""
        return {"clients": self.clients} if self.clients > 1 else {}

    def clients_contradictions(
        self, *, is_trace: bool, concurrent: bool, profile: str | None
    ) -> Iterator[str]:
        """Yield a sentence for each option that several clients cannot have.

        Args:
            is_trace: Whether the point replays a trace.
            concurrent: The option with this name, as is the next one.
            profile: See ``concurrent``.
        """
        if self.clients == 1:
            return
        needed = f"with clients={self.clients}"
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
