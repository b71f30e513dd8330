"""Tell how a phase of a point ended, where one process may run several phases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

_PHASES = ("store", "lookup", "load")
_WITHOUT_LOOKUP = ("store", "load")
_MIXED = ("mixed_store", "mixed_load")
COLUMNS_OF_COMPLETENESS = ("phase", "rounds", "precision", *(f"{phase}_rounds_ended_by" for phase in _PHASES))
"""The columns of ``points`` that tell how many rounds a phase needs, see :func:`requested_rounds`."""


@dataclass(frozen=True)
class Measured:
    """How many measured rounds a phase has.

    Attributes:
        rounds: All of them.
        ok_rounds: Those in which all expected keys were moved or found.
        unconfirmed_rounds: Store rounds that their load proves wrong.
    """

    rounds: int = 0
    ok_rounds: int = 0
    unconfirmed_rounds: int = 0


def requested_phases(point: Row) -> tuple[str, ...]:
    """Return the phases that a point asked for, in the order in which they run.

    Args:
        point: A row of the data set ``points``.
    """
    has_no_lookup = point["adapter_type"] == "fio" or point.get("through") == "storage_manager"
    every: tuple[str, ...] = _WITHOUT_LOOKUP if has_no_lookup else _PHASES
    if known(point.get("concurrent")):
        every += _MIXED
    return (point["only"],) if point["only"] in every else every


def process_of(phase: str, points: Iterable[Row]) -> Row | None:
    """Return the process that ran a phase; None if an earlier process ended the point.

    Args:
        phase: store, lookup or load.
        points: Rows of the data set ``points``, all of one attempt at a point: one per process.
    """
    return next((row for row in points if row["phase"] in (phase, "all")), None)


def is_auto(point: Row) -> bool:
    """Return whether the column ``rounds`` of a row of ``points`` is only a limit."""
    return known(point.get("precision")) is not None


def requested_rounds(phase: str, point: Row, measured: int) -> int:
    """Return the number of measured rounds with which a phase is complete.

    Args:
        phase: store, lookup or load.
        point: The row of its process in the data set ``points``, of any schema version.
        measured: Number of its measured rounds. They are enough where the phase said so itself.
    """
    is_ended = is_auto(point) and known(point.get(f"{phase}_rounds_ended_by")) is not None
    return measured if is_ended and measured else int(point["rounds"])


def phase_status(
    phase: str, phases: Sequence[str], measured: Mapping[str, Measured], points: Sequence[Row]
) -> str:
    """Return the status of the process as far as it concerns one phase.

    A process that runs all phases and ends badly in one of them has measured the phases before it, and none
    of the phases behind it. If every phase is complete and ok, the process ended badly behind the last one,
    which gets its status.

    Args:
        phase: store, lookup or load.
        phases: All requested phases, in the order in which they run.
        measured: The rounds of one attempt at a point, by phase. Phases whose rounds are unknown may miss.
        points: Rows of the data set ``points``, all of the attempt: one per process.

    Returns:
        A value of the column ``status``; ``ok`` if the process ran the phase to its end.
    """
    own = process_of(phase, points)
    if own is None:  # an earlier process ended the point
        return next((str(row["status"]) for row in points if row["status"] != "ok"), "ok")
    status = str(own["status"])
    if status == "ok" or own["phase"] != "all":
        return status
    counts = {name: measured.get(name, Measured()) for name in phases}
    incomplete = {
        name for name, one in counts.items() if one.rounds < requested_rounds(name, own, one.rounds)
    }
    if phase in incomplete:
        return status
    # A phase without rounds is one that the caller has not read, if a later phase is complete.
    explained = any(
        (one.rounds > 0 and name in incomplete) or (status == "failed" and one.ok_rounds < one.rounds)
        for name, one in counts.items()
    )
    return status if phase == phases[-1] and not explained else "ok"


def phase_state(
    measured: Measured,
    requested_rounds: int,
    process_status: str,
    load_found: str | None,
    *,
    is_limit: bool = False,
) -> str:
    """Return ``ok`` if all requested rounds were measured and are ok, else what is missing.

    Examples: ``1 of 4 rounds, crashed``; ``2 of 4 rounds not ok``; ``3 of 4 rounds, crashed, 1 not ok``;
    ``4 of 4 rounds not confirmed: the load found wrong bytes``; ``3 of at most 50 rounds, crashed``.

    Args:
        measured: The measured rounds.
        requested_rounds: What :func:`requested_rounds` returns.
        process_status: What :func:`phase_status` returns.
        load_found: What the load found in unconfirmed store rounds: ``wrong bytes`` or ``keys missing``; None
            if the rounds of the load are not at hand.
        is_limit: Whether fewer rounds may have been enough, see :func:`is_auto`.
    """
    rounds, unconfirmed = measured.rounds, measured.unconfirmed_rounds
    counts = {
        "not ok": rounds - measured.ok_rounds - unconfirmed,
        f"not confirmed: the load found {load_found}" if load_found else "not confirmed": unconfirmed,
    }
    bad = {text: count for text, count in counts.items() if count}
    is_complete = rounds >= requested_rounds
    if is_complete and (process_status == "ok" or (process_status == "failed" and bad)):
        return ", ".join(f"{count} of {rounds} rounds {text}" for text, count in bad.items()) or "ok"
    parts = [rounds_text(rounds, requested_rounds, is_limit=is_limit and not is_complete)]
    if process_status != "ok":
        parts.append(process_status)
    return ", ".join([*parts, *(f"{count} {text}" for text, count in bad.items())])


def rounds_text(measured: int, requested: int, *, is_limit: bool = False) -> str:
    """Return how many of the requested rounds were measured: ``3 of at most 50 rounds``.

    Args:
        measured: Number of measured rounds.
        requested: Number of requested rounds.
        is_limit: Whether fewer rounds may have been enough.
    """
    return f"{measured} of {'at most ' if is_limit else ''}{requested} rounds"


def states_of_repeats(states: Sequence[str]) -> str:
    """Return the state of a phase over its repeats, or over all processes that measured it.

    Examples: ``ok``; ``1 of 3 repeats: 1 of 4 rounds, crashed``.

    Args:
        states: What :func:`phase_state` returns for each of them.
    """
    if len(states) == 1:
        return states[0]
    bad = [state for state in states if state != "ok"]
    return f"{len(bad)} of {len(states)} repeats: {'; '.join(dict.fromkeys(bad))}" if bad else "ok"


def known(value: Any) -> Any:
    """Return a value of a row; None if it is missing, which pandas may read as NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value
