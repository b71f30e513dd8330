"""The manifest of a sweep: its request and its plan, saved so that the sweep can be resumed."""

from __future__ import annotations

import itertools
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep.config.point import PointConfig
from l2sweep.config.renamed import current_override
from l2sweep.config.sweep import SweepConfig
from l2sweep.credentials import REDACTED, redact_override
from l2sweep.errors import L2SweepError, RequestError, UnreadableRecordsWarning, shown
from l2sweep.records.files import half_written
from l2sweep.sweep.plan import Plan, PlannedPoint, SkippedPoint, WhyInfeasible
from l2sweep.sweep.state.manifest_json import checked_fields

LATEST = "latest"
MANIFEST = "manifest.json"


class UnreadableManifestError(RequestError):
    """A manifest is damaged, or is not the manifest of its sweep."""


def sweep_folder(sweep: SweepConfig) -> Path:
    """Return the folder of a sweep's manifest, configuration and logs."""
    return Path(sweep.results_dir) / "sweeps" / sweep.sweep_id


@dataclass(frozen=True)
class Manifest:
    """The request and the plan of a sweep.

    Attributes:
        sweep_id: Id of the sweep.
        arguments: The overrides of the request, including those with several values, without credentials.
        zip: Groups of options whose values are paired.
        points: Index, repeat, identity and overrides of each planned point, in the order of the plan.
        skipped: Identity, overrides and reason of each skipped point.
    """

    sweep_id: str
    arguments: Sequence[str]
    zip: Sequence[Sequence[str]]
    points: Sequence[Mapping[str, Any]]
    skipped: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(
        cls, sweep_id: str, arguments: Sequence[str], zipped: Sequence[Sequence[str]], plan: Plan
    ) -> Manifest:
        """Return the manifest of a plan.

        Args:
            sweep_id: Id of the sweep.
            arguments: The overrides of the request. Their credentials are replaced.
            zipped: Groups of options whose values are paired.
            plan: The plan.
        """
        redacted = [redact_override(argument) for argument in arguments]
        return cls(sweep_id, redacted, [list(group) for group in zipped], points=[]).with_more(plan)

    def with_more(self, plan: Plan) -> Manifest:
        """Return the manifest with the points of another plan added."""
        return replace(
            self,
            points=[*self.points, *map(_point_entry, plan.points)],
            skipped=[*self.skipped, *map(_skipped_entry, plan.skipped)],
        )

    def reasons_skipped(self) -> WhyInfeasible:
        """Return a function that tells why this machine could not run a point when the sweep was planned.

        A resumed sweep uses it, so that its plan stays the same even if the free memory has changed.
        """
        reasons = {entry["point_id"]: entry["reason"] for entry in self.skipped if not entry["as_asked"]}
        return lambda point: reasons.get(point.point_id, "")

    def save(self, folder: Path) -> None:
        """Write the manifest atomically: a reader never sees an incomplete file.

        Args:
            folder: Folder of the sweep.
        """
        temporary = half_written(folder, MANIFEST)
        try:
            with temporary.open("w") as file:
                json.dump(asdict(self), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / MANIFEST)
        finally:
            temporary.unlink(missing_ok=True)

    def require_same(self, plan: Plan) -> None:
        """Check that a plan has the same points as this manifest.

        Raises:
            RequestError: They differ. The message contains the first point that differs.
        """
        pairs = list(itertools.zip_longest(self.points, map(_point_entry, plan.points)))
        differences = [index for index, (was, now) in enumerate(pairs) if _identity(was) != _identity(now)]
        if differences:
            first = differences[0]
            was, now = map(_description, pairs[first])
            count = f"{len(differences)} of {len(pairs)} points differ, the first is point {first}"
            problem = f"the request is not the one of that sweep: {count}: it was {was} and is now {now}"
            raise RequestError([f"resume={self.sweep_id}: {problem}"])

    def repeatable_arguments(self) -> Sequence[str]:
        """Return the overrides that make the same sweep again.

        Raises:
            RequestError: The overrides contained credentials, which are never saved.
        """
        if any(REDACTED in argument for argument in self.arguments):
            reason = "the request contained credentials, which are never saved"
            raise RequestError([f"resume={self.sweep_id}: {reason}: repeat all its options"])
        return self.arguments


def load_manifest(results_dir: str, resume: str) -> Manifest:
    """Read the manifest of a sweep, also one of an earlier release.

    Args:
        results_dir: Folder of the results.
        resume: Id of the sweep; ``latest``: the sweep whose manifest was written last, of those that can be
            read.

    Raises:
        RequestError: The sweep does not exist.
        UnreadableManifestError: Its manifest cannot be read.

    Warns:
        UnreadableRecordsWarning: With each manifest that ``latest`` skipped.
    """
    if resume == LATEST:
        for file in reversed(manifest_files(results_dir)):
            try:
                return read_manifest(file)
            except L2SweepError as error:
                warnings.warn(f"{error}; the sweep is ignored", UnreadableRecordsWarning, stacklevel=2)
    elif os.path.lexists(file := Path(results_dir) / "sweeps" / resume / MANIFEST):
        try:
            return read_manifest(file)
        except UnreadableManifestError as error:
            raise UnreadableManifestError([f"resume={resume}: {error}"]) from error
    raise RequestError([f"resume={resume}: {results_dir} contains no such sweep"])


def manifest_files(results_dir: str) -> list[Path]:
    """Return the manifests of a results folder, the one that was written last at the end.

    Args:
        results_dir: Folder of the results.
    """
    found = (Path(results_dir) / "sweeps").glob(f"*/{MANIFEST}")
    return sorted(found, key=lambda path: path.lstat().st_mtime)


def read_manifest(file: Path) -> Manifest:
    """Read a manifest, also one of an earlier release.

    Args:
        file: Path of the manifest, in the folder of its sweep.

    Raises:
        UnreadableManifestError: It cannot be read, or is not a manifest of this sweep.
    """
    try:
        values = checked_fields(file.read_bytes())
        if values["sweep_id"] != file.parent.name:
            raise ValueError(f"it is the manifest of sweep {values['sweep_id']}")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UnreadableManifestError([f"{shown(file)} cannot be read: {shown(reason)}"]) from error
    arguments = [current_override(argument) for argument in values["arguments"]]
    return Manifest(**{**values, "arguments": arguments})


def _point_entry(planned: PlannedPoint) -> dict[str, Any]:
    return {"index": planned.index, "repeat": planned.repeat, **_config_entry(planned.config)}


def _skipped_entry(skipped: SkippedPoint) -> dict[str, Any]:
    return {**_config_entry(skipped.config), "reason": skipped.reason, "as_asked": skipped.as_asked}


def _config_entry(point: PointConfig) -> dict[str, Any]:
    return {"point_id": point.point_id, "overrides": [redact_override(text) for text in point.overrides]}


def _identity(entry: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if entry is None else (entry["repeat"], entry["point_id"])


def _description(entry: Mapping[str, Any] | None) -> str:
    return "none" if entry is None else " ".join(entry["overrides"]) or "the default point"
