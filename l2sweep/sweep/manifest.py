"""What a sweep set out to do, kept beside its logs, so that it can be resumed after whatever ended it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep.config.point import PointConfig
from l2sweep.credentials import REDACTED, redact_override
from l2sweep.errors import RequestError
from l2sweep.records.files import POINTS, files_of_sweep, half_written
from l2sweep.sweep.plan import Plan, PlannedPoint, WhyInfeasible

LATEST = "latest"
_FILE = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """A sweep's request and its plan.

    Attributes:
        sweep_id: Which sweep.
        arguments: Its overrides, those with several values among them, credentials replaced.
        zip: Its groups of options whose values go together.
        points: For each planned point, in order, its index, repeat and identity.
        left_out: Points of the grid that are not run: their identity and overrides, and why.
    """

    sweep_id: str
    arguments: Sequence[str]
    zip: Sequence[Sequence[str]]
    points: Sequence[Mapping[str, Any]]
    left_out: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(
        cls, sweep_id: str, arguments: Sequence[str], zipped: Sequence[Sequence[str]], plan: Plan
    ) -> Manifest:
        """Return the manifest of a plan."""
        return cls(
            sweep_id,
            [redact_override(argument) for argument in arguments],
            [list(group) for group in zipped],
            [_entry(planned) for planned in plan.points],
            _left_out(plan),
        )

    def with_more(self, plan: Plan) -> Manifest:
        """Return the manifest of a sweep that goes on with the points of another plan."""
        return replace(
            self,
            points=[*self.points, *map(_entry, plan.points)],
            left_out=[*self.left_out, *_left_out(plan)],
        )

    def reasons_left_out(self) -> WhyInfeasible:
        """Return what says why the machine was not fit for a point when the sweep was planned.

        It may be fitter now, or less: the plan stays.
        """
        reasons = {one["point_id"]: one["reason"] for one in self.left_out if not one["as_asked"]}
        return lambda point: reasons.get(point.point_id, "")

    def save(self, folder: Path) -> None:
        """Write it into the sweep's folder: all of it, or nothing."""
        aside = half_written(folder, _FILE)
        with aside.open("w") as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / _FILE)

    def require_same(self, plan: Plan) -> None:
        """See that a plan is the one that was begun.

        Raises:
            RequestError: With what differs.
        """
        mine = {entry["index"]: entry for entry in self.points}
        theirs = {planned.index: _entry(planned) for planned in plan.points}
        differences = [
            index
            for index in sorted({*mine, *theirs})
            if _measured(mine.get(index)) != _measured(theirs.get(index))
        ]
        if not differences:
            return
        first = differences[0]
        raise RequestError(
            [
                f"resume={self.sweep_id}: the request is not that sweep's: {len(differences)} of "
                f"{max(len(mine), len(theirs))} points differ, the first is point {first}: then "
                f"{_described(mine.get(first))}, now {_described(theirs.get(first))}"
            ]
        )

    def repeatable_arguments(self) -> Sequence[str]:
        """Return the overrides that make the same sweep again.

        Raises:
            RequestError: They held credentials, which are kept nowhere.
        """
        if any(REDACTED in argument for argument in self.arguments):
            raise RequestError(
                [f"resume={self.sweep_id}: its request held credentials, so give the whole request again"]
            )
        return self.arguments


def load_manifest(results_dir: str, resume: str) -> Manifest:
    """Read the manifest of a sweep.

    Args:
        results_dir: Folder of the results.
        resume: A sweep's id, or ``latest``.

    Raises:
        RequestError: There is none.
    """
    sweeps = Path(results_dir) / "sweeps"
    if resume == LATEST:
        found = sorted(sweeps.glob(f"*/{_FILE}"), key=lambda path: path.stat().st_mtime)
    else:
        found = [path for path in [sweeps / resume / _FILE] if path.is_file()]
    if not found:
        raise RequestError([f"resume={resume}: there is no such sweep in {results_dir}"])
    return Manifest(**json.loads(found[-1].read_text()))


def still_to_run(plan: Plan, ended: Mapping[int, tuple[int, str]], retry_failed: bool) -> list[PlannedPoint]:
    """Return the points of a sweep that have no row yet, or a row that says that they failed.

    Args:
        plan: All its points.
        ended: What :func:`last_attempts` found.
        retry_failed: Whether those that failed are run again.
    """
    remaining = []
    for planned in plan.points:
        attempt, status = ended.get(planned.index, (0, ""))
        if status == "ok" or (status not in ("", "stopped") and not retry_failed):
            continue
        remaining.append(replace(planned, attempt=attempt + 1))
    return remaining


def last_attempts(results_dir: str, sweep_id: str) -> dict[int, tuple[int, str]]:
    """Return for each point that has a row its last attempt and how that ended."""
    import pyarrow.parquet as pq

    ended: dict[int, tuple[int, str]] = {}
    for file in files_of_sweep(Path(results_dir), POINTS, sweep_id):
        rows = pq.read_table(file, columns=["point_index", "attempt", "status"]).to_pylist()
        for row in rows:
            attempt, status = ended.get(row["point_index"], (0, ""))
            # A point of several processes ended as the first of them that is not ok.
            if row["attempt"] > attempt or (row["attempt"] == attempt and status == "ok"):
                ended[row["point_index"]] = (row["attempt"], row["status"])
    return ended


def _entry(planned: PlannedPoint) -> dict[str, Any]:
    return {
        "index": planned.index,
        "repeat": planned.repeat,
        "point_id": planned.config.point_id,
        "overrides": _overrides(planned.config),
    }


def _left_out(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "point_id": one.config.point_id,
            "overrides": _overrides(one.config),
            "reason": one.reason,
            "as_asked": one.as_asked,
        }
        for one in plan.left_out
    ]


def _overrides(point: PointConfig) -> list[str]:
    return [redact_override(override) for override in point.overrides]


def _measured(entry: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if entry is None else (entry["repeat"], entry["point_id"])


def _described(entry: Mapping[str, Any] | None) -> str:
    return "none" if entry is None else " ".join(entry["overrides"]) or "the default point"
