"""The manifest of a sweep: its request and its plan, saved so that the sweep can be resumed."""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from l2sweep.config.point import PointConfig
from l2sweep.config.renamed import current_override
from l2sweep.config.sweep import SweepConfig
from l2sweep.credentials import REDACTED, redact_override
from l2sweep.errors import L2SweepError, RequestError, shown
from l2sweep.records.files import POINTS, files_of_sweep, written_whole
from l2sweep.records.trusted_files import UntrustedFileError, is_sweep_id, read_trusted
from l2sweep.sweep.plan import Plan, PlannedPoint, SkippedPoint, WhyInfeasible

LATEST = "latest"
_FILE = "manifest.json"


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
        with written_whole(folder / _FILE) as file:
            file.write(json.dumps(asdict(self), indent=1).encode())

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


class UnreadableManifestError(L2SweepError):
    """A manifest is not a manifest: it is damaged, or it names another sweep."""


def load_manifest(results_dir: str, resume: str) -> Manifest:
    """Read the manifest of a sweep, also one of an earlier release.

    Args:
        results_dir: Folder of the results.
        resume: Id of the sweep; ``latest``: the sweep whose manifest was written last.

    Raises:
        RequestError: The sweep does not exist, or its manifest cannot be read, or may come from another user.
    """
    name = "*" if resume == LATEST else resume
    found = manifest_files(results_dir, name) if name == "*" or is_sweep_id(name) else []
    if not found:
        raise RequestError([f"resume={shown(resume)}: {shown(results_dir)} contains no such sweep"])
    try:
        return read_manifest(found[-1], results_dir)
    except (OSError, UntrustedFileError, UnreadableManifestError) as error:
        raise RequestError([f"resume={resume}: {error}"]) from error


def manifest_files(results_dir: str, sweep_id: str = "*") -> list[Path]:
    """Return the paths of the manifests in a results folder, oldest first.

    Args:
        results_dir: Folder of the results.
        sweep_id: Id of the only sweep; ``*``: all sweeps.
    """
    pattern = "*" if sweep_id == "*" else glob.escape(sweep_id)
    found: list[tuple[float, Path]] = []
    for file in (Path(results_dir) / "sweeps").glob(f"{pattern}/{_FILE}"):
        with contextlib.suppress(OSError):  # it was removed since
            found.append((file.lstat().st_mtime, file))
    return [file for _, file in sorted(found)]


def read_manifest(file: Path, results_dir: str) -> Manifest:
    """Read a manifest, also one of an earlier release.

    The overrides in a manifest are run again by ``resume``. They may contain ``python`` and
    ``cache.command``, so only the user or root can have written the file.

    Args:
        file: Path of the manifest.
        results_dir: Folder of the results.

    Raises:
        UntrustedFileError: Another user may have written it.
        UnreadableManifestError: It is not the manifest of the sweep whose folder contains it.
        OSError: It cannot be read.
    """
    content = read_trusted(file, Path(results_dir))
    try:
        values = json.loads(content)
        if "left_out" in values:  # its name in releases before schema version 3
            values["skipped"] = values.pop("left_out")
        stored = _STORED.validate_json(json.dumps(values), strict=True)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # also pydantic's
        raise UnreadableManifestError(f"{shown(file)} is not a manifest, or it is damaged") from error
    if stored.sweep_id != file.parent.name or not is_sweep_id(stored.sweep_id):
        problem = f"{shown(file)} is the manifest of another sweep: {shown(stored.sweep_id)}"
        raise UnreadableManifestError(problem)
    arguments = [current_override(argument) for argument in stored.arguments]
    return Manifest(stored.sweep_id, arguments, stored.zip, values["points"], values.get("skipped", []))


@dataclass(frozen=True)
class _StoredConfig:
    point_id: str
    overrides: list[str]


@dataclass(frozen=True)
class _StoredPoint(_StoredConfig):
    index: int
    repeat: int


@dataclass(frozen=True)
class _StoredSkip(_StoredConfig):
    reason: str
    as_asked: bool


@dataclass(frozen=True)
class _StoredManifest:
    """The fields of a manifest that are used, with their types."""

    sweep_id: str
    arguments: list[str]
    zip: list[list[str]]
    points: list[_StoredPoint]
    skipped: list[_StoredSkip] = field(default_factory=list)


_STORED = TypeAdapter(_StoredManifest)


def still_to_run(plan: Plan, ended: Mapping[int, tuple[int, str]], retry_failed: bool) -> list[PlannedPoint]:
    """Return the points of a resumed sweep that still have to run, each with its next attempt.

    These are the points without rows, those that the user stopped, and, if requested, those that failed.

    Args:
        plan: The plan of the sweep.
        ended: Number and status of the last attempt by the index of the point, from :func:`last_attempts`.
        retry_failed: Whether failed points run again.
    """
    remaining = []
    for planned in plan.points:
        attempt, status = ended.get(planned.index, (0, ""))
        if status == "ok" or (status not in ("", "stopped") and not retry_failed):
            continue
        remaining.append(replace(planned, attempt=attempt + 1))
    return remaining


def last_attempts(results_dir: str, sweep_id: str) -> dict[int, tuple[int, str]]:
    """Return number and status of the last attempt by the index of the point, for each point with rows.

    Args:
        results_dir: Folder of the results.
        sweep_id: Id of the sweep.
    """
    import pyarrow.parquet as pq

    ended: dict[int, tuple[int, str]] = {}
    for file in files_of_sweep(Path(results_dir), POINTS, sweep_id):
        rows = pq.read_table(file, columns=["point_index", "attempt", "status"]).to_pylist()
        for row in rows:
            attempt, status = ended.get(row["point_index"], (0, ""))
            # The status of a point with several processes is that of the first process that is not ok.
            if row["attempt"] > attempt or (row["attempt"] == attempt and status == "ok"):
                ended[row["point_index"]] = (row["attempt"], row["status"])
    return ended


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
