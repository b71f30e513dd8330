"""The benchmark that replays a trace on an adapter of LMCache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.adapter.verbs import VERBS
from l2sweep.bench.benchmarks.base import Report
from l2sweep.bench.benchmarks.lmcache_adapter import AdapterBenchmark, prepare_process
from l2sweep.bench.checks.after_phase import PhaseCheck, check_store
from l2sweep.bench.checks.sentinel import Sentinel
from l2sweep.bench.data import buffers
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.job import PHASES, Job
from l2sweep.bench.messages import Note, PhaseEnded, PhaseStarted
from l2sweep.bench.trace.channel import Channel
from l2sweep.bench.trace.memory import ReplayMemory
from l2sweep.bench.trace.reading import read_trace
from l2sweep.bench.trace.replay import Replay
from l2sweep.bench.trace.requests import Trace
from l2sweep.bench.trace.seconds import ReplaySeconds
from l2sweep.errors import BenchError

_PHASE = "trace"  # stores, lookups and loads run at the same time


class TraceBenchmark(AdapterBenchmark):
    """Replay the trace of a job. The adapter is created, and its keys are deleted, as for rounds.

    Args:
        job: The job, with a trace.
        report: Called with each message as soon as it applies.
        log: Holds the last warning or error of LMCache.

    Raises:
        RequestError: LMCache refuses the spec.
    """

    def __init__(self, job: Job, report: Report, log: LogWatch) -> None:
        super().__init__(job, report, log)
        assert job.trace is not None
        self._trace = job.trace

    def _run_phases(
        self, adapter: L2AdapterInterface, buffer: buffers.L1Buffer, sentinels: Sequence[Sentinel]
    ) -> None:
        trace = self._read()
        payload = Payload(self.job.workload.seed, self.job.payload_namespace)
        regions = {
            name: buffers.region(buffer, self.job.workload, number)
            for number, name in enumerate(("store", "load"))
        }
        memory = {
            name: ReplayMemory(region, payload, every_byte=self.job.verify)
            for name, region in regions.items()
        }
        channels = {
            name: Channel(
                VERBS[name](adapter, self.job.workload.data_size_bytes),
                self.job.timeout_s[name],
                self._task_ids[adapter].of(name),
            )
            for name in PHASES
        }
        seconds = ReplaySeconds(self.report, self._log, counts_false_hits=not self.job.shared_namespace)
        replay = Replay(self.job, trace, channels, memory, seconds)
        prepare_process()
        self.report(PhaseStarted(_PHASE, self._resident_fraction()))
        replay.run()
        self._stuck = replay.is_stuck
        for name in PHASES:
            self._failures += _failures(name, seconds)
        checked = PhaseCheck()
        if not self._stuck:
            # Some keys are loaded back: the trace may load none of what it stores.
            checked = check_store(
                self._keys(adapter), replay.stored, regions["store"], payload, is_loaded_later=False
            )
        self._stuck = self._stuck or checked.is_stuck
        if checked.note:
            self.report(Note(checked.note))
        self._failures += [checked.problem] if checked.problem else []
        fraction = self._resident_fraction()
        for name in PHASES:
            self.report(PhaseEnded(name, fraction, checked.problem if name == "store" else ""))

    def _read(self) -> Trace:
        try:
            trace, sha256 = read_trace(Path(self._trace.path))
        except (OSError, ValueError) as error:
            raise BenchError(f"trace={self._trace.path}: {error}") from error
        if sha256 != self._trace.sha256:
            raise BenchError(f"trace={self._trace.path}: the file has changed since the command was given")
        if trace.note:
            self.report(Note(f"trace={self._trace.path}: {trace.note}"))
        return trace


def _failures(phase: str, seconds: ReplaySeconds) -> list[str]:
    measured = [one for one in seconds.measured if one.phase == phase]
    failed = [one for one in measured if one.status != "ok"]
    if not failed:
        return []
    first = failed[0].detail.removeprefix(f"{phase}: ")
    return [f"{phase}: {len(failed)} of {len(measured)} seconds failed: {first}"]
