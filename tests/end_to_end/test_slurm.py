"""Workers that a real Slurm starts, on two nodes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from conftest import ROOT
from real_slurm import RealSlurm, running_slurm

from l2sweep.cluster.slurm_hosts import expand_hosts


@pytest.fixture(scope="module")
def slurm() -> Iterator[RealSlurm]:
    """Run Slurm for the tests of this file."""
    with running_slurm() as started:
        yield started


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
