"""Read the rows of two sets of sweeps, and compare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.compare.comparison import THRESHOLD, compare_tables
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.columns import ROUND_COLUMNS
from l2sweep.analysis.compare.rows.environment import POINT_ROW_COLUMNS
from l2sweep.analysis.control import CONTROLS
from l2sweep.errors import RequestError
from l2sweep.records.reader import points_table, rounds_table
from l2sweep.records.selectors import Selection, select

if TYPE_CHECKING:
    import pandas as pd


def compare(
    base: str | pd.DataFrame | pa.Table,
    candidate: str | pd.DataFrame | pa.Table,
    *,
    results_dir: str | PathLike[str] = "results",
    threshold: float = THRESHOLD,
    phase: str | None = None,
    where: str | None = None,
) -> ComparisonResult:
    """Tell whether a candidate is slower than a base, for each point and phase and in total.

    ``docs/compare.md`` describes the method.

    Args:
        base: Selector of sweeps, such as ``name:nightly~1..7``, or rows of ``load_rounds``.
        candidate: Selector of sweeps, such as ``name:nightly``, or rows of ``load_rounds``.
        results_dir: Folder of the data sets that selectors refer to.
        threshold: The least change that is a finding, as a share: 0.05 is 5 %.
        phase: The only phase that is compared; None: all. For selectors only, like ``where``.
        where: A condition on the rows of rounds; None: all.

    Returns:
        The result. What differs in the environment, and processes that failed before their first round, are
        known completely only if both sides are selectors: the data set ``points`` tells of them.

    Raises:
        RequestError: A selector selects nothing, base and candidate share a sweep, or have no point and phase
            in common.
    """
    request = _Request(results_dir, phase, where)
    sides = [request.read(side) for side in (base, candidate)]
    selections = [side.selection for side in sides if side.selection is not None]
    _require_different(selections)
    rounds = [side.rounds for side in sides]
    points = [side.points for side in sides if side.points is not None]
    return compare_tables(
        rounds,
        [_of_compared(rows, rounds, phase) for rows in points] if len(points) == len(sides) else (),
        controls=CONTROLS,
        threshold=threshold,
    )


@dataclass(frozen=True)
class _Side:
    rounds: pa.Table
    points: pa.Table | None = None
    selection: Selection | None = None


@dataclass(frozen=True)
class _Request:
    results_dir: str | PathLike[str]
    phase: str | None
    where: str | None

    def read(self, side: str | pd.DataFrame | pa.Table) -> _Side:
        """Return the rows of a side."""
        if isinstance(side, pa.Table):
            return _Side(side)
        if not isinstance(side, str):
            names = [name for name in ROUND_COLUMNS if name in side.columns]
            return _Side(pa.Table.from_pandas(side[names], preserve_index=False))
        selected = select(side, self.results_dir)
        folder, ids = selected.results_dir, selected.sweep_ids
        rounds = rounds_table(folder, sweep=ids, phase=self.phase, columns=ROUND_COLUMNS, where=self.where)
        return _Side(rounds, points_table(folder, sweep=ids, columns=POINT_ROW_COLUMNS), selected)


def _require_different(selections: Sequence[Selection]) -> None:
    sweeps = [(one.results_dir.resolve(), sweep_id) for one in selections for sweep_id in one.sweep_ids]
    for place, sweep_id in sweeps:
        if sweeps.count((place, sweep_id)) > 1:
            raise RequestError([f"compare: sweep {sweep_id} is in the base and in the candidate"])


def _of_compared(points: pa.Table, rounds: Sequence[pa.Table], phase: str | None) -> pa.Table:
    """Return the rows of points that have rounds, on either side, of the processes that run the phase."""
    known = {name for table in rounds for name in table["point_id"].unique().to_pylist()}
    kept = pc.is_in(points["point_id"].cast(pa.string()), value_set=pa.array(sorted(known), pa.string()))
    if phase is not None:
        of_phase = pc.is_in(points["phase"].cast(pa.string()), value_set=pa.array([phase, "all"]))
        kept = pc.and_(kept, of_phase)
    return points.filter(kept)
