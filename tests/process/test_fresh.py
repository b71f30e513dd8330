"""FreshInterpreter: its command, its environment and its pipes, without starting a process."""

from __future__ import annotations

import ctypes
import os
import runpy
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conftest import require
from fake_process import JOB, open_descriptors

import l2sweep
from l2sweep.process import fresh
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.fresh import FreshInterpreter, bench_environment, module_command

PACKAGE = Path(l2sweep.__file__).resolve().parent
OTHER = "/opt/other/bin/python"


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary files in the folder of the test, and no folder of another test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(fresh, "_own_folder", None, raising=False)
    return tmp_path


def test_the_command_uses_the_running_interpreter_unless_another_is_given() -> None:
    assert module_command("l2sweep.bench")[:2] == [sys.executable, "-c"]
    assert module_command("l2sweep.bench", OTHER)[:2] == [OTHER, "-c"]


def test_the_command_runs_the_module_without_the_current_folder_on_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[tuple[str, str, list[str]]] = []

    def run_module(name: str, run_name: str) -> None:
        ran.append((name, run_name, list(sys.path)))

    monkeypatch.setattr(runpy, "run_module", run_module)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Libc())
    monkeypatch.setattr(os, "getppid", os.getpid)  # the test acts as the parent and as the child
    monkeypatch.setattr(sys, "path", ["", "/a", "/b"])
    exec(module_command("l2sweep.bench")[2])
    assert ran == [("l2sweep.bench", "__main__", ["/a", "/b"])]
    assert Libc.calls == [(1, signal.SIGKILL)]


class Libc:
    """The C library without its effects."""

    calls: ClassVar[list[tuple[int, int]]] = []

    def prctl(self, option: int, number: int) -> None:
        self.calls.append((option, number))


def test_the_command_ends_before_it_imports_anything_if_its_parent_has_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class LeftError(Exception):
        pass

    def leave(code: int) -> None:
        raise LeftError

    command = module_command("l2sweep.bench")[2]
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Libc())
    monkeypatch.setattr(os, "getppid", lambda: 1)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(LeftError):
        exec(command)


def test_the_environment_is_inherited_except_the_variables_of_the_launcher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LMCACHE_CONFIG_FILE", "/etc/lmcache.yaml")
    monkeypatch.setenv("L2_ADAPTER_JSON", '{"password": "hunter2"}')
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    for python in (None, OTHER):
        environment = bench_environment(python)
        assert environment["LMCACHE_CONFIG_FILE"] == "/etc/lmcache.yaml"
        assert not {"L2_ADAPTER_JSON", "HYDRA_FULL_ERROR"} & set(environment)
        assert environment["PYTHONUNBUFFERED"] == "1"


