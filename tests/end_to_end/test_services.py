"""Servers that l2sweep starts, and servers that it asks before a sweep: the real ones."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RunL2Sweep, command_line, require, start_l2sweep, wait_for
from redis_server import redis_with_password

from l2sweep.errors import RequestError
from l2sweep.services.folders import remove_abandoned
from l2sweep.services.moto import MotoService
from l2sweep.services.ports import free_ports
from l2sweep.services.seaweedfs import SeaweedService
from l2sweep.services.started import StartedServices
from l2sweep.sweep.checks.probe import probe_problem

SMALL = ("num_keys=4", "in_flight=2", "data_size_kb=64", "rounds=1", "lookup_max_hit_rate=0.5")
PASSWORD = "pA/ss w&rd-hunter22"


def processes_of(folder: Path) -> list[int]:
    """Return the processes whose command line names a folder, or whose current folder is in it."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if str(folder) in command_line(pid) + current_folder(pid)]


def current_folder(pid: int) -> str:
    """Return the current folder of a process; empty if there is no process."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


@pytest.fixture(scope="session")
def s3_programs() -> None:
    """Require the programs of the S3 stores."""
    for kind in (SeaweedService, MotoService):
        try:
            found = kind.find_program()
        except RequestError:
            found = ""
        require(found, f"{kind.program} is not installed ({kind.install})")


def test_resp_is_measured_on_a_redis_of_its_own_that_leaves_nothing(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    points = []
    for _ in range(2):
        run = run_l2sweep("adapter=resp", "service=auto", "skip_verify=false", *SMALL)
        assert run.exit_code == 0, run.out + run.err
        assert "as text" not in run.out + run.err
        points.append(run.points.iloc[-1])
    measured = run.rounds[~run.rounds["is_warmup"]]
    rounds = measured.groupby("phase")[["keys_ok", "verified_keys"]].min()
    assert rounds["keys_ok"].to_dict() == {"load": 8, "lookup": 4, "store": 8}
    assert rounds["verified_keys"]["load"] == 8
    assert [point["service"] for point in points] == ["redis", "redis"]
    assert points[0]["point_id"] == points[1]["point_id"]
    spec = {"type": "resp", "host": "<redis>", "port": "<redis>", "num_workers": 8}
    assert [json.loads(point["adapter_spec"]) for point in points] == [spec, spec]
    assert len(list(run.results_dir.glob("sweeps/*/service-redis.log"))) == 2
    assert not (run.results_dir / "scratch").exists()
    assert list(run.results_dir.glob("sweeps/*/running-*")) == []
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(("option", "service"), [("auto", "seaweedfs"), ("moto", "moto")])
def test_s3_is_measured_on_a_store_of_its_own(
    s3_programs: None, run_l2sweep: RunL2Sweep, tmp_path: Path, option: str, service: str
) -> None:
    run = run_l2sweep('adapter_json={"type":"s3"}', f"service={option}", "skip_verify=false", *SMALL)
    assert run.exit_code == 0, run.out + run.err
    assert run.rounds.groupby("phase")["keys_ok"].min().to_dict() == {"load": 8, "lookup": 4, "store": 8}
    assert run.points["service"][0] == service
    assert not (run.results_dir / "scratch").exists()
    assert processes_of(tmp_path) == []


def test_a_bucket_is_asked_with_its_keys(s3_programs: None, tmp_path: Path) -> None:
    with StartedServices(tmp_path / "scratch", probe_problem) as services:
        spec = {"type": "s3", **services.spec_fields("seaweedfs", "s3")}
        assert probe_problem(spec) == ""
        wrong = probe_problem({**spec, "aws_secret_access_key": PASSWORD})
        assert "the store refuses the credentials (SignatureDoesNotMatch)" in wrong
        port = spec["s3_endpoint"].rpartition(":")[2]
        octal = f"0177.0.0.1:{port}"  # 127.0.0.1, and another bucket: inet(3)
        unknown = probe_problem({**spec, "s3_endpoint": octal})
    assert "there is no such bucket (NoSuchBucket)" in unknown


def test_a_server_that_is_down_is_one_line_and_nothing_is_run(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    options = ("adapter=resp", "adapter.host=127.0.0.1", f"adapter.port={port}", "adapter.num_workers=1,2")
    run = run_l2sweep("-m", *options, *SMALL)
    problem = f"adapter=resp: cannot be used: 127.0.0.1:{port}: connection refused"
    assert (run.exit_code, run.err) == (2, f"l2sweep: {problem} (probe=false leaves out this check)\n")
    assert list(run.results_dir.glob("*")) == []


def test_a_wrong_password_is_one_line_without_the_password(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    with redis_with_password(tmp_path, "another one") as port:
        spec = {"type": "resp", "host": "127.0.0.1", "port": port, "password": PASSWORD}
        run = run_l2sweep(f"adapter_json={json.dumps(spec)}", *SMALL)
    assert run.exit_code == 2
    assert f"127.0.0.1:{port}: the server refuses the password (WRONGPASS " in run.err
    assert run.err.count("\n") == 1
    assert PASSWORD not in run.err


def test_a_dry_run_starts_no_server(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("-m", "adapter=resp", "service=auto", "dry_run=true", "num_keys=1,2", PATH="/nowhere")
    assert run.exit_code == 0, run.out + run.err


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[list[int]]:
    """Start a run with a service, and return the ids of the launcher, the watcher and the server."""
    process = start_l2sweep(tmp_path, "adapter=resp", "service=redis", "num_keys=8", "rounds=100000")
    scratch = tmp_path / "results" / "scratch"
    try:
        wait_for(lambda: 1 if list(tmp_path.glob("results/sweeps/*/point-*.log")) else None)
        assert len(processes_of(scratch)) == 2
        yield [process.pid, *sorted(processes_of(scratch))]
    finally:
        process.kill()
        process.communicate()


def test_no_server_and_no_folder_is_left_when_the_launcher_is_killed(
    killed: list[int], tmp_path: Path
) -> None:
    scratch = tmp_path / "results" / "scratch"
    os.kill(killed[0], signal.SIGKILL)
    wait_for(lambda: None if processes_of(scratch) or scratch.exists() else 1)
    assert list(tmp_path.glob("results/sweeps/*/running-*")) == []  # no key is left that could be removed


def test_the_next_run_removes_what_a_killed_watcher_left(killed: list[int], tmp_path: Path) -> None:
    scratch = tmp_path / "results" / "scratch"
    os.kill(killed[1], signal.SIGKILL)  # the watcher: its own parent does not start another
    os.kill(killed[0], signal.SIGKILL)
    wait_for(lambda: None if processes_of(scratch) else 1)
    assert len(list(scratch.glob("service-*/data"))) == 1
    remove_abandoned(scratch)
    assert not scratch.exists()
