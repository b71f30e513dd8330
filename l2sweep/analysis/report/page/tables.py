"""The small tables of the page, and the facts at its beginning."""

from __future__ import annotations

from dataclasses import dataclass, fields

from l2sweep.analysis.report.contents.report import Report
from l2sweep.analysis.report.contents.restore import Restore
from l2sweep.analysis.report.contents.trust import EnvironmentValue, Trust
from l2sweep.analysis.report.page.texts import (
    MISSING,
    duration_in_words,
    listed,
    significant,
    size_in_words,
    times_in_words,
)


@dataclass(frozen=True)
class Table:
    """A table without a script.

    Attributes:
        title: What it shows.
        titles: The header.
        rows: The cells; the first of a row is its header.
        numbers: Positions of the columns that are aligned to the right.
    """

    title: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


def facts(report: Report) -> list[tuple[str, str]]:
    """Return what was measured, as terms and their values.

    Args:
        report: The report.
    """
    scope = report.scope
    counted = f"{scope.points:,} points, {scope.processes:,} processes, {scope.rounds:,} rounds"
    found = [
        ("Adapters", listed(scope.adapters) or "none"),
        ("Controls", listed(scope.controls) or "none"),
        ("Phases", listed(scope.phases)),
        ("Object sizes", listed([size_in_words(size) for size in scope.data_sizes_kb])),
        ("Keys of a submit", listed([f"{value:,}" for value in scope.num_keys])),
        ("In flight", listed([f"{value:,}" for value in scope.in_flight])),
        ("Page cache", listed(scope.cache_states)),
        ("Models", listed(scope.models)),
        ("Host", listed(scope.hosts)),
        ("Device", listed(scope.devices)),
        ("LMCache", listed(scope.releases)),
        ("l2sweep", listed(scope.l2sweep_versions)),
        ("When", times_in_words(scope.began, scope.ended)),
        ("Measured", f"{counted}; processes ran for {duration_in_words(scope.wall_s)}"),
        ("Rows with", scope.where or ""),
        ("Name", listed(scope.sweep_names)),
        ("Sweeps", listed(scope.sweep_ids)),
        ("Base", listed(scope.base_ids)),
        ("Command", report.run_again[0].command or "" if report.run_again else ""),
    ]
    return [(term, value) for term, value in found if value]


def trust_tables(trust: Trust) -> list[Table]:
    """Return the numbers behind the checks; none that was not measured.

    Args:
        trust: The checks of the report.
    """
    tables = []
    if trust.cache_states:
        states = tuple(
            (one.phase, one.cache_state or MISSING, f"{one.processes:,}", f"{one.rounds:,}")
            for one in trust.cache_states
        )
        tables.append(
            Table(
                "State of the page cache by phase",
                ("phase", "page cache", "processes", "rounds"),
                states,
                (2, 3),
            )
        )
    checked = tuple(
        (field.name.replace("_", " "), f"{getattr(trust.verified, field.name):,}")
        for field in fields(trust.verified)
    )
    tables.append(Table("Keys that were checked in measured rounds", ("keys", "number"), checked, (1,)))
    if trust.floor:
        rows = tuple(
            (
                one.adapter,
                one.phase,
                size_in_words(one.data_size_kb),
                f"{one.num_keys:,}",
                f"{one.in_flight:,}",
                *(
                    significant(None if value is None else value * 1000)
                    for value in (one.median_s, one.median_low_s, one.median_high_s)
                ),
            )
            for one in trust.floor
        )
        titles = ("control", "phase", "size", "keys", "in flight", "median ms", "interval from", "to")
        title = "What the controls of the harness measured: the shortest durations that l2sweep can tell"
        tables.append(Table(title, titles, rows, (2, 3, 4, 5, 6, 7)))
    return tables


def restore_table(restore: Restore) -> Table | None:
    """Return the restore times; None if there are none.

    Args:
        restore: The restore times of the report.
    """
    if not restore.times:
        return None
    rows = tuple(
        (
            one.model,
            one.adapter,
            one.options,
            one.temperature,
            f"{one.tokens:,}",
            size_in_words(one.kv_bytes / 1024),
            significant(one.load_s),
            MISSING if one.low_s is None else f"{significant(one.low_s)} to {significant(one.high_s)}",
            one.basis,
        )
        for one in restore.times
    )
    titles = (
        "model",
        "adapter",
        "options",
        "page cache",
        "tokens",
        "KV cache",
        "load s",
        "95% interval",
        "throughput",
    )
    return Table("Restore times in seconds", titles, rows, (4, 5, 6, 7))


def environment_table(environment: tuple[EnvironmentValue, ...]) -> Table:
    """Return the environment, with the values of the base where they differ.

    Args:
        environment: The environment of the report.
    """
    with_base = any(one.base_values for one in environment)
    rows = tuple(
        (one.name, "; ".join(one.values) or MISSING, *([_of_base(one)] if with_base else []))
        for one in environment
    )
    titles = ("property", "value", *(["base, where it differs"] if with_base else []))
    return Table("Environment", titles, rows)


def _of_base(one: EnvironmentValue) -> str:
    return "; ".join(one.base_values) or "same"
