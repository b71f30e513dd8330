"""Run one job from its JSON to the end of the process, in a fresh interpreter or in a fork."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.adapter.references import resolve
from l2sweep.bench.benchmarks.profiler import profiled
from l2sweep.bench.job import FIO, STORAGE_MANAGER, Job
from l2sweep.bench.messages import Accepted, Finished, Message, Refused, encode
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    from l2sweep.bench.benchmarks.base import Benchmark, Report

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Make the kernel kill this process when its parent dies: prctl(2), PR_SET_PDEATHSIG.

    Args:
        parent: Process id of the parent. If it has already died, this process exits at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def run_and_exit(job_json: str, message_fd: int, log: LogWatch) -> NoReturn:
    """Run a job and exit by ``os._exit``, so that no thread of an adapter can keep the process alive.

    Args:
        job_json: The job, as :meth:`Job.to_json` writes it.
        message_fd: File descriptor to write messages to.
        log: Created before LMCache was imported.
    """
    report = message_writer(message_fd)
    try:
        job = Job.from_json(job_json)
        if job.folder:
            os.chdir(job.folder)
        sys.path += [path for path in job.import_paths if path not in sys.path]
        exit_code = run(job, report, log)
    except BaseException as error:
        traceback.print_exc()
        report(Finished(1, f"{type(error).__name__}: {error}", 0))
        exit_code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def message_writer(message_fd: int) -> Callable[[Message], None]:
    """Return a function that writes a message as one line. Several threads may call it.

    Args:
        message_fd: File descriptor to write to.
    """
    lock = threading.Lock()

    def report(message: Message) -> None:
        with lock:
            line = encode(message)
            while line:
                line = line[os.write(message_fd, line) :]

    return report


def run(job: Job, report: Report, log: LogWatch) -> int:
    """Run a job and return the exit code of its process.

    Args:
        job: The job.
        report: Called with each message as soon as it applies.
        log: Holds the first error or warning of LMCache.
    """
    if job.described_types is not None:
        return _describe(job, report)
    with contextlib.ExitStack() as held:
        try:
            job = replace(job, adapter_spec=resolve(job.adapter_spec))
            benchmark = _benchmark(job, held.enter_context(profiled(job, report)), log)
        except RequestError as error:
            report(Refused(str(error)))
            return error.exit_code
        report(benchmark.accepted())
        finished = Finished(0, "", 0) if job.only_checks_spec else benchmark.run()
    report(finished)
    return finished.exit_code


def _describe(job: Job, report: Report) -> int:
    """Report what LMCache tells of its adapter types."""
    from l2sweep.bench.adapter.catalog import described
    from l2sweep.bench.versions import lmcache_version, torch_version

    report(Accepted(lmcache_version(), torch_version(), platform.python_version()))
    for one in described(job.described_types or {}, and_others=job.describes_others):
        report(one)
    report(Finished(0, "", 0))
    return 0


def _benchmark(job: Job, report: Report, log: LogWatch) -> Benchmark:
    if job.adapter_spec.get("type") == FIO:
        from l2sweep.bench.benchmarks.fio import FioBenchmark

        return FioBenchmark(job, report)
    if job.through == STORAGE_MANAGER:
        from l2sweep.bench.benchmarks.storage_manager import StorageManagerBenchmark

        return StorageManagerBenchmark(job, report, log)
    if job.trace is not None and job.phases:
        from l2sweep.bench.benchmarks.trace import TraceBenchmark

        return TraceBenchmark(job, report, log)
    from l2sweep.bench.benchmarks.lmcache_adapter import AdapterBenchmark

    return AdapterBenchmark(job, report, log)
