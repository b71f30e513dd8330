"""fio(1) as an adapter: the ceiling of the place that an adapter stores in, with the same sizes and depth.

Each round is a run of its own: a thread for each key under way, each with a file of its own, as
LMCache's file adapters have them. Its files never meet LMCache's.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2sweep.bench.entry import die_with_parent
from l2sweep.bench.messages import AdapterCreated, Finished, Message, PhaseEnded, PhaseStarted, RoundMeasured
from l2sweep.bench.page_cache import flush_all, name_in_files, require_cold, resident_share
from l2sweep.bench.request import PointRequest
from l2sweep.config.options import shown
from l2sweep.errors import BenchError
from l2sweep.interrupts import interruptible
from l2sweep.process.bench_process import ProcessEnd
from l2sweep.process.log import PointLog
from l2sweep.process.supervisor import PhaseProcess

TYPE = "fio"
NOT_INSTALLED = "fio is not installed"
_MOST_THREADS = 64
_BLOCK_BYTES = 512  # of ru_inblock, getrusage(2)


@dataclass(frozen=True)
class FioRun:
    """What one run of fio did.

    Attributes:
        duration_s: From the start of the first I/O to the end of the last; None where it failed.
        bytes_ok: What was moved.
        error: Why it failed; else empty.
        read_bytes: What was read from devices for it.
    """

    duration_s: float | None
    bytes_ok: int
    error: str
    read_bytes: int


def is_installed() -> bool:
    """Whether fio can be run here."""
    return shutil.which("fio") is not None


def fio_folder(request: PointRequest) -> Path:
    """Return the folder of a point's files."""
    return Path(request.adapter_spec["base_path"]) / f"fio-{name_in_files(request.namespace)}"


def remove_files(request: PointRequest) -> bool:
    """Remove a point's own files, and the folder unless something else is in it.

    Args:
        request: The point's: it says which files its rounds have.

    Returns:
        Whether nothing is left.
    """
    folder = fio_folder(request)
    with contextlib.suppress(OSError):
        for index in range(request.total_rounds):
            for thread in range(_threads(request)):
                (folder / f"{name_in_files(request.namespace)}@{index}.{thread}").unlink(missing_ok=True)
        folder.rmdir()
    return not os.path.lexists(folder)


def _threads(request: PointRequest) -> int:
    """Return how many threads a round has: a key under way each, as far as they share the keys evenly."""
    keys = request.keys_per_round
    return next(count for count in range(min(keys, _MOST_THREADS), 0, -1) if keys % count == 0)


