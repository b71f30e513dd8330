"""The benchmark of an adapter behind LMCache's storage manager: the path that production takes."""

from __future__ import annotations

from collections.abc import Sequence

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.benchmarks.base import Report
from l2sweep.bench.benchmarks.lmcache_adapter import AdapterBenchmark
from l2sweep.bench.checks.sentinel import Sentinel
from l2sweep.bench.data import buffers
from l2sweep.bench.data.numbers import NumberPayload
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.data.serde_tolerance import tolerance_of
from l2sweep.bench.job import MIXED_PHASES, PHASES_THROUGH_STORAGE_MANAGER, Job
from l2sweep.bench.messages import PhaseEnded, PhaseStarted, RoundMeasured
from l2sweep.bench.phase import Phase
from l2sweep.bench.versions import lmcache_version
from l2sweep.bench.workload import Workload
from l2sweep.errors import RequestError


class StorageManagerBenchmark(AdapterBenchmark):
    """The benchmark of an adapter behind the storage manager.

    Only the creation of the adapter and, with a serde that quantizes, the payload differ from those of an
    adapter alone.

    Args:
        job: The job.
        report: Called with each message as soon as it applies.
        log: Holds the last warning or error of LMCache.

    Raises:
        RequestError: LMCache refuses the spec or its serde, or has another storage manager.
    """

    def __init__(self, job: Job, report: Report, log: LogWatch) -> None:
        super().__init__(job, report, log)
        try:
            from l2sweep.bench.storage_manager import adapter, create, serdes
        except ImportError as error:
            raise RequestError(
                [f"through=storage_manager: cannot be used with LMCache {lmcache_version()}: {error}"]
            ) from error
        self._create_manager = create.create
        self._adapter_class = adapter.ManagedAdapter
        if problems := serdes.serde_problems(job.adapter_spec):
            raise RequestError(problems)

    def _run_phases(self, adapter: L2AdapterInterface, buffer: buffers.L1Buffer, sentinel: Sentinel) -> None:
        super()._run_phases(adapter, buffer, sentinel)
        if self.job.concurrent and not self._stuck:
            self._run_mixed(adapter, buffer, sentinel)

    def _run_mixed(self, adapter: L2AdapterInterface, buffer: buffers.L1Buffer, sentinel: Sentinel) -> None:
        """Store new keys and load those of the store phase at the same time."""
        from l2sweep.bench.storage_manager.mixed import run_mixed

        assert isinstance(adapter, self._adapter_class)
        payload, layout = self._payload(), self.job.key_layout
        store, load = (
            Phase(
                self.job,
                name,
                adapter,
                buffers.region(buffer, self.job.workload, number),
                payload,
                self._log,
                self._task_ids,
            )
            for number, name in enumerate(PHASES_THROUGH_STORAGE_MANAGER)
        )
        adapter.shares_l1 = True
        self.report(PhaseStarted(MIXED_PHASES[0]))
        mixed = run_mixed(store, load, layout.later_rounds, range(self.job.workload.total_rounds))
        adapter.shares_l1 = False
        self._stuck = store.stuck or load.stuck
        problem = self._problem(store, [], "", sentinel).replace("store:", "mixed_store:", 1)
        for name, measured in mixed.items():
            if name != MIXED_PHASES[0]:
                self.report(PhaseStarted(name))
            for one in measured:
                self.report(one)
            self._failures += _failures(name, measured, self.job.workload)
            self._failures += [problem] if problem else []
            self.report(PhaseEnded(name, problem=problem))
            problem = ""

    def _create(self, buffer: buffers.L1Buffer) -> L2AdapterInterface:
        return self._create_manager(self._config, self.job)

    def _payload(self) -> Payload:
        job = self.job
        tolerance = tolerance_of(job.adapter_spec, job.serde_tolerance)
        if not tolerance:
            return super()._payload()
        return NumberPayload(job.workload.seed, job.payload_namespace, tolerance)


def _failures(name: str, measured: Sequence[RoundMeasured], workload: Workload) -> list[str]:
    """Return one line that says why rounds of a mixed phase failed or are missing; none if all are ok."""
    failed = [one for one in measured if not one.is_warmup and one.status != "ok"]
    if failed:
        return [f"{name}: {len(failed)} of {workload.rounds} rounds failed: {failed[0].detail}"]
    missing = workload.total_rounds - len(measured)
    if not missing:
        return []
    return [
        f"{name}: {missing} of {workload.total_rounds} rounds are missing, because the other side was in "
        "flight for less than half of them, or ended (larger rounds help: num_keys, in_flight)"
    ]
