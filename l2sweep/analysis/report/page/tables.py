"""The small tables of the page, and the facts at its beginning."""

from __future__ import annotations

from dataclasses import dataclass, fields

from l2sweep.analysis.report.contents.report import Report
from l2sweep.analysis.report.contents.restore import Restore
from l2sweep.analysis.report.contents.scaling import Scaling
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


def scaling_table(scaling: Scaling) -> Table | None:
    """Return what each number of clients reached; None if there are no curves.

    Args:
        scaling: The scaling of the report.
    """
    if not scaling.curves:
        return None
    rows = tuple(
        (
            curve.phase,
            curve.adapter,
            curve.label or MISSING,
            curve.temperature or MISSING,
            f"{one.clients:,}",
            f"{one.hosts:,}",
            f"{one.processes:,}"
            if not one.failed_processes
            else f"{one.processes:,} ok, {one.failed_processes:,} failed",
            curve.unit,
            significant(one.rate),
            _from_to(one.rate_low, one.rate_high),
            significant(one.all_active_rate),
            significant(one.sum_of_client_rates),
            significant(one.client_fairness, 2),
            significant(one.client_scaling),
            _from_to(one.client_scaling_low, one.client_scaling_high),
            significant(None if one.start_skew_s is None else one.start_skew_s * 1000),
            MISSING if one.skewed_rounds is None else f"{one.skewed_rounds:,} of {one.client_rounds:,}",
        )
        for curve in scaling.curves
        for one in curve.points
    )
    titles = (
        *("phase", "adapter", "options", "page cache", "clients", "hosts", "processes", "unit"),
        *("throughput", "95% interval", "all active", "sum of clients", "fairness", "scaling"),
        *("95% interval", "start skew ms", "skewed rounds"),
    )
    return Table("Rates of the clients", titles, rows, (4, 5, *range(8, 17)))


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
            _from_to(one.low_s, one.high_s),
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


def _from_to(low: float | None, high: float | None) -> str:
    return MISSING if low is None else f"{significant(low)} to {significant(high)}"


def _of_base(one: EnvironmentValue) -> str:
    return "; ".join(one.base_values) or "same"
