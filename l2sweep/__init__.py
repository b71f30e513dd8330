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

__version__ = "0.1.0"

__all__ = ["UnreadableRecordsWarning", "__version__", "load_points", "load_rounds"]


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
