"""One operation of a point: its warm-up and measured rounds, each judged by what moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter.create import object_keys
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.adapter.operations import OPERATIONS, Completion, Submit
from l2sweep.bench.clock import Cost, RoundClock, RoundTiming
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.keys import KeyLayout
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.page_cache import flush_all
from l2sweep.bench.request import PointRequest
from l2sweep.errors import BenchError


@dataclass(frozen=True)
class Verification:
    """What checking the bytes of a load round found.

    Attributes:
        verified_keys: Keys that were checked.
        mismatched_keys: Of them, those that differ.
        detail: The first difference; empty where there is none.
    """

    verified_keys: int = 0
    mismatched_keys: int = 0
    detail: str = ""


@dataclass
class Phase:
    """An operation and all that its rounds need.

    Attributes:
        request: The point.
        name: store, lookup or load.
        adapter: The adapter.
        region: The memory of a round; None for lookups.
        payload: Makes and checks the bytes.
        log: What LMCache warned of.
        stuck: Submits never completed; their memory is still the adapter's.
    """

    request: PointRequest
    name: str
    adapter: L2AdapterInterface
    region: Region | None
    payload: Payload
    log: LogWatch
    stuck: bool = field(default=False, init=False)

    def run(self) -> Iterator[RoundMeasured]:
        """Run every round and yield each as soon as it ended.

        When submits of a round never complete, their memory stays the adapter's: the rounds behind it are
        not run, and are yielded as errors that say so.
        """
        operation = OPERATIONS[self.name](self.adapter, self.request.data_size_bytes)
        clock = RoundClock(operation, self.request.timeout_s[self.name])
        if self.region is not None:
            self.region.clear()
        for index in range(self.request.total_rounds):
            submits = self._submits(index)
            self._prepare(submits)
            self.log.take()
            timing = clock.time(submits)
            flush_s, flush_error = self._flush()
            yield self._judge(index, submits, timing, flush_s, flush_error)
            if timing.outstanding and not clock.wait_for_late(timing.outstanding):
                self.stuck = True
                reason = f"not run: {len(timing.outstanding)} submits of round {index + 1} never completed"
                for later in range(index + 1, self.request.total_rounds):
                    yield self.not_run(later, reason)
                return

    def not_run(self, index: int, reason: str) -> RoundMeasured:
        """Return the record of a round that was not run."""
        nothing = RoundTiming(None, None, {}, {}, {}, reason, Cost(0.0, 0.0, None, None))
        return self._judge(index, [], nothing)

    def _submits(self, index: int) -> list[Submit]:
        layout = KeyLayout.of(self.request)
        batches = layout.lookup_round(index) if self.name == "lookup" else layout.transfer_round(index)
        objects = self.region.submits if self.region is not None else [[]] * len(batches)
        return [
            Submit(batch, object_keys(batch, self.request.namespace), memory)
            for batch, memory in zip(batches, objects, strict=True)
        ]

    def _prepare(self, submits: list[Submit]) -> None:
        if self.region is None:
            return
        if self.name == "load":
            self.region.clear()  # what is not loaded must not look like what was
            return
        for slot, index in zip(self.region.slots, _all_indices(submits), strict=True):
            self.payload.fill(slot, index)

    def _flush(self) -> tuple[float | None, str]:
        """Flush what a store round wrote, and return the seconds that it took, or what went wrong."""
        if not self.request.flush_paths or self.name != "store":
            return None, ""
        try:
            return flush_all(self.request.flush_paths), ""
        except BenchError as error:
            return None, str(error)

    def _judge(
        self,
        index: int,
        submits: list[Submit],
        timing: RoundTiming,
        flush_s: float | None = None,
        flush_error: str = "",
    ) -> RoundMeasured:
        request = self.request
        is_warmup = index < request.warmup_rounds
        verification = Verification()
        if self.name == "load" and request.verify and not is_warmup:
            verification = self._verify(submits, timing.completions)
        wrong = verification.mismatched_keys
        keys_ok = sum(done.keys_ok for done in timing.completions.values()) - wrong
        bytes_ok = sum(done.bytes_ok for done in timing.completions.values())
        requested = request.keys_per_round
        expected = KeyLayout.of(request).hits_per_round if self.name == "lookup" else requested
        status = "error" if flush_error else _status(timing, keys_ok, expected)
        reasons = [
            flush_error,
            timing.error,
            _shortfall(self.name, timing, keys_ok, expected),
            verification.detail,
        ]
        detail = "; ".join(part for part in [*reasons, self.log.take()] if part)
        return RoundMeasured(
            phase=self.name,
            round=index + 1,
            is_warmup=is_warmup,
            status=status,
            detail=detail,
            started_at_s=timing.started_at_s,
            duration_s=timing.duration_s,
            keys_requested=requested,
            keys_expected=expected,
            keys_ok=keys_ok,
            bytes_requested=0 if self.name == "lookup" else requested * request.data_size_bytes,
            bytes_ok=bytes_ok - wrong * request.data_size_bytes,
            submit_latency_s=[
                timing.submit_latency_s[position] for position in sorted(timing.submit_latency_s)
            ],
            verified_keys=verification.verified_keys,
            mismatched_keys=wrong,
            cpu_user_s=timing.cost.cpu_user_s,
            cpu_sys_s=timing.cost.cpu_sys_s,
            device_read_bytes=timing.cost.device_read_bytes,
            device_write_bytes=timing.cost.device_write_bytes,
            flush_s=flush_s,
        )

    def _verify(self, submits: list[Submit], completions: dict[int, Completion]) -> Verification:
        assert self.region is not None
        verified = 0
        wrong = 0
        detail = ""
        for submit_position, completion in sorted(completions.items()):
            submit = submits[submit_position]
            for key_position in completion.ok_positions or ():
                position = submit_position * self.request.num_keys + key_position
                index = submit.indices[key_position]
                offset = self.payload.first_difference(self.region.slots[position], index)
                verified += 1
                if offset is None:
                    continue
                wrong += 1
                detail = detail or f"first at key {index}, byte {offset}"
        if wrong:
            detail = f"{wrong} of {verified} loaded keys have wrong bytes, {detail}"
        return Verification(verified, wrong, detail)


def _all_indices(submits: list[Submit]) -> Iterator[int]:
    for submit in submits:
        yield from submit.indices


def _status(timing: RoundTiming, keys_ok: int, expected: int) -> str:
    if timing.error:
        return "error"
    if timing.outstanding:
        return "timeout"
    if keys_ok == expected:
        return "ok"
    return "partial" if keys_ok else "error"


def _shortfall(name: str, timing: RoundTiming, keys_ok: int, expected: int) -> str:
    if timing.error:
        return ""
    if timing.outstanding:
        return f"{len(timing.outstanding)} submits did not complete in time"
    if keys_ok == expected:
        return ""
    if name == "lookup":
        return f"{keys_ok} keys found, {expected} expected"
    failed = sum(completion.failed for completion in timing.completions.values())
    if name == "load":
        return f"{keys_ok} of {expected} keys loaded"
    if failed:
        return f"{keys_ok} of {expected} keys stored, {failed} submits failed"
    return (
        f"{keys_ok} of {expected} keys stored: LMCache reports success without moving the others, "
        "as it does for keys that are already there or do not fit"
    )