def spec_problems(spec: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each field of a spec that fio, as it is run here, does not understand."""
    problems = [
        f"adapter.{name}: the fio adapter reads no such field"
        for name in spec
        if name not in ("type", "base_path", "use_odirect")
    ]
    if not isinstance(spec.get("base_path"), str) or not spec["base_path"]:
        problems.append(f"adapter.base_path={shown(spec.get('base_path'))}: must be a folder")
    if not isinstance(spec.get("use_odirect", False), bool):
        problems.append(f"adapter.use_odirect={shown(spec['use_odirect'])}: must be true or false")
    return problems


def run_fio(
    request: PointRequest, deadline_s: float, log: PointLog, on_message: Callable[[Message], None]
) -> PhaseProcess:
    """Run the phases of a request by fio.

    Args:
        request: What it is to do; lookups are passed over.
        deadline_s: Seconds that all of it may take.
        log: Takes what fio prints.
        on_message: Told of every round.

    Returns:
        What is known of it, as of a benchmark process. A KeyboardInterrupt ends it and is noted.
    """
    known = PhaseProcess(isolation=TYPE)

    def report(message: Message) -> None:
        known.hear(message)
        on_message(message)

    start = time.monotonic()
    folder = fio_folder(request)
    log.open()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report(AdapterCreated("fio", time.monotonic() - start))
        failures = _run_phases(request, start + deadline_s, log, report)
        removed = request.delete_after and remove_files(request)
        detail = "; ".join(failures)
        report(Finished(1 if failures else 0, detail, 0, keys_removed=removed))
    except KeyboardInterrupt:
        known.interrupted = True
    except (OSError, BenchError) as error:
        report(Finished(1, f"fio: {error}", 0))
    exit_code = known.finished.exit_code if known.finished else None
    known.end = ProcessEnd(exit_code, None, "", "", time.monotonic() - start, 0)
    return known


def _run_phases(
    request: PointRequest, deadline: float, log: PointLog, report: Callable[[Message], None]
) -> list[str]:
    failures = []
    looked_at = [str(fio_folder(request))] if request.cache_paths else []
    for phase in request.phases:
        share = resident_share(looked_at, request.namespace)
        report(PhaseStarted(phase, share))
        try:
            require_cold(phase, share, request.max_resident)
        except BenchError as error:
            failures.append(str(error))
            continue
        bad = []
        for index in range(request.total_rounds):
            measured = _round(request, phase, index, max(1.0, deadline - time.monotonic()), log)
            report(measured)
            bad += [measured] if measured.status != "ok" and not measured.is_warmup else []
        if bad:
            failures.append(f"{phase}: {len(bad)} of {request.rounds} rounds: {bad[0].detail}")
        report(PhaseEnded(phase, resident_share(looked_at, request.namespace)))
    return failures


def _round(request: PointRequest, phase: str, index: int, timeout_s: float, log: PointLog) -> RoundMeasured:
    started_at_s = time.time()
    run = _fio(request, phase, index, min(timeout_s, request.timeout_s[phase]), log)
    flush_s = flush_all(request.flush_paths) if phase == "store" and request.flush_paths else None
    requested = request.keys_per_round * request.data_size_bytes
    status = "error" if run.error else "ok" if run.bytes_ok == requested else "partial"
    return RoundMeasured(
        phase=phase,
        round=index + 1,
        is_warmup=index < request.warmup_rounds,
        status=status,
        detail=run.error,
        started_at_s=started_at_s,
        duration_s=run.duration_s,
        keys_requested=request.keys_per_round,
        keys_expected=request.keys_per_round,
        keys_ok=run.bytes_ok // request.data_size_bytes,
        bytes_requested=requested,
        bytes_ok=run.bytes_ok,
        submit_latency_s=[],
        verified_keys=0,
        mismatched_keys=0,
        cpu_user_s=0.0,
        cpu_sys_s=0.0,
        device_read_bytes=run.read_bytes,
        device_write_bytes=None,
        flush_s=flush_s,
    )


def command(request: PointRequest, phase: str, index: int, log_prefix: str) -> list[str]:
    """Return the command of a round.

    Args:
        request: The point's.
        phase: store or load.
        index: Which round.
        log_prefix: Where fio logs when each I/O ended.
    """
    threads = _threads(request)
    return [
        "fio",
        f"--name={phase}",
        f"--directory={fio_folder(request)}",
        f"--filename_format={name_in_files(request.namespace)}@{index}.$jobnum",
        f"--rw={'write' if phase == 'store' else 'read'}",
        f"--bs={request.data_size_bytes}",
        f"--size={request.data_size_bytes * request.keys_per_round // threads}",
        f"--numjobs={threads}",
        "--thread",
        "--ioengine=psync",
        f"--direct={int(request.adapter_spec.get('use_odirect') is True)}",
        f"--allow_file_create={int(phase == 'store')}",  # it would make what it cannot find, and read that
        "--invalidate=0",  # it would drop the page cache itself; that is l2sweep's to do, and to prove
        "--fallocate=none",
        f"--write_lat_log={log_prefix}",
        "--log_unix_epoch=1",
        "--output-format=json",
    ]


def _fio(request: PointRequest, phase: str, index: int, timeout_s: float, log: PointLog) -> FioRun:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as logs:
        try:
            with interruptible():
                done = subprocess.run(
                    command(request, phase, index, f"{logs}/round"),
                    capture_output=True,
                    text=True,
                    timeout=timeout_s,
                    check=False,
                    preexec_fn=functools.partial(die_with_parent, os.getpid()),
                )
        except subprocess.TimeoutExpired:
            return FioRun(None, 0, f"fio took more than {timeout_s:.0f} s", 0)
        duration_s = elapsed_s(Path(logs).glob("round_lat.*.log"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for line in (done.stdout + done.stderr).splitlines(keepends=True):
        log.write(line.encode())
    try:
        jobs = json.loads(done.stdout[done.stdout.index("{") :])["jobs"]
    except (ValueError, KeyError):
        jobs = []
    error = ""
    if done.returncode or not jobs or duration_s is None:
        said = (done.stderr or done.stdout).strip().splitlines()
        error = f"fio ended with exit code {done.returncode}{': ' + said[-1] if said else ''}"
    side = "write" if phase == "store" else "read"
    return FioRun(
        duration_s=None if error else duration_s,
        bytes_ok=0 if error else sum(job[side]["io_bytes"] for job in jobs),
        error=error,
        read_bytes=(after.ru_inblock - before.ru_inblock) * _BLOCK_BYTES,
    )


def elapsed_s(latency_logs: Iterable[Path]) -> float | None:
    """Return the seconds from the start of the first I/O to the end of the last; None where there was none.

    A thread's own runtime, which fio sums up, begins when the thread does: of more threads than processors
    the longest is shorter than the round. Ends are logged in whole milliseconds, rounded down, so one more is
    counted: no number is too good.

    Args:
        latency_logs: Of each thread, a line an I/O: its end in milliseconds, its latency in nanoseconds.
    """
    starts_ms, ends_ms = [], []
    for path in latency_logs:
        for line in path.read_text().splitlines():
            end_ms, latency_ns = (int(field) for field in line.split(",")[:2])
            ends_ms.append(end_ms)
            starts_ms.append(end_ms - latency_ns / 1e6)
    return (max(ends_ms) - min(starts_ms) + 1) / 1000 if ends_ms else None
