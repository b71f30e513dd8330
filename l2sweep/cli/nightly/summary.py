"""Read the records of a night, summarise it, and remove old nights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.environment import POINT_ROW_COLUMNS
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.history.series import ROUNDS_READ
from l2sweep.analysis.nights import Night, night
from l2sweep.cli.nightly.settings import Kept
from l2sweep.config.adapter.traits import ADAPTER_KINDS
from l2sweep.errors import UnreadableRecordsWarning, shown
from l2sweep.records.last_attempts import last_attempts
from l2sweep.records.pruning import prune, why_never_removed
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.sweep.checks.feasibility import not_installed
from l2sweep.sweep.state.manifest import Manifest, UnreadableManifestError, manifest_files, read_manifest

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class NightRecords:
    """The records of a night and of the nights before it with the same name.

    Attributes:
        sweep_id: The sweep of the night.
        name: Its name.
        points: Rows of ``load_points``, of this name, up to this night.
        rounds: Rows of ``load_rounds`` of the same sweeps.
        manifest: Request and plan of the night; None if they are not known.
    """

    sweep_id: str
    name: str
    points: pd.DataFrame
    rounds: pd.DataFrame
    manifest: Manifest | None

    @classmethod
    def read(cls, results_dir: Path, sweep_id: str) -> NightRecords:
        """Read them.

        Args:
            results_dir: Folder of the records.
            sweep_id: The sweep of the night.

        Raises:
            FileNotFoundError: The folder has no records.
            KeyError: The sweep has no records.
        """
        points = load_points(results_dir)
        own = points[points["sweep_id"] == sweep_id]
        if own.empty:
            raise KeyError(sweep_id)
        name = str(own["sweep_name"].iloc[0])
        points = points[points["sweep_name"] == name]
        began = points.groupby("sweep_id")["started_at"].min()
        until = list(began.index[began <= began[sweep_id]])
        points = points[points["sweep_id"].isin(until)]
        rounds = load_rounds(results_dir)
        rounds = rounds[rounds["sweep_id"].isin(until)]
        return cls(sweep_id, name, points, rounds, _manifest(results_dir, sweep_id))

    def summary(self, compare_nights: int) -> Night:
        """Summarise the night.

        Args:
            compare_nights: Number of previous nights to compare the controls with.
        """
        return night(
            *(self.points, self.rounds, self.sweep_id, CONTROLS, compare_nights),
            skipped=_reasons_skipped(self.manifest),
            requested=_requested_adapters(self.manifest),
        )

    @property
    def nights(self) -> list[str]:
        """The sweeps, oldest first; the last one is this night."""
        return list(self.points.groupby("sweep_id")["started_at"].min().sort_values().index)

    @property
    def round_table(self) -> pa.Table:
        """The columns of ``rounds`` that a comparison and a history read."""
        return _table(self.rounds, ROUNDS_READ)

    @property
    def point_table(self) -> pa.Table:
        """The columns of ``points`` that a comparison and a history read."""
        return _table(self.points, POINT_ROW_COLUMNS)

    def comparison(self, compare_nights: int) -> ComparisonResult | None:
        """Compare the night with the last ones; None if it is the first one.

        Args:
            compare_nights: Number of previous nights.

        Raises:
            RequestError: It has nothing in common with the last ones.
        """
        before = self.nights[-1 - compare_nights : -1]
        if not before:
            return None
        rounds, points = (
            [_table(rows[rows["sweep_id"].isin(side)], columns) for side in (before, [self.sweep_id])]
            for rows, columns in ((self.rounds, ROUNDS_READ), (self.points, POINT_ROW_COLUMNS))
        )
        return compare_tables(rounds, points, controls=CONTROLS)

    def points_left(self, results_dir: Path) -> int:
        """Return the number of points that ``resume`` would run.

        Args:
            results_dir: Folder of the records.
        """
        ended = last_attempts(str(results_dir), self.sweep_id)
        planned = self.manifest.points if self.manifest else ()
        return sum(ended.get(point["index"], (0, ""))[1] != "ok" for point in planned)


def prune_nights(results_dir: Path, records: NightRecords, kept: Kept) -> list[str]:
    """Remove old nights and return what was done, as sentences.

    Args:
        results_dir: Folder of the records.
        records: The records of the last night.
        kept: Which nights are kept.
    """
    sentences = [
        f"sweep_id={shown(sweep_id)} is never removed: {reason}"
        for sweep_id in records.points["sweep_id"].unique()
        if (reason := why_never_removed(results_dir, sweep_id))
    ]
    if removed := prune(results_dir, records.name, kept.nights, kept.gb):
        sentences.append(f"removed {len(removed)} old sweeps: {', '.join(removed)}")
    return sentences


def _table(rows: pd.DataFrame, columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pandas(rows[list(columns)], preserve_index=False)


def _manifest(results_dir: Path, sweep_id: str) -> Manifest | None:
    files = manifest_files(str(results_dir), sweep_id)
    if not files:  # in earlier releases, a single point had no manifest
        return None
    try:
        return read_manifest(files[0], str(results_dir))
    except UnreadableManifestError as error:
        warnings.warn(f"what was requested is unknown: {error}", UnreadableRecordsWarning, stacklevel=2)
        return None


def _reasons_skipped(manifest: Manifest | None) -> list[str]:
    """Return why points were skipped, without skips by request or because a program is not installed."""
    expected = {not_installed(kind.needs_program) for kind in ADAPTER_KINDS.values()}
    skipped = manifest.skipped if manifest else ()
    return [point["reason"] for point in skipped if not point["as_asked"] and point["reason"] not in expected]


def _requested_adapters(manifest: Manifest | None) -> frozenset[str] | None:
    """Return the names of the adapters that the request chose; None if they are not known.

    An adapter whose points were all skipped because of this machine was requested as well.
    """
    if manifest is None:
        return None
    asked = [*manifest.points, *(point for point in manifest.skipped if not point["as_asked"])]
    options = (option for point in asked for option in point["overrides"])
    return frozenset(option.partition("=")[2] for option in options if option.startswith("adapter="))
