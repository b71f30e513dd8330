"""The benchmark of an adapter of LMCache: create it, run the phases, delete the keys."""

from __future__ import annotations

import gc
import platform
import resource
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter import create as adapters
from l2sweep.bench.adapter.contract import AdapterTaskIds
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.benchmarks.base import Benchmark, Report
from l2sweep.bench.checks.after_phase import PhaseCheck, check_before_lookup, check_lookup, check_store
from l2sweep.bench.checks.deleted_keys import delete_keys
from l2sweep.bench.checks.sentinel import Sentinel
from l2sweep.bench.checks.stored_keys import NoAnswerError, StoredKeys
from l2sweep.bench.data import buffers
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.job import Job, local_paths
from l2sweep.bench.messages import (
    Accepted,
    AdapterCreated,
    CleaningUp,
    Finished,
    Note,
    PhaseEnded,
    PhaseStarted,
    RoundMeasured,
)
from l2sweep.bench.page_cache import require_cold, resident_fraction
from l2sweep.bench.phase import Phase
from l2sweep.bench.versions import lmcache_version, torch_version
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
        self._stuck = self._keys_removed = self._keys_stay = self._is_cleaning_up = False
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
        adapter = self._create(buffer)
        self.report(AdapterCreated(adapters.class_name(adapter), time.perf_counter() - start))
        try:
            self._remove_old_keys(adapter)
            sentinel = Sentinel(self._keys(adapter), partial(buffers.region, buffer, self.job.workload, 0))
            self._run_phases(adapter, buffer, sentinel)
            self._is_cleaning_up = True
            self._report_step()
            if not self._stuck:
                self._remove_keys(sentinel)
        except BenchError as error:
            self._failures.append(str(error))
        finally:
            self._is_cleaning_up = True
            if not self._stuck:  # close() would wait for the submit that never completes
                self._report_step()
                self._close(adapter)

    def _create(self, buffer: buffers.L1Buffer) -> L2AdapterInterface:
        return adapters.create(self._config, buffer)

    def _payload(self) -> Payload:
        return Payload(self.job.workload.seed, self.job.payload_namespace)

    def _keys(self, adapter: L2AdapterInterface) -> StoredKeys:
        return StoredKeys(adapter, self.job, self._task_ids, self._report_step)

    def _run_phases(self, adapter: L2AdapterInterface, buffer: buffers.L1Buffer, sentinel: Sentinel) -> None:
        payload = self._payload()
        regions = 0
        prepare_process()
        for name in self.job.phases:
            region = None
            if name != "lookup":
                region = buffers.region(buffer, self.job.workload, regions)
                regions += 1
            phase = Phase(self.job, name, adapter, region, payload, self._log, self._task_ids)
            fraction = self._resident_fraction()
            self.report(PhaseStarted(name, fraction))
            require_cold(name, fraction, self.job.max_resident_fraction)
            before = check_before_lookup(sentinel) if name == "lookup" and not self._stuck else PhaseCheck()
            self._stuck = self._stuck or before.is_stuck
            measured = []
            for one in self._rounds(phase):
                measured.append(one)
                self.report(one)
            self._stuck = self._stuck or phase.stuck
            if name == "store":
                self.job = replace(self.job, stored_rounds=len(measured))
                sentinel.keys = self._keys(adapter)
            self._failures += self._phase_failures(phase, measured)
            fraction = self._resident_fraction()  # before a check of stored keys loads some of them
            problem = self._problem(phase, measured, before.problem, sentinel)
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

    def _problem(self, phase: Phase, measured: list[RoundMeasured], before: str, sentinel: Sentinel) -> str:
        """Check a phase after its last round, and return why no round of it counts; empty if they count.

        Args:
            phase: The phase.
            measured: Its rounds.
            before: Why no sentinel was found before a lookup phase; empty if one was.
            sentinel: The sentinel of the process.
        """
        if self._stuck or (before and not all(one.keys_ok for one in measured)):
            return before  # rounds that all found keys show that their lookups were answered
        checked = PhaseCheck()
        if phase.name == "store":
            assert phase.region is not None
            checked = check_store(sentinel.keys, phase.stored, phase.region, phase.payload)
        elif phase.name == "lookup" and self._must_be_confirmed(measured):
            checked = check_lookup(sentinel)
        self._stuck = checked.is_stuck
        for note in filter(None, (before, checked.note)):
            self.report(Note(note))
        return checked.problem

    def _must_be_confirmed(self, lookups: list[RoundMeasured]) -> bool:
        """Whether a round of a lookup phase found what it should, or may find fewer keys."""
        may_miss = not self.job.keys_stored
        return any(
            one.status in ("ok", "partial") or (may_miss and one.duration_s is not None) for one in lookups
        )

    def _remove_old_keys(self, adapter: L2AdapterInterface) -> None:
        """Delete the point's own keys if an earlier run may have left them, and check that none is left.

        Raises:
            BenchError: Keys are left: a store of them would move nothing.
        """
        if "store" not in self.job.phases or self.job.fresh_namespace:
            return
        stored = self.job.key_layout.stored
        if self.job.delete_before and self._can_delete(adapter, len(stored)):
            self._keys(adapter).delete(stored)
        present = self._count_present(adapter)
        if present and not adapters.can_delete(adapter):
            raise BenchError(
                f"store: {present} keys of namespace {self.job.namespace!r} are already stored, and "
                f"{adapters.class_name(adapter)} cannot delete; choose another namespace (namespace=...)"
            )
        if present:
            raise BenchError(
                f"store: {present} keys of namespace {self.job.namespace!r} are still stored after "
                "they were deleted"
            )

    def _can_delete(self, adapter: L2AdapterInterface, num_keys: int) -> bool:
        """Return whether the adapter can delete. If it cannot, report how many keys may stay."""
        if not adapters.can_delete(adapter):
            keys = f"{num_keys} keys" if num_keys > 1 else "1 key"
            self.report(Note(f"{adapters.class_name(adapter)} cannot delete: {keys} may stay"))
            return False
        return True

    def _remove_keys(self, sentinel: Sentinel) -> None:
        """Delete what must not stay at the end: the point's own keys, or only the sentinel if it is extra.

        Keys that are left fail the process, as any cleanup that failed does: its numbers are true, but data
        stay in the store of the user. So does a deletion that is not proven.
        """
        try:
            if self.job.delete_after:
                self._remove_stored_keys(sentinel)
            elif sentinel.own_may_exist and self._can_delete(sentinel.keys.adapter, 1):
                problem = sentinel.delete_own()
                self._failures += [problem] if problem else []
        except NoAnswerError as error:
            self._stuck = error.is_stuck
            self._failures.append(f"the lookup of deleted keys failed: {error}")

    def _remove_stored_keys(self, sentinel: Sentinel) -> None:
        if not self._can_delete(sentinel.keys.adapter, len(self.job.key_layout.stored)):
            self._keys_stay = True
            return
        deletion = delete_keys(sentinel)
        self._keys_removed = deletion.is_proven
        if deletion.keys_left or deletion.is_proven:
            self._keys_left = deletion.keys_left
        if problem := deletion.problem(self.job.namespace, _storage_of(self.job.adapter_spec)):
            self.report(Note(problem))
            self._failures.append(problem)

    def _report_step(self) -> None:
        """Tell the launcher that the adapter still answers while it cleans up after a failure."""
        if self._is_cleaning_up and (self._failures or not self.job.phases):
            self.report(CleaningUp("; ".join(self._failures)))

    def _count_present(self, adapter: L2AdapterInterface) -> int:
        try:
            return len(self._keys(adapter).find(self.job.key_layout.stored))
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


def _storage_of(spec: Mapping[str, Any]) -> str:
    """Return the type of an adapter, and the path of its data if the spec names one.

    Only values of these fields are shown: others may be credentials.
    """
    return ", ".join([str(spec["type"]), *local_paths(spec)])
