"""Read the rows of two sets of sweeps, and compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from l2sweep.analysis.compare.comparison import THRESHOLD, compare_tables
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.columns import ROUND_COLUMNS
from l2sweep.analysis.control import CONTROLS

if TYPE_CHECKING:
    import pandas as pd


def compare(
    base: pd.DataFrame | pa.Table, candidate: pd.DataFrame | pa.Table, *, threshold: float = THRESHOLD
) -> ComparisonResult:
    """Tell whether a candidate is slower than a base, for each point and phase and in total.

    Args:
        base: Rows of rounds, as ``load_rounds`` returns them.
        candidate: The same of the candidate.
        threshold: The least change that is a finding, as a share: 0.05 is 5 %.

    Raises:
        RequestError: Base and candidate have nothing in common.
    """
    return compare_tables([_table(base), _table(candidate)], controls=CONTROLS, threshold=threshold)


def _table(rows: pd.DataFrame | pa.Table) -> pa.Table:
    if isinstance(rows, pa.Table):
        return rows
    names = [name for name in ROUND_COLUMNS if name in rows.columns]
    return pa.Table.from_pandas(rows[names], preserve_index=False)
