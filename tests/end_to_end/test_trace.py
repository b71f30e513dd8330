"""Replays of the traces in ``tests/traces`` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import RunL2Sweep
from lmcache.v1.mp_observability.trace.codecs import decode_args
from lmcache.v1.mp_observability.trace.reader import TraceReader

import l2sweep

TRACES = Path(__file__).parents[1] / "traces"
KIB = 64
SMALL = ("workload=trace", f"data_size_kb={KIB}", "num_keys=4", "in_flight=16", "skip_verify=false")


class Tier:
    """The hits that requests have if a key is stored at once."""

    def __init__(self) -> None:
        self.stored: set[object] = set()
        self.looked_up = self.hits = self.loaded = 0

    def look_up(self, keys: list[object]) -> None:
        found = [key in self.stored for key in keys]
        self.looked_up += len(keys)
        self.hits += sum(found)
        self.loaded += found.index(False) if False in found else len(keys)


def implied_by_mooncake() -> Tier:
    tier = Tier()
    lines = (TRACES / "conversations.jsonl").read_text().splitlines()
    for request in sorted(map(json.loads, lines), key=lambda one: one["timestamp"]):
        tier.look_up(request["hash_ids"])
        tier.stored.update(request["hash_ids"])
    return tier


def implied_by_lmcache() -> Tier:
    tier = Tier()
    with TraceReader(str(TRACES / "conversations.lct")) as reader:
        for record in sorted(reader.records(), key=lambda one: one.t_mono):
            arguments = decode_args(record.args)
            if record.qualname.endswith("submit_prefetch_task"):
                tier.look_up(arguments["spec"].key_groups[0].keys)
            elif record.qualname.endswith("finish_write"):
                tier.stored.update(arguments["keys"])
    return tier


@pytest.mark.parametrize(
    ("name", "implied"),
    [("conversations.jsonl", implied_by_mooncake()), ("conversations.lct", implied_by_lmcache())],
    ids=["mooncake", "lmcache"],
)
def test_a_replay_has_the_hits_that_the_trace_implies(
    run_l2sweep: RunL2Sweep, name: str, implied: Tier
) -> None:
    # At half speed, so that no store of a burst takes until the next one.
    run = run_l2sweep(f"trace={TRACES / name}", *SMALL, "trace_speed=0.5")
    assert run.exit_code == 0, run.out + run.err
    rounds = run.rounds
    sums = rounds.groupby("phase")[["keys_requested", "keys_ok", "bytes_ok", "verified_keys"]].sum()
    assert sums.loc["lookup", ["keys_requested", "keys_ok"]].tolist() == [implied.looked_up, implied.hits]
    loaded, stored = implied.loaded, len(implied.stored)
    assert sums.loc["load"].tolist() == [loaded, loaded, loaded * KIB * 1024, loaded]
    assert sums.loc["store"].tolist() == [stored, stored, stored * KIB * 1024, 0]
    # A row for each second and phase, whose latencies are those of all submits.
    seconds = rounds["second"].max() + 1
    assert seconds >= 4
    assert rounds.groupby("phase")["second"].apply(list).tolist() == [list(range(seconds))] * 3
    assert (rounds["submit_latency_s"].map(len) == rounds["late_s"].map(len)).all()
    assert rounds["trace"].unique()[0].startswith(f"{name} ")
    summary = l2sweep.summarize(rounds, points=run.points)
    rate = summary.loc[summary["phase"] == "lookup", "actual_hit_rate"].iloc[0]
    assert rate == pytest.approx(implied.hits / implied.looked_up)
    assert summary["status"].tolist() == ["ok"] * 3
    assert "[Trace] Replaying 4 seconds" in run.out
    assert list((run.results_dir / "scratch").rglob("*.data")) == []


def test_one_request_after_another_has_the_same_hits_without_a_pace(run_l2sweep: RunL2Sweep) -> None:
    trace = f"trace={TRACES / 'conversations.jsonl'}"
    run = run_l2sweep(trace, *SMALL, "in_flight=1", "trace_speed=max", "adapter=mock")
    assert run.exit_code == 0, run.out + run.err
    sums = run.rounds.groupby("phase")[["keys_requested", "keys_ok"]].sum()
    implied = implied_by_mooncake()
    assert sums.loc["lookup"].tolist() == [implied.looked_up, implied.hits]
    assert sums.loc["load"].tolist() == [implied.loaded] * 2


def test_speeds_are_an_axis_and_a_table(run_l2sweep: RunL2Sweep) -> None:
    trace = f"trace={TRACES / 'conversations.jsonl'}"
    run = run_l2sweep("-m", trace, *SMALL, "trace_speed=4,8", "adapter=mock")
    assert run.exit_code == 0, run.out + run.err
    assert run.points["trace_speed"].tolist() == [4.0, 8.0]
    assert run.points["point_id"].nunique() == 2
    assert "trace_speed" in run.out
