"""What happens when a host, a client or the launcher fails, with hosts in network namespaces."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from commands_on_hosts import Host, Running, connected_hosts, descendants, soon

import l2sweep
from l2sweep.analysis.clients.aggregates import client_rates

TINY = ("num_keys=2", "data_size_kb=64", "rounds=2", "warmup_rounds=0", "lock=off", "timeout_s.load=600")


@dataclass
class Pair:
    """Two hosts: a launcher, and one whose worker has been started.

    Adapters keep their data in one folder, as on a shared disk.
    """

    launcher: Host
    other: Host
    worker: Running
    folder: Path

    def start_sweep(self, module: str, classes: str, *options: str) -> Running:
        """Start a sweep of both hosts."""
        adapter = ("adapter=plugin", f"adapter.module_path={module}", f"adapter.class_name={classes}")
        return self.launcher.start(
            *("-m", *adapter, f"+adapter.adapter_params.base_path={self.folder / 'kv'}", *TINY, "hosts=2"),
            *(f"cluster.rendezvous={self.launcher.rendezvous}", *options),
        )

    def start_waiting_sweep(self, repeats: int) -> Running:
        """Start a sweep whose loads wait for :meth:`go_on`, and wait until a client of each host does."""
        sweep = self.start_sweep("waiting_adapters", "WaitingLoad", f"repeats={repeats}")
        soon(lambda: all((self.folder / f"waiting-c00{client}").exists() for client in (0, 1)))
        return sweep

    def go_on(self) -> None:
        (self.folder / "go").touch()

    def resume(self, *options: str) -> None:
        """Resume the sweep to its end."""
        place = f"cluster.rendezvous={self.launcher.rendezvous}"
        resumed = self.launcher.start("-m", "resume=latest", "lock=off", place, *options)
        assert resumed.ended().exit_code == 0, resumed.text

    @property
    def points(self) -> pd.DataFrame:
        return l2sweep.load_points(self.launcher.folder / "results")

    @property
    def rounds(self) -> pd.DataFrame:
        return l2sweep.load_rounds(self.launcher.folder / "results")

    @property
    def left(self) -> list[str]:
        """The keys and the journals of all hosts."""
        keys = [file for file in (self.folder / "kv").rglob("*") if file.is_file()]
        found = [*keys, *self.folder.rglob("running-*")]
        return sorted(str(file.relative_to(self.folder)) for file in found)

    def keys_of(self, client: int) -> list[Path]:
        return [file for file in (self.folder / "kv").rglob("*") if f"-c{client:03d}@" in file.name]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with connected_hosts(tmp_path, 2) as (launcher, other):
        yield Pair(launcher, other, other.start_worker(launcher, 1, 2), tmp_path)


def test_a_client_that_is_stopped_is_a_straggler_and_one_that_is_killed_fails_its_round_for_all(
    pair: Pair,
) -> None:
    classes = "StoppedClient,KilledClient,SoundClient"
    sweep = pair.start_sweep("client_adapters", classes, "order=grid")
    ended = sweep.ended()
    assert ended.exit_code == 1, sweep.text
    assert pair.worker.ended().exit_code == 0
    points, rounds = pair.points, pair.rounds
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
    assert pair.left == []


@pytest.mark.long
def test_a_host_that_is_cut_off_fails_its_point_and_measures_again_when_it_is_back(pair: Pair) -> None:
    sweep = pair.start_waiting_sweep(repeats=3)
    assert pair.keys_of(1)
    pair.other.cut_off()
    sweep.prints("[1/3]")
    assert sweep.is_running
    soon(lambda: "lost the launcher" in pair.worker.out)
    assert pair.keys_of(1) == []  # its own worker has deleted them
    pair.go_on()
    sweep.prints(f"waiting at {pair.launcher.rendezvous} for rank 1 of 2 hosts")
    pair.other.reconnect()
    sweep.prints("[2/3]")
    assert sweep.ended().exit_code == 1, sweep.text
    assert pair.worker.ended().exit_code == 0
    assert pair.worker.out.count(f"joined {pair.launcher.rendezvous} as rank 1 of 2") == 2
    points = pair.points
    assert points["status"].tolist() == ["crashed"] * 2 + ["ok"] * 4
    details = points["detail"][points["point_index"] == 0]
    assert details.str.startswith("client 1 on emulated1: emulated1 was lost: ").all(), details.tolist()
    assert details.str.endswith(" during load").all()
    rounds = pair.rounds
    assert (rounds[rounds["point_index"] == 0]["phase"] != "load").all()
    assert pair.left == []


@pytest.mark.long
def test_a_sweep_whose_launcher_was_killed_is_resumed_with_the_same_workers(pair: Pair) -> None:
    pair.go_on()
    sweep = pair.start_sweep("waiting_adapters", "WaitingLoad", "repeats=3")
    sweep.prints("[1/3]")
    (pair.folder / "go").unlink()
    for client in ("c000", "c001"):
        (pair.folder / f"waiting-{client}").unlink(missing_ok=True)
    soon((pair.folder / "waiting-c001").exists)
    measured = len(pair.points)
    assert 0 < measured < 6
    own = [pid for pid in descendants(sweep.pid) if "--once" in Path(f"/proc/{pid}/cmdline").read_text()]
    sweep.signal(signal.SIGKILL)
    sweep.ended()
    soon(lambda: "lost the launcher" in pair.worker.out)
    assert pair.worker.is_running
    assert pair.keys_of(1) == []
    assert descendants(pair.worker.pid)  # its fork server
    soon(lambda: not any(Path(f"/proc/{pid}").exists() for pid in own))
    pair.go_on()
    pair.resume()
    assert pair.worker.ended().exit_code == 0
    points, rounds = pair.points, pair.rounds
    assert set(points["status"]) == {"ok"}
    assert not points.duplicated(["point_index", "client"]).any()
    assert len(points) == 6
    assert not rounds.duplicated(["point_index", "client", "phase", "round"]).any()
    assert len(rounds) == 6 * 3 * 2
    assert pair.left == []


def test_the_user_stops_the_sweep_on_all_hosts(pair: Pair) -> None:
    sweep = pair.start_waiting_sweep(repeats=2)
    sweep.signal(signal.SIGINT)
    assert sweep.ended().exit_code == 130, sweep.text
    assert pair.worker.ended().exit_code == 0
    points, rounds = pair.points, pair.rounds
    assert points["host"].tolist() == ["emulated0", "emulated1"]
    assert set(points["status"]) == {"stopped"}
    assert set(points["detail"]) == {"stopped by the user during load"}
    assert set(rounds["phase"]) == {"store", "lookup"}
    assert set(rounds["status"]) == {"ok"}
    assert pair.left == []


@pytest.mark.long
def test_a_worker_that_is_stopped_fails_its_point_and_another_one_takes_its_rank(pair: Pair) -> None:
    sweep = pair.start_waiting_sweep(repeats=2)
    second = pair.other.start_worker(pair.launcher, 1, 2)  # it waits: the rank is taken
    pair.worker.signal(signal.SIGTERM)
    assert pair.worker.ended().exit_code == 130
    assert pair.worker.err.strip() == "l2sweep: stopped by the user"
    assert pair.keys_of(1) == []
    sweep.prints("[1/2]")
    pair.go_on()
    assert sweep.ended().exit_code == 1, sweep.text
    assert second.ended().exit_code == 0
    points = pair.points
    assert points["status"].tolist() == ["crashed", "crashed", "ok", "ok"]
    stopped = "client 1 on emulated1: the worker of emulated1 was stopped during load"
    assert points["detail"].tolist() == [stopped, stopped, "", ""]
    assert pair.left == []


def test_the_sweep_ends_when_the_worker_of_its_own_host_is_killed(pair: Pair) -> None:
    sweep = pair.start_waiting_sweep(repeats=2)
    (own,) = [pid for pid in descendants(sweep.pid) if "--once" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(own, signal.SIGKILL)
    ended = sweep.ended()
    assert ended.exit_code == 1
    assert ended.err == "l2sweep: the worker of this host was killed by SIGKILL\n"
    assert pair.worker.ended().exit_code == 0
    points = pair.points
    assert set(points["status"]) == {"crashed"}
    assert points["detail"].str.startswith("client 0 on emulated0: emulated0 was lost: ").all()
    assert pair.keys_of(1) == []
    assert (
        len(list(pair.launcher.folder.rglob("running-*"))) == 1
    )  # its keys are deleted when the sweep is resumed
    pair.go_on()
    again = pair.other.start_worker(pair.launcher, 1, 2)
    pair.resume("retry_failed=true")
    assert again.ended().exit_code == 0
    assert pair.left == []
