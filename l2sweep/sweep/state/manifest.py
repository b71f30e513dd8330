"""The manifest of a sweep: its request and its plan, saved so that the sweep can be resumed."""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep.config.point import PointConfig
from l2sweep.config.renamed import current_override
from l2sweep.config.sweep import SweepConfig
from l2sweep.credentials import REDACTED, redact_override, scrub, secrets_of
from l2sweep.errors import RequestError, UnreadableRecordsWarning, shown
from l2sweep.records.files import written_whole
from l2sweep.records.store.address import local_folder
from l2sweep.records.store.place import Place, ResultsDir, StorePath, narrowed, place_of
from l2sweep.records.trusted_files import UntrustedFileError, is_sweep_id, read_trusted
from l2sweep.sweep.plan import Plan, PlannedPoint, SkippedPoint, WhyInfeasible
from l2sweep.sweep.state.manifest_json import checked_fields

LATEST = "latest"
MANIFEST = "manifest.json"


class UnreadableManifestError(RequestError):
    """A manifest is damaged, is not the manifest of its sweep, or may come from another user."""


def sweep_folder(sweep: SweepConfig) -> Path:
    """Return the folder of a sweep's manifest, configuration and logs."""
    return local_folder(sweep.results_dir) / "sweeps" / sweep.sweep_id


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
        configs = [planned.config for planned in plan.points] + [skipped.config for skipped in plan.skipped]
        secrets = set().union(*(secrets_of(config.adapter_spec) for config in configs))
        redacted = [scrub(redact_override(argument), secrets) for argument in arguments]
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
        with written_whole(folder / MANIFEST) as file:
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
            advice = "repeat all its options (with ${secret:NAME} instead, this would not be necessary)"
            raise RequestError([f"resume={self.sweep_id}: {reason}: {advice}"])
        return self.arguments


def load_manifest(results_dir: ResultsDir, resume: str) -> Manifest:
    """Read the manifest of a sweep, also one of an earlier release.

    Args:
        results_dir: Folder of the results.
        resume: Id of the sweep; ``latest``: the sweep whose manifest was written last, of those that can be
            read.

    Raises:
        RequestError: The sweep does not exist, or its manifest cannot be read, or may come from another user.

    Warns:
        UnreadableRecordsWarning: With each manifest that ``latest`` skipped.
    """
    place = place_of(results_dir)
    if resume != LATEST:
        found = manifest_files(place, resume) if is_sweep_id(resume) else []
    else:
        found = manifest_files(place)
    problems: list[str] = []
    for file in reversed(found):
        try:
            manifest = read_manifest(file, place)
        except UnreadableManifestError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            warnings.warn(f"{problem}; the sweep is ignored", UnreadableRecordsWarning, stacklevel=2)
        return manifest
    problem = problems[0] if problems else f"{shown(results_dir)} contains no such sweep"
    raise RequestError([f"resume={shown(resume)}: {problem}"])


def manifest_files(results_dir: ResultsDir, sweep_id: str = "*") -> list[Place]:
    """Return the paths of the manifests in a results folder, oldest first.

    Args:
        results_dir: Folder of the results.
        sweep_id: Id of the only sweep; ``*``: all sweeps.
    """
    place = place_of(results_dir)
    if isinstance(place, StorePath):
        return _manifests_in_store(place, sweep_id)
    pattern = "*" if sweep_id == "*" else glob.escape(sweep_id)
    found: list[tuple[float, Place]] = []
    for file in (place / "sweeps").glob(f"{pattern}/{MANIFEST}"):
        with contextlib.suppress(OSError):  # it was removed since
            found.append((file.lstat().st_mtime, file))
    return [file for _, file in sorted(found)]


def read_manifest(file: Place, results_dir: ResultsDir) -> Manifest:
    """Read a manifest, also one of an earlier release.

    The overrides in a manifest are run again by ``resume``. They may contain ``python`` and
    ``cache.command``, so only the user or root can have written the file.

    Args:
        file: Path of the manifest, in the folder of its sweep.
        results_dir: Folder of the results.

    Raises:
        UnreadableManifestError: It cannot be read, it is not the manifest of the sweep whose folder contains
            it, or another user may have written it.
    """
    try:
        values = checked_fields(_content(file, results_dir))
        if values["sweep_id"] != file.parent.name:
            raise ValueError(f"it is the manifest of sweep {values['sweep_id']}")
    except UntrustedFileError as error:
        raise UnreadableManifestError([str(error)]) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UnreadableManifestError([f"{shown(file)} cannot be read: {shown(reason)}"]) from error
    arguments = [current_override(argument) for argument in values["arguments"]]
    return Manifest(**{**values, "arguments": arguments})


def _content(file: Place, results_dir: ResultsDir) -> bytes:
    if isinstance(file, StorePath):  # whoever may write into the bucket is trusted: docs/security.md
        return file.read_bytes()
    return read_trusted(file, Path(str(results_dir)))


def _manifests_in_store(place: StorePath, sweep_id: str) -> list[Place]:
    place = place if sweep_id == "*" else narrowed(place, [sweep_id])
    folder = place / "sweeps"
    with contextlib.suppress(FileNotFoundError):
        files = (folder / one / MANIFEST for one in folder.folders())
        found = [(file.stat().st_mtime_ns, file) for file in files if file.is_file()]
        return [file for _, file in sorted(found)]
    return []


def _point_entry(planned: PlannedPoint) -> dict[str, Any]:
    return {"index": planned.index, "repeat": planned.repeat, **_config_entry(planned.config)}


def _skipped_entry(skipped: SkippedPoint) -> dict[str, Any]:
    return {**_config_entry(skipped.config), "reason": skipped.reason, "as_asked": skipped.as_asked}


def _config_entry(point: PointConfig) -> dict[str, Any]:
    secrets = secrets_of(point.adapter_spec)
    overrides = [scrub(redact_override(text), secrets) for text in point.overrides]
    return {"point_id": point.point_id, "overrides": overrides}


def _identity(entry: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if entry is None else (entry["repeat"], entry["point_id"])


def _description(entry: Mapping[str, Any] | None) -> str:
    return "none" if entry is None else " ".join(entry["overrides"]) or "the default point"
