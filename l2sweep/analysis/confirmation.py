"""Compare the store rounds of a point with its load rounds: a load can prove that a store was wrong.

Round ``r`` of the load phase loads the keys that round ``r`` of the store phase stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from l2sweep.analysis.ended import known

UNCONFIRMED = "unconfirmed"
"""Status of a store round whose load found wrong bytes, or keys missing."""

Row = Mapping[str, Any]


def confirmed(rounds: Sequence[Row], *, misses_prove: bool = True) -> list[Row]:
    """Return rows in which a store round that its load proves wrong has the status ``unconfirmed``.

    No key of such a round counts. A load that crashed, timed out, broke a rule of the interface or was not
    run proves nothing about the store, except for keys that it did load with wrong bytes. Status ``error``
    and ``timeout`` stay, because they name an earlier problem.

    The seconds of a trace have no such pairs, and stay as they are.

    Args:
        rounds: Rows of the data set ``rounds``, all of one attempt at a point.
        misses_prove: Whether a key that a load does not find is missing. False for an adapter that fails
            loads because it was asked to.
    """
    if any(row.get("second") is not None for row in rounds):
        return list(rounds)
    loads = {row["round"]: row for row in rounds if row["phase"] == "load"}
    return [
        _judged(row, loads[row["round"]], misses_prove)
        if row["phase"] == "store" and row["round"] in loads
        else row
        for row in rounds
    ]


def what_load_found(rounds: Sequence[Row]) -> str:
    """Return what is wrong with the keys of the unconfirmed store rounds.

    Args:
        rounds: Rows of the data set ``rounds``, all of one attempt at a point.
    """
    numbers = {row["round"] for row in rounds if row["status"] == UNCONFIRMED and not row["is_warmup"]}
    loads = [row for row in rounds if row["phase"] == "load" and row["round"] in numbers]
    has_wrong_bytes = any(row["mismatched_keys"] for row in loads)
    return "wrong bytes" if has_wrong_bytes else "keys missing"


def _judged(store: Row, load: Row, misses_prove: bool) -> Row:
    requested, wrong = load["keys_requested"], load["mismatched_keys"]
    duration_s = load["duration_s"]  # without one, the load did not complete or broke a rule
    # A round with evicted keys has no duration either, and is partial if it broke no rule.
    is_complete = (duration_s is not None and duration_s == duration_s) or load["status"] == "partial"
    # A key that LMCache evicted was stored before.
    loadable = requested - int(known(load.get("evicted_keys")) or 0)
    missing = loadable - load["keys_ok"] - wrong if is_complete and misses_prove else 0
    if store["keys_ok"] <= requested - wrong - missing:
        return store
    counts = [(wrong, "have wrong bytes"), (missing, "are missing")]
    found = ", ".join(f"{count} of {requested} keys {text}" for count, text in counts if count)
    detail = "; ".join(part for part in (f"not confirmed by its load: {found}", store["detail"]) if part)
    status = store["status"] if store["status"] in ("error", "timeout") else UNCONFIRMED
    return {**store, "status": status, "detail": detail, "keys_ok": 0, "bytes_ok": 0}
