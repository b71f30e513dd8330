"""Print the result of examining a fleet: as text, Markdown, CSV or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from l2sweep.analysis.fleet.result import FleetResult, HostResult
from l2sweep.cli.row_output import MISSING, Column, json_text, number, print_rows
from l2sweep.errors import printable

_ENVIRONMENT = (
    Column("host", "host", is_number=False),
    Column("name", "differs", is_number=False),
    Column("value", "value", is_number=False, is_folded=True),
    Column("others", "others", is_number=False, is_folded=True),
    Column("hosts", "others with it"),
)


def print_result(result: FleetResult, output_format: str) -> None:
    """Print which hosts are slow.

    Args:
        result: The result.
        output_format: table, markdown, csv or json. CSV has the rows of the hosts alone, JSON has everything.
    """
    rows = [_row(one, result.phases) for one in result.hosts]
    if output_format == "json":
        print(json_text(_as_mapping(result)))
        return
    if output_format == "csv":
        print_rows(rows, [Column(name, name) for name in rows[0]], "csv")
        return
    bold = "**" if output_format == "markdown" else ""
    for sentence in result.sentences:
        print(f"{bold}{printable(sentence)}{bold}{'  ' if bold else ''}")
    print()
    print_rows(rows, _columns(result), output_format)
    _print_environment(result, output_format)
    print()
    for note in _notes(result):
        print(f"{printable(note)}{'  ' if bold else ''}")


def _row(one: HostResult, phases: Sequence[str]) -> dict[str, Any]:
    return {
        "host": one.host,
        "verdict": one.verdict,
        "relative_rate": one.relative_rate,
        **{f"{phase}_relative_rate": one.by_phase.get(phase) for phase in phases},
        "where": one.findings[0].where if one.findings else None,
        "score": one.findings[0].score if one.findings else one.score,
        "p": one.findings[0].p if one.findings else one.p,
        "points": one.points,
        "processes": one.processes,
        "failed_processes": one.failed_processes,
        "reason": one.reason,
    }


def _columns(result: FleetResult) -> list[Column]:
    phases = result.phases if len(result.phases) > 1 else ()
    has_reason = any(one.reason for one in result.hosts)
    return [
        Column("host", "host", is_number=False),
        Column("verdict", "verdict", is_number=False),
        Column("relative_rate", "rate", _as_percent),
        *(Column(f"{phase}_relative_rate", phase, _as_percent) for phase in phases),
        *([Column("where", "slow in", is_number=False, is_folded=True)] if result.slow else []),
        Column("score", "score", number(1), omitted_as=2),
        Column("p", "p", number(4), omitted_as=1),
        Column("points", "points"),
        Column("processes", "n", omitted_as=3),
        Column("failed_processes", "failed"),
        *([Column("reason", "reason", is_number=False, is_folded=True)] if has_reason else []),
    ]


def _as_percent(relative_rate: float | None) -> str:
    """Return a relative rate as the difference from the median, such as ``-14.8%``."""
    return MISSING if relative_rate is None else f"{100 * (relative_rate - 1):+.1f}%"


def _print_environment(result: FleetResult, output_format: str) -> None:
    """Print how the environment of each slow or failed host differs from that of the others."""
    named = [one for one in result.hosts if one.findings or one.failures]
    rows = [{"host": one.host, **asdict(difference)} for one in named for difference in one.environment]
    if rows:
        print()
        print_rows(rows, _ENVIRONMENT, output_format)
    if alike := [one.host for one in named if not one.environment]:
        print(f"\nnothing that is recorded of the environment differs: {printable(', '.join(alike))}")


def _notes(result: FleetResult) -> list[str]:
    text = f"{len(result.hosts)} hosts, {result.points} points and phases; rate: from the median of the hosts"
    if result.visible is not None:
        least = f"{result.visible:.0%} below the median"
        text += f"; a host at least {least} over all of them would be named"
    return [text, *result.notes]


def _as_mapping(result: FleetResult) -> dict[str, Any]:
    return {
        "sentences": result.sentences,
        "exit_code": result.exit_code(),
        **asdict(result),
        "hosts": [{**asdict(one), "failed_processes": one.failed_processes} for one in result.hosts],
    }
