"""Read the records of a night, summarise it, and remove old nights."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.columns import ROUND_COLUMNS
from l2sweep.analysis.compare.rows.environment import POINT_ROW_COLUMNS
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.history.changes import PointHistory, histories
from l2sweep.analysis.history.environment import POINTS_READ
from l2sweep.analysis.history.series import ROUNDS_READ
from l2sweep.analysis.nights import Night, night
from l2sweep.cli.nightly.settings import Kept
from l2sweep.config.adapter.kinds import ADAPTER_KINDS
from l2sweep.errors import UnreadableRecordsWarning, shown
from l2sweep.records.last_attempts import last_attempts
from l2sweep.records.pruning import prune
from l2sweep.records.reader import load_points, load_rounds, points_table, rounds_table
from l2sweep.records.storage.stored_sweep import why_never_removed
from l2sweep.records.sweeps import begun_sweeps
from l2sweep.sweep.checks.feasibility import not_installed
from l2sweep.sweep.state.manifest import Manifest, UnreadableManifestError, manifest_files, read_manifest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NightRecords:
    """The records of a night and of the nights before it with the same name.

    Attributes:
        results_dir: Folder of the records.
        name: Name of the sweep.
        nights: Ids of the sweeps with this name, oldest first; the last one is this night.
        manifest: Request and plan of the night; None if they are not known.
    """

    results_dir: Path
    name: str
    nights: tuple[str, ...]
    manifest: Manifest | None

    @classmethod
    def of(cls, results_dir: Path, sweep_id: str) -> NightRecords:
        """Find them.

        Args:
            results_dir: Folder of the records.
            sweep_id: The sweep of the night.

        Raises:
            FileNotFoundError: The folder has no records.
            KeyError: The sweep has no records.
        """
        begun = begun_sweeps(results_dir)
        names = {one.sweep_id: one.sweep_name for one in begun}
        name = names[sweep_id]
        until = begun[: list(names).index(sweep_id) + 1]
        nights = tuple(one.sweep_id for one in until if one.sweep_name == name)
        return cls(results_dir, name, nights, _manifest(results_dir, sweep_id))

    @property
    def sweep_id(self) -> str:
        """The sweep of the night."""
        return self.nights[-1]

    @functools.cached_property
    def points(self) -> pd.DataFrame:
        """How the processes of the night ended."""
        return load_points(self.results_dir, sweep=[self.sweep_id])

    def summary(self, compare_nights: int) -> Night:
        """Summarise the night.

        Args:
            compare_nights: Number of previous nights to compare the controls with.
        """
        nights = self.nights[-1 - compare_nights :]
        return night(
            load_points(self.results_dir, sweep=nights),
            load_rounds(self.results_dir, sweep=nights),
            *(self.sweep_id, CONTROLS, compare_nights),
            skipped=_reasons_skipped(self.manifest),
            requested=_requested_adapters(self.manifest),
        )

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
        sides = (before, (self.sweep_id,))
        return compare_tables(
            [rounds_table(self.results_dir, sweep=side, columns=ROUND_COLUMNS) for side in sides],
            [points_table(self.results_dir, sweep=side, columns=POINT_ROW_COLUMNS) for side in sides],
            controls=CONTROLS,
        )

    def histories(self) -> list[PointHistory]:
        """Return the series of all points up to this night."""
        rounds = rounds_table(self.results_dir, sweep=self.nights, columns=ROUNDS_READ)
        return histories(
            rounds, lambda: points_table(self.results_dir, sweep=self.nights, columns=POINTS_READ)
        )

    def points_left(self) -> int:
        """Return the number of points that ``resume`` would run."""
        ended = last_attempts(str(self.results_dir), self.sweep_id)
        planned = self.manifest.points if self.manifest else ()
        return sum(ended.get(point["index"], (0, ""))[1] != "ok" for point in planned)


def prune_nights(records: NightRecords, kept: Kept) -> list[str]:
    """Remove old nights and return what was done, as sentences.

    Args:
        records: The records of the last night.
        kept: Which nights are kept.
    """
    sentences = [
        f"sweep_id={shown(sweep_id)} is never removed: {reason}"
        for sweep_id in records.nights
        if (reason := why_never_removed(records.results_dir, sweep_id))
    ]
    if removed := prune(records.results_dir, records.name, kept.nights, kept.gb):
        sentences.append(f"removed {len(removed)} old sweeps: {', '.join(removed)}")
    return sentences


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
