"""Flame graphs of a benchmark process, one for each phase, by the profiler of ``lmcache bench l2``."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l2sweep.bench.benchmarks.base import Report
from l2sweep.bench.job import Job
from l2sweep.bench.messages import Message, Note, PhaseEnded, PhaseStarted
from l2sweep.errors import RequestError

_PR_SET_PTRACER, _PR_SET_PTRACER_ANY = 0x59616D61, -1  # linux/prctl.h
_PY_SPY_MODES = ("wall", "gil")
_SCRIPTS = {
    "on-cpu": ("flamegraph.pl", "stackcollapse-perf.pl")
}  # of the other perf and bcc modes: the first
_REPOSITORY = "https://github.com/brendangregg/FlameGraph"
# py-spy samples 0.1 s after its start. perf took 0.5 to 0.9 s to create its file, and then samples at once.
_PERF_START_S = 5.0
_SETTLE_S = 0.3
_PROBE_S = 30.0


@contextlib.contextmanager
def profiled(job: Job, report: Report) -> Iterator[Report]:
    """Record a flame graph of each phase of a job, if it asks for that.

    Args:
        job: The job.
        report: Called with each message as soon as it applies.

    Yields:
        The function that the benchmark must call instead of ``report``.

    Raises:
        RequestError: The profiler cannot be used here.
    """
    if not job.profile_mode or not (job.phases or job.only_checks_spec):
        yield report
        return
    profiler = PhaseProfiler(job, report)
    try:
        yield profiler.report
    finally:
        profiler.stop()


class PhaseProfiler:
    """Start the profiler after each message that a phase starts, and stop it before the one that it ended.

    Args:
        job: The job.
        report: Called with each message as soon as it applies.

    Raises:
        RequestError: The profiler cannot be used here.
    """

    def __init__(self, job: Job, report: Report) -> None:
        # A tool that pip installed is beside the interpreter, which need not be on the path.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        self._mode = job.profile_mode
        self._stem = job.profile_stem
        self._scripts_dir = str(Path(job.profile_scripts_dir).expanduser())
        self._report = report
        self._phase = ""
        self._running: Any = None
        self._flame_profiler = _require_flame_profiler(self._mode, self._scripts_dir)
        _allow_tracing()
        if job.only_checks_spec and (problem := why_not_allowed(self._mode)):  # takes up to 1.3 s with perf
            raise RequestError([f"profile_mode={self._mode}: is not allowed here: {problem}"])

    def report(self, message: Message) -> None:
        """Pass a message on."""
        if isinstance(message, PhaseEnded):
            self.stop()
        self._report(message)
        if isinstance(message, PhaseStarted):
            self._start(message.phase)

    def stop(self) -> None:
        """Stop the profiler if it runs, and report where the flame graph is."""
        if self._running is None:
            return
        self._running.stop(_log)
        self._running = None
        file = self._file(self._phase)
        if file.is_file() and file.stat().st_size:
            self._report(Note(f"flame graph of the {self._phase} phase: {file}"))
        else:
            self._report(
                Note(f"no flame graph of the {self._phase} phase: too few samples; measure more rounds")
            )

    def _start(self, phase: str) -> None:
        self._phase = phase
        file = self._file(phase)
        self._running = self._flame_profiler(
            mode=self._mode,
            output=str(file),
            flamegraph_dir=self._scripts_dir,
            pid=os.getpid(),
            title=f"{phase}, {self._mode}",
        )
        self._running.start(_log)
        _await_samples(Path(f"{file}.perf.data") if self._mode == "on-cpu" else None)

    def _file(self, phase: str) -> Path:
        return Path(f"{self._stem}.{phase}.{self._mode}.svg")


def _require_flame_profiler(mode: str, scripts_dir: str) -> Any:
    """Return the profiler class of LMCache.

    Raises:
        RequestError: It cannot be used in this mode on this machine.
    """
    try:
        from lmcache.cli.profiling import FlameProfiler, ProfileError, check_profiling_deps
    except ImportError as error:
        text = "profile=flamegraph: needs an LMCache with lmcache.cli.profiling, such as 0.5.6"
        raise RequestError([text]) from error
    try:
        check_profiling_deps(mode)
    except ProfileError as error:
        raise RequestError([f"profile_mode={mode}: cannot be used here: {error}"]) from error
    if mode not in _PY_SPY_MODES:
        _require_scripts(mode, scripts_dir)
    return FlameProfiler


def _require_scripts(mode: str, scripts_dir: str) -> None:
    missing = [
        script for script in _SCRIPTS.get(mode, ("flamegraph.pl",)) if not Path(scripts_dir, script).is_file()
    ]
    if missing:
        text = f"must be a folder with {' and '.join(missing)}: git clone {_REPOSITORY} {scripts_dir}"
        raise RequestError([f"profile_scripts_dir={scripts_dir}: {text}"])
    if shutil.which("perl") is None:
        raise RequestError([f"profile_mode={mode}: cannot be used here: perl is not installed"])


def _allow_tracing() -> None:
    """Let other processes of this user trace this one where Yama restricts ptrace: prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _PR_SET_PTRACER_ANY, 0, 0, 0)


def why_not_allowed(mode: str) -> str:
    """Sample this process once, and return the error of the profiler; an empty text if it works.

    Args:
        mode: The option ``profile_mode``. The modes of bcc are not tried.
    """
    pid = str(os.getpid())
    commands = {
        **{one: ["py-spy", "dump", "--nonblocking", "--pid", pid] for one in _PY_SPY_MODES},
        "on-cpu": ["perf", "record", "-g", "-p", pid, "-o", os.devnull, "--", "true"],
    }
    if mode not in commands:
        return ""
    try:
        done = subprocess.run(
            commands[mode], capture_output=True, text=True, timeout=_PROBE_S, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return "" if done.returncode == 0 else lines[0] if lines else f"exit code {done.returncode}"


def _await_samples(file: Path | None) -> None:
    """Wait until the profiler takes samples, so that it does not miss a short phase."""
    give_up = time.monotonic() + _PERF_START_S
    while file is not None and time.monotonic() < give_up:
        if file.exists() and file.stat().st_size:
            break
        time.sleep(0.01)
    time.sleep(_SETTLE_S)


def _log(line: str) -> None:
    print(line, flush=True)
