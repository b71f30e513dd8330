"""The table of ``docs/adapters.md``, from what l2sweep knows of each adapter type."""

from __future__ import annotations

from l2sweep.analysis.control import CONTROL
from l2sweep.bench.job import FIO
from l2sweep.config.adapter.kinds import ADAPTER_KINDS, INDEX, AdapterKind

_NO_TYPES = (CONTROL, FIO, "fault_inject")  # no adapter of LMCache, and one that is as its inner adapter
_HEADER = (
    *("adapter", "data", "another process finds them", "cold", "deletes", "lookup locks"),
    *("lookup answered by", "reconnects", "destructive", "checked with", "needs"),
)


def adapter_table() -> str:
    """Return a row for each adapter type of LMCache, as Markdown."""
    lines = [f"| {' | '.join(_HEADER)} |", f"|{' --- |' * len(_HEADER)}"]
    for name, kind in sorted(ADAPTER_KINDS.items()):
        if name not in _NO_TYPES:
            lines.append(f"| `{name}` | {' | '.join(_cells(kind))} |")
    return "\n".join(lines) + "\n"


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
        f"LMCache {kind.verified_with}" if kind.verified_with else "never run",
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
