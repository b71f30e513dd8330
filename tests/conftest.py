"""What the tests share: running l2sweep as a user does, and reading what it recorded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import l2sweep

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Run:
    """A finished ``python -m l2sweep``."""

    exit_code: int
    out: str
    err: str
    results_dir: Path

    @property
    def rounds(self) -> pd.DataFrame:
        return l2sweep.load_rounds(self.results_dir)

    @property
    def points(self) -> pd.DataFrame:
        return l2sweep.load_points(self.results_dir)

    def log(self, index: int = 0) -> str:
        return (self.results_dir / self.points["log_file"][index]).read_text()


RunL2Sweep = Callable[..., Run]


def l2sweep_environment(folder: Path, **changes: str) -> dict[str, str]:
    """Return an environment in which this project's l2sweep and the faulty adapters are found.

    ``folder`` is for temporary files: the lock of the host is in there.
    """
    ours = ("L2_ADAPTER_JSON", "HYDRA_FULL_ERROR")
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "adapters")])
    return {**inherited, "PYTHONPATH": python_path, "TMPDIR": str(folder), **changes}


def start_l2sweep(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start l2sweep in a folder, as from a terminal: a shell's background ignores SIGINT."""
    return subprocess.Popen(
        [sys.executable, "-m", "l2sweep", *arguments],
        cwd=folder,
        env=l2sweep_environment(folder, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(look: Callable[[], int | None]) -> int:
    """Look again and again until there is something."""
    for _ in range(1200):
        if (found := look()) is not None:
            return found
        time.sleep(0.05)
    pytest.fail("it did not happen within a minute")


@pytest.fixture
def run_l2sweep(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> RunL2Sweep:
    """Run l2sweep in a folder of the test's own: ``run_l2sweep("num_keys=8", FAULT_AT="2")``."""

    lock_folder = tmp_path_factory.mktemp("lock")

    def run(*arguments: str, cwd: Path = tmp_path, **environment: str) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "l2sweep", *arguments],
            cwd=cwd,
            env=l2sweep_environment(lock_folder, **environment),
            capture_output=True,
            text=True,
            timeout=300,
        )
        return Run(done.returncode, done.stdout, done.stderr, cwd / "results")

    return run


# Drops every right but one: to read what only root may, such as an interpreter below /root.
AS_NOBODY = (
    [
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
    ]
    if os.geteuid() == 0
    else []
)


@pytest.fixture
def as_nobody(tmp_path: Path) -> Callable[[str], str]:
    """Run Python code as a user who owns nothing, and return what it printed."""

    def run(code: str) -> str:
        command = [*AS_NOBODY, sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd="/")
        return done.stdout.strip()

    return run


@pytest.fixture
def as_nobody_l2sweep(tmp_path: Path) -> Iterator[RunL2Sweep]:
    """Run l2sweep as a user who owns nothing but the folder that it runs in."""
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)

    def run(*arguments: str) -> Run:
        command = [*AS_NOBODY, sys.executable, "-m", "l2sweep", *arguments]
        own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(home), "HOME": str(home)}
        done = subprocess.run(
            command,
            cwd=home,
            env={**os.environ, **own, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        shutil.copytree(home, tmp_path, dirs_exist_ok=True)
        return Run(done.returncode, done.stdout, done.stderr, tmp_path / "results")

    yield run
    shutil.rmtree(home)


@pytest.fixture
def faulty(tmp_path: Path) -> Callable[[str], str]:
    """Return the option that chooses an adapter of ``tests/adapters/faulty_adapters.py``."""

    def option(class_name: str) -> str:
        spec = {
            "type": "plugin",
            "module_path": "faulty_adapters",
            "class_name": class_name,
            "adapter_params": {"base_path": str(tmp_path / "kv")},
        }
        return f"adapter_json={json.dumps(spec)}"

    return option


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], list[str]]:
    """List the regular files below a folder of the test's."""

    def below(folder: str) -> list[str]:
        return sorted(
            str(path.relative_to(tmp_path)) for path in (tmp_path / folder).rglob("*") if path.is_file()
        )

    return below


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(parent):
            found.append(int(stat.parent.name))
    return found


def command_line(pid: int) -> str:
    """Return what a process list shows of a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quick tests first."""
    items.sort(key=lambda item: "run_l2sweep" in getattr(item, "fixturenames", ()))
