"""The benchmark of an adapter of LMCache: create it, run the phases, delete the keys."""

from __future__ import annotations

import gc
import platform
import resource
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter import create as adapters
from l2sweep.bench.adapter.contract import AdapterTaskIds
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.benchmarks.base import Benchmark, Report
from l2sweep.bench.checks.after_phase import PhaseCheck, check_lookup, check_store
from l2sweep.bench.checks.stored_keys import NoAnswerError, StoredKeys
from l2sweep.bench.data import buffers
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.job import Job, local_paths
from l2sweep.bench.messages import (
    Accepted,
    AdapterCreated,
    Finished,
    Note,
    PhaseEnded,
    PhaseStarted,
    RoundMeasured,
)
from l2sweep.bench.page_cache import require_cold, resident_fraction
from l2sweep.bench.phase import Phase
from l2sweep.bench.versions import lmcache_release, lmcache_version, torch_version
from l2sweep.errors import BenchError


class AdapterBenchmark(Benchmark):
    """The benchmark of an adapter of LMCache.

    Args:
        job: The job.
        report: Called with each message as soon as it applies.
        log: Holds the first error or warning of LMCache.

    Raises:
        RequestError: LMCache refuses the spec.
    """

    def __init__(self, job: Job, report: Report, log: LogWatch) -> None:
        super().__init__(job, report)
        self._log = log
        self._config = adapters.parse_spec(job.adapter_spec)
        self._task_ids = AdapterTaskIds()
        self._failures: list[str] = []
        self._stuck = self._keys_removed = self._keys_stay = False
        self._keys_left: int | None = None

    def accepted(self) -> Accepted:
        """Return the versions of LMCache, torch and Python."""
        return Accepted(lmcache_version(), torch_version(), platform.python_version())

    def run(self) -> Finished:
        """Run the phases of the job, and delete its keys if it asks for that."""
        phases_with_memory = [phase for phase in self.job.phases if phase != "lookup"]
        try:
            self._measure(buffers.allocate(self.job.workload, max(1, len(phases_with_memory))))
        except BenchError as error:
            self._failures.append(str(error))
        return self._finished()

    def _measure(self, buffer: buffers.L1Buffer) -> None:
        start = time.perf_counter()
        adapter = adapters.create(self._config, buffer)
        self.report(AdapterCreated(type(adapter).__name__, time.perf_counter() - start))
        try:
            self._remove_old_keys(adapter)
            self._run_phases(adapter, buffer)
            if self.job.delete_after and not self._stuck:
                self._remove_keys(adapter)
        finally:
            if not self._stuck:  # close() would wait for the submit that never completes
                self._close(adapter)

    def _run_phases(self, adapter: L2AdapterInterface, buffer: buffers.L1Buffer) -> None:
        payload = Payload(self.job.workload.seed, self.job.payload_namespace)
        regions = 0
        prepare_process()
        for name in self.job.phases:
            region = None
            if name != "lookup":
                region = region_of(buffer, self.job, regions)
                regions += 1
            phase = Phase(self.job, name, adapter, region, payload, self._log, self._task_ids)
            fraction = self._resident_fraction()
            self.report(PhaseStarted(name, fraction))
            require_cold(name, fraction, self.job.max_resident_fraction)
            measured = []
            for one in self._rounds(phase):
                measured.append(one)
                self.report(one)
            self._stuck = self._stuck or phase.stuck
            if name == "store":
                self.job = replace(self.job, stored_rounds=len(measured))
            self._failures += self._phase_failures(phase, measured)
            fraction = self._resident_fraction()  # before a check of stored keys loads some of them
            problem = self._problem(phase, measured)
            self._failures += [problem] if problem else []
            self.report(PhaseEnded(name, fraction, problem, **asdict(phase.schedule.end)))

    def _rounds(self, phase: Phase) -> Iterable[RoundMeasured]:
        if not self._stuck:
            return phase.run()
        return phase.not_run(0, "not run: submits of an earlier phase never completed")

    def _resident_fraction(self) -> float | None:
        return resident_fraction(self.job.cache_paths, self.job.namespace)

    def _phase_failures(self, phase: Phase, measured: list[RoundMeasured]) -> list[str]:
        """Return one line that says why measured rounds of a phase failed; an empty list if none failed.

        A lookup without a store phase may find fewer keys than expected, because its hit rate is an upper
        bound. After a store of the same point, the keys must be found. A false hit is always a failure.
        """
        misses_allowed = phase.name == "lookup" and not self.job.keys_stored

        def only_misses(one: RoundMeasured) -> bool:
            has_error = one.duration_s is None or one.round in phase.rounds_with_error
            return misses_allowed and not has_error and not one.false_hits

        measured = [one for one in measured if not one.is_warmup]
        failed = [one for one in measured if one.status != "ok" and not only_misses(one)]
        if not failed:
            return []
        first = failed[0].detail.removeprefix(f"{phase.name}: ")
        return [f"{phase.name}: {len(failed)} of {len(measured)} rounds failed: {first}"]

    def _problem(self, phase: Phase, measured: list[RoundMeasured]) -> str:
        """Check a phase after its last round, and return why no round of it counts; empty if they count."""
        if self._stuck:
            return ""
        keys = StoredKeys(phase.adapter, self.job, self._task_ids)
        checked = PhaseCheck()
        if phase.name == "store":
            assert phase.region is not None
            checked = check_store(keys, phase.stored, phase.region, phase.payload)
        elif phase.name == "lookup" and any(one.status in ("ok", "partial") for one in measured):
            checked = check_lookup(keys)
        self._stuck = checked.is_stuck
        if checked.note:
            self.report(Note(checked.note))
        return checked.problem

    def _remove_old_keys(self, adapter: L2AdapterInterface) -> None:
        """Delete the point's own keys if an earlier run may have left them, and check that none is left.

        Raises:
            BenchError: Keys are left: a store of them would move nothing.
        """
        if "store" not in self.job.phases or self.job.fresh_namespace:
            return
        if self.job.delete_before:
            self._delete_keys(adapter)
        present = self._count_present(adapter)
        if present and not adapters.can_delete(adapter):
            raise BenchError(
                f"store: {present} keys of namespace {self.job.namespace!r} are already stored, and "
                f"{type(adapter).__name__} cannot delete; choose another namespace (namespace=...)"
            )
        if present:
            raise BenchError(
                f"store: {present} keys of namespace {self.job.namespace!r} are still stored after "
                "they were deleted"
            )

    def _delete_keys(self, adapter: L2AdapterInterface) -> bool:
        """Delete the point's own keys, and return whether the adapter can delete."""
        stored = self.job.key_layout.stored
        if not adapters.can_delete(adapter):
            self.report(Note(f"{type(adapter).__name__} cannot delete: {len(stored)} keys may stay"))
            return False
        adapters.delete(adapter, stored, self.job.namespace)
        return True

    def _remove_keys(self, adapter: L2AdapterInterface) -> None:
        """Delete the point's own keys at the end, and look them up again.

        Keys that are left fail the process, as any cleanup that failed does: its numbers are true, but data
        stay in the store of the user.
        """
        if not self._delete_keys(adapter):
            self._keys_stay = True
            return
        stored = self.job.key_layout.stored
        try:
            self._keys_left = StoredKeys(adapter, self.job, self._task_ids).count_left(stored)
        except NoAnswerError as error:
            self._stuck = error.is_stuck
            self._failures.append(f"the lookup of deleted keys failed: {error}")
            return
        self._keys_removed = not self._keys_left
        if self._keys_left:
            problem = (
                f"{self._keys_left} of {len(stored)} keys of namespace {self.job.namespace!r} are still "
                f"found after they were deleted ({_storage_of(self.job.adapter_spec)})"
            )
            self.report(Note(problem))
            self._failures.append(problem)

    def _count_present(self, adapter: L2AdapterInterface) -> int:
        try:
            stored_keys = StoredKeys(adapter, self.job, self._task_ids)
            return len(stored_keys.find(self.job.key_layout.stored))
        except NoAnswerError as error:
            self._stuck = error.is_stuck
            raise BenchError(f"the lookup of keys of earlier runs failed: {error}") from error

    def _close(self, adapter: L2AdapterInterface) -> None:
        try:
            adapter.close()
        except Exception as error:
            self.report(Note(f"adapter.close() failed: {type(error).__name__}: {error}"))

    def _finished(self) -> Finished:
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        last_log_line = self._log.take() if self._failures else ""
        return Finished(
            exit_code=1 if self._failures else 0,
            detail="; ".join([*self._failures, *([last_log_line] if last_log_line else [])]),
            peak_rss_bytes=peak_kib * 1024,
            keys_removed=self._keys_removed,
            keys_stay=self._keys_stay,
            keys_left=self._keys_left,
        )


def prepare_process() -> None:
    """Do the work that each process must do before a clock starts, and that needs no job."""
    buffers.start_torch_threads()
    gc.collect()
    gc.freeze()  # later collections skip the modules of LMCache and torch


def region_of(buffer: buffers.L1Buffer, job: Job, number: int) -> buffers.Region:
    """Return one region of the L1 buffer of a job.

    Args:
        buffer: The buffer.
        job: Gives the number and size of the keys.
        number: Number of the region, from 0.
    """
    return buffers.region(buffer, job.workload, number, offset_addresses=_uses_offset_addresses())


def _uses_offset_addresses() -> bool:
    """Return whether the address of a memory object is its offset in the buffer: since LMCache 0.5.4."""
    return lmcache_release() >= (0, 5, 4)


def _storage_of(spec: Mapping[str, Any]) -> str:
    """Return the type of an adapter, and the path of its data if the spec names one.

    Only values of these fields are shown: others may be credentials.
    """
    return ", ".join([str(spec["type"]), *local_paths(spec)])
