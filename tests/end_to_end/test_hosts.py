"""Several hosts measure a sweep, in network namespaces: their rows, and who may take part."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from commands_on_hosts import PORT, TOKEN, Host, connected_hosts, soon
from conftest import PYTHON_PATH, RunL2Sweep

import l2sweep
from l2sweep.cluster.line.handshake import versions_here

SWEEP = (
    "num_keys=8",
    "data_size_kb=64",
    "rounds=2",
    "skip_verify=false",
    "lookup_max_hit_rate=1",
    "lock=off",
)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[Host]]:
    with connected_hosts(tmp_path, 2) as connected:
        yield connected


def rounds_of(launcher: Host) -> pd.DataFrame:
    return l2sweep.load_rounds(launcher.folder / "results")


def listening(host: Host) -> set[str]:
    """Return the addresses of a host on which something listens: ``ss -tln``."""
    ended = host.run(["ss", "--tcp", "--listening", "--numeric", "--no-header"], dict(os.environ)).ended()
    return {line.split()[3] for line in ended.out.splitlines()}


def test_two_hosts_measure_together_as_clients_of_one_host_do(
    hosts: list[Host], run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    launcher, other = hosts
    kv = f"adapter.base_path={tmp_path / 'kv'}"
    worker = other.start_worker(launcher, 1, 2)
    sweep = launcher.start(
        *("-m", "hosts=2", "clients=1,2", "adapter=fs", kv, *SWEEP),
        f"cluster.rendezvous={launcher.rendezvous}",
    )
    assert sweep.ended().exit_code == 0, sweep.text
    assert worker.ended().exit_code == 0
    assert worker.out == f"joined {launcher.rendezvous} as rank 1 of 2\n"
    assert worker.err == ""
    rounds, points = rounds_of(launcher), l2sweep.load_points(launcher.folder / "results")
    assert set(rounds["status"]) == set(points["status"]) == {"ok"}

    here = run_l2sweep("-m", "clients=1,2,4", "adapter=fs", kv, *SWEEP)
    assert here.exit_code == 0, here.err
    assert list(rounds.columns) == list(here.rounds.columns)
    assert list(points.columns) == list(here.points.columns)
    for clients in (2, 4):
        of_one_host = here.rounds[here.rounds["clients"] == clients]
        own = rounds[rounds["clients"] == clients]
        order = ["client", "phase", "round"]
        same = [*order, "is_warmup", "status", "keys_requested", "keys_ok", "bytes_ok", "verified_keys"]
        pd.testing.assert_frame_equal(
            own.sort_values(order)[same].reset_index(drop=True),
            of_one_host.sort_values(order)[same].reset_index(drop=True),
        )
        per_host = {"emulated0": set(range(clients // 2)), "emulated1": set(range(clients // 2, clients))}
        assert {host: set(rows["client"]) for host, rows in own.groupby("host")} == per_host
        assert own["namespace"].nunique() == clients
    loads = rounds[(rounds["phase"] == "load") & ~rounds["is_warmup"]]
    assert (loads["verified_keys"] == 8).all()
    assert set(rounds["hosts"]) == {2}

    # Both hosts have the clock of this machine, so their true offset is 0.
    assert (rounds["clock_offset_s"].abs() <= rounds["clock_error_s"]).all()
    assert (rounds[rounds["host"] == "emulated1"]["clock_error_s"] > 0).all()
    assert (rounds[rounds["host"] == "emulated0"]["clock_error_s"] == 0).all()
    assert (rounds["start_skew_s"] >= 0).all()
    assert [path for path in (tmp_path / "kv").rglob("*") if path.is_file()] == []
    # The logs stay on each host, and the records are those of the launcher.
    assert {file.name for file in other.folder.rglob("point-*")} == {
        "point-00000.1-h1.log",
        "point-00001.1-h1.log",
    }
    assert not list(other.folder.rglob("*.parquet"))


def test_who_has_no_token_or_another_version_takes_no_part(hosts: list[Host], tmp_path: Path) -> None:
    launcher, other = hosts
    (tmp_path / "go").touch()
    # A launcher that waits for rank 1 of 2 hosts.
    sweep = launcher.start(
        *("-m", "hosts=2", "adapter=plugin", "adapter.module_path=waiting_adapters"),
        *("adapter.class_name=WaitingLoad", f"+adapter.adapter_params.base_path={tmp_path / 'kv'}", *SWEEP),
        f"cluster.rendezvous={launcher.rendezvous}",
    )
    soon(lambda: listening(launcher))
    # It listens on the given interface only. The own worker is not a host of its own: it connects to it.
    assert listening(launcher) == {launcher.rendezvous}

    # Strangers, on the other host.
    talk = "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); "
    silent, garbage = (
        other.run([sys.executable, "-c", talk + then, launcher.emulated.address, str(PORT)], dict(os.environ))
        for then in ("s.recv(1); print('connected', flush=True); s.recv(9999)", "s.sendall(b'x' * 99999)")
    )
    silent.prints("connected")
    garbage.ended()

    wrong = other.start_worker(launcher, 1, 2, L2SWEEP_TOKEN="another token of the same length")
    without = other.start_worker(launcher, 1, 2, L2SWEEP_TOKEN="")
    older, newer = tmp_path / "older", tmp_path / "newer"
    older.mkdir()
    (older / "sitecustomize.py").write_text("import l2sweep\nl2sweep.__version__ = '0.0.1'\n")
    (newer / "lmcache-99.9.dist-info").mkdir(parents=True)
    metadata = "Metadata-Version: 2.1\nName: lmcache\nVersion: 99.9\n"
    (newer / "lmcache-99.9.dist-info" / "METADATA").write_text(metadata)
    of_older, of_newer = (
        other.start_worker(launcher, 1, 2, PYTHONPATH=os.pathsep.join([str(folder), PYTHON_PATH]))
        for folder in (older, newer)
    )
    here = versions_here()
    refused = {
        wrong: "it does not have the token of the launcher",
        of_older: f"emulated1 has l2sweep 0.0.1, and the launcher has {here['l2sweep']}",
        of_newer: f"emulated1 has lmcache 99.9, and the launcher has {here['lmcache']}",
    }
    for one, reason in refused.items():
        ended = one.ended()
        assert (ended.exit_code, ended.out, ended.err) == (1, "", f"l2sweep: {reason}\n")
        sweep.prints(f"a worker at {other.emulated.address} was refused: {reason}")
    ended = without.ended()
    assert ended.exit_code == 2
    assert ended.err.startswith("l2sweep: L2SWEEP_TOKEN: must have 16 to 4096 printable ASCII characters")
    assert sweep.is_running

    (tmp_path / "go").unlink()
    worker = other.start_worker(launcher, 1, 2)
    soon((tmp_path / "waiting-c000").exists)
    # The barrier of the clients listens on the same interface only, on another port.
    places = listening(launcher)
    assert len(places) == 2
    assert {place.rpartition(":")[0] for place in places} == {launcher.emulated.address}
    assert listening(other) == set()
    (tmp_path / "go").touch()
    assert sweep.ended().exit_code == 0, sweep.text
    assert worker.ended().exit_code == 0
    silent.kill()
    for host in hosts:
        for file in host.folder.rglob("*"):
            assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


def test_points_are_shared_by_the_hosts_and_a_host_that_is_missing_is_waited_for(
    hosts: list[Host], tmp_path: Path
) -> None:
    launcher, other = hosts
    place = f"cluster.rendezvous={launcher.rendezvous}"
    grid = ("-m", "num_keys=2,3,4,5,6,7", "adapter=mock", "rounds=20", "lock=off", "sweep_id=mine")
    alone = launcher.start(*grid, "cluster.size=2", place, "cluster.wait_s=15")
    ended = alone.ended()
    assert ended.exit_code == 1
    assert ended.err == (
        f"l2sweep: 1 of 2 hosts joined at {launcher.rendezvous} within cluster.wait_s=15: missing is rank 1\n"
    )
    assert not (launcher.folder / "results").exists()  # the same command can be repeated

    worker = other.start_worker(launcher, 1, 2)
    again = launcher.start(*grid, "cluster.size=2", place)
    assert again.ended().exit_code == 0, again.text
    assert worker.ended().exit_code == 0
    points = l2sweep.load_points(launcher.folder / "results")
    assert sorted(points["point_index"]) == list(range(6))
    assert set(points["status"]) == {"ok"}
    assert set(points["host"]) == {"emulated0", "emulated1"}
    assert set(points["hosts"]) == set(points["clients"]) == {1}


def test_a_sweep_that_another_host_cannot_run_is_refused_before_anything_runs(
    hosts: list[Host], tmp_path: Path
) -> None:
    launcher, other = hosts
    foreign, kv = other.folder / "device", other.folder / "kv"
    foreign.write_text("foreign")
    (launcher.folder / "device").touch()  # no data would be lost here
    specs = (
        {"type": "raw_block", "device_path": "device", "slot_bytes": 1 << 20},
        {"type": "fs", "base_path": "kv"},
    )
    sweep = (
        *("-m", f"adapter_json={','.join(map(json.dumps, specs))}", *SWEEP),
        *("cluster.size=2", f"cluster.rendezvous={launcher.rendezvous}"),
    )
    for make_another_fault, problem in (
        (lambda: None, "device is a file that holds 7 bytes: the adapter would overwrite it"),
        (lambda: kv.write_text("a file"), "adapter.base_path=kv: must be a folder that can be created or"),
    ):
        make_another_fault()
        worker = other.start_worker(launcher, 1, 2)
        refused = launcher.start(*sweep).ended()
        assert refused.exit_code == 2, refused
        assert refused.err.startswith(f"l2sweep: emulated1: {problem}")
        assert refused.err.count("\n") == 1
        assert refused.out == ""
        assert worker.ended().exit_code == 0
        assert f"the sweep cannot run on this host: {problem}" in worker.out
        assert [*launcher.folder.glob("results"), *other.folder.glob("results")] == []
    assert foreign.read_text() == "foreign"
    foreign.unlink()
    kv.unlink()
    worker = other.start_worker(launcher, 1, 2)
    again = launcher.start("-m", "adapter=fs", "adapter.base_path=kv", *sweep[2:])
    assert again.ended().exit_code == 0, again.text
    assert worker.ended().exit_code == 0


@pytest.mark.alone
@pytest.mark.usefixtures("root")
def test_a_cold_load_of_two_hosts_is_read_from_the_device(hosts: list[Host], tmp_path: Path) -> None:
    launcher, other = hosts
    worker = other.start_worker(launcher, 1, 2)
    sweep = launcher.start(
        *("-m", "hosts=2", "cache=cold", "cache.drop_before=[load]", "adapter=fs", "lock=off"),
        *(f"adapter.base_path={tmp_path / 'kv'}", "num_keys=8", "data_size_kb=1024", "rounds=2"),
        f"cluster.rendezvous={launcher.rendezvous}",
    )
    assert sweep.ended().exit_code == 0, sweep.text
    assert worker.ended().exit_code == 0
    points = l2sweep.load_points(launcher.folder / "results")
    loads = points[points["phase"] == "load"].sort_values("client")
    assert loads["host"].tolist() == ["emulated0", "emulated1"]
    assert set(loads["cache_state"]) == {"cold"}
    assert (loads["device_read_fraction"] >= 0.95).all()
    assert (loads["resident_after_fraction"] <= 0.01).all()


PLACE = "cluster.rendezvous=127.0.0.1:29519"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("hosts=0",), "hosts=0: must be an integer from 1 to 1000"),
        (("hosts=3", "cluster.size=2", PLACE), "hosts=3: must be at most cluster.size=2"),
        (("fleet=true", "hosts=2", "cluster.size=2", PLACE), "hosts=2: must be 1 with fleet=true"),
        (("service=auto", "hosts=2", PLACE), "service=auto: must be none with cluster.rendezvous"),
        (("hosts=2", "cluster.rendezvous=0.0.0.0:29519"), "cluster.rendezvous=0.0.0.0:29519: must be an"),
        (("hosts=2", "cluster.rendezvous=192.0.2.1:29519"), "cluster.rendezvous=192.0.2.1:29519: must be"),
        (("cluster.wait_s=0",), "cluster.wait_s=0: must be"),
        (("fleet_order=random",), "fleet_order=random: must be"),
    ],
)
def test_wrong_options_of_hosts_end_in_one_line(
    run_l2sweep: RunL2Sweep, options: tuple[str, ...], problem: str
) -> None:
    run = run_l2sweep("-m", "adapter=mock", *options, L2SWEEP_TOKEN=TOKEN)
    assert run.exit_code == 2
    assert run.err.startswith(f"l2sweep: {problem}"), run.err
    assert run.err.count("\n") == 1
    assert not run.results_dir.exists()


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (None, "L2SWEEP_TOKEN: must be set on every host, or --token-file given"),
        ("short", "L2SWEEP_TOKEN: must have 16 to 4096 printable ASCII characters, and has 5"),
    ],
)
def test_without_a_token_nothing_listens(
    run_l2sweep: RunL2Sweep, monkeypatch: pytest.MonkeyPatch, token: str | None, problem: str
) -> None:
    monkeypatch.delenv("L2SWEEP_TOKEN", raising=False)
    run = run_l2sweep("-m", "adapter=mock", "hosts=2", PLACE, **({"L2SWEEP_TOKEN": token} if token else {}))
    assert run.exit_code == 2
    assert run.err.startswith(f"l2sweep: {problem}")
    assert run.err.count("\n") == 1
    assert not run.results_dir.exists()


def test_a_dry_run_of_hosts_starts_nothing(run_l2sweep: RunL2Sweep) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # nobody else can listen here
        place = f"cluster.rendezvous=127.0.0.1:{taken.getsockname()[1]}"
        run = run_l2sweep("-m", "adapter=mock", "hosts=2", "clients=1,2", place, "dry_run=true")
    assert run.exit_code == 0, run.err
    assert not run.results_dir.exists()
