"""fio(1) on the storage of a file adapter, with the same sizes and depth: the upper limit of that storage.

Each round is one run of fio. By default it has one thread and one file for each key in flight (at most 64);
``num_workers`` in the spec limits the threads, as in LMCache's native file adapter. The number of threads is
the depth of the queue: each thread has one I/O at a time. fio has a folder of its own and never touches
LMCache's files.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep.bench.benchmarks.base import Benchmark, Report
from l2sweep.bench.block_devices import RoundDevices
from l2sweep.bench.entry import die_with_parent
from l2sweep.bench.job import Job
from l2sweep.bench.messages import Accepted, AdapterCreated, Finished, PhaseEnded, PhaseStarted, RoundMeasured
from l2sweep.bench.page_cache import flush_all, name_in_files, require_cold, resident_fraction
from l2sweep.bench.rounds.schedule import RoundSchedule, ScheduledRound
from l2sweep.errors import BenchError, RequestError, shown

_MAX_THREADS = 64  # the limit of in-flight I/O of one round; a choice, not a measurement
_BLOCK_BYTES = 512  # unit of ru_inblock: the kernel counts sectors of 512 bytes (task_io_accounting_ops.h)


@dataclass(frozen=True)
class FioRun:
    """The result of one run of fio.

    Attributes:
        duration_s: Time from the start of the first I/O to the end of the last one; None if the run failed.
        bytes_ok: Bytes that were moved.
        error: Why the run failed; empty if it did not.
        read_bytes: Bytes that were read from devices for fio.
        cpu_user_s: User time of its threads.
        cpu_sys_s: System time of its threads.
    """

    duration_s: float | None
    bytes_ok: int
    error: str
    read_bytes: int
    cpu_user_s: float
    cpu_sys_s: float


class FioBenchmark(Benchmark):
    """The benchmark of a storage with fio, which has no lookup.

    Args:
        job: The job.
        report: Called with each message as soon as it applies.

    Raises:
        RequestError: A field of the spec is unknown or has a wrong value.
    """

    def __init__(self, job: Job, report: Report) -> None:
        super().__init__(job, report)
        if problems := spec_problems(job.adapter_spec):
            raise RequestError(problems)
        self._folder = Path(job.adapter_spec["base_path"]) / f"fio-{name_in_files(job.namespace)}"

    def accepted(self) -> Accepted:
        """Return the version of Python; LMCache and torch are not used."""
        return Accepted(None, None, platform.python_version())

    def run(self) -> Finished:
        """Run the phases of the job, and remove its files if it asks for that."""
        failures: list[str] = []
        if self.job.phases:
            start = time.perf_counter()
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self.report(AdapterCreated("fio", time.perf_counter() - start))
                for phase in self.job.phases:
                    failures += self._run_phase(phase)
            except OSError as error:
                failures.append(f"fio: {error}")
        removed = self.job.delete_after and self._remove_files()
        peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return Finished(1 if failures else 0, "; ".join(failures), peak_kib * 1024, keys_removed=removed)

    def command(self, phase: str, index: int, log_prefix: str) -> list[str]:
        """Return the fio command of a round.

        Args:
            phase: store or load.
            index: The round, counted from 0.
            log_prefix: Prefix of the files in which fio logs the end and the latency of each I/O.
        """
        workload, threads = self.job.workload, self._threads
        return [
            "fio",
            f"--name={phase}",
            "--directory=.",  # fio runs in the folder, because it splits names of folders at ':'
            f"--filename_format={name_in_files(self.job.namespace)}@{index}.$jobnum",
            f"--rw={'write' if phase == 'store' else 'read'}",
            f"--bs={workload.data_size_bytes}",
            f"--size={workload.round_bytes // threads}",
            f"--numjobs={threads}",
            "--thread",
            "--ioengine=psync",
            f"--direct={int(self.job.adapter_spec.get('use_odirect') is True)}",
            f"--allow_file_create={int(phase == 'store')}",  # a load of a missing file must fail
            "--invalidate=0",  # l2sweep drops the page cache itself, and checks it
            "--fallocate=none",
            f"--write_lat_log={log_prefix}",
            "--log_unix_epoch=1",
            "--output-format=json",
        ]

    @property
    def _threads(self) -> int:
        """Number of threads of a round: the largest that divides the keys evenly, at most one per key."""
        keys = self.job.workload.keys_per_round
        most = self.job.adapter_spec.get("num_workers") or _MAX_THREADS
        return next(count for count in range(min(keys, most), 0, -1) if keys % count == 0)

    def _run_phase(self, phase: str) -> list[str]:
        """Run all rounds of a phase. Return a line that says why it failed; an empty list if it did not."""
        job = self.job
        paths = [str(self._folder)] if job.cache_paths else []
        fraction = resident_fraction(paths, job.namespace)
        self.report(PhaseStarted(phase, fraction))
        rounds: list[RoundMeasured] = []
        devices = RoundDevices(job, phase)
        schedule = RoundSchedule(job.workload, job.stored_rounds)
        try:
            require_cold(phase, fraction, job.max_resident_fraction)
            for scheduled in schedule:
                rounds.append(self._round(phase, scheduled, devices))
                schedule.add(rounds[-1].duration_s)
                self.report(rounds[-1])
        except BenchError as error:
            return [str(error)]
        finally:
            if phase == "store":
                self.job = replace(job, stored_rounds=len(rounds))
        self.report(PhaseEnded(phase, resident_fraction(paths, job.namespace), **asdict(schedule.end)))
        measured = [one for one in rounds if not one.is_warmup]
        failed = [one for one in measured if one.status != "ok"]
        if not failed:
            return []
        return [f"{phase}: {len(failed)} of {len(measured)} rounds failed: {failed[0].detail}"]

    def _round(self, phase: str, scheduled: ScheduledRound, devices: RoundDevices) -> RoundMeasured:
        job, workload = self.job, self.job.workload
        devices.start_round()
        started_at_s = time.time()
        run = self._fio(phase, scheduled.index)
        flush_s = flush_all(job.flush_paths) if phase == "store" and job.flush_paths else None
        devices.end_round()
        is_complete = run.bytes_ok == workload.round_bytes
        shortfall = "" if is_complete else f"{run.bytes_ok} of {workload.round_bytes} bytes moved"
        measured = RoundMeasured(
            phase=phase,
            round=scheduled.index + 1,
            is_warmup=scheduled.is_warmup,
            status="error" if run.error else "partial" if shortfall else "ok",
            detail=run.error or shortfall,
            started_at_s=started_at_s,
            duration_s=run.duration_s,
            keys_requested=workload.keys_per_round,
            keys_expected=workload.keys_per_round,
            keys_ok=run.bytes_ok // workload.data_size_bytes,
            bytes_requested=workload.round_bytes,
            bytes_ok=run.bytes_ok,
            submit_latency_s=[],
            verified_keys=0,
            mismatched_keys=0,
            cpu_user_s=run.cpu_user_s,
            cpu_sys_s=run.cpu_sys_s,
            device_read_bytes=run.read_bytes,
            device_write_bytes=None,
            flush_s=flush_s,
        )
        return devices.judge(measured)

    def _fio(self, phase: str, index: int) -> FioRun:
        timeout_s = self.job.timeout_s[phase]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryDirectory() as logs:
            try:
                done = subprocess.run(
                    self.command(phase, index, f"{logs}/round"),
                    capture_output=True,
                    text=True,
                    timeout=timeout_s,
                    check=False,
                    cwd=self._folder,
                    preexec_fn=functools.partial(die_with_parent, os.getpid()),
                )
            except subprocess.TimeoutExpired:
                return FioRun(None, 0, f"fio took more than {timeout_s:.0f} s", 0, 0.0, 0.0)
            duration_s = elapsed_s(Path(logs).glob("round_lat.*.log"))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        sys.stdout.write(done.stdout + done.stderr)
        moved = _moved_bytes(done.stdout, "write" if phase == "store" else "read")
        error = ""
        if done.returncode or moved is None or duration_s is None:
            lines = (done.stderr or done.stdout).strip().splitlines()
            error = f"fio ended with exit code {done.returncode}{': ' + lines[-1] if lines else ''}"
        return FioRun(
            duration_s=None if error else duration_s,
            bytes_ok=0 if error or moved is None else moved,
            error=error,
            read_bytes=(after.ru_inblock - before.ru_inblock) * _BLOCK_BYTES,
            cpu_user_s=after.ru_utime - before.ru_utime,
            cpu_sys_s=after.ru_stime - before.ru_stime,
        )

    def _remove_files(self) -> bool:
        """Remove the point's own files, and the folder if it is then empty.

        Returns:
            Whether the folder was removed.
        """
        own_name = name_in_files(self.job.namespace)
        with contextlib.suppress(OSError):
            for index in range(self.job.workload.total_rounds):
                for thread in range(self._threads):
                    (self._folder / f"{own_name}@{index}.{thread}").unlink(missing_ok=True)
            self._folder.rmdir()
        return not os.path.lexists(self._folder)


def spec_problems(spec: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each field of a spec that is unknown or has a wrong value.

    Args:
        spec: The spec of a fio adapter.
    """
    problems = [
        f"adapter.{name}: the fio adapter does not read this field"
        for name in spec
        if name not in ("type", "base_path", "use_odirect", "num_workers")
    ]
    if not isinstance(spec.get("base_path"), str) or not spec["base_path"]:
        problems.append(f"adapter.base_path={shown(spec.get('base_path'))}: must be a folder")
    if not isinstance(spec.get("use_odirect", False), bool):
        problems.append(f"adapter.use_odirect={shown(spec['use_odirect'])}: must be true or false")
    workers = spec.get("num_workers")
    if workers is not None and (type(workers) is not int or not 1 <= workers <= _MAX_THREADS):
        problems.append(
            f"adapter.num_workers={shown(workers)}: must be null or a whole number from 1 to {_MAX_THREADS}"
        )
    return problems


def elapsed_s(latency_logs: Iterable[Path]) -> float | None:
    """Return the seconds from the start of the first I/O to the end of the last; None if there was no I/O.

    fio's own sum of runtimes is not used: each runtime starts with its thread, and with more threads than
    processors even the longest one is shorter than the round. fio rounds the end of an I/O down to a whole
    millisecond, so one millisecond is added: a duration is never too short.

    Args:
        latency_logs: One file per thread, with one line per I/O: its end in milliseconds, its latency in
            nanoseconds.
    """
    starts_ms, ends_ms = [], []
    for path in latency_logs:
        for line in path.read_text().splitlines():
            end_ms, latency_ns = (int(field) for field in line.split(",")[:2])
            ends_ms.append(end_ms)
            starts_ms.append(end_ms - latency_ns / 1e6)
    return (max(ends_ms) - min(starts_ms) + 1) / 1000 if ends_ms else None


def _moved_bytes(output: str, side: str) -> int | None:
    """Return the bytes that all jobs of a fio run moved; None if its output is incomplete."""
    try:
        jobs = json.loads(output[output.index("{") :])["jobs"]
        return sum(job[side]["io_bytes"] for job in jobs) if jobs else None
    except (ValueError, KeyError):
        return None
