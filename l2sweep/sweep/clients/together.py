"""What clients of a point share: a round that failed for one failed for all, and so did a process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from l2sweep.analysis.clients.merging import has_clients, offsets_s, round_of
from l2sweep.process.supervisor import ProcessReport

Row = Mapping[str, Any]
Outcome = tuple[str, str]

_FAILED = ("timeout", "error", "unconfirmed")


def shared_outcomes(reports: Sequence[ProcessReport], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the columns ``status`` and ``detail`` of the processes of the clients.

    If a client did not end well, none did: the detail names it, and so the first row tells how all ended.

    Args:
        reports: The reports of the clients that were started.
        outcomes: How each of them ended by itself.
    """
    if len(outcomes) == 1:
        return list(outcomes)
    bad = [client for client, outcome in enumerate(outcomes) if outcome[0] != "ok"]
    # A client that was ended because another one was lost is not the reason.
    causes = [client for client in bad if not reports[client].ended_for_another]
    if not bad or outcomes[bad[0]][0] == "stopped":
        return list(outcomes)
    client = (causes or bad)[0]
    status, detail = outcomes[client]
    return [(status, f"client {client}: {detail}")] * len(outcomes)


def together(rounds: Sequence[Row], lost: Mapping[int, str]) -> list[Row]:
    """Return the rows of an attempt with what the clients of a round have in common.

    That is ``start_skew_s``, and that a round which failed for one of them failed for all: the rows of the
    others become errors that name it, and have no duration, hence no throughput.

    Args:
        rounds: Rows of the data set ``rounds``, all of one attempt at a point.
        lost: For each client whose process was lost, how it ended: it may have no row of its last round.
    """
    if not any(has_clients(row) for row in rounds):
        return list(rounds)
    of_round: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rounds:
        of_round[round_of(row)].append(row)
    reasons = {key: _why_failed(rows, lost) for key, rows in of_round.items()}
    skews_s = {
        (key, row["client"]): skew_s
        for key, rows in of_round.items()
        for row, skew_s in zip(rows, offsets_s(rows), strict=True)
    }
    return [
        {**_failed(row, reasons[round_of(row)]), "start_skew_s": skews_s[round_of(row), row["client"]]}
        for row in rounds
    ]


def _why_failed(rows: Sequence[Row], lost: Mapping[int, str]) -> str:
    """Return the first client for which a round failed, and why; empty if it failed for none."""
    failed = [row for row in rows if row["status"] in _FAILED]
    there = {row["client"] for row in rows}
    missing = [client for client in range(rows[0]["clients"]) if client not in there]
    for client in missing:
        if client in lost:
            return f"client {client}: {lost[client]}"
    # A client that was not run, because of another one, is not the reason.
    failed.sort(key=lambda row: row["started_at"] is None)
    if failed:
        return f"client {failed[0]['client']}: {failed[0]['status']}: {failed[0]['detail']}"
    return f"client {missing[0]} did not report it" if missing else ""


def _failed(row: Row, reason: str) -> Row:
    if not reason or row["status"] in _FAILED:
        return row
    detail = "; ".join(part for part in (reason, row["detail"]) if part)
    return {**row, "status": "error", "detail": detail, "duration_s": None}
