"""How a point's page cache is treated: the options below ``cache``, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CacheConfig:
    """The options of ``conf/cache``, explained there.

    Attributes:
        between: Operations before which the page cache is dropped.
        method: How; ``auto``: the strongest that works here.
    """

    mode: str = "hot"
    between: Sequence[str] = ()
    method: str = "none"
    command: str | None = None
    command_timeout_s: float = 60.0
    helper: str = "/usr/local/sbin/l2sweep-drop-caches"
    max_resident: float = 0.01
    store_durable: bool = False
    paths: Sequence[str] | None = None

    @property
    def is_cold(self) -> bool:
        """Whether each operation has a process of its own, with a cold page cache where that is asked for."""
        return self.mode == "cold"

    @property
    def measured(self) -> dict[str, Any]:
        """What of it is the identity of a point: of a hot point nothing, so that it is the same as ever.

        The method is not: cold is cold, and it is proved.
        """
        measured: dict[str, Any] = {}
        if self.is_cold:
            measured = {"mode": self.mode, "between": sorted(self.between)}
        if self.store_durable:
            measured["store_durable"] = True
        return {"cache": measured} if measured else {}


def contradictions(cache: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each pair of options that does not go together, each allowed on its own."""
    problems = []
    if cache["method"] == "command" and not cache["command"]:
        problems.append("cache.command=null: must be a shell command where cache.method=command")
    if cache["command"] and cache["method"] != "command":
        problems.append(
            f"cache.command={cache['command']}: goes with cache.method=command, not {cache['method']}"
        )
    if cache["mode"] == "hot" and cache["method"] != "none":
        problems.append(f"cache.method={cache['method']}: goes with cache=cold: nothing is dropped otherwise")
    if cache["mode"] == "hot" and cache["between"]:
        problems.append(
            f"cache.between={','.join(cache['between'])}: goes with cache=cold: one process does it all"
        )
    return problems
