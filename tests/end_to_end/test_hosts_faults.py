"""What happens when a host, a client or the launcher fails, with hosts in network namespaces."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from commands_on_hosts import Host, Running, connected_hosts, descendants, soon

import l2sweep
from l2sweep.analysis.clients.aggregates import client_rates

TINY = ("num_keys=2", "data_size_kb=64", "rounds=2", "warmup_rounds=0", "lock=off", "timeout_s.load=600")


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[Host]]:
    with connected_hosts(tmp_path, 2) as connected:
        yield connected


def start_sweep(launcher: Host, module: str, classes: str, *options: str) -> Running:
    """Start a sweep of two hosts, over adapters that keep their data in one folder, as on a shared disk."""
    kv = launcher.folder.parent / "kv"
    adapter = ("adapter=plugin", f"adapter.module_path={module}", f"adapter.class_name={classes}")
    return launcher.start(
        *("-m", *adapter, f"+adapter.adapter_params.base_path={kv}", *TINY, "hosts=2"),
        *(f"cluster.rendezvous={launcher.rendezvous}", *options),
    )


def points_of(launcher: Host) -> pd.DataFrame:
    return l2sweep.load_points(launcher.folder / "results")


def rounds_of(launcher: Host) -> pd.DataFrame:
    return l2sweep.load_rounds(launcher.folder / "results")


def left(folder: Path) -> list[str]:
    """Return the keys and the journals of all hosts."""
    keys = [file for file in (folder / "kv").rglob("*") if file.is_file()]
    return sorted(str(file.relative_to(folder)) for file in [*keys, *folder.rglob("running-*")])


def keys_of(folder: Path, client: int) -> list[Path]:
    return [file for file in (folder / "kv").rglob("*") if f"-c{client:03d}@" in file.name]


def test_a_client_that_is_stopped_is_a_straggler_and_one_that_is_killed_fails_its_round_for_all(
    hosts: list[Host], tmp_path: Path
) -> None:
    launcher, other = hosts
    worker = other.start_worker(launcher, 1, 2)
    sweep = start_sweep(launcher, "client_adapters", "StoppedClient,KilledClient,SoundClient", "order=grid")
    ended = sweep.ended()
    assert ended.exit_code == 1, sweep.text
    assert worker.ended().exit_code == 0
    points, rounds = points_of(launcher), rounds_of(launcher)
    assert points["status"].tolist() == ["ok", "ok", "crashed", "crashed", "ok", "ok"]
    assert points["host"].tolist() == ["emulated0", "emulated1"] * 3
    loads = rounds[rounds["phase"] == "load"].set_index(["point_index", "client", "round"])
    # The straggler has failed nothing. Its fairness and the first rate show it.
    assert loads["duration_s"][0, 1, 2] >= 1.0
    assert loads["duration_s"][0, 0, 2] < loads["duration_s"][0, 1, 2]
    table = l2sweep.summarize(rounds, ["point_index"], points=points).set_index(["point_index", "phase"])
    of_first = rounds[(rounds["point_index"] == 0) & (rounds["phase"] == "load")]
    rates = client_rates(of_first.to_dict("records"))
    assert rates is not None
    assert rates.fairness is not None
    assert rates.fairness < 0.9
    assert table["mib_per_s"][0, "load"] <= loads["bytes_ok"][0].sum() / 2**20 / 1.0
    # The process that was killed is named with its host, and its round counts for nobody.
    named = "client 1 on emulated1: killed by SIGKILL during load"
    assert points["detail"][points["point_index"] == 1].str.startswith(named).all()
    assert loads["status"][1, 0, 1] == loads["status"][1, 1, 1] == "ok"
    assert loads["status"][1].drop(index=[(0, 1), (1, 1)]).ne("ok").all()
    assert "load: 1 of 2 rounds, crashed" in sweep.text
    assert left(tmp_path) == []


@pytest.mark.long
def test_a_host_that_is_cut_off_fails_its_point_and_measures_again_when_it_is_back(
    hosts: list[Host], tmp_path: Path
) -> None:
    launcher, other = hosts
    worker = other.start_worker(launcher, 1, 2)
    sweep = start_sweep(launcher, "waiting_adapters", "WaitingLoad", "repeats=3")
    soon((tmp_path / "waiting-c001").exists)
    assert keys_of(tmp_path, 1)
    other.cut_off()
    sweep.prints("[1/3]")
    assert sweep.is_running
    soon(lambda: "lost the launcher" in worker.out)
    assert keys_of(tmp_path, 1) == []  # its own worker has deleted them
    (tmp_path / "go").touch()
    sweep.prints(f"waiting at {launcher.rendezvous} for rank 1 of 2 hosts")
    other.reconnect()
    sweep.prints("[2/3]")
    assert sweep.ended().exit_code == 1, sweep.text
    assert worker.ended().exit_code == 0
    assert worker.out.count(f"joined {launcher.rendezvous} as rank 1 of 2") == 2
    points = points_of(launcher)
    assert points["status"].tolist() == ["crashed"] * 2 + ["ok"] * 4
    details = points["detail"][points["point_index"] == 0]
    assert details.str.startswith("client 1 on emulated1: emulated1 was lost: ").all(), details.tolist()
    assert details.str.endswith(" during load").all()
    rounds = rounds_of(launcher)
    assert (rounds[rounds["point_index"] == 0]["phase"] != "load").all()
    assert left(tmp_path) == []


@pytest.mark.long
def test_a_sweep_whose_launcher_was_killed_is_resumed_with_the_same_workers(
    hosts: list[Host], tmp_path: Path
) -> None:
    launcher, other = hosts
    worker = other.start_worker(launcher, 1, 2)
    (tmp_path / "go").touch()
    sweep = start_sweep(launcher, "waiting_adapters", "WaitingLoad", "repeats=3")
    sweep.prints("[1/3]")
    (tmp_path / "go").unlink()
    for client in ("c000", "c001"):
        (tmp_path / f"waiting-{client}").unlink(missing_ok=True)
    soon((tmp_path / "waiting-c001").exists)
    measured = len(points_of(launcher))
    assert 0 < measured < 6
    own = [pid for pid in descendants(sweep.pid) if "--once" in Path(f"/proc/{pid}/cmdline").read_text()]
    sweep.signal(signal.SIGKILL)
    sweep.ended()
    soon(lambda: "lost the launcher" in worker.out)
    assert worker.is_running
    assert keys_of(tmp_path, 1) == []
    assert descendants(worker.pid)  # its fork server
    soon(lambda: not any(Path(f"/proc/{pid}").exists() for pid in own))
    (tmp_path / "go").touch()
    place = f"cluster.rendezvous={launcher.rendezvous}"
    resumed = launcher.start("-m", "resume=latest", "lock=off", place)
    assert resumed.ended().exit_code == 0, resumed.text
    assert worker.ended().exit_code == 0
    points, rounds = points_of(launcher), rounds_of(launcher)
    assert set(points["status"]) == {"ok"}
    assert not points.duplicated(["point_index", "client"]).any()
    assert len(points) == 6
    assert not rounds.duplicated(["point_index", "client", "phase", "round"]).any()
    assert len(rounds) == 6 * 3 * 2
    assert left(tmp_path) == []


def test_the_user_stops_the_sweep_on_all_hosts(hosts: list[Host], tmp_path: Path) -> None:
    launcher, other = hosts
    worker = other.start_worker(launcher, 1, 2)
    sweep = start_sweep(launcher, "waiting_adapters", "WaitingLoad", "repeats=2")
    soon((tmp_path / "waiting-c001").exists)
    sweep.signal(signal.SIGINT)
    assert sweep.ended().exit_code == 130, sweep.text
    assert worker.ended().exit_code == 0
    points, rounds = points_of(launcher), rounds_of(launcher)
    assert points["host"].tolist() == ["emulated0", "emulated1"]
    assert set(points["status"]) == {"stopped"}
    assert set(points["detail"]) == {"stopped by the user during load"}
    assert set(rounds["phase"]) == {"store", "lookup"}
    assert set(rounds["status"]) == {"ok"}
    assert left(tmp_path) == []


@pytest.mark.long
def test_a_worker_that_is_stopped_fails_its_point_and_another_one_takes_its_rank(
    hosts: list[Host], tmp_path: Path
) -> None:
    launcher, other = hosts
    worker = other.start_worker(launcher, 1, 2)
    sweep = start_sweep(launcher, "waiting_adapters", "WaitingLoad", "repeats=2")
    soon((tmp_path / "waiting-c001").exists)
    second = other.start_worker(launcher, 1, 2)  # it waits: the rank is taken
    worker.signal(signal.SIGTERM)
    assert worker.ended().exit_code == 130
    assert worker.err.strip() == "l2sweep: stopped by the user"
    assert keys_of(tmp_path, 1) == []
    sweep.prints("[1/2]")
    (tmp_path / "go").touch()
    assert sweep.ended().exit_code == 1, sweep.text
    assert second.ended().exit_code == 0
    points = points_of(launcher)
    assert points["status"].tolist() == ["crashed", "crashed", "ok", "ok"]
    stopped = "client 1 on emulated1: the worker of emulated1 was stopped during load"
    assert points["detail"].tolist() == [stopped, stopped, "", ""]
    assert left(tmp_path) == []


def test_the_sweep_ends_when_the_worker_of_its_own_host_is_killed(hosts: list[Host], tmp_path: Path) -> None:
    launcher, other = hosts
    worker = other.start_worker(launcher, 1, 2)
    sweep = start_sweep(launcher, "waiting_adapters", "WaitingLoad", "repeats=2")
    soon((tmp_path / "waiting-c000").exists)
    (own,) = [pid for pid in descendants(sweep.pid) if "--once" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(own, signal.SIGKILL)
    ended = sweep.ended()
    assert ended.exit_code == 1
    assert ended.err == "l2sweep: the worker of this host was killed by SIGKILL\n"
    assert worker.ended().exit_code == 0
    points = points_of(launcher)
    assert set(points["status"]) == {"crashed"}
    assert points["detail"].str.startswith("client 0 on emulated0: emulated0 was lost: ").all()
    assert keys_of(tmp_path, 1) == []
    assert (
        len(list(launcher.folder.rglob("running-*"))) == 1
    )  # its keys are deleted when the sweep is resumed
    (tmp_path / "go").touch()
    again = other.start_worker(launcher, 1, 2)
    place = f"cluster.rendezvous={launcher.rendezvous}"
    resumed = launcher.start("-m", "resume=latest", "retry_failed=true", "lock=off", place)
    assert resumed.ended().exit_code == 0, resumed.text
    assert again.ended().exit_code == 0
    assert left(tmp_path) == []