@pytest.mark.parametrize(("before", "after"), [("/mine:/yours", ["/mine", "/yours"]), ("", []), (None, [])])
def test_this_interpreter_has_this_l2sweep_first_in_its_path_and_then_the_path_of_the_user(
    monkeypatch: pytest.MonkeyPatch, before: str | None, after: list[str]
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if before is not None:
        monkeypatch.setenv("PYTHONPATH", before)
    assert bench_environment(None)["PYTHONPATH"].split(os.pathsep) == [str(PACKAGE.parent), *after]


def test_another_interpreter_can_import_this_l2sweep_and_no_other_package_of_this_interpreter(
    monkeypatch: pytest.MonkeyPatch, temporary_folder: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    folder = Path(bench_environment(OTHER)["PYTHONPATH"])
    assert folder.parent == temporary_folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (link,) = folder.iterdir()
    assert (link.name, link.resolve()) == ("l2sweep", PACKAGE)


def test_the_folder_for_another_interpreter_is_used_again() -> None:
    first = bench_environment(OTHER)
    created = (Path(first["PYTHONPATH"]) / "l2sweep").lstat().st_ctime_ns
    assert bench_environment(OTHER) == first
    assert (Path(first["PYTHONPATH"]) / "l2sweep").lstat().st_ctime_ns == created


def test_a_folder_that_another_user_prepared_is_not_used(temporary_folder: Path) -> None:
    # The name in earlier releases, which could be predicted.
    planted = temporary_folder / f"l2sweep-{os.getuid()}-{zlib.crc32(str(PACKAGE).encode()):08x}"
    (planted / "l2sweep").mkdir(parents=True)
    (planted / "l2sweep" / "__init__.py").write_text("raise SystemExit('of another user')")
    folder = Path(bench_environment(OTHER)["PYTHONPATH"])
    assert folder != planted
    assert (folder / "l2sweep").resolve() == PACKAGE


@pytest.mark.parametrize("planted", ["nothing", "writable by others", "of another user"])
def test_a_folder_that_was_removed_during_the_sweep_is_made_again_under_a_new_name(planted: str) -> None:
    first = Path(bench_environment(OTHER)["PYTHONPATH"])
    shutil.rmtree(first)
    if planted != "nothing":
        first.mkdir()
        (first / "l2sweep").symlink_to(PACKAGE)
        first.chmod(0o777 if planted == "writable by others" else 0o700)
    if planted == "of another user":
        require(os.geteuid() == 0, "only root can give a folder to another user")
        os.chown(first, 65534, 65534)
    second = Path(bench_environment(OTHER)["PYTHONPATH"])
    assert second != first
    assert (second / "l2sweep").resolve() == PACKAGE


class FreshWithoutProcess(FreshInterpreter):
    """A FreshInterpreter that sends no signal and waits for no process."""

    def _poll(self) -> tuple[int, int] | None:
        return 0, 0

    def _signal_group(self, number: signal.Signals) -> None:
        pass


class StartedProcess:
    """Stands in for subprocess.Popen: keeps its arguments and writes a line of output."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self.pid = 0
        self.command, self.options = command, options
        self.environment = options["env"]
        os.write(options["stdout"], b"a line of output\n")
        self.job_fd = os.dup(options["stdin"])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[StartedProcess]:
    """Keep the arguments of Popen, and start no process."""
    processes: list[StartedProcess] = []

    def start(command: list[str], **options: Any) -> StartedProcess:
        processes.append(StartedProcess(command, **options))
        return processes[-1]

    monkeypatch.setattr(fresh.subprocess, "Popen", start)
    return processes


def test_a_process_gets_its_job_through_a_pipe_and_no_credential_in_its_command_or_environment(
    started: list[StartedProcess],
) -> None:
    lines: list[bytes] = []
    process = FreshWithoutProcess(JOB, ProcessLimits(60.0, lmcache_log_level="DEBUG"), lines.append)
    process.end()
    (made,) = started
    with os.fdopen(made.job_fd) as job:
        assert job.read() == JOB.to_json()
    assert "hunter2" not in str(made.command) + str(made.environment)
    assert made.command == module_command("l2sweep.bench")
    assert made.environment["LMCACHE_LOG_LEVEL"] == "DEBUG"
    assert made.options["pass_fds"] == [int(made.environment["L2SWEEP_MESSAGE_FD"])]
    assert made.options["stderr"] == made.options["stdout"]
    assert made.options["start_new_session"] is True  # a process group of its own
    assert lines == [b"a line of output\n"]
    assert process.isolation == "spawn"


def test_another_interpreter_is_started_with_an_environment_of_its_own(started: list[StartedProcess]) -> None:
    FreshWithoutProcess(JOB, ProcessLimits(60.0, python=OTHER), lambda line: None).end()
    (made,) = started
    os.close(made.job_fd)
    assert made.command == module_command("l2sweep.bench", OTHER)
    assert made.environment["PYTHONPATH"] == bench_environment(OTHER)["PYTHONPATH"]


def test_an_interpreter_that_cannot_be_started_leaves_no_pipe_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(fresh.subprocess, "Popen", fail)
    before = open_descriptors()
    with pytest.raises(FileNotFoundError, match=OTHER):
        FreshInterpreter(JOB, ProcessLimits(60.0, python=OTHER), lambda line: None)
    assert open_descriptors() <= before


def test_the_exit_status_and_the_peak_memory_come_from_the_kernel(
    started: list[StartedProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = FreshWithoutProcess(JOB, ProcessLimits(60.0), lambda line: None)
    os.close(started[0].job_fd)

    class Usage:
        ru_maxrss = 2048  # KiB: getrusage(2)

    monkeypatch.setattr(os, "wait4", lambda pid, options: (0, 0, Usage))
    assert FreshInterpreter._poll(process) is None
    monkeypatch.setattr(os, "wait4", lambda pid, options: (pid, signal.SIGSEGV, Usage))
    process.pid = 1
    assert FreshInterpreter._poll(process) == (-signal.SIGSEGV, 2048 * 1024)
    process.end()
