"""One phase of a point: run its warm-up and measured rounds, and judge each by the bytes that moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from numpy.typing import NDArray

from l2sweep.bench.adapter.contract import AdapterTaskIds, ContractError
from l2sweep.bench.adapter.create import object_keys
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.adapter.verbs import Submit, verb_of
from l2sweep.bench.block_devices import RoundDevices
from l2sweep.bench.checks.loaded_bytes import LoadCheck, Verification
from l2sweep.bench.checks.lookup_hits import judge_lookup
from l2sweep.bench.checks.round_files import RoundFiles
from l2sweep.bench.checks.round_status import outstanding, shortfall, status_of
from l2sweep.bench.checks.stored_keys import StoredBatch
from l2sweep.bench.checks.stored_memory import StoredMemory
from l2sweep.bench.clock import RoundClock, RoundTiming
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.job import Job
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.page_cache import flush_all
from l2sweep.bench.rendezvous.meeting import Meeting
from l2sweep.bench.rounds.counts import evicted_keys, loaded_from, stored_bytes
from l2sweep.bench.rounds.resource_usage import ResourceUsage
from l2sweep.bench.rounds.schedule import RoundSchedule, ScheduledRound
from l2sweep.errors import BenchError

# Between its rounds, a client waits for late submits (30 s), and makes and checks payload. Clients of one
# round take as long as its time limit apart. Not measured: a limit for a client that hangs.
_BETWEEN_ROUNDS_S = 60.0
_BETWEEN_ROUNDS_S_PER_GIB = 20.0


@dataclass
class Phase:
    """A phase and everything that its rounds need.

    Attributes:
        job: The job of the process.
        name: store, lookup or load.
        adapter: The adapter to measure.
        region: The memory of a round; None for lookups.
        payload: Generates and checks the bytes.
        log: Holds the first error or warning of LMCache.
        task_ids: The task ids that the adapter has returned.
        meeting: The meeting of the clients, who start each round together; None: there is only one.
        stuck: Whether submits never completed, so that the adapter may still use their memory.
        stored: The submits of a store phase that completed, warm-up rounds included.
        schedule: The rounds to run, and why they ended.
        rounds_with_error: Numbers of the rounds in which the adapter failed, and not only missed keys.
    """

    job: Job
    name: str
    adapter: L2AdapterInterface
    region: Region | None
    payload: Payload
    log: LogWatch
    task_ids: AdapterTaskIds = field(default_factory=AdapterTaskIds)
    meeting: Meeting | None = None
    stuck: bool = field(default=False, init=False)
    stored: list[StoredBatch] = field(default_factory=list, init=False)
    rounds_with_error: set[int] = field(default_factory=set, init=False)
    schedule: RoundSchedule = field(init=False)
    _load_check: LoadCheck | None = field(default=None, init=False)
    _stored_memory: StoredMemory | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Prepare the schedule of the rounds and the checks of the memory."""
        self.schedule = RoundSchedule(self.job.workload, self.job.stored_rounds)
        if self.region is None:
            return
        if self.name == "load":
            self._load_check = LoadCheck(self.job, self.region, self.payload)
        else:
            self._stored_memory = StoredMemory(self.job.workload, self.region)

    def run(self) -> Iterator[RoundMeasured]:
        """Run all rounds and yield the result of each as soon as it ends.

        If submits of a round never complete, the adapter may still use their memory. The later rounds are
        then not run, and are yielded as errors.
        """
        verb = verb_of(self.name, self.adapter, self.job.workload.data_size_bytes)
        try:
            memory = (self._load_check or self._stored_memory) if verb.moves_in_place else None
            clock = RoundClock(
                verb,
                self.job.timeout_s[self.name],
                self.task_ids.of(self.name),
                None if memory is None else memory.at_completion,
            )
        except ContractError as error:
            yield from self.not_run(0, f"not run: {error}")
            return
        if problem := self._together(lambda meeting, limit_s: meeting.compare_clocks(limit_s)):
            yield from self.not_run(0, f"not run: {problem}")
            return
        compared = {} if self.meeting is None else self.meeting.clock_columns()
        devices = RoundDevices(self.job, self.name)
        files = RoundFiles(self.job) if self.name == "load" else None
        if self.region is not None:
            self.region.clear()
        for scheduled in self.schedule:
            submits = self._submits(scheduled.index)
            self._prepare(submits)
            try:
                verb.prepare(submits)
            except BenchError as error:
                yield from self.not_run(scheduled.index, f"not run: {error}")
                return
            self.log.take()
            # Last: what an adapter reads between rounds is counted here, or by no counter of the round.
            resident = None if files is None else files.resident_fraction(_indices(submits))
            devices.start_round()
            if problem := self._together(lambda meeting, limit_s: meeting.meet(limit_s)):
                yield from self.not_run(scheduled.index, f"not run: {problem}")
                return
            timing = clock.time(submits)
            # At once: bytes that arrive later are too late.
            sample = None if self._load_check is None else self._load_check.sample()
            # What follows would disturb the clients that are still measured.
            problem = self._together(lambda meeting, limit_s: meeting.meet(limit_s))
            flush_s, flush_error = self._flush()
            if self._stored_memory is not None:  # after the flush, whose duration it would shorten
                self._stored_memory.overwrite(timing.completions)
            devices.end_round()  # before the check of every byte: what is read meanwhile is not of this round
            verification = self._check_loaded(scheduled, submits, timing, sample)
            measured = self._judge(scheduled, submits, timing, verification, flush_s, flush_error)
            self.schedule.add(measured.duration_s)
            yield devices.judge(replace(measured, resident_at_start_fraction=resident, **compared))
            if timing.outstanding and not clock.wait_for_late(timing.outstanding):
                self.stuck = True
                number = scheduled.index + 1
                yield from self.not_run(
                    number, f"not run: round {number} never completed ({outstanding(timing)})"
                )
                return
            if problem:
                yield from self.not_run(scheduled.index + 1, f"not run: {problem}")
                return

    def not_run(self, first: int, reason: str) -> Iterator[RoundMeasured]:
        """Yield the results of the rounds that are not run.

        Args:
            first: The first of them, counted from 0.
            reason: Why they are not run.
        """
        if self.meeting is not None:
            self.meeting.leave(f"{self.name}: {reason}")
        nothing = RoundTiming(None, None, {}, {}, {}, reason, ResourceUsage(0.0, 0.0, None, None))
        for scheduled in self.schedule.not_run(first):
            yield self._judge(scheduled, [], nothing, Verification())

    def _together(self, step: Callable[[Meeting, float], None]) -> str:
        """Do a step of the meeting of the clients, if there are several. Return why it failed; else empty."""
        if self.meeting is None:
            return ""
        workload = self.job.workload
        between_s = _BETWEEN_ROUNDS_S + workload.round_bytes / 2**30 * _BETWEEN_ROUNDS_S_PER_GIB
        try:
            step(self.meeting, self.job.timeout_s[self.name] + between_s)
        except BenchError as error:
            return str(error)
        return ""

    def _submits(self, index: int) -> list[Submit]:
        layout = self.job.key_layout
        batches = layout.lookup_round(index) if self.name == "lookup" else layout.transfer_round(index)
        objects = self.region.submits if self.region is not None else [[]] * len(batches)
        return [
            Submit(batch, object_keys(batch, self.job.namespace, self.job.kv_rank), memory)
            for batch, memory in zip(batches, objects, strict=True)
        ]

    def _prepare(self, submits: list[Submit]) -> None:
        if self.region is None:
            return
        indices = _indices(submits)
        if self._load_check is not None:
            self._load_check.prepare(indices)
            return
        for slot, index in zip(self.region.slots, indices, strict=True):
            self.payload.fill(slot, index)

    def _check_loaded(
        self,
        scheduled: ScheduledRound,
        submits: list[Submit],
        timing: RoundTiming,
        sample: NDArray[np.uint64] | None,
    ) -> Verification:
        if self._load_check is None or sample is None:
            return Verification()
        every_byte = self.job.verify and not scheduled.is_warmup
        return self._load_check.check(sample, submits, timing.completions, every_byte=every_byte)

    def _flush(self) -> tuple[float | None, str]:
        """Flush what a store round wrote. Return the seconds that it took, and the error if it failed."""
        if not self.job.flush_paths or self.name != "store":
            return None, ""
        try:
            return flush_all(self.job.flush_paths), ""
        except BenchError as error:
            return None, str(error)

    def _judge(
        self,
        scheduled: ScheduledRound,
        submits: list[Submit],
        timing: RoundTiming,
        verification: Verification,
        flush_s: float | None = None,
        flush_error: str = "",
    ) -> RoundMeasured:
        workload = self.job.workload
        wrong = verification.mismatched_keys
        keys_ok = sum(done.keys_ok for done in timing.completions.values()) - wrong
        bytes_ok = sum(done.bytes_ok for done in timing.completions.values())
        requested = expected = workload.keys_per_round
        false_hits = false_misses = None
        placement = ""
        if self.name == "lookup":
            lookup = judge_lookup(self.job, submits, timing.completions)
            keys_ok, expected = lookup.hits, self.job.key_layout.hits_per_round
            false_hits, false_misses, placement = lookup.false_hits, lookup.false_misses, lookup.detail
        elif self.name == "store":
            self.stored += [
                StoredBatch(submits[position].indices, done.keys_ok)
                for position, done in sorted(timing.completions.items())
            ]
        if timing.error:
            self.rounds_with_error.add(scheduled.index + 1)
        status = status_of(timing, keys_ok, expected)
        if flush_error or ((false_hits or verification.early_submits) and status in ("ok", "partial")):
            status = "error"
        reasons = [
            flush_error,
            timing.error,
            shortfall(self.name, timing, keys_ok, expected),
            placement,
            verification.detail,
        ]
        detail = "; ".join(part for part in [*reasons, self.log.take()] if part)
        # A load of fewer keys is shorter: it must not look like a fast one.
        evicted = {position for position, done in timing.completions.items() if done.evicted_keys}
        counted = sorted(timing.submit_latency_s.keys() - {*verification.early_submits, *evicted})
        return RoundMeasured(
            phase=self.name,
            round=scheduled.index + 1,
            is_warmup=scheduled.is_warmup,
            status=status,
            detail=detail,
            started_at_s=timing.started_at_s,
            duration_s=None if evicted else timing.duration_s,
            keys_requested=requested,
            keys_expected=expected,
            keys_ok=keys_ok,
            bytes_requested=0 if self.name == "lookup" else requested * workload.data_size_bytes,
            bytes_ok=bytes_ok - wrong * workload.data_size_bytes,
            submit_latency_s=[timing.submit_latency_s[position] for position in counted],
            verified_keys=verification.verified_keys,
            sampled_keys=verification.sampled_keys,
            mismatched_keys=wrong,
            false_hits=false_hits,
            false_misses=false_misses,
            cpu_user_s=timing.usage.cpu_user_s,
            cpu_sys_s=timing.usage.cpu_sys_s,
            device_read_bytes=timing.usage.device_read_bytes,
            device_write_bytes=timing.usage.device_write_bytes,
            flush_s=flush_s,
            submit_unfinished_s=[
                timing.submit_unfinished_s[position] for position in sorted(timing.submit_unfinished_s)
            ],
            elapsed_s=timing.elapsed_s,
            stored_bytes=stored_bytes(timing.completions.values()),
            evicted_keys=evicted_keys(timing.completions.values()),
            loaded_from=loaded_from(timing.completions.values()),
            submit_started_s=[timing.submit_started_s[position] for position in counted]
            if self.meeting is not None
            else [],
        )


def _indices(submits: list[Submit]) -> list[int]:
    return [index for submit in submits for index in submit.indices]
