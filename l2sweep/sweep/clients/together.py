"""What clients of a point share: a round that failed for one failed for all, and so did a process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from l2sweep.analysis.clients.merging import has_clients, offsets_s, round_of

Row = Mapping[str, Any]

_FAILED = ("timeout", "error", "unconfirmed")


def shared_outcomes(points: Sequence[Row], for_another: Collection[int]) -> list[Row]:
    """Return rows of ``points`` with what the processes of one phase have in common: how they ended.

    If a client did not end well, none did: the detail names it, and so the first row tells how all ended.

    Args:
        points: Rows of the data set ``points``, all of one attempt at a point.
        for_another: Clients that were ended because another one was lost: they are not the reason.
    """
    if not any(has_clients(row) for row in points):
        return list(points)
    of_phase: dict[str, list[Row]] = defaultdict(list)
    for row in points:
        of_phase[row["phase"]].append(row)
    reasons = {phase: _reason(rows, for_another) for phase, rows in of_phase.items()}
    return [{**row, **reasons[row["phase"]]} for row in points]


def _reason(rows: Sequence[Row], for_another: Collection[int]) -> Row:
    """Return the columns that tell how all processes of a phase ended; none: each row tells its own."""
    bad = [row for row in rows if row["status"] != "ok"]
    if not bad or bad[0]["status"] == "stopped":
        return {}
    cause = next((row for row in bad if row["client"] not in for_another), bad[0])
    return {"status": cause["status"], "detail": f"{_name(cause)}: {cause['detail']}"}


def _name(row: Row) -> str:
    """Return how a client is named: with its host, if there are several."""
    host = f" on {row['host']}" if (row.get("hosts") or 1) > 1 else ""
    return f"client {row['client']}{host}"


def together(rounds: Sequence[Row], lost: Mapping[int, str], for_another: Collection[int] = ()) -> list[Row]:
    """Return the rows of an attempt with what the clients of a round have in common.

    That is ``start_skew_s``, and that a round which failed for one of them failed for all: the rows of the
    others become errors that name it, and have no duration, hence no throughput.

    Args:
        rounds: Rows of the data set ``rounds``, all of one attempt at a point.
        lost: For each client whose process was lost, how it ended: it may have no row of its last round.
        for_another: Clients that were ended because another one was lost: they are not the reason.
    """
    if not any(has_clients(row) for row in rounds):
        return list(rounds)
    of_round: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rounds:
        of_round[round_of(row)].append(row)
    reasons = {key: _why_failed(rows, lost, for_another) for key, rows in of_round.items()}
    skews_s = {
        (key, row["client"]): skew_s
        for key, rows in of_round.items()
        for row, skew_s in zip(rows, offsets_s(rows), strict=True)
    }
    return [
        {**_failed(row, reasons[round_of(row)]), "start_skew_s": skews_s[round_of(row), row["client"]]}
        for row in rounds
    ]


def _why_failed(rows: Sequence[Row], lost: Mapping[int, str], for_another: Collection[int]) -> str:
    """Return the first client for which a round failed, and why; empty if it failed for none."""
    failed = [row for row in rows if row["status"] in _FAILED]
    there = {row["client"] for row in rows}
    missing = [client for client in range(rows[0]["clients"]) if client not in there]
    for client in sorted(missing, key=lambda one: one in for_another):
        if client in lost:
            return f"client {client}: {lost[client]}"
    # A client that was not run, because of another one, is not the reason.
    failed.sort(key=lambda row: row["started_at"] is None)
    if failed:
        return f"{_name(failed[0])}: {failed[0]['status']}: {failed[0]['detail']}"
    return f"client {missing[0]} did not report it" if missing else ""


def _failed(row: Row, reason: str) -> Row:
    if not reason or row["status"] in _FAILED:
        return row
    detail = "; ".join(part for part in (reason, row["detail"]) if part)
    return {**row, "status": "error", "detail": detail, "duration_s": None}
