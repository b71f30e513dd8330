"""The manifest of a sweep: its request and its plan, saved so that the sweep can be resumed."""

from __future__ import annotations

import glob
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep.config.point import PointConfig
from l2sweep.config.renamed import current_override
from l2sweep.config.sweep import SweepConfig
from l2sweep.credentials import REDACTED, redact_override, scrub, secrets_of
from l2sweep.errors import RequestError
from l2sweep.records.files import POINTS, files_of_sweep, half_written
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
        temporary = half_written(folder, _FILE)
        with temporary.open("w") as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / _FILE)

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


def load_manifest(results_dir: str, resume: str) -> Manifest:
    """Read the manifest of a sweep, also one of an earlier release.

    Args:
        results_dir: Folder of the results.
        resume: Id of the sweep; ``latest``: the sweep whose manifest was written last.

    Raises:
        RequestError: The sweep does not exist.
    """
    name = "*" if resume == LATEST else glob.escape(resume)
    found = (Path(results_dir) / "sweeps").glob(f"{name}/{_FILE}")
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise RequestError([f"resume={resume}: {results_dir} contains no such sweep"])
    return _with_current_names(json.loads(newest.read_text()))


def _with_current_names(values: dict[str, Any]) -> Manifest:
    """Return the manifest in a JSON object of this release or an earlier one."""
    if "left_out" in values:
        values["skipped"] = values.pop("left_out")
    values["arguments"] = [current_override(argument) for argument in values["arguments"]]
    return Manifest(**values)


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
    secrets = secrets_of(point.adapter_spec)
    overrides = [scrub(redact_override(text), secrets) for text in point.overrides]
    return {"point_id": point.point_id, "overrides": overrides}


def _identity(entry: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if entry is None else (entry["repeat"], entry["point_id"])


def _description(entry: Mapping[str, Any] | None) -> str:
    return "none" if entry is None else " ".join(entry["overrides"]) or "the default point"
