"""How a point's page cache is treated: the options of the config group ``cache``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from l2sweep.config.options import A_PATH, STRICT, CommandText, Fraction, PathText, Seconds, cache_option


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CacheConfig:
    """The options of ``conf/cache``."""

    mode: Literal["hot", "cold"] = cache_option(
        "hot", "hot, or cold: each phase is a process of its own, with the page cache dropped between"
    )
    drop_before: list[Literal["lookup", "load"]] = cache_option(
        [], "phases before which the page cache is dropped", allowed="a list of lookup and load"
    )
    method: Literal["auto", "drop_caches", "helper", "fadvise", "command", "none"] = cache_option(
        "none", "auto (the strongest that works), drop_caches, helper, fadvise, command or none"
    )
    command: CommandText | None = cache_option(
        None,
        "for method=command: a shell command that drops a cache elsewhere",
        allowed="a shell command, or null",
        rare=True,
    )
    command_timeout_s: Seconds = cache_option(60, "time limit of that command", unit="s", rare=True)
    helper: PathText = cache_option(
        "/usr/local/sbin/l2sweep-drop-caches",
        "for method=helper: what sudo may run (scripts/install_helper.sh)",
        allowed=A_PATH,
        rare=True,
    )
    max_resident_fraction: Fraction = cache_option(
        0.01, "a cold phase that starts with a larger share of its pages in the page cache fails", rare=True
    )
    store_durable: bool = cache_option(
        False, "true: flush to the device after each store round, timed apart (flush_s)"
    )
    paths: Annotated[list[PathText], Field(min_length=1)] | None = cache_option(
        None,
        "where the adapter keeps its data, if l2sweep does not know",
        allowed="a list of paths, or null",
        rare=True,
    )

    @property
    def is_cold(self) -> bool:
        """Whether each phase is a process of its own."""
        return self.mode == "cold"

    @property
    def identity(self) -> dict[str, Any]:
        """The options that change what is measured; empty for a hot point.

        The method is not among them: cold is cold, and it is proven. The key ``between`` is the name that
        ``drop_before`` had first: a point keeps its identity.
        """
        measured: dict[str, Any] = {}
        if self.is_cold:
            measured = {"mode": self.mode, "between": sorted(self.drop_before)}
        if self.store_durable:
            measured["store_durable"] = True
        return {"cache": measured} if measured else {}

    def contradictions(self) -> list[str]:
        """Return a sentence for each pair of options that cannot be used together."""
        problems = []
        if self.method == "command" and not self.command:
            problems.append("cache.command=null: must be a shell command where cache.method=command")
        if self.command and self.method != "command":
            problems.append(f"cache.command={self.command}: needs cache.method=command, not {self.method}")
        if not self.is_cold and self.method != "none":
            problems.append(f"cache.method={self.method}: needs cache=cold; otherwise nothing is dropped")
        if not self.is_cold and self.drop_before:
            phases = ",".join(self.drop_before)
            problems.append(
                f"cache.drop_before={phases}: needs cache=cold; otherwise one process runs all phases"
            )
        return problems
