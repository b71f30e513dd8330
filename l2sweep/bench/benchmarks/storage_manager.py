"""The benchmark of an adapter behind LMCache's storage manager: the path that production takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.benchmarks.base import Report
from l2sweep.bench.benchmarks.lmcache_adapter import AdapterBenchmark
from l2sweep.bench.data import buffers
from l2sweep.bench.data.numbers import NumberPayload
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.data.serde_tolerance import tolerance_of
from l2sweep.bench.job import Job, specs_of
from l2sweep.bench.versions import lmcache_version
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
        if problems := [one for spec in specs_of(job.adapter_spec) for one in serdes.serde_problems(spec)]:
            raise RequestError(problems)

    @contextmanager
    def _both_in_flight(self, adapter: L2AdapterInterface) -> Iterator[None]:
        assert isinstance(adapter, self._adapter_class)
        adapter.shares_l1 = True
        yield
        adapter.shares_l1 = False

    def _create(self, buffer: buffers.L1Buffer) -> L2AdapterInterface:
        return self._create_manager(self._configs, self.job)

    def _parts(self, adapter: L2AdapterInterface) -> Sequence[L2AdapterInterface]:
        assert isinstance(adapter, self._adapter_class)
        return adapter.parts

    def _payload(self) -> Payload:
        job = self.job
        tolerance = tolerance_of(job.adapter_spec, job.serde_tolerance)
        if not tolerance:
            return super()._payload()
        return NumberPayload(job.workload.seed, job.payload_namespace, tolerance)
