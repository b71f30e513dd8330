"""Read what a report is made from."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import l2sweep
from l2sweep.cli.report.beside import last_lines, run_again
from l2sweep.config.shipped import shipped_names
from l2sweep.errors import RequestError, UnreadableRecordsWarning, shown

if TYPE_CHECKING:
    import pandas as pd

    from l2sweep.analysis.compare.result import ComparisonResult
    from l2sweep.analysis.report.source import ReportSource
    from l2sweep.records.selectors import Selection

GPU = "h100-sxm"
"""The GPU whose prefill is assumed, as ``l2sweep breakeven`` assumes it."""
_MOST_NIGHTS = 60
"""Nights of a history, as many as ``l2sweep nightly`` keeps."""


def read_source(
    selector: str,
    results_dir: str,
    *,
    base: str | None = None,
    where: str | None = None,
    models: Sequence[str] = (),
    gpu: str = GPU,
) -> ReportSource:
    """Read the rows of a report, the base, the history, and the manifests.

    Args:
        selector: The sweeps.
        results_dir: Folder of the records, unless a selector names one.
        base: The sweeps that they are compared with; None: there is no comparison.
        where: A condition on whole points; None: all.
        models: The models whose restore times are computed; empty: all that are shipped.
        gpu: The GPU whose prefill is assumed.

    Raises:
        RequestError: A selector selects nothing, or the condition is wrong.
    """
    from l2sweep.config.workload import presets

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnreadableRecordsWarning)
        source = _read(selector, results_dir, base, where)
    for one in caught:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    unreadable = [str(one.message) for one in caught if issubclass(one.category, UnreadableRecordsWarning)]
    return replace(
        source,
        warnings=(*source.warnings, *dict.fromkeys(unreadable)),
        models=tuple(map(presets.model_geometry, models or shipped_names("model"))),
        gpu=presets.gpu(gpu),
    )


def _read(selector: str, results_dir: str, base: str | None, where: str | None) -> ReportSource:
    from l2sweep.analysis.report.source import ReportSource
    from l2sweep.records.selectors import select
    from l2sweep.records.sweeps import begun_sweeps

    _require_whole_points(where)
    selection = select(selector, results_dir)
    bases = select(base, results_dir) if base is not None else None
    _require_other(selection, bases)
    rounds, of_clients, points = _rows(selection, where)
    if points.empty:
        raise RequestError([f"report: {shown(selector)}: no process meets the conditions"])
    compared, why_not = (
        _compared(str(base), selector, results_dir, where) if bases is not None else (None, "")
    )
    source = ReportSource(
        sweep_ids=selection.sweep_ids,
        rounds=rounds,
        points=points,
        made_at=datetime.now(UTC),
        l2sweep_version=l2sweep.__version__,
        base_ids=bases.sweep_ids if bases else (),
        where=where,
        compared=compared,
        why_not_compared=why_not,
        night_began={one.sweep_id: one.began for one in begun_sweeps(selection.results_dir)},
        run_again=tuple(run_again(selection.results_dir, one) for one in selection.sweep_ids),
        read_log=functools.partial(last_lines, selection.results_dir),
        client_rounds=of_clients,
    )
    return _with_histories(source, selector, results_dir, where)


def _require_whole_points(where: str | None) -> None:
    from l2sweep.analysis.constraints import Constraint
    from l2sweep.cli.commands.summary.rows import is_of_attempts

    if where is None:
        return
    try:
        Constraint.parse(where)
    except ValueError as error:
        raise RequestError([f"where={error}"]) from None
    if not is_of_attempts(where):
        raise RequestError(
            [
                f"report: --where {shown(where)}: must be a condition on whole points, such as "
                "'num_keys >= 32 and adapter.num_workers == 8'"
            ]
        )


def _require_other(selection: Selection, base: Selection | None) -> None:
    if base is None or base.results_dir.resolve() != selection.results_dir.resolve():
        return
    for sweep_id in set(selection.sweep_ids) & set(base.sweep_ids):
        raise RequestError([f"report: sweep {sweep_id} is in the base and in the report"])


def _rows(selection: Selection, where: str | None) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame]:
    """Return the rows of rounds and those of the clients that were merged in them, and those of points."""
    from l2sweep.analysis.clients.merging import first_clients, merged
    from l2sweep.analysis.report.source import POINTS_READ, ROUNDS_READ
    from l2sweep.records import schema
    from l2sweep.records.reader import load_points, load_rounds

    folder, ids = selection.results_dir, selection.sweep_ids
    points = load_points(folder, sweep=ids, columns=POINTS_READ, where=where)
    try:
        rounds = load_rounds(folder, sweep=ids, columns=ROUNDS_READ, where=where)
    except FileNotFoundError:  # no process came to its first round
        rounds = schema.ROUNDS.empty_table().select(list(ROUNDS_READ)).to_pandas()
    together = merged(rounds)
    of_clients = None if together is rounds else rounds[rounds["clients"] > 1]
    return together, of_clients, first_clients(points)


def _compared(
    base: str, selector: str, results_dir: str, where: str | None
) -> tuple[ComparisonResult | None, str]:
    """Return the comparison, or why there is none."""
    from l2sweep.records.reading.comparing import compare

    try:
        return compare(base, selector, results_dir=results_dir, where=where), ""
    except (RequestError, FileNotFoundError) as error:
        return None, f"There is no comparison with the base: {str(error).removeprefix('compare: ')}."


def _with_histories(source: ReportSource, selector: str, results_dir: str, where: str | None) -> ReportSource:
    """Add the history of the nights up to the reported ones."""
    from l2sweep.analysis.compare.rows.split import mixed_releases
    from l2sweep.analysis.history.changes import histories
    from l2sweep.analysis.history.environment import POINTS_READ
    from l2sweep.analysis.history.series import ROUNDS_READ
    from l2sweep.records.reader import points_table, rounds_table
    from l2sweep.records.selectors import nights_of

    selection = nights_of(selector, results_dir)
    folder, nights = selection.results_dir, selection.sweep_ids[-_MOST_NIGHTS:]
    if len(nights) < 2:
        return source
    try:
        rounds = rounds_table(folder, sweep=nights, columns=(*ROUNDS_READ, "release"), where=where)
    except FileNotFoundError:
        return source
    if mixed := mixed_releases(rounds):
        text = f"No history is shown: the nights measured several releases of LMCache ({', '.join(mixed)})."
        return replace(source, warnings=(*source.warnings, text))
    found = histories(rounds, lambda: points_table(folder, sweep=nights, columns=POINTS_READ))
    return replace(source, histories=found)


def check_outputs(outputs: Sequence[tuple[str, str | None]]) -> None:
    """Check that files can be written, before anything is read.

    Args:
        outputs: Option and path of each.

    Raises:
        RequestError: One cannot be written.
    """
    from l2sweep.sweep.report.report_file import require_report_file

    for option, path in outputs:
        require_report_file(path, f"report: {option} ")


def results_page(results_dir: str, sweep_id: str) -> Path:
    """Return the path of the page that the option ``report`` makes.

    Args:
        results_dir: Folder of the results.
        sweep_id: The sweep.
    """
    return Path(results_dir) / "sweeps" / sweep_id / "report.html"
