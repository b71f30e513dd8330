"""A store whose load proves it wrong is no good store, in one process or in several."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, RunL2Sweep, plugin_option

SMALL = ("num_keys=4", "data_size_kb=64", "rounds=2", "warmup_rounds=1", "lookup_max_hit_rate=1.0")
CACHE = pytest.mark.parametrize("cache", [(), ("cache=cold", "cache.method=fadvise")], ids=["hot", "cold"])
WRONG = "2 of 2 rounds not confirmed: the load found wrong bytes"
MISSING = "2 of 2 rounds not confirmed: the load found keys missing"
Unconfirming = Callable[[str], str]


@pytest.fixture
def unconfirming(tmp_path: Path) -> Unconfirming:
    """Return the option that selects an adapter of ``tests/adapters/unconfirming_adapters.py``."""
    return lambda name: plugin_option("unconfirming_adapters", name, base_path=str(tmp_path / "kv"))


def stores_of(run: Run) -> list[tuple[str, int, float]]:
    """Return status, keys and throughput of each store round."""
    stores = run.rounds[run.rounds["phase"] == "store"]
    return list(zip(stores["status"], stores["keys_ok"], stores["mib_per_s"], strict=True))


def shown_states(run: Run) -> list[str]:
    """Return the status of each phase in the report of a single point."""
    lines = [line for line in run.out.splitlines() if line.startswith("Status:")]
    return [line.partition(":")[2].strip() for line in lines]


@CACHE
@pytest.mark.parametrize(
    ("adapter", "state", "reason"),
    [
        ("WrongBytes", WRONG, "1 of 4 keys have wrong bytes"),
        ("MissingKey", MISSING, "1 of 4 keys are missing"),
    ],
)
def test_a_store_whose_load_finds_wrong_or_missing_keys_is_not_confirmed(
    run_l2sweep: RunL2Sweep,
    unconfirming: Unconfirming,
    adapter: str,
    state: str,
    reason: str,
    cache: tuple[str, ...],
) -> None:
    run = run_l2sweep(unconfirming(adapter), *SMALL, *cache, FAULT_AT="2,3")
    assert run.exit_code == 1
    warmup, *measured = stores_of(run)
    assert warmup[:2] == ("ok", 4)
    assert measured == [("unconfirmed", 0, 0.0)] * 2
    stores = run.rounds[run.rounds["status"] == "unconfirmed"]
    assert stores["detail"].tolist() == [f"not confirmed by its load: {reason}"] * 2
    assert shown_states(run)[0] == state
    assert set(run.points["status"][run.points["phase"].isin(["all", "store", "load"])]) == {"failed"}


@CACHE
def test_every_view_of_an_unconfirmed_store_shows_its_state(
    run_l2sweep: RunL2Sweep, unconfirming: Unconfirming, tmp_path: Path, cache: tuple[str, ...]
) -> None:
    report = ("report_format=json", f"report_file={tmp_path}/report.json")
    run = run_l2sweep("-m", unconfirming("WrongBytes"), *SMALL, *cache, FAULT_AT="2,3")
    assert run.exit_code == 1
    (line,) = (line for line in run.out.splitlines() if line.startswith("[1/1]"))
    assert f"; store: {WRONG}; lookup: ok; load: 2 of 2 rounds not ok" in line
    lines = run.out.splitlines()
    (row,) = (at for at, line in enumerate(lines) if " store " in line and line.split()[:1] == ["0"])
    # A long state is folded: its rest stands alone in the next line.
    assert " ".join(" ".join(lines[row : row + 2]).split()).endswith(f" {WRONG}")
    assert "0 of 1 points measured, 1 failed" in run.out
    run = run_l2sweep("-m", unconfirming("WrongBytes"), *SMALL, *cache, *report, FAULT_AT="2,3")
    store = json.loads((tmp_path / "report.json").read_text())["points"][0]["phases"][0]
    assert (store["status"], store["ok_rounds"], store["unconfirmed_rounds"]) == (WRONG, 0, 2)
    assert (store["total_ok"], store["mib_per_s"], store["mib_per_s_elapsed"]) == (0, 0.0, 0.0)


def test_only_the_rounds_that_the_load_disproves_are_not_confirmed(
    run_l2sweep: RunL2Sweep, unconfirming: Unconfirming
) -> None:
    run = run_l2sweep(unconfirming("WrongBytes"), *SMALL, FAULT_AT="3")
    assert [status for status, _, _ in stores_of(run)] == ["ok", "ok", "unconfirmed"]
    assert shown_states(run)[0] == "1 of 2 rounds not confirmed: the load found wrong bytes"


@CACHE
@pytest.mark.parametrize("adapter", ["CrashingLoad", "RaisingLoad", "LateLoad"])
def test_a_load_that_crashed_or_failed_or_timed_out_says_nothing_about_the_store(
    run_l2sweep: RunL2Sweep, unconfirming: Unconfirming, adapter: str, cache: tuple[str, ...]
) -> None:
    run = run_l2sweep(unconfirming(adapter), *SMALL, *cache, "timeout_s.load=0.4", FAULT_AT="2")
    assert run.exit_code == 1
    assert [status for status, _, _ in stores_of(run)] == ["ok"] * 3
    assert all(rate > 0 for _, _, rate in stores_of(run))
    assert shown_states(run)[:2] == ["ok", "ok"]
    assert shown_states(run)[2] != "ok"


def test_loads_that_fault_inject_fails_say_nothing_about_the_store(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    inner = {"type": "fs", "base_path": str(tmp_path / "kv")}
    spec = {"type": "fault_inject", "inner": inner, "rate": 1.0}
    run = run_l2sweep(f"adapter_json={json.dumps(spec)}", *SMALL)
    assert run.exit_code == 1
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert (loads["status"] != "ok").any()
    assert "unconfirmed" not in set(run.rounds["status"])
