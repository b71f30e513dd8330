"""One point in one process: the adapter, its phases, and the traces removed afterwards."""

from __future__ import annotations

import gc
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.distributed.l2_adapters.config import L2AdapterConfigBase

from l2sweep.bench.adapter import create as adapters
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.adapter.operations import Lookup, Submit
from l2sweep.bench.clock import RoundClock
from l2sweep.bench.data import buffers
from l2sweep.bench.data.keys import KeyLayout
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.messages import (
    AdapterCreated,
    Finished,
    Message,
    Note,
    PhaseEnded,
    PhaseStarted,
    RoundMeasured,
)
from l2sweep.bench.page_cache import require_cold, resident_share
from l2sweep.bench.phase import Phase
from l2sweep.bench.request import PointRequest
from l2sweep.bench.versions import lmcache_release
from l2sweep.errors import BenchError

Report = Callable[[Message], None]


@dataclass
class PointRun:
    """A point under way.

    Attributes:
        request: The point.
        config: LMCache's configuration of the adapter.
        report: Where messages go.
        log: What LMCache warned of.
    """

    request: PointRequest
    config: L2AdapterConfigBase
    report: Report
    log: LogWatch
    _failures: list[str] = field(default_factory=list, init=False)
    _stuck: bool = field(default=False, init=False)
    _keys_removed: bool = field(default=False, init=False)
    _keys_stay: bool = field(default=False, init=False)

    def run(self) -> Finished:
        """Measure the point.

        Returns:
            How it ended. Whatever was measured has been reported by then.
        """
        moving = [phase for phase in self.request.phases if phase != "lookup"]
        try:
            self._measure(buffers.allocate(self.request, max(1, len(moving))))
        except BenchError as error:
            self._failures.append(str(error))
        return self._finished(self._failures)

    def _measure(self, buffer: buffers.L1Buffer) -> None:
        start = time.perf_counter()
        adapter = adapters.create(self.config, buffer)
        self.report(AdapterCreated(type(adapter).__name__, time.perf_counter() - start))
        try:
            self._make_room(adapter)
            self._run_phases(adapter, buffer)
            if self.request.delete_after and not self._stuck:
                self._keys_removed = self._delete_keys(adapter)
                self._keys_stay = not self._keys_removed
        finally:
            if not self._stuck:  # an adapter that waits for a submit that never completes does not close
                self._close(adapter)

    def _run_phases(self, adapter: L2AdapterInterface, buffer: buffers.L1Buffer) -> None:
        payload = Payload(self.request.seed)
        regions = 0
        get_ready()
        for name in self.request.phases:
            region = None
            if name != "lookup":
                region = buffers.region(buffer, self.request, regions, offset_addresses=_wants_offsets())
                regions += 1
            phase = Phase(self.request, name, adapter, region, payload, self.log)
            share = self._resident_share()
            self.report(PhaseStarted(name, share))
            require_cold(name, share, self.request.max_resident)
            measured = []
            rounds: Iterator[RoundMeasured]
            if self._stuck:
                reason = "not run: the adapter still holds submits of an earlier operation"
                rounds = (phase.not_run(index, reason) for index in range(self.request.total_rounds))
            else:
                rounds = phase.run()
            for one in rounds:
                measured.append(one)
                self.report(one)
            self._stuck = self._stuck or phase.stuck
            self._failures += self._phase_failures(name, measured)
            self.report(PhaseEnded(name, self._resident_share()))

    def _resident_share(self) -> float | None:
        return resident_share(self.request.cache_paths, self.request.namespace)

    def _phase_failures(self, name: str, measured: list[RoundMeasured]) -> list[str]:
        """Say in one line what went wrong in a phase's measured rounds.

        A lookup alone may find less than was hoped for: its hit rate is an upper bound. After a store of
        this point the keys must be there.
        """
        misses_allowed = name == "lookup" and not self.request.keys_stored
        bad = [
            one
            for one in measured
            if not one.is_warmup
            and one.status != "ok"
            and not (misses_allowed and one.duration_s is not None and one.keys_ok < one.keys_expected)
        ]
        if not bad:
            return []
        counts = ", ".join(
            f"{count} {status}" for status, count in Counter(one.status for one in bad).items()
        )
        return [f"{name}: {counts} of {self.request.rounds} rounds: {bad[0].detail}"]

    def _make_room(self, adapter: L2AdapterInterface) -> None:
        """Delete the point's own keys where an earlier run may have left them, and see that they are gone.

        Raises:
            BenchError: Keys are still there: a store of them would move nothing.
        """
        if "store" not in self.request.phases or self.request.fresh_namespace:
            return
        if self.request.delete_before:
            self._delete_keys(adapter)
        present = self._count_present(adapter)
        if present and not adapters.can_delete(adapter):
            raise BenchError(
                f"store: {present} keys of namespace {self.request.namespace!r} are already there, and "
                f"{type(adapter).__name__} cannot delete; give a namespace of its own (namespace=...)"
            )
        if present:
            raise BenchError(
                f"store: {present} keys of namespace {self.request.namespace!r} are still there after "
                "they were deleted"
            )

    def _delete_keys(self, adapter: L2AdapterInterface) -> bool:
        """Delete the point's own keys; return whether the adapter can."""
        stored = KeyLayout.of(self.request).stored
        if not adapters.can_delete(adapter):
            self.report(Note(f"{type(adapter).__name__} cannot delete: {len(stored)} keys may stay"))
            return False
        adapters.delete(adapter, stored, self.request.namespace)
        return True

    def _count_present(self, adapter: L2AdapterInterface) -> int:
        stored = list(KeyLayout.of(self.request).stored)
        operation = Lookup(adapter, self.request.data_size_bytes)
        clock = RoundClock(operation, self.request.timeout_s["lookup"])
        submit = Submit(stored, adapters.object_keys(stored, self.request.namespace), [])
        timing = clock.time([submit])
        if timing.outstanding or timing.error:
            self._stuck = bool(timing.outstanding)
            raise BenchError(f"the lookup of keys from earlier runs failed: {timing.error or 'timed out'}")
        return timing.completions[0].keys_ok

    def _close(self, adapter: L2AdapterInterface) -> None:
        try:
            adapter.close()
        except Exception as error:
            self.report(Note(f"adapter.close() failed: {type(error).__name__}: {error}"))

    def _finished(self, failures: list[str]) -> Finished:
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        last_words = self.log.take() if failures else ""
        return Finished(
            exit_code=1 if failures else 0,
            detail="; ".join([*failures, *([last_words] if last_words else [])]),
            peak_rss_bytes=peak_kib * 1024,
            keys_removed=self._keys_removed,
            keys_stay=self._keys_stay,
        )


def get_ready() -> None:
    """Do what must be done in every process before a clock starts, and needs no request."""
    buffers.start_torch_threads()
    gc.collect()
    gc.freeze()  # the collector need not look at LMCache's and torch's modules again


def _wants_offsets() -> bool:
    """Whether a memory object's address is its offset in the buffer: since LMCache 0.5.4."""
    return lmcache_release() >= (0, 5, 4)
