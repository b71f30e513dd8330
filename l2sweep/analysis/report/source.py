"""What a report is made from: rows of the two data sets, and what was read beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from l2sweep.analysis.breakeven.geometry import ModelGeometry
from l2sweep.analysis.breakeven.prefill import Gpu
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.environment import ENVIRONMENT
from l2sweep.analysis.history.changes import PointHistory
from l2sweep.analysis.report.contents.overview import RunAgain
from l2sweep.analysis.summary import COLUMNS_OF_POINTS, COLUMNS_OF_ROUNDS
from l2sweep.analysis.tune import processes

if TYPE_CHECKING:
    import pandas as pd

ROUNDS_READ = tuple(
    dict.fromkeys(
        (
            *(*COLUMNS_OF_ROUNDS, *processes.ROUND_COLUMNS),
            *("keys_requested", "verified_keys", "sampled_keys", "host", "lmcache_version"),
        )
    )
)
"""The columns of ``rounds`` that a report needs."""
POINTS_READ = tuple(
    dict.fromkeys(
        (
            *(*COLUMNS_OF_POINTS, *processes.POINT_COLUMNS, *ENVIRONMENT),
            *("sweep_name", "detail", "started_at", "wall_s", "log_file", "memory_bytes"),
            *("cache_state", "resident_after_fraction", "device_read_fraction"),
        )
    )
)
"""The columns of ``points`` that a report needs."""


def no_log(log_file: str) -> Sequence[str]:
    """Return the last lines of no log."""
    return ()


@dataclass(frozen=True)
class ReportSource:
    """What a report is made from.

    Attributes:
        sweep_ids: The sweeps, oldest first.
        rounds: Rows of :func:`l2sweep.load_rounds` with the columns :data:`ROUNDS_READ`, those of the clients
            of a round merged into one.
        points: Rows of :func:`l2sweep.load_points` with the columns :data:`POINTS_READ`, of the same points.
        made_at: When the report is made, in UTC.
        l2sweep_version: The version of l2sweep that makes it.
        base_ids: The sweeps of the base, oldest first.
        where: The condition that the rows meet.
        compared: The comparison with the base; None without a base.
        why_not_compared: Why there is no comparison although there is a base; empty if there is one.
        histories: The series over nights, with those of the reported sweeps; empty if there is one night.
        night_began: When each night began, by the id of its sweep.
        models: The models of section 4.
        gpu: The GPU whose prefill section 4 assumes; None: there is no break-even.
        run_again: How to run the sweeps again.
        read_log: Returns the last lines of a log, by the column ``log_file``.
        warnings: What could not be read.
        client_rounds: The rows of ``rounds`` from which those of points with several clients were merged: one
            for each client. None if there is no such point.
    """

    sweep_ids: tuple[str, ...]
    rounds: pd.DataFrame
    points: pd.DataFrame
    made_at: datetime
    l2sweep_version: str
    base_ids: tuple[str, ...] = ()
    where: str | None = None
    compared: ComparisonResult | None = None
    why_not_compared: str = ""
    histories: Sequence[PointHistory] = ()
    night_began: Mapping[str, datetime] = field(default_factory=dict)
    models: Sequence[ModelGeometry] = ()
    gpu: Gpu | None = None
    run_again: tuple[RunAgain, ...] = ()
    read_log: Callable[[str], Sequence[str]] = no_log
    warnings: tuple[str, ...] = ()
    client_rounds: pd.DataFrame | None = None
