"""The summary of many groups at once has the numbers of each group alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from recomputed_summary import PLACE, Row, check
from sample_rows import nothing_moved, point_row, round_row, timed_out

from l2sweep.analysis.rounds.group_summary import summarise_groups
from l2sweep.analysis.rounds.sums import Sums
from l2sweep.analysis.rounds.table import RoundTable
from l2sweep.records import schema
from l2sweep.records.reading.intact import as_read

PHASES = ("store", "lookup", "load")
POINTS = 14


def made(seed: int) -> tuple[list[Row], list[Row]]:
    """Return rounds and processes of two sweeps, in which every kind of round occurs."""
    chance = random.Random(seed)
    rounds, points = [], []
    for sweep_id in ("monday", "tuesday"):
        for index in range(POINTS):
            for attempt in range(1, chance.choice((2, 2, 3))):
                own = {"sweep_id": sweep_id, "point_index": index, "attempt": attempt}
                own |= {"point_id": f"{index // 7}", "repeat": index % 7, "num_keys": 4 + index // 7}
                points.append(point_row(**own, phase="all", only=None, rounds=6))
                for phase in PHASES[: chance.choice((3, 3, 3, 3, 2, 1))]:
                    rounds += rounds_of(phase, own, chance)
    return rounds, points


def rounds_of(phase: str, own: Row, chance: random.Random) -> list[Row]:
    """Return a warm-up and up to eight measured rounds of one process."""
    states = [None] if phase != "load" else chance.choice((["cold"], ["cold"], ["warm"], ["cold", "warm"]))
    kinds = chance.choice((["ok"], ["ok", "ok", "timeout", "error", "partial", "not run"], ["timeout"]))
    rows = [round_row(phase, 1, is_warmup=True, duration_s=9.0, **own)]
    for number in range(2, 2 + chance.choice((6, 6, 8, 3))):
        kind, seconds = chance.choice(kinds), chance.lognormvariate(-2, 0.5)
        submits = [seconds * chance.random() for _ in range(chance.choice((2, 2, 1)))]
        state = None if kind == "timeout" else chance.choice(states)
        times: Row = {"duration_s": seconds, "elapsed_s": seconds, "submit_latency_s": submits}
        if kind == "timeout":
            changes: Row = {"elapsed_s": 1.0 + number % 2, "submit_unfinished_s": [1.0, 2.0][: number % 3]}
            rows.append(timed_out(phase, number, **own, cache_state=state, **changes))
        elif kind == "error":
            rows.append(nothing_moved(phase, number, **own, cache_state=state, **times))
        elif kind == "not run":
            nothing: Row = {
                **dict.fromkeys(("duration_s", "elapsed_s", "started_at")),
                "submit_latency_s": [],
            }
            rows.append(nothing_moved(phase, number, **own, cache_state=state, **nothing))
        else:
            less: Row = {"keys_ok": 1, "bytes_ok": 0 if phase == "lookup" else 5} if kind == "partial" else {}
            flush_s = None if phase == "lookup" else chance.choice((None, seconds / 3))
            flush: Row = {"flush_s": flush_s, "mismatched_keys": number % 2, "evicted_keys": number % 3}
            rows.append(
                round_row(phase, number, **own, cache_state=state, status=kind, **times, **less, **flush)
            )
    return rows


def as_table(rows: Sequence[Row]) -> pa.Table:
    """Return rounds as the reader returns them."""
    return pa.Table.from_pylist(rows, schema.ROUNDS).cast(as_read(schema.ROUNDS))


def rows_of(columns: dict[str, Any]) -> list[Row]:
    lists = {name: np.asarray(values, dtype=object).tolist() for name, values in columns.items()}
    rows = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    return [{name: None if value != value else value for name, value in row.items()} for row in rows]


def of_last_attempts(rows: Sequence[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows))
    last = frame.groupby(["sweep_id", "point_index"])["attempt"].transform("max")
    return frame[frame["attempt"] == last]


@pytest.mark.parametrize(
    ("seed", "is_table", "by"),
    [(0, True, ["point_id"]), (1, False, ["num_keys"]), (2, True, ["sweep_id", "point_index"])],
    ids=["table", "rows", "each repeat"],
)
def test_every_number_is_that_of_plain_pandas(seed: int, is_table: bool, by: list[str]) -> None:
    rounds, points = made(seed)
    table = RoundTable.of(as_table(rounds) if is_table else rounds)
    found = rows_of(summarise_groups(table, by, points=points))
    processes = of_last_attempts(points)
    last = of_last_attempts([*rounds, *points])[PLACE].drop_duplicates()
    check(found, pd.DataFrame(rounds).merge(last, on=PLACE), processes, by)
    assert sum(row["processes"] for row in found) == len(processes) * len(PHASES)
    assert {row["failed_processes"] > 0 for row in found} == {True, False} or by != [
        "sweep_id",
        "point_index",
    ]


def test_sums_of_groups_of_groups_are_those_of_their_rounds() -> None:
    rounds = RoundTable.of(made(1)[0])
    phases = np.array([PHASES.index(phase) for phase in rounds.values("phase")])
    parts = phases * 5 + np.arange(len(rounds)) % 5  # and one part without rounds
    whole = Sums.of(rounds, phases, 4)
    pooled = Sums.of(rounds, parts, 16).pooled(np.arange(16) // 5, 4)
    for name, expected in vars(whole).items():
        np.testing.assert_allclose(getattr(pooled, name), expected, rtol=1e-12, err_msg=name)
        assert getattr(pooled, name).dtype == expected.dtype
