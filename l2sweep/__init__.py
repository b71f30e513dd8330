"""Benchmark sweeps over LMCache's L2 adapters: each measured round is a row of Parquet.

Only the standard library is imported here: the command line must answer at once, and ``l2sweep.bench`` must
be importable where only numpy, torch and LMCache are installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l2sweep.errors import UnreadableRecordsWarning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import pandas as pd
    import pyarrow as pa

    from l2sweep.analysis.compare.result import ComparisonResult

__version__ = "0.1.0"

__all__ = [
    "UnreadableRecordsWarning",
    "__version__",
    "compare",
    "knee",
    "load_points",
    "load_rounds",
    "summarize",
]


def load_rounds(
    results_dir: str | PathLike[str] = "results",
    *,
    sweep: str | Sequence[str] | None = None,
    phase: str | None = None,
    columns: Sequence[str] | None = None,
    where: str | None = None,
) -> pd.DataFrame:
    """Read recorded rounds, with throughput and latency derived.

    See :func:`l2sweep.records.reader.load_rounds`.
    """
    from l2sweep.records import reader

    return reader.load_rounds(results_dir, sweep=sweep, phase=phase, columns=columns, where=where)


def load_points(
    results_dir: str | PathLike[str] = "results",
    *,
    sweep: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    where: str | None = None,
) -> pd.DataFrame:
    """Read how benchmark processes ended, and their environment.

    See :func:`l2sweep.records.reader.load_points`.
    """
    from l2sweep.records import reader

    return reader.load_points(results_dir, sweep=sweep, columns=columns, where=where)


def knee(
    rounds: pd.DataFrame,
    over: str = "in_flight",
    *,
    phase: str = "load",
    at: str = "cold",
    within: float = 0.05,
    points: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the knee of each curve: the smallest setting whose throughput is within 5% of the best.

    See :func:`l2sweep.analysis.tune.knee.knee`.
    """
    from l2sweep.analysis.tune import knee as module

    return module.knee(rounds, over, phase=phase, at=at, within=within, points=points)


def summarize(
    rounds: pd.DataFrame, by: str | Sequence[str] | None = None, *, points: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Summarise measured rounds, one row for each point and phase, or for each group of other columns.

    See :func:`l2sweep.analysis.summary.summarize`.
    """
    from l2sweep.analysis import summary

    return summary.summarize(rounds, by, points=points)


def compare(
    base: str | pd.DataFrame | pa.Table,
    candidate: str | pd.DataFrame | pa.Table,
    *,
    results_dir: str | PathLike[str] = "results",
    threshold: float = 0.05,
    phase: str | None = None,
    where: str | None = None,
) -> ComparisonResult:
    """Tell whether a candidate is slower than a base, for each point and phase and in total.

    See :func:`l2sweep.records.reading.comparing.compare`.
    """
    from l2sweep.records.reading import comparing

    return comparing.compare(
        base, candidate, results_dir=results_dir, threshold=threshold, phase=phase, where=where
    )
