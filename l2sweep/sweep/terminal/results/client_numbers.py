"""What a row of the table tells of several clients: their rates, how alike they are, and how they scale."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from l2sweep.analysis.clients.aggregates import LARGEST_SKEW_FRACTION, client_rates
from l2sweep.analysis.clients.merging import has_clients
from l2sweep.analysis.ended import known

Row = Mapping[str, Any]

CLIENTS = "clients"
_NONE = dict.fromkeys(
    (
        *("all_active_rate", "sum_of_client_rates", "client_fairness", "client_scaling"),
        *("start_skew_s", "skewed_rounds", "rounds_of_clients"),
    )
)


def client_numbers(
    rows: Sequence[Row], rounds: Any, points: Iterable[Row], keys: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what each row of the table tells of its clients; nothing if no point has several.

    Args:
        rows: The numbers of each row of the table.
        rounds: Rows of ``rounds`` as they were recorded, as an Arrow table or mappings.
        points: Rows of ``points``.
        keys: The columns that have the same value in a row of the table.
    """
    of_clients = _rounds_of_clients(rounds)
    if not of_clients:
        return [{} for _ in rows]
    last: dict[tuple[Any, ...], int] = defaultdict(int)
    for one in (*of_clients, *points):
        place = one["sweep_id"], one["point_index"]
        last[place] = max(last[place], one["attempt"])
    names = (*keys, "phase")
    by_key: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for one in of_clients:
        if one["attempt"] == last[one["sweep_id"], one["point_index"]]:
            by_key[_key(one, names)].append(one)
    # Of rows that differ in something else, as the state of the page cache, it is unknown what is whose.
    rows_with_key = Counter(_key(row, names) for row in rows)
    numbers = []
    for row in rows:
        key = _key(row, names)
        rates = client_rates(by_key[key]) if rows_with_key[key] == 1 and key in by_key else None
        numbers.append(
            dict(_NONE)
            if rates is None
            else {
                "all_active_rate": rates.all_active_rate,
                "sum_of_client_rates": rates.sum_of_rates,
                "client_fairness": rates.fairness,
                "client_scaling": None,
                "start_skew_s": rates.start_skew_s,
                "skewed_rounds": rates.skewed_rounds,
                "rounds_of_clients": rates.rounds,
            }
        )
    return numbers


def scalings(rows: Sequence[Row], parameters: Sequence[Mapping[str, str]]) -> list[float | None]:
    """Return the rate of each row divided by that of one client with the same parameters.

    Args:
        rows: The numbers of each row of the table.
        parameters: The parameters of each row.

    Returns:
        The quotients; None for a row without ``clients``, and where one client was not measured.
    """
    with_one: dict[tuple[Any, ...], float | None] = {}
    keys = [_all_but_clients(row, of_row) for row, of_row in zip(rows, parameters, strict=True)]
    for row, of_row, key in zip(rows, parameters, keys, strict=True):
        if of_row.get(CLIENTS) == "1":
            with_one[key] = _rate(row)
    found: list[float | None] = []
    for row, of_row, key in zip(rows, parameters, keys, strict=True):
        base, rate = with_one.get(key), _rate(row)
        found.append(rate / base if base and rate is not None and CLIENTS in of_row else None)
    return found


def skew_note(row: Row, clients: str) -> str:
    """Return a sentence about the rounds whose clients did not start together; empty if all did.

    Args:
        row: The numbers of a row of the table.
        clients: How many clients it has.
    """
    if not row.get("skewed_rounds"):
        return ""
    return (
        f"{row['phase']}, clients={clients}: in {row['skewed_rounds']} of {row['rounds_of_clients']} rounds "
        f"the clients started more than {LARGEST_SKEW_FRACTION:.0%} of the duration apart, at most "
        f"{row['start_skew_s'] * 1000:.1f} ms"
    )


def _rate(row: Row) -> float | None:
    rate: float | None = row["keys_per_s" if row["phase"] == "lookup" else "mib_per_s"]
    return rate


def _all_but_clients(row: Row, parameters: Mapping[str, str]) -> tuple[Any, ...]:
    others = sorted((name, value) for name, value in parameters.items() if name not in (CLIENTS, "hosts"))
    return row["phase"], row.get("cache_state"), row.get("repeat"), *others


def _key(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(known(row.get(name)) for name in names)


def _rounds_of_clients(rounds: Any) -> list[Row]:
    if not hasattr(rounds, "column_names"):
        return [row for row in rounds if has_clients(row)]
    import pyarrow.compute as pc

    if "clients" not in rounds.column_names:
        return []
    rows: list[Row] = rounds.filter(pc.fill_null(pc.greater(rounds["clients"], 1), False)).to_pylist()
    return rows
