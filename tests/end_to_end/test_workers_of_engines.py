"""Workers that a real Slurm or a real torchrun starts, and workers in the environment of pods."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, RunL2Sweep, l2sweep_environment, wait_for
from real_slurm import RealSlurm, running_slurm

import l2sweep
from l2sweep.cluster.slurm_hosts import expand_hosts
from l2sweep.services.ports import free_ports

SWEEP = (
    "num_keys=8",
    "data_size_kb=64",
    "rounds=2",
    "skip_verify=false",
    "lookup_max_hit_rate=1",
    "lock=off",
)
SRUN = ("srun", "--nodes=2", "--ntasks-per-node=1", "--kill-on-bad-exit=0", "l2sweep", "worker")


@pytest.fixture(scope="module")
def slurm() -> Iterator[RealSlurm]:
    """Run Slurm for the tests of this file."""
    with running_slurm() as started:
        yield started


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which the command ``l2sweep`` is this project's, with a token."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "l2sweep"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m l2sweep "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    return l2sweep_environment(tmp_path, PATH=path, L2SWEEP_TOKEN=secrets.token_hex(16))


def sweep_of(clients: str, hosts: int, kv: Path) -> tuple[str, ...]:
    """Return the options of a sweep over one folder that all hosts share."""
    return ("-m", f"clients={clients}", f"hosts={hosts}", "adapter=fs", f"adapter.base_path={kv}", *SWEEP)


def assert_two_hosts_measured(
    results_dir: Path, plain: pd.DataFrame, hosts: set[str], counts: tuple[int, ...]
) -> None:
    """Check that each client has the rows of the only client of a plain run, with every key verified.

    ``counts`` are the values of ``clients``: numbers of clients on each host.
    """
    rounds = l2sweep.load_rounds(results_dir)
    points = l2sweep.load_points(results_dir)
    assert set(rounds["status"]) == set(points["status"]) == {"ok"}
    assert list(rounds.columns) == list(plain.columns)
    assert set(rounds["hosts"]) == {2}
    assert set(rounds["host"]) == hosts
    alone = plain.groupby(["phase", "is_warmup"]).size().to_dict()
    assert sorted(rounds["clients"].unique()) == [2 * count for count in counts]
    for clients, own in rounds.groupby("clients"):
        assert sorted(own["client"].unique()) == list(range(int(clients)))
        assert own.groupby("client")["host"].nunique().tolist() == [1] * int(clients)
        for _, rows in own.groupby("client"):
            assert rows.groupby(["phase", "is_warmup"]).size().to_dict() == alone
        loads = own[(own["phase"] == "load") & ~own["is_warmup"]]
        assert (loads["verified_keys"] == 8).all()
        assert own["namespace"].nunique() == int(clients)


@pytest.fixture
def plain(run_l2sweep: RunL2Sweep, tmp_path: Path) -> pd.DataFrame:
    """Return the rounds of the same sweep on one host, without a worker command."""
    run = run_l2sweep(*sweep_of("1", 1, tmp_path / "kv"), "results_dir=plain")
    assert run.exit_code == 0, run.out + run.err
    return l2sweep.load_rounds(tmp_path / "plain")


def assert_nothing_is_left(folder: Path, token: str) -> None:
    """Check that no key is left in the store, and that the token is in no file."""
    assert [path for path in (folder / "kv").rglob("*") if path.is_file()] == []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert token.encode() not in path.read_bytes(), path


@pytest.mark.long
def test_two_tasks_of_srun_measure_a_sweep_together(
    slurm: RealSlurm, tmp_path: Path, environment: dict[str, str], plain: pd.DataFrame
) -> None:
    command = [*SRUN, "--", *sweep_of("1,2,4", 2, tmp_path / "kv")]
    done = slurm.run(*command, cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 points measured" in done.stdout
    assert_two_hosts_measured(tmp_path / "results", plain, set(slurm.nodes), (1, 2, 4))
    assert_nothing_is_left(tmp_path, environment["L2SWEEP_TOKEN"])


@pytest.mark.long
def test_the_batch_script_measures_a_sweep_on_all_nodes_of_the_job(
    slurm: RealSlurm, tmp_path: Path, environment: dict[str, str], plain: pd.DataFrame
) -> None:
    del environment["L2SWEEP_TOKEN"]  # the script makes one
    script = str(ROOT / "scripts" / "l2sweep.sbatch")
    command = ["sbatch", "--wait", "--nodes=2", "--output=job.log", script]
    done = slurm.run(*command, *sweep_of("1,2", 2, tmp_path / "kv"), cwd=tmp_path, **environment)
    log = (tmp_path / "job.log").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + log
    assert "2 of 2 points measured" in log
    assert_two_hosts_measured(tmp_path / "results", plain, set(slurm.nodes), (1, 2))


@pytest.mark.long
def test_a_cancelled_job_is_recorded_and_another_job_resumes_its_sweep(
    slurm: RealSlurm, tmp_path: Path, environment: dict[str, str]
) -> None:
    script = str(ROOT / "scripts" / "l2sweep.sbatch")
    sweep = ("-m", "hosts=2", "adapter=control", "num_keys=1,2", "data_size_kb=4", "rounds=9", "lock=off")
    command = ["sbatch", "--parsable", "--nodes=2", "--output=first.log", script, *sweep]
    job = slurm.run(*command, cwd=tmp_path, **environment).stdout.strip()
    for written in ("results/sweeps/*/point-00000.1.log", "results/rounds/**/*.00000.1.parquet"):
        wait_for(lambda pattern=written: len(list(tmp_path.glob(pattern))) or None)
    slurm.run("scancel", job)
    wait_for(lambda: slurm.idle() or None)
    assert "To resume: " in (tmp_path / "first.log").read_text()
    command = ["sbatch", "--wait", "--nodes=2", "--output=second.log", script, "resume=latest"]
    done = slurm.run(*command, cwd=tmp_path, **environment)
    assert done.returncode == 0, (tmp_path / "second.log").read_text()
    points = l2sweep.load_points(tmp_path / "results")
    measured = points[points["status"] == "ok"]
    assert sorted(zip(measured["num_keys"], measured["host"], strict=True)) == [
        (num_keys, host) for num_keys in (1, 2) for host in sorted(slurm.nodes)
    ]


def test_the_batch_script_says_what_is_missing(slurm: RealSlurm, tmp_path: Path) -> None:
    script = str(ROOT / "scripts" / "l2sweep.sbatch")
    command = ["sbatch", "--wait", "--nodes=2", "--output=job.log", script, "-m", "num_keys=8"]
    done = slurm.run(*command, cwd=tmp_path, PATH="/usr/bin:/bin")
    assert done.returncode == 2
    assert (tmp_path / "job.log").read_text() == (
        "l2sweep: nothing was run: l2sweep is not in PATH: activate its virtual environment before sbatch\n"
    )


def test_a_worker_without_srun_is_refused(
    slurm: RealSlurm, tmp_path: Path, environment: dict[str, str]
) -> None:
    command = ["sbatch", "--wait", "--nodes=2", "--ntasks-per-node=1", "--output=job.log"]
    done = slurm.run(*command, "--wrap=l2sweep worker -- -m num_keys=8", cwd=tmp_path, **environment)
    assert done.returncode == 2
    (line,) = (tmp_path / "job.log").read_text().splitlines()
    assert line.endswith("SLURM_PROCID=0: must be set by srun for a step of the job: srun l2sweep worker")


@pytest.mark.long
def test_two_processes_of_torchrun_measure_a_sweep_together(
    tmp_path: Path, environment: dict[str, str], plain: pd.DataFrame
) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2"]
    rendezvous = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
    sweep = [*sweep_of("1,2", 2, tmp_path / "kv"), "cluster.wait_s=600"]
    done = subprocess.run(
        [*torchrun, *rendezvous, "-m", "l2sweep", "worker", "--wait=600", "--", *sweep],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    own = os.uname().nodename  # hosts with the same name are told apart by their rank
    assert_two_hosts_measured(tmp_path / "results", plain, {f"{own}-r0", f"{own}-r1"}, (1, 2))
    assert_nothing_is_left(tmp_path, environment["L2SWEEP_TOKEN"])


@pytest.mark.long
def test_two_pods_of_an_indexed_job_measure_a_sweep_together(
    tmp_path: Path, environment: dict[str, str], plain: pd.DataFrame
) -> None:
    """There is no Kubernetes here: the command is that of ``scripts/k8s``, and so are the variables."""
    flags = [f"--rendezvous=localhost:{free_ports(1)[0]}", "--size=2", "--wait=600"]
    sweep = [*sweep_of("1,2", 2, tmp_path / "kv"), "cluster.wait_s=600"]
    command = [sys.executable, "-m", "l2sweep", "worker", *flags, "--", *sweep]
    pods = [
        subprocess.Popen(command, cwd=tmp_path, env={**environment, "JOB_COMPLETION_INDEX": str(index)})
        for index in (1, 0)
    ]
    try:
        assert [pod.wait(300) for pod in pods] == [0, 0]
    finally:
        for pod in pods:
            pod.kill()
            pod.wait()
    own = os.uname().nodename
    assert_two_hosts_measured(tmp_path / "results", plain, {f"{own}-r0", f"{own}-r1"}, (1, 2))


def test_each_task_of_srun_knows_its_rank_and_where_they_meet(slurm: RealSlurm) -> None:
    code = (
        "import os; from l2sweep.cluster.membership import membership;"
        "own = membership(rendezvous=None, rank=None, size=None, environment=os.environ);"
        "port = 20000 + int(os.environ['SLURM_JOB_ID']) % 10000;"
        "print(own.rank, os.uname().nodename, own.size, own.rendezvous_host, own.rendezvous_port == port)"
    )
    done = slurm.run("srun", "--nodes=2", sys.executable, "-c", code, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    first, second = slurm.nodes
    assert sorted(done.stdout.splitlines()) == [f"0 {first} 2 {first} True", f"1 {second} 2 {first} True"]


@pytest.mark.parametrize(
    "hosts", ["node[01-03,7],login", "r[1-2]n[0,5]", "a[08-11]", "n[3,1-2]", "a,b[1-2],c.d"]
)
def test_a_list_of_hosts_is_expanded_as_by_scontrol(slurm: RealSlurm, hosts: str) -> None:
    done = slurm.run("scontrol", "show", "hostnames", hosts)
    assert expand_hosts(hosts) == done.stdout.split()
