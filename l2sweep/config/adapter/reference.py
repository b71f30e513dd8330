"""The tables of ``docs/adapters.md``: what l2sweep knows of each adapter type, and what its tests saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2sweep.analysis.control import CONTROL
from l2sweep.bench.job import FIO
from l2sweep.config.adapter.kinds import ADAPTER_KINDS, INDEX, AdapterKind

_NO_TYPES = (CONTROL, FIO, "fault_inject")  # no adapter of LMCache, and one that is as its inner adapter
_STEPS = ("store", "lookup", "load", "O_DIRECT", "lookup by another process", "delete")
_HEADER = (
    *("adapter", "data", "another process finds them", "cold", "deletes", "lookup locks"),
    *("lookup answered by", "reconnects", "destructive", "needs"),
)


def adapter_table() -> str:
    """Return a row for each adapter type of LMCache, as Markdown."""
    lines = [f"| {' | '.join(_HEADER)} |", f"|{' --- |' * len(_HEADER)}"]
    for name, kind in sorted(ADAPTER_KINDS.items()):
        if name not in _NO_TYPES:
            lines.append(f"| `{name}` | {' | '.join(_cells(kind))} |")
    return "\n".join(lines) + "\n"


def seen_table(seen: Mapping[str, Any]) -> str:
    """Return a row for each adapter that the tests examine, as Markdown.

    Args:
        seen: The content of ``docs/adapters_seen.json``: ``lmcache_version``, and ``requests``: for each
            request of ``l2sweep doctor`` the outcome of each step (``steps``), and the faults that the tests
            cause in its server (``faults``).
    """
    header = ("request", "probe", *_STEPS, "faults")
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    for request, found in sorted(seen["requests"].items()):
        outcomes = (found["steps"].get(step, "not run") for step in ("probe", *_STEPS))
        faults = ", ".join(found.get("faults", ())) or "-"
        lines.append(f"| `{request}` | {' | '.join(outcomes)} | {faults} |")
    return "\n".join([f"With LMCache {seen['lmcache_version']}:", "", *lines]) + "\n"


def _cells(kind: AdapterKind) -> list[str]:
    packages = [package.install for package in kind.packages]
    return [
        kind.place,
        "yes" if kind.survives else f"no: it {kind.lost_because}",
        _cold(kind),
        _yes_or_no(kind.can_delete),
        _yes_or_no(kind.lookup_locks),
        kind.lookup_answered_by or "-",
        _yes_or_no(kind.reconnects),
        "yes" if kind.is_destructive else "no",
        "; ".join([*(f"`{one}`" if one.startswith("pip") else one for one in packages), kind.needs]).strip(
            "; "
        ),
    ]


def _cold(kind: AdapterKind) -> str:
    """Say whether a point with ``cache=cold`` can be proven cold."""
    if not kind.survives:
        return "no"
    if not kind.has_page_cache:
        return "claimed, with `cache.method=command`"
    return "load only" if kind.lookup_answered_by == INDEX else "yes"


def _yes_or_no(value: bool | None) -> str:
    return {None: "-", True: "yes", False: "no"}[value]
