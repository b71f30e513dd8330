"""The benchmark of an adapter of LMCache: create it, run the phases, delete the keys."""

from __future__ import annotations

import gc
import platform
import resource
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import partial

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter import create as adapters
from l2sweep.bench.adapter.contract import AdapterTaskIds
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.benchmarks.base import Benchmark, Report
from l2sweep.bench.benchmarks.own_keys import OwnKeys
from l2sweep.bench.checks.after_phase import PhaseCheck, check_before_lookup, check_lookup, check_store
from l2sweep.bench.checks.sentinel import Sentinel
from l2sweep.bench.checks.stored_keys import StoredKeys
from l2sweep.bench.data import buffers
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.job import MIXED_PHASES, MOVING_PHASES, Job, specs_of
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
from l2sweep.bench.mixed.results import report_mixed
from l2sweep.bench.mixed.rounds import run_mixed
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
        self._configs = [adapters.parse_spec(spec) for spec in specs_of(job.adapter_spec)]
        self._task_ids: dict[L2AdapterInterface, AdapterTaskIds] = defaultdict(AdapterTaskIds)
        self._failures: list[str] = []
        self._stuck = self._is_cleaning_up = False
        self._own_keys = OwnKeys(report, self._failures)

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
            for part in self._parts(adapter):
                self._own_keys.remove_old(self._keys(part))
            make_region = partial(buffers.region, buffer, self.job.workload, 0)
            sentinels = [Sentinel(self._keys(part), make_region) for part in self._parts(adapter)]
            self._run_phases(adapter, buffer, sentinels)
            if self.job.concurrent and not self._stuck:
                self._run_mixed(adapter, buffer, sentinels)
            self._is_cleaning_up = True
            self._report_step()
            if not self._stuck:
                self._own_keys.remove(sentinels)
        except BenchError as error:
            self._failures.append(str(error))
        finally:
            self._is_cleaning_up = True
            # close() would wait for the submit that never completes
            if not self._stuck and not self._own_keys.is_stuck:
                self._report_step()
                self._close(adapter)

    def _create(self, buffer: buffers.L1Buffer) -> L2AdapterInterface:
        return adapters.create(self._configs[0], buffer)

    def _parts(self, adapter: L2AdapterInterface) -> Sequence[L2AdapterInterface]:
        """Return the L2 adapters that hold the keys: behind the storage manager there may be several."""
        return (adapter,)

    def _payload(self) -> Payload:
        return Payload(self.job.workload.seed, self.job.payload_namespace)

    def _keys(self, adapter: L2AdapterInterface) -> StoredKeys:
        return StoredKeys(adapter, self.job, self._task_ids[adapter], self._report_step)

    def _run_phases(
        self, adapter: L2AdapterInterface, buffer: buffers.L1Buffer, sentinels: Sequence[Sentinel]
    ) -> None:
        payload = self._payload()
        regions = 0
        prepare_process()
        for name in self.job.phases:
            region = None
            if name != "lookup":
                region = buffers.region(buffer, self.job.workload, regions)
                regions += 1
            phase = Phase(self.job, name, adapter, region, payload, self._log, self._task_ids[adapter])
            fraction = self._resident_fraction()
            self.report(PhaseStarted(name, fraction))
            require_cold(name, fraction, self.job.max_resident_fraction)
            is_lookup = name == "lookup" and not self._stuck
            before = check_before_lookup(sentinels[0]) if is_lookup else PhaseCheck()
            self._stuck = self._stuck or before.is_stuck
            measured = []
            for one in self._rounds(phase):
                measured.append(one)
                self.report(one)
            self._stuck = self._stuck or phase.stuck
            if name == "store":
                self.job = replace(self.job, stored_rounds=len(measured))
                for sentinel in sentinels:
                    sentinel.keys = self._keys(sentinel.keys.adapter)
            self._failures += self._phase_failures(phase, measured)
            fraction = self._resident_fraction()  # before a check of stored keys loads some of them
            problem = self._problem(phase, measured, before.problem, sentinels)
            self._failures += [problem] if problem else []
            self.report(PhaseEnded(name, fraction, problem, **asdict(phase.schedule.end)))

    def _run_mixed(
        self, adapter: L2AdapterInterface, buffer: buffers.L1Buffer, sentinels: Sequence[Sentinel]
    ) -> None:
        """Store new keys and load those of the store phase at the same time."""
        payload = self._payload()
        regions = (buffers.region(buffer, self.job.workload, number) for number in range(len(MOVING_PHASES)))
        store, load = (
            Phase(self.job, name, adapter, region, payload, self._log, self._task_ids[adapter])
            for name, region in zip(MOVING_PHASES, regions, strict=True)
        )

        self.report(PhaseStarted(MIXED_PHASES[0]))
        with self._both_in_flight(adapter):
            mixed = run_mixed(store, load)
        self._stuck = store.stuck or load.stuck
        problem = "" if self._stuck else self._problem_of_store(store, sentinels, is_loaded_later=False)
        problem = problem.replace("store:", f"{MIXED_PHASES[0]}:", 1)
        self._failures += report_mixed(mixed, self.job.workload, problem, self.report)

    def _both_in_flight(self, adapter: L2AdapterInterface) -> AbstractContextManager[None]:
        """Prepare the adapter for stores and loads at the same time. One alone needs nothing."""
        return nullcontext()

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

    def _problem(
        self, phase: Phase, measured: list[RoundMeasured], before: str, sentinels: Sequence[Sentinel]
    ) -> str:
        """Check a phase after its last round, and return why no round of it counts; empty if they count.

        Args:
            phase: The phase.
            measured: Its rounds.
            before: Why no sentinel was found before a lookup phase; empty if one was.
            sentinels: The sentinel in each adapter.
        """
        if self._stuck or (before and not all(one.keys_ok for one in measured)):
            return before  # rounds that all found keys show that their lookups were answered
        if phase.name == "store":
            return self._problem_of_store(phase, sentinels, is_loaded_later="load" in self.job.phases)
        must_check = phase.name == "lookup" and self._must_be_confirmed(measured)
        return self._problem_of(check_lookup(sentinels[0]) if must_check else PhaseCheck(), before)

    def _problem_of_store(self, phase: Phase, sentinels: Sequence[Sentinel], *, is_loaded_later: bool) -> str:
        """Check the stored keys in each adapter. A load takes them from the first one."""
        assert phase.region is not None
        problems = []
        for number, sentinel in enumerate(sentinels):
            checked = check_store(
                sentinel.keys,
                phase.stored,
                phase.region,
                phase.payload,
                is_loaded_later=is_loaded_later and number == 0,
            )
            if len(sentinels) > 1:
                checked = checked.in_adapter(number + 1)
            problems.append(self._problem_of(checked))
            if checked.is_stuck:
                break
        return "; ".join(filter(None, problems))

    def _problem_of(self, checked: PhaseCheck, note: str = "") -> str:
        self._stuck = checked.is_stuck
        for one in filter(None, (note, checked.note)):
            self.report(Note(one))
        return checked.problem

    def _must_be_confirmed(self, lookups: list[RoundMeasured]) -> bool:
        """Whether a round of a lookup phase found what it should, or may find fewer keys."""
        may_miss = not self.job.keys_stored
        return any(
            one.status in ("ok", "partial") or (may_miss and one.duration_s is not None) for one in lookups
        )

    def _report_step(self) -> None:
        """Tell the launcher that the adapter still answers while it cleans up after a failure."""
        if self._is_cleaning_up and (self._failures or not self.job.phases):
            self.report(CleaningUp("; ".join(self._failures)))

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
            keys_removed=self._own_keys.are_removed,
            keys_stay=self._own_keys.stay,
            keys_left=self._own_keys.left,
        )


def prepare_process() -> None:
    """Do the work that each process must do before a clock starts, and that needs no job."""
    buffers.start_torch_threads()
    gc.collect()
    gc.freeze()  # later collections skip the modules of LMCache and torch
