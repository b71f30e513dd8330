"""The options that tell l2sweep what it cannot know of a plugin, or of a type that is not in its table."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Literal

from pydantic.dataclasses import dataclass

from l2sweep.config.adapter.kinds import ADAPTER_KINDS, AdapterKind
from l2sweep.config.options import MOST, STRICT, run_option
from l2sweep.errors import shown

PLUGINS = ("plugin", "native_plugin")
"""Types of LMCache whose facts depend on the class that the spec names."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TraitOptions:
    """What the user says of an adapter; null: what l2sweep knows of its type."""

    has_page_cache: bool | None = run_option(
        None, "true: its data are files of this machine, whose pages the kernel caches", rare=True
    )
    survives: bool | None = run_option(None, "false: no later process finds what this one stored", rare=True)
    is_destructive: bool | None = run_option(
        None, "true: it overwrites the file or device that its spec names", rare=True
    )
    lookup_answered_by: Literal["server", "client_cache", "index"] | None = run_option(
        None,
        "server, client_cache or index: what tells the process that stored a key that it exists",
        rare=True,
    )
    alignment_bytes: int | None = run_option(
        None, "alignment that its buffers need (bytes)", rare=True, ge=1, le=MOST
    )
    capacity_keys: int | None = run_option(
        None, "how many keys it can store; a point that stores more is skipped", rare=True, ge=1, le=MOST
    )

    def problems(self, adapter: str) -> list[str]:
        """Return a sentence if traits are given for an adapter whose traits are known.

        Args:
            adapter: Name of the adapter, as ``adapter_name`` returns it.
        """
        if adapter not in ADAPTER_KINDS or adapter in PLUGINS:
            return []
        given = [(one.name, getattr(self, one.name)) for one in fields(self)]
        return [
            f"adapter_traits.{name}={shown(value)}: must be null with adapter={adapter}, which l2sweep "
            f"knows; allowed for {', '.join(PLUGINS)} and types that it does not know"
            for name, value in given
            if value is not None
        ][:1]

    def applied(self, kind: AdapterKind) -> AdapterKind:
        """Return what is known of an adapter type, with what the user says of the adapter.

        Args:
            kind: What is known of its type.
        """
        if self.has_page_cache is not None:
            kind = replace(kind, has_page_cache=self.has_page_cache)
            kind = replace(kind, place="files" if self.has_page_cache else "server")
        if self.survives is not None:
            lost_because = "" if self.survives else "keeps its data for one process (adapter_traits.survives)"
            kind = replace(kind, lost_because=lost_because)
        if self.is_destructive is not None:
            kind = replace(kind, is_destructive=self.is_destructive)
        if self.lookup_answered_by is not None:
            kind = replace(kind, lookup_answered_by=self.lookup_answered_by)
        if self.alignment_bytes is not None:
            kind = replace(kind, alignment_bytes=self.alignment_bytes)
        return kind
