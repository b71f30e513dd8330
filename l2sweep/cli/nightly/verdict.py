"""Judge a night: what failed, what is slower, since when, and whether it is the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l2sweep.analysis.attempts import attempts
from l2sweep.analysis.control import with_adapter_names
from l2sweep.analysis.history.changes import histories
from l2sweep.analysis.history.tonight import SlowerPoint, slower_points
from l2sweep.cli.nightly.settings import Limits
from l2sweep.cli.nightly.summary import NightRecords
from l2sweep.config.adapter.traits import CONTROLS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """The verdict on a night.

    Attributes:
        line: The summary of the night, for the log.
        problems: One sentence for each problem; empty on a quiet night.
        slower: What became slower.
        environment: What changed in the environment since the nights before.
        failed: The points that were not measured, as rows with the names of the columns of ``points``.
    """

    line: str
    problems: tuple[str, ...]
    slower: tuple[SlowerPoint, ...] = ()
    environment: tuple[str, ...] = ()
    failed: tuple[Mapping[str, Any], ...] = ()


def judge(records: NightRecords, limits: Limits) -> Verdict:
    """Judge a night.

    Args:
        records: The records of the night and of those before it.
        limits: What is a problem.
    """
    night = records.summary(limits.compare_nights)
    problems = night.problems(limits.min_control_fraction, limits.max_control_error_percent)
    slower = _slower(records, limits)
    if slower:
        problems.append(f"{len(slower)} points are slower than in the last nights")
    return Verdict(night.line, tuple(problems), tuple(slower), failed=tuple(_failed(records)))


def _slower(records: NightRecords, limits: Limits) -> Sequence[SlowerPoint]:
    series = histories(records.rounds, records.points)
    return slower_points(series, {}, limits.compare_nights, CONTROLS)


def _failed(records: NightRecords) -> list[Mapping[str, Any]]:
    """Return the first process that is not ok of each point whose last attempt is not."""
    points: pd.DataFrame = with_adapter_names(records.points)
    own = points[points["sweep_id"] == records.sweep_id]
    ended = attempts(own).sort_values("attempt").groupby("point_index").tail(1)
    bad = ended[ended["status"] != "ok"][["point_index", "attempt"]]
    rows = own[own["status"] != "ok"].merge(bad).drop_duplicates("point_index")
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
