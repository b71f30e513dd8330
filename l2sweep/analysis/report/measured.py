"""The rows of a report, grouped once for all sections."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from l2sweep.analysis.report.contents.points import PointRow
from l2sweep.analysis.report.sections.points import point_rows
from l2sweep.analysis.rounds.group_summary import GroupedRuns, summarise_runs
from l2sweep.analysis.rounds.samples import Samples
from l2sweep.analysis.rounds.table import RoundTable
from l2sweep.analysis.rounds.totals import durations, submit_latencies
from l2sweep.analysis.summary import BY, PARAMETERS, processes_of
from l2sweep.analysis.tune.processes import TEMPERATURES as STATES_OF
from l2sweep.analysis.tune.settings import Setting, settings
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

    from l2sweep.analysis.report.source import ReportSource

Row = Mapping[str, Any]

TEMPERATURES = ("cold", "hot", "claimed", "uncontrolled")
"""In the order of the report."""
PHASES = ("load", "store", "lookup")
"""Those with settings, in the order of the report: a cold load is what a tier is for."""


@dataclass(frozen=True)
class Measured:
    """The rows of a report, grouped.

    Attributes:
        source: The rows.
        grouped: The last attempts, in the groups of ``l2sweep summary``.
        points: A row for each group.
        group_of_point: For each of these rows, the number of its group.
    """

    source: ReportSource
    grouped: GroupedRuns
    points: tuple[PointRow, ...]
    group_of_point: Sequence[int]

    @classmethod
    def of(cls, source: ReportSource) -> Measured:
        """Group rows.

        Args:
            source: The rows.
        """
        table, processes = RoundTable.of(source.rounds), processes_of(source.points)
        grouped = GroupedRuns.of(table, BY, (*BY, *PARAMETERS, "adapter_spec"), processes)
        rows = point_rows(summarise_runs(grouped, table, processes))
        return cls(source, grouped, tuple(row for row, _ in rows), [group for _, group in rows])

    @functools.cached_property
    def submit_latencies(self) -> Samples:
        """The latencies of the submits of each group."""
        runs = self.grouped.runs
        return submit_latencies(runs.rounds, self.grouped.group_of_round, len(self.grouped.groups))

    @functools.cached_property
    def durations(self) -> Samples:
        """The durations of the rounds of each group."""
        runs = self.grouped.runs
        return durations(runs.rounds, self.grouped.group_of_round, len(self.grouped.groups))

    @functools.cached_property
    def settings(self) -> dict[tuple[str, str | None], list[Setting]]:
        """The settings of ``l2sweep tune``, by phase and temperature. Those without any are left out.

        A store reads nothing, so its temperature is None.
        """
        found: dict[tuple[str, str | None], list[Setting]] = {}
        for phase in PHASES:
            for at in temperatures_of(self.source.rounds, phase) if phase != "store" else ("cold",):
                try:
                    own = settings(self.source.rounds, phase, at, self.source.points)
                except RequestError:  # nothing was measured in this state
                    continue
                found[phase, None if phase == "store" else at] = own
        return found

    def rounds_of(self, which: np.ndarray[Any, np.dtype[np.bool_]]) -> pd.DataFrame:
        """Return some of the measured rounds of last attempts as rows.

        Args:
            which: For each of them whether it is returned.
        """
        rows: pd.DataFrame = self.source.rounds.iloc[self.grouped.runs.rounds.rows[which]]
        return rows


def temperatures_of(rounds: pd.DataFrame, phase: str) -> list[str]:
    """Return the temperatures that processes of a phase may have, which is quicker than to look for each.

    Args:
        rounds: Rows of ``rounds``.
        phase: The phase.
    """
    states = rounds.loc[rounds["phase"] == phase, "cache_state"]
    found = {None if state != state else state for state in states.unique().tolist()}
    return [at for at in TEMPERATURES if found & set(STATES_OF[at])]
