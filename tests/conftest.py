"""Fixtures and functions that the tests share: run l2sweep as a user does, and read its records."""

from __future__ import annotations

import contextlib
import io
import json
import logging
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
from emulated_hosts import why_impossible

import l2sweep
from l2sweep.cli.application import main
from l2sweep.process.starter import ProcessStarter
from l2sweep.sweep.state.host_lock import FOLDER_VARIABLE

ROOT = Path(__file__).resolve().parent.parent
OURS = ("L2_ADAPTER_JSON", "HYDRA_FULL_ERROR")
PYTHON_PATH = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "adapters")])


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
RunL2SweepIn = Callable[[Path], RunL2Sweep]


def l2sweep_environment(folder: Path, **changes: str) -> dict[str, str]:
    """Return an environment in which Python finds this project's l2sweep and the faulty adapters.

    ``folder`` is for temporary files. The lock of the host is in the same folder, or in that of ``TMPDIR``.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    places = {"TMPDIR": str(folder), FOLDER_VARIABLE: changes.get("TMPDIR", str(folder))}
    return {**inherited, "PYTHONPATH": PYTHON_PATH, **places, **changes}


def start_l2sweep(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start l2sweep in a folder, as a terminal does: a background process of a shell ignores SIGINT."""
    return subprocess.Popen(
        [sys.executable, "-m", "l2sweep", *arguments],
        cwd=folder,
        env=l2sweep_environment(folder, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_handle_signals,
    )


def _handle_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup(1) ignores it


def wait_for(look: Callable[[], int | None], limit_s: int = 60) -> int:
    """Call a function until it returns something else than None, for a minute or so at most."""
    for _ in range(limit_s * 100):
        if (found := look()) is not None:
            return found
        time.sleep(0.01)
    pytest.fail(f"it did not happen within {limit_s} s")


def require(available: object, missing: str) -> None:
    """Skip the test if something that it needs is missing. In CI, where all is installed, fail it instead."""
    if available:
        return
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(missing)
    pytest.fail(missing)


@pytest.fixture(scope="session", autouse=True)
def _lock_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the lock of the host in a folder of the tests, and not in that of the whole host."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("host_lock")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_flush_of_records() -> Iterator[None]:
    """Let this process write records, journals and manifests without fsync(2): most of the time of a test.

    Only a failure of the machine could tell the difference, and no test causes one. Data that are measured
    are flushed as ever: their pages could not be dropped otherwise.
    """
    fsync = os.fsync

    def fsync_of_measured_data(descriptor: int) -> None:
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        if not caller.startswith(("l2sweep.records.", "l2sweep.sweep.")):
            fsync(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync_of_measured_data)
        yield


@pytest.fixture(scope="session")
def root() -> None:
    """Require the rights of root."""
    require(os.geteuid() == 0, "mounting a file system, or dropping the page cache, takes root")


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Require network namespaces, for hosts that are emulated (``emulated_hosts.py``)."""
    require(not (why := why_impossible()), why)


@pytest.fixture(scope="session")
def fio() -> None:
    """Require fio."""
    require(shutil.which("fio"), "fio is not installed (Debian: apt-get install fio)")


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessStarter]:
    """Start the benchmark processes of all tests of this worker, so that it imports LMCache once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OURS:
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPATH", PYTHON_PATH)
        with ProcessStarter("auto") as starter:
            with pytest.MonkeyPatch.context() as folder:
                folder.chdir(tmp_path_factory.mktemp("server"))  # and not in the folder of the first test
                starter.start_server()
            yield starter


@pytest.fixture(scope="session")
def run_l2sweep_in(tmp_path_factory: pytest.TempPathFactory, starter: ProcessStarter) -> RunL2SweepIn:
    """Return what ``run_l2sweep`` is for another folder: for records that several tests read."""

    def in_folder(folder: Path) -> RunL2Sweep:
        lock_folder = tmp_path_factory.mktemp("lock")

        def run(*arguments: str, cwd: Path = folder, **environment: str) -> Run:
            out, err = io.StringIO(), io.StringIO()
            fault_at = environment.pop("FAULT_AT", "")
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(cwd)
                patch.setattr(
                    logging.getLogger(), "handlers", []
                )  # those of pytest: without them, stderr is used
                temporary = environment.pop("TMPDIR", str(lock_folder))
                patch.setattr(tempfile, "tempdir", temporary)
                patch.setenv(FOLDER_VARIABLE, temporary)
                patch.setenv("PYTHONPATH", PYTHON_PATH)
                for name in OURS:
                    patch.delenv(name, raising=False)
                for name, value in environment.items():
                    patch.setenv(name, value)
                if fault_at:
                    (cwd / "fault_at").write_text(fault_at)
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    exit_code = main(arguments, starter)
                (cwd / "fault_at").unlink(missing_ok=True)
            return Run(exit_code, out.getvalue(), err.getvalue(), cwd / "results")

        return run

    return in_folder


@pytest.fixture
def run_l2sweep(tmp_path: Path, run_l2sweep_in: RunL2SweepIn) -> RunL2Sweep:
    """Run l2sweep in a folder of the test, without a new interpreter: ``run_l2sweep("num_keys=8")``.

    Keyword arguments are environment variables. FAULT_AT reaches the faulty adapters in a file, because the
    environment of the fork server does not change.
    """
    return run_l2sweep_in(tmp_path)


@pytest.fixture
def run_l2sweep_process(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> RunL2Sweep:
    """Run l2sweep like ``run_l2sweep``, but in a new interpreter."""
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


# Drops all rights except one: to read files that only root may read, such as an interpreter below /root.
AS_NOBODY = (
    [
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
    ]
    if os.geteuid() == 0
    else []
)


@pytest.fixture(scope="session")
def setpriv() -> None:
    """Require setpriv, which a test that is run by root needs to become another user."""
    require(os.geteuid() != 0 or shutil.which("setpriv"), "setpriv is missing (Debian: util-linux)")


@pytest.fixture
def as_nobody(tmp_path: Path, setpriv: None) -> Callable[[str], str]:
    """Run Python code as a user who owns no file, and return what it printed."""

    def run(code: str) -> str:
        command = [*AS_NOBODY, sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd="/")
        return done.stdout.strip()

    return run


@pytest.fixture
def as_nobody_l2sweep(tmp_path: Path, setpriv: None) -> Iterator[RunL2Sweep]:
    """Run l2sweep as a user who owns only the current folder."""
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)

    def run(*arguments: str) -> Run:
        command = [*AS_NOBODY, sys.executable, "-m", "l2sweep", *arguments]
        own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(home), "HOME": str(home), FOLDER_VARIABLE: str(home)}
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


