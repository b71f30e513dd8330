"""How fast several clients were together, in the three ways in which benchmarks tell it, and how alike.

elbencho reports the result when the first of its workers is done and when the last one is; warp counts only
the time in which all of its clients were active; others add up what each client reached. The three agree if
all clients run from the same start to the same end.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from l2sweep.analysis.clients.merging import CLOCK_COLUMNS, has_clients, offsets_s, round_of, values_of
from l2sweep.analysis.ended import known

Row = Mapping[str, Any]

LARGEST_SKEW_FRACTION = 0.05
"""Share of its duration by which the clients of a round may start apart before the round is marked."""
NEEDED = (
    *("client", "clients", "start_skew_s", "started_at", "duration_s", "submit_latency_s"),
    *("submit_started_s", "bytes_ok", "keys_requested", "status", "is_warmup", "host", *CLOCK_COLUMNS),
)
"""The columns of ``rounds`` that the aggregates need, besides those of the round."""
_MIB = 1 << 20
_ATTEMPT = ("sweep_id", "point_index", "attempt", "phase")


@dataclass(frozen=True)
class ClientRates:
    """What several clients did in a phase. Rates are in MiB/s, of lookups in keys/s; None if unknown.

    Attributes:
        clients: Number of clients.
        rate: All that they moved, from the first start to the last end of each round.
        all_active_rate: What they moved while all of them were active, per second of that time. What a submit
            moved is spread evenly over the time in which it was in flight.
        sum_of_rates: The sum of the rates that the clients reached by themselves. Over several processes, the
            median.
        fairness: The slowest client's own rate divided by the fastest client's, 0 to 1. Over several
            processes, the median.
        start_skew_s: The largest skew of a round: from the first client's start to the last one's.
        skewed_rounds: Number of rounds whose skew may be above ``LARGEST_SKEW_FRACTION`` of their duration:
            the largest error of the clocks of several hosts is added.
        clock_error_s: The largest error of the clocks of several hosts; None with one host.
        rounds: Number of measured rounds that all clients completed.
    """

    clients: int
    rate: float | None
    all_active_rate: float | None
    sum_of_rates: float | None
    fairness: float | None
    start_skew_s: float | None
    skewed_rounds: int
    rounds: int
    clock_error_s: float | None = None


@dataclass(frozen=True)
class _Round:
    """One round of all clients: amounts in MiB, of lookups in keys."""

    amounts: tuple[float, ...]
    durations_s: tuple[float, ...]
    duration_s: float
    active_amount: float
    active_s: float
    skew_s: float
    clock_error_s: float | None


def client_rates(rounds: Iterable[Row]) -> ClientRates | None:
    """Return what several clients did in a phase, in one process of each or in several.

    Args:
        rounds: Rows of ``rounds`` of one phase of one point, one for each client. Warm-up rounds and those
            that a client did not complete do not count.

    Returns:
        The rates; None if the rows are of a point with one client.
    """
    together: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    clients = 1
    for row in rounds:
        if has_clients(row) and not row["is_warmup"]:
            clients = int(row["clients"])
            together[round_of(row)].append(row)
    if clients == 1:
        return None
    by_attempt: dict[tuple[Any, ...], list[_Round]] = defaultdict(list)
    for rows in together.values():
        if (one := _round(rows, clients)) is not None:
            by_attempt[tuple(rows[0].get(name) for name in _ATTEMPT)].append(one)
    measured = [one for own in by_attempt.values() for one in own]
    none = ClientRates(clients, None, None, None, None, None, 0, len(measured))
    if not measured:
        return none
    own_rates = [_own_rates(own) for own in by_attempt.values()]
    return replace(
        none,
        rate=_rate(sum(sum(one.amounts) for one in measured), sum(one.duration_s for one in measured)),
        all_active_rate=_rate(
            sum(one.active_amount for one in measured), sum(one.active_s for one in measured)
        ),
        sum_of_rates=statistics.median(sum(rates) for rates in own_rates),
        fairness=statistics.median(min(rates) / max(rates) if max(rates) else 0.0 for rates in own_rates),
        start_skew_s=max(one.skew_s for one in measured),
        skewed_rounds=sum(
            one.skew_s + (one.clock_error_s or 0.0) > LARGEST_SKEW_FRACTION * one.duration_s
            for one in measured
        ),
        clock_error_s=max(
            (one.clock_error_s for one in measured if one.clock_error_s is not None), default=None
        ),
    )


def rates_by_phase(rounds: Sequence[Row]) -> dict[str, ClientRates | None]:
    """Return what several clients did in each phase of a point; None for each if it has one client.

    Args:
        rounds: Rows of ``rounds``, all of one point.
    """
    phases = dict.fromkeys(row["phase"] for row in rounds)
    return {phase: client_rates(row for row in rounds if row["phase"] == phase) for phase in phases}


def _round(rows: Sequence[Row], clients: int) -> _Round | None:
    """Return a round of all clients; None if one of them did not complete it."""
    starts = [start_s for start_s in offsets_s(rows) if start_s is not None]
    durations = [float(row["duration_s"]) for row in rows if known(row["duration_s"]) is not None]
    if not len(rows) == len(starts) == len(durations) == clients:
        return None
    in_order = sorted(range(clients), key=lambda position: rows[position]["client"])
    amounts = [_amount(row) for row in rows]
    ends = [start_s + duration_s for start_s, duration_s in zip(starts, durations, strict=True)]
    window = max(starts), min(ends)
    return _Round(
        amounts=tuple(amounts[position] for position in in_order),
        durations_s=tuple(durations[position] for position in in_order),
        duration_s=max(ends) - min(starts),
        active_amount=sum(
            _amount_within(window, row, start_s, amount)
            for row, start_s, amount in zip(rows, starts, amounts, strict=True)
        ),
        active_s=max(0.0, window[1] - window[0]),
        skew_s=max(starts) - min(starts),
        clock_error_s=_clock_error_s(rows),
    )


def _clock_error_s(rows: Sequence[Row]) -> float | None:
    """Return the largest error of the time between two starts; None with one host.

    Each host knows its offset to that of client 0, so two other hosts may be wrong in opposite directions.
    """
    errors_s: dict[Any, float] = {}
    for row in rows:
        if (error_s := known(row.get("clock_error_s"))) is not None:
            errors_s[row.get("host")] = max(error_s, errors_s.get(row.get("host"), 0.0))
    return sum(sorted(errors_s.values())[-2:]) if errors_s else None


def _amount(row: Row) -> float:
    """Return what a client moved in a round, in MiB; of a lookup, the keys that were answered."""
    if row["phase"] != "lookup":
        return float(row["bytes_ok"]) / _MIB
    return float(row["keys_requested"]) if row["status"] in ("ok", "partial") else 0.0


def _amount_within(window: tuple[float, float], row: Row, start_s: float, amount: float) -> float:
    """Return the part of a client's amount that its submits moved within a window."""
    latencies_s, offsets_s = values_of(row, "submit_latency_s"), values_of(row, "submit_started_s")
    if not len(latencies_s) or len(latencies_s) != len(offsets_s):
        return 0.0
    begin_s, end_s = window
    parts = 0.0
    for latency_s, offset_s in zip(latencies_s, offsets_s, strict=True):
        from_s, to_s = start_s + offset_s, start_s + offset_s + latency_s
        inside_s = min(to_s, end_s) - max(from_s, begin_s)
        parts += min(1.0, max(0.0, inside_s / latency_s)) if latency_s > 0 else 0.0
    return amount * parts / len(latencies_s)


def _own_rates(rounds: Sequence[_Round]) -> list[float]:
    """Return the rate of each client by itself, over the rounds of one process."""
    amounts = [sum(of_client) for of_client in zip(*(one.amounts for one in rounds), strict=True)]
    times = [sum(of_client) for of_client in zip(*(one.durations_s for one in rounds), strict=True)]
    return [_rate(amount, time_s) or 0.0 for amount, time_s in zip(amounts, times, strict=True)]


def _rate(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds > 0 else None
