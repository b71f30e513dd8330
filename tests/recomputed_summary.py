"""The numbers of a summary, recomputed from the rows by plain pandas and scipy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import quantile_test

Row = dict[str, Any]
KEYS = (
    *("sweep_id", "point_index", "repeat", "attempt", "point_id", "release", "adapter_type", "model"),
    *("num_keys", "in_flight", "data_size_kb", "lookup_max_hit_rate", "phase", "profile", "cache_state"),
    *("lookup_answered_by", "trace", "fleet_host"),
)
PLACE = ["sweep_id", "point_index", "attempt"]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """Durations, some of which timed out."""

    known: list[float]
    bounds: list[float]

    def ranked(self, rank: int) -> tuple[float, bool]:
        """Return the value of a rank from 1, and whether it is a lower bound."""
        both = sorted([*((value, False) for value in self.known), *((value, True) for value in self.bounds)])
        return both[rank - 1][0], any(is_bound for _, is_bound in both[:rank])

    @property
    def size(self) -> int:
        return len(self.known) + len(self.bounds)

    def median(self) -> tuple[float | None, bool]:
        if not self.size:
            return None, False
        last = self.size // 2 + 1
        return float(np.median([*self.known, *self.bounds])), self.ranked(last)[1]

    def percentile(self, percent: int) -> tuple[float | None, bool]:
        if percent == 50 and self.size > 1:
            return self.median()
        rank = math.ceil(percent * self.size / 100)
        return self.ranked(rank) if 0 < rank < self.size else (None, False)


def durations(rounds: pd.DataFrame) -> Sample:
    hung = rounds[(rounds["status"] == "timeout") & rounds["elapsed_s"].notna()]
    return Sample(rounds["duration_s"].dropna().tolist(), hung["elapsed_s"].tolist())


def listed(lists: pd.Series) -> list[float]:
    return [float(value) for one in lists for value in one]


def rates(rounds: pd.DataFrame) -> Row:
    """Return the throughputs of some rounds of one phase."""
    is_lookup = rounds["phase"].eq("lookup")
    timed = rounds[rounds["duration_s"].notna()]
    answered = rounds["keys_ok"].where(
        ~is_lookup, rounds["keys_requested"].where(rounds["status"].isin(["ok", "partial"]), 0)
    )
    seconds = timed["duration_s"].sum()
    not_run = rounds["duration_s"].isna() & rounds["elapsed_s"].isna() & rounds["started_at"].isna()
    elapsed = rounds["duration_s"].fillna(rounds["elapsed_s"]).mask(not_run, 0.0)
    elapsed_s = elapsed.sum() if elapsed.notna().all() and elapsed.sum() > 0 else math.nan
    flushed = timed[timed["flush_s"].notna()]
    found = {
        "mib_per_s": timed["bytes_ok"].sum() / MIB / seconds if seconds else math.nan,
        "mib_per_s_elapsed": rounds["bytes_ok"].sum() / MIB / elapsed_s,
        "keys_per_s": answered[timed.index].sum() / seconds if seconds else math.nan,
        "keys_per_s_elapsed": answered.sum() / elapsed_s,
        "durable_mib_per_s": flushed.loc[flushed["status"] == "ok", "bytes_ok"].sum()
        / MIB
        / (flushed["duration_s"] + flushed["flush_s"]).sum()
        if len(flushed)
        else math.nan,
        "actual_hit_rate": timed["keys_ok"].sum() / timed["keys_requested"].sum()
        if is_lookup.any() and len(timed)
        else math.nan,
    }
    if is_lookup.any():
        found |= dict.fromkeys(("mib_per_s", "mib_per_s_elapsed", "durable_mib_per_s"), math.nan)
    return found


def expected(rounds: pd.DataFrame, processes: int) -> Row:
    """Compute the row of a group from its measured rounds.

    Args:
        rounds: The measured rounds.
        processes: Number of processes that were asked for the phase.
    """
    of_processes = [own for _, own in rounds.groupby(PLACE)]
    medians = [median for own in of_processes if (median := durations(own).median())[0] is not None]
    known = [value for value, is_bound in medians if not is_bound and value is not None]
    over = Sample(known, [value for value, is_bound in medians if is_bound and value is not None])
    submits = Sample(listed(rounds["submit_latency_s"]), listed(rounds["submit_unfinished_s"]))
    bounds: dict[str, tuple[float | None, bool]] = {
        "median_s": over.median(),
        "median_min_s": over.ranked(1) if over.size else (None, False),
        "median_max_s": over.ranked(over.size) if over.size else (None, False),
        "median_low_s": (None, False),
        "median_high_s": (None, False),
        **{f"p{percent}_s": durations(rounds).percentile(percent) for percent in (50, 95, 99)},
        **{f"submit_p{percent}_s": submits.percentile(percent) for percent in (50, 95, 99)},
    }
    if over.size >= 6:
        both = [*over.known, *over.bounds]
        interval = quantile_test(both, q=0.5, p=0.5).confidence_interval(0.95)
        for name, end in (("median_low_s", interval.low), ("median_high_s", interval.high)):
            bounds[name] = (float(end), over.ranked(1 + sorted(both).index(end))[1])
    each = [rates(own) for own in of_processes]
    ends: Row = {}
    for name in ("mib_per_s", "keys_per_s"):
        of_each = [one[name] for one in each if one[name] == one[name]]
        ends |= {f"{name}_min": min(of_each, default=None), f"{name}_max": max(of_each, default=None)}
    is_ok = rounds["status"] == "ok"
    return {
        "processes": processes,
        "measured_processes": over.size,
        "rounds": len(rounds),
        "ok_rounds": is_ok.sum(),
        "failed_rounds": (~is_ok).sum(),
        "timed_out_rounds": (rounds["status"] == "timeout").sum(),
        "mismatched_keys": rounds["mismatched_keys"].sum(),
        "evicted_keys": rounds["evicted_keys"].sum(),
        "rounds_ended": None,  # their number was fixed
        "false_hits": rounds["false_hits"].sum(min_count=1),
        "false_misses": rounds["false_misses"].sum(min_count=1),
        **{name: value for name, (value, _) in bounds.items()},
        "lower_bounds": sorted(name for name, (_, is_bound) in bounds.items() if is_bound),
        **rates(rounds),
        **ends,
    }


def of_row(row: Row, measured: pd.DataFrame, points: pd.DataFrame, by: list[str]) -> tuple[pd.DataFrame, int]:
    """Return the measured rounds of a row, and how many processes were asked for its phase.

    A process belongs to the row of its state of the page cache. One without a state, of which no round
    completed, belongs to the only state of its repeats.
    """
    own, asked = measured[measured["phase"] == row["phase"]], points
    for name in by:
        own, asked = own[own[name] == row[name]], asked[asked[name] == row[name]]
    states: dict[tuple[Any, ...], str | None] = {}
    for place, rounds in own.groupby(PLACE):
        state = "/".join(sorted(rounds["cache_state"].dropna().unique())) or None
        states[place] = state if state or rounds["duration_s"].notna().any() else ""
    for place, _ in asked.groupby(PLACE):
        states.setdefault(place, "")
    known = {state for state in states.values() if state}
    unknown = known.pop() if len(known) == 1 else None
    resolved = {place: unknown if state == "" else state for place, state in states.items()}
    places = {place for place, state in resolved.items() if state == row["cache_state"]}
    is_own = [place in places for place in zip(*(own[name] for name in PLACE), strict=True)]
    return own[np.array(is_own, dtype=bool)], len(places)


def check(rows: list[Row], rounds: pd.DataFrame, points: pd.DataFrame, by: list[str]) -> None:
    """Compare each row with what its rounds give, and each name with what is checked."""
    measured = rounds[~rounds["is_warmup"]]
    for row in rows:
        own, asked = of_row(row, measured, points, by)
        assert set(own["lookup_answered_by"].dropna()) <= {row["lookup_answered_by"]}
        wanted = expected(own, asked)
        found = {**row, "lower_bounds": sorted(row["lower_bounds"].split())}
        unchecked = set(row) - set(wanted) - set(KEYS) - {"status", "failed_processes", "is_best"}
        assert not {name for name in unchecked if not name.startswith("adapter.")}
        for name, value in wanted.items():
            if value is None or value != value:
                assert found[name] is None, (name, row)
            elif isinstance(value, float):
                assert found[name] == pytest.approx(value, rel=1e-12), name
            else:
                assert found[name] == value, name
