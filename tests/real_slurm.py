"""A real Slurm with two nodes on this machine: munged, slurmctld and two slurmd's, in a folder of their own.

Debian's slurmd is built with ``--enable-multiple-slurmd``, so several nodes can be on one host. The second
one has a host name of its own, in a UTS namespace.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import require, wait_for

from l2sweep.services.ports import free_ports

_DAEMONS = ("munged", "slurmctld", "slurmd")
_COMMANDS = ("srun", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "unshare")

# proctrack/pgid and task/none need no control groups, which a sandbox may not have.
_CONFIGURATION = """
ClusterName=l2sweep
SlurmctldHost={first}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/linear
SchedulerType=sched/builtin
MpiDefault=none
ReturnToService=2
KillWait=50
FirstJobId={first_job}
NodeName={first} NodeHostname={first} NodeAddr=127.0.0.1 Port={first_port}
NodeName={second} NodeHostname={first} NodeAddr=127.0.0.1 Port={second_port}
PartitionName=all Nodes=ALL Default=YES State=UP
"""


@dataclass(frozen=True)
class RealSlurm:
    """A running Slurm.

    Attributes:
        folder: Its folder.
        nodes: The names of its nodes, which are their host names as well. The first one can be resolved.
    """

    folder: Path
    nodes: tuple[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What its commands need in their environment."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(
        self, *command: str, cwd: Path | None = None, timeout_s: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its commands, and return what it printed.

        Args:
            command: Such as ``srun`` and its arguments.
            cwd: The current folder of the command, and of the tasks that it starts.
            timeout_s: Seconds after which the test fails.
            environment: More environment variables.
        """
        return subprocess.run(
            command,
            cwd=cwd or self.folder,
            env={**_plain_environment(), **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def idle(self) -> bool:
        """Whether both nodes wait for a job."""
        answer = self.run("sinfo", "--noheader", "--Node", "--format=%t", timeout_s=30)
        return answer.stdout.split() == ["idle", "idle"]


@contextlib.contextmanager
def running_slurm() -> Iterator[RealSlurm]:
    """Run Slurm with two nodes, and end it with all jobs."""
    missing = [name for name in (*_DAEMONS, *_COMMANDS) if shutil.which(name) is None]
    require(not missing, f"{', '.join(missing)} missing (Debian: apt-get install slurm-wlm munge util-linux)")
    require(os.geteuid() == 0, "only root can start the nodes of Slurm")
    folder = Path(tempfile.mkdtemp(prefix="l2sweep-slurm-"))
    folder.chmod(0o755)  # munged refuses a socket in a folder that others cannot enter
    nodes = (socket.gethostname(), f"{socket.gethostname()}-second")
    slurm = RealSlurm(folder, nodes)
    try:
        with contextlib.ExitStack() as stack:
            _start(slurm, stack)
            stack.callback(_cancel_all, slurm)
            yield slurm
    finally:
        shutil.rmtree(folder)


def _start(slurm: RealSlurm, stack: contextlib.ExitStack) -> None:
    folder, (first, second) = slurm.folder, slurm.nodes
    controller, first_port, second_port = free_ports(3)
    configuration = _CONFIGURATION.format(
        folder=folder,
        first=first,
        second=second,
        controller=controller,
        first_port=first_port,
        second_port=second_port,
        first_job=1 + secrets.randbelow(1_000_000),  # workers meet at a port that follows from it
    )
    (folder / "slurm.conf").write_text(configuration)
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(64))
    names = {"key-file": key, "socket": "munge.socket", "pid-file": "munged.pid", "seed-file": "munge.seed"}
    options = [f"--{name}={folder / path}" for name, path in names.items()]
    stack.enter_context(_daemon(slurm, "munged.log", "munged", "--foreground", *options))
    wait_for(lambda: (folder / "munge.socket").exists() or None)
    stack.enter_context(_daemon(slurm, "slurmctld.log", "slurmctld", "-D"))
    stack.enter_context(_daemon(slurm, "first.log", "slurmd", "-D", "-N", first))
    # The shell becomes slurmd, so ending it ends slurmd.
    renamed = 'hostname "$1" && exec slurmd -D -N "$1"'
    stack.enter_context(_daemon(slurm, "second.log", "unshare", "--uts", "sh", "-c", renamed, "sh", second))
    try:
        wait_for(lambda: slurm.idle() or None)
    except pytest.fail.Exception:
        logs = "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for log in sorted(folder.glob("*.log")))
        pytest.fail(f"the nodes of Slurm are not idle after a minute\n{logs}")


@contextlib.contextmanager
def _daemon(slurm: RealSlurm, log: str, *command: str) -> Iterator[None]:
    with (slurm.folder / log).open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=slurm.folder,
            env={**_plain_environment(), **slurm.environment},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _cancel_all(slurm: RealSlurm) -> None:
    """Cancel the jobs that a failed test has left, and wait until their processes have ended."""
    slurm.run("scancel", "--user=root", timeout_s=30)
    deadline = time.monotonic() + 60
    while slurm.run("squeue", "--noheader", timeout_s=30).stdout.strip() and time.monotonic() < deadline:
        time.sleep(0.2)


def _plain_environment() -> dict[str, str]:
    """Return the environment without what a surrounding Slurm may have set."""
    return {name: text for name, text in os.environ.items() if not name.startswith("SLURM")}