def plugin_option(module: str, class_name: str, **params: object) -> str:
    """Return the option that selects an adapter of ``tests/adapters``.

    ``params`` are the fields of its own configuration.
    """
    spec = {"type": "plugin", "module_path": module, "class_name": class_name, "adapter_params": params}
    return f"adapter_json={json.dumps(spec)}"


@pytest.fixture
def faulty(tmp_path: Path) -> Callable[[str], str]:
    """Return the option that selects an adapter of ``tests/adapters/faulty_adapters.py``."""
    return lambda name: plugin_option("faulty_adapters", name, base_path=str(tmp_path / "kv"))


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], list[str]]:
    """Return the regular files below a folder of the test."""

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
    """Return the command line of a process as a process list shows it; empty if there is no process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


# Fixtures that start a process.
_PROCESSES = {"run_l2sweep_in", "run_l2sweep_process", "as_nobody", "as_nobody_l2sweep", "starter"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the end-to-end tests, and run them after the unit tests, the long ones first.

    A long test that begins last keeps one worker busy while the others have nothing left to do.

    An end-to-end test that fails is run once more, and the summary lists it: on a machine that is busy with
    other tests, a real server or process may miss a time limit. Tests whose claim is about every trial are
    marked ``every_trial``, and are never run again.
    """
    for item in items:
        if item.get_closest_marker("alone") and "end_to_end" not in item.path.parts:
            raise pytest.UsageError(
                f"{item.nodeid}: `make test` runs tests marked alone in tests/end_to_end only"
            )
        if "end_to_end" in item.path.parts or _PROCESSES & set(getattr(item, "fixturenames", ())):
            item.add_marker("end_to_end")
            if item.get_closest_marker("every_trial") is None:
                item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=_is_later)


def _is_later(item: pytest.Item) -> tuple[bool, bool]:
    return item.get_closest_marker("end_to_end") is not None, item.get_closest_marker("long") is None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the random faults have cost: ``tests/end_to_end/test_chaos.py``."""
    ended = [report for word in ("passed", "failed") for report in terminalreporter.getreports(word)]
    found = [value for report in ended for name, value in report.user_properties if name == "chaos"]
    if found:
        totals = {name: sum(counts[name] for counts in found) for name in found[0]}
        terminalreporter.write_line(
            f"chaos: {len(found)} trials, " + ", ".join(f"{total} {name}" for name, total in totals.items())
        )
