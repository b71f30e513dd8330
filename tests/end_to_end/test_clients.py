"""Several clients of one point, over LMCache's fs adapter: their rows, their keys, and their faults."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import RunL2Sweep, plugin_option, start_l2sweep, wait_for

import l2sweep
from l2sweep.analysis.clients.aggregates import client_rates

TINY = ("num_keys=4", "data_size_kb=64", "rounds=3", "warmup_rounds=0", "clients=2")


@pytest.fixture
def faulty_client(tmp_path: Path) -> Callable[[str], str]:
    """Return the option that selects an adapter of ``tests/adapters/client_adapters.py``."""
    return lambda name: plugin_option("client_adapters", name, base_path=str(tmp_path / "kv"))


def test_clients_have_rows_of_the_same_shape_and_keys_of_their_own(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    kv = tmp_path / "kv"
    run = run_l2sweep(
        *("-m", "clients=1,2,4", "adapter=fs", f"adapter.base_path={kv}", "num_keys=8", "rounds=2"),
        *("data_size_kb=64", "skip_verify=false", "lookup_max_hit_rate=1"),
    )
    assert run.exit_code == 0, run.out + run.err
    rounds, points = run.rounds, run.points
    assert set(rounds["status"]) == set(points["status"]) == {"ok"}
    for clients in (1, 2, 4):
        own = rounds[rounds["clients"] == clients]
        counts = own.groupby(["client", "phase"]).size()
        assert counts.index.get_level_values("client").unique().tolist() == list(range(clients))
        assert set(counts) == {3}  # a warm-up round and two others
        loads = own[(own["phase"] == "load") & ~own["is_warmup"]]
        assert (loads["verified_keys"] == 8).all()
        assert own.groupby("client")["namespace"].nunique().tolist() == [1] * clients
        assert own["namespace"].nunique() == own["payload_namespace"].nunique() == clients
        measured = points[points["clients"] == clients]
        assert sorted(measured["client"]) == list(range(clients))
    several = rounds[rounds["clients"] > 1]
    assert (several["start_skew_s"] >= 0).all()
    assert (several.groupby(["clients", "phase", "round"])["start_skew_s"].min() == 0).all()
    assert (several["submit_started_s"].map(len) == several["submit_latency_s"].map(len)).all()
    assert rounds[rounds["clients"] == 1]["start_skew_s"].isna().all()
    assert list(kv.iterdir()) == []
    # What is summarised is one process of each point, whose rounds run from the first start to the last end.
    table = l2sweep.summarize(rounds, ["clients"], points=points)
    assert set(table["processes"]) == {1}
    assert set(table["rounds"]) == {2}
    together = several[~several["is_warmup"] & (several["phase"] == "load") & (several["clients"] == 4)]
    (rate,) = table[(table["clients"] == 4) & (table["phase"] == "load")]["mib_per_s"]
    ends = together["started_at"] + pd.to_timedelta(together["duration_s"], unit="s")
    took = sum(
        (ends[own.index].max() - own["started_at"].min()).total_seconds()
        for _, own in together.groupby("round")
    )
    assert rate == pytest.approx(together["bytes_ok"].sum() / 2**20 / took, rel=0.01)
    for word in ("clients", "scaling", "fair-"):
        assert word in run.out


@pytest.mark.alone
@pytest.mark.usefixtures("root")
def test_a_cold_load_of_two_clients_is_read_from_the_device(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(
        "cache=cold", "cache.drop_before=[load]", "num_keys=8", "data_size_kb=1024", "rounds=2", "clients=2"
    )
    assert run.exit_code == 0, run.out + run.err
    loads = run.points[run.points["phase"] == "load"]
    assert loads["client"].tolist() == [0, 1]
    assert set(loads["cache_state"]) == {"cold"}
    assert (loads["device_read_fraction"] >= 0.95).all()
    assert (loads["resident_after_fraction"] <= 0.01).all()
    assert not list(run.results_dir.glob("scratch/*"))


def test_a_client_that_is_killed_fails_its_round_for_all_and_the_sweep_goes_on(
    run_l2sweep: RunL2Sweep, faulty_client: Callable[[str], str], tmp_path: Path
) -> None:
    run = run_l2sweep("-m", "data_size_kb=64,128", faulty_client("KilledClient"), *TINY[:1], *TINY[2:])
    assert run.exit_code == 1
    points, rounds = run.points, run.rounds
    assert points["point_index"].tolist() == [0, 0, 1, 1]
    assert set(points["status"]) == {"crashed"}
    assert all("client 1: killed by SIGKILL during load" in detail for detail in points["detail"])
    first = rounds[rounds["point_index"] == 0]
    assert set(first[first["phase"] != "load"]["status"]) == {"ok"}
    loads = first[first["phase"] == "load"]
    assert set(loads[loads["round"] == 1]["status"]) == {"ok"}
    assert "ok" not in set(loads[loads["round"] > 1]["status"])
    assert "load: 1 of 3 rounds, crashed" in run.out
    assert list((tmp_path / "kv").iterdir()) == []
    assert list(run.results_dir.rglob("running-*")) == []


def test_a_client_that_fails_a_round_fails_it_for_all(
    run_l2sweep: RunL2Sweep, faulty_client: Callable[[str], str]
) -> None:
    run = run_l2sweep(faulty_client("RaisingClient"), *TINY)
    assert run.exit_code == 1
    rounds = run.rounds
    loads = rounds[rounds["phase"] == "load"].sort_values(["round", "client"])
    assert loads[loads["round"] == 1]["status"].tolist() == ["ok", "ok"]
    first, second = loads[loads["round"] == 2].to_dict("records")
    assert (first["status"], second["status"]) == ("error", "error")
    assert first["detail"].startswith("client 1: error: load: submit_load_task raised ConnectionResetError")
    assert set(run.points["status"]) == {"failed"}
    assert run.points["detail"].str.startswith("client 1: load: ").all()


def test_a_straggler_is_seen_in_the_true_rates(
    run_l2sweep: RunL2Sweep, faulty_client: Callable[[str], str]
) -> None:
    run = run_l2sweep(faulty_client("StoppedClient"), *TINY)
    assert run.exit_code == 0, run.out + run.err
    loads = run.rounds[run.rounds["phase"] == "load"].set_index(["client", "round"])
    assert loads["duration_s"][1, 2] >= 1.0
    assert loads["duration_s"][0, 2] < loads["duration_s"][1, 2]
    # The next round starts together again.
    starts = loads["started_at"]
    assert starts[0, 3] >= starts[1, 2] + pd.Timedelta(seconds=loads["duration_s"][1, 2])
    (row,) = [row for row in l2sweep.summarize(run.rounds).to_dict("records") if row["phase"] == "load"]
    assert row["mib_per_s"] <= loads["bytes_ok"].sum() / 2**20 / loads["duration_s"][1, 2]
    assert row["median_max_s"] == row["median_s"]
    rates = client_rates(run.rounds[run.rounds["phase"] == "load"].to_dict("records"))
    assert rates is not None
    assert rates.rounds == 3
    time_s = loads["duration_s"].groupby("client").sum()
    assert rates.fairness == pytest.approx(time_s.min() / time_s.max())
    assert rates.rate is not None
    assert rates.sum_of_rates is not None
    assert rates.rate < rates.sum_of_rates
    assert "Slowest / fastest client" in run.out


def test_the_launcher_is_killed_and_the_next_run_removes_the_keys_of_all_clients(
    run_l2sweep: RunL2Sweep, faulty: Callable[[str], str], tmp_path: Path
) -> None:
    process = start_l2sweep(tmp_path, faulty("HangingStore"), *TINY, FAULT_AT="2")
    drain = threading.Thread(target=process.communicate)
    drain.start()
    wait_for(lambda: len(list((tmp_path / "kv").glob("*.data"))) == 8 or None)
    children = _descendants(process.pid)
    assert len(children) >= 2
    process.kill()
    drain.join()
    wait_for(lambda: 1 if not any(_is_running(pid) for pid in children) else None)
    assert len(list((tmp_path / "results").rglob("running-*-c00?.json"))) == 2
    run = run_l2sweep(faulty("HangingStore"), *TINY, FAULT_AT="99")
    assert run.exit_code == 0, run.out + run.err
    assert run.out.count(", left by an earlier run, were removed") == 2
    assert list((tmp_path / "kv").iterdir()) == []
    assert list(run.results_dir.rglob("running-*")) == []


def _descendants(pid: int) -> list[int]:
    """Return the processes below a process."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(one for child in children for one in _descendants(child))]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("adapter=fs", "rounds=auto"), "rounds=auto: must be a number with clients=2"),
        (("adapter=fio",), "clients=2: must be 1 with adapter=fio"),
    ],
)
def test_what_several_clients_cannot_have_is_refused_in_one_line(
    run_l2sweep: RunL2Sweep, options: tuple[str, ...], named: str
) -> None:
    run = run_l2sweep("clients=2", *options)
    assert run.exit_code == 2
    assert run.err.startswith(f"l2sweep: {named}")
    assert not (run.results_dir / "rounds").exists()
