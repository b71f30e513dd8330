"""Tell how the process of a phase ended, where one process may run several phases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class AutoRounds:
    """Why the rounds of a phase ended whose number was not fixed.

    Attributes:
        ended_by: ``precision``, ``max_rounds``, ``max_seconds`` or ``stored_rounds``; None if the number of
            measured rounds was fixed, or the phase did not come to its end.
        warmup_ended_by: ``steady``, ``max_warmup_rounds`` or ``stored_rounds``; None as above.
        precision: Half-width of the 95% interval of the median duration, divided by the median; None if it is
            unknown.
        rounds: Number of measured rounds.
        warmup_rounds: Number of warm-up rounds.
        max_seconds: The limit; None if there was none.
        is_limited: Whether the number of measured rounds was open, up to a limit.
    """

    ended_by: str | None
    warmup_ended_by: str | None
    precision: float | None
    rounds: int
    warmup_rounds: int
    max_seconds: float | None
    is_limited: bool = True

    def __str__(self) -> str:
        """Return one line; empty if there is nothing to say.

        Examples: ``12 rounds, precision 4.1%``; ``max_rounds=50 reached at 7.3%``; ``max_seconds=120 reached
        at 7.3% after 20 rounds``; ``durations still drifted after 20 warm-up rounds``.
        """
        reached = "an unknown precision" if self.precision is None else f"{self.precision:.1%}"
        limit = "?" if self.max_seconds is None else f"{self.max_seconds:g}"
        texts = {
            "precision": f"{self.rounds} rounds, precision {reached}",
            "max_rounds": f"max_rounds={self.rounds} reached at {reached}",
            "max_seconds": f"max_seconds={limit} reached at {reached} after {self.rounds} rounds",
            "stored_rounds": f"no stored keys left at {reached} after {self.rounds} rounds",
        }
        parts = [texts[self.ended_by]] if self.ended_by in texts else []
        if self.warmup_ended_by not in (None, "steady"):
            parts.append(f"durations still drifted after {self.warmup_rounds} warm-up rounds")
        return ", ".join(parts)


def auto_rounds(phase: str, rounds: Sequence[Row], point: Row) -> AutoRounds | None:
    """Return why the rounds of a phase ended; None if their number was fixed.

    Args:
        phase: store, lookup or load.
        rounds: Rows of the data set ``rounds``, all of one attempt at a point.
        point: The row of the process in the data set ``points``, of any schema version.
    """
    if not is_auto(point) and not point.get("warmup_auto"):
        return None
    warmups = [row["is_warmup"] for row in rounds if row["phase"] == phase]
    return AutoRounds(
        ended_by=_known(point.get(f"{phase}_rounds_ended_by")),
        warmup_ended_by=_known(point.get(f"{phase}_warmup_ended_by")),
        precision=_known(point.get(f"{phase}_precision_reached")),
        rounds=warmups.count(False),
        warmup_rounds=warmups.count(True),
        max_seconds=_known(point.get("max_seconds")),
        is_limited=is_auto(point),
    )


def is_auto(point: Row) -> bool:
    """Return whether the column ``rounds`` of a row of ``points`` is only a limit."""
    return _known(point.get("precision")) is not None


def requested_rounds(phase: str, point: Row, measured: int) -> int:
    """Return the number of measured rounds with which a phase is complete.

    Args:
        phase: store, lookup or load.
        point: The row of its process in the data set ``points``, of any schema version.
        measured: Number of its measured rounds. They are enough where the phase said so itself.
    """
    is_ended = is_auto(point) and _known(point.get(f"{phase}_rounds_ended_by")) is not None
    return measured if is_ended and measured else int(point["rounds"])


def phase_status(phase: str, phases: Sequence[str], rounds: Sequence[Row], points: Sequence[Row]) -> str:
    """Return the status of the process as far as it concerns one phase.

    A process that runs all phases and ends badly in one of them has measured the phases before it, and none
    of the phases behind it. If every phase is complete and ok, the process ended badly behind the last one,
    which gets its status.

    Args:
        phase: store, lookup or load.
        phases: All requested phases, in the order in which they run.
        rounds: Rows of the data set ``rounds``, all of one attempt at a point.
        points: Rows of the data set ``points``, all of the attempt: one per process.

    Returns:
        A value of the column ``status``; ``ok`` if the process ran the phase to its end.
    """
    own = next((row for row in points if row["phase"] in (phase, "all")), None)
    if own is None:  # an earlier process ended the point
        return next((str(row["status"]) for row in points if row["status"] != "ok"), "ok")
    status = str(own["status"])
    if status == "ok" or own["phase"] != "all":
        return status
    measured = {
        name: [row["status"] for row in rounds if row["phase"] == name and not row["is_warmup"]]
        for name in phases
    }

    def is_incomplete(name: str) -> bool:
        return len(measured[name]) < requested_rounds(name, own, len(measured[name]))

    if is_incomplete(phase):
        return status
    explains = {
        name: is_incomplete(name) or (status == "failed" and any(one != "ok" for one in statuses))
        for name, statuses in measured.items()
    }
    return status if phase == phases[-1] and not any(explains.values()) else "ok"


def _known(value: Any) -> Any:
    """Return a value; None if it is missing, which pandas may read as NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value
