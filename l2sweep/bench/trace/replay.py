"""Replay a trace: start each request at its moment, whether or not earlier ones have completed.

One thread submits and collects, as in a round. A request is a chain: its lookup, the load of the found
prefix, the store of the keys that are new. Requests overlap as the trace has them. Nothing slows the pace: an
operation that must wait for memory, or for a submit of the adapter that blocks, is late, and its lateness is
recorded beside its latency (coordinated omission: Tene, "How NOT to measure latency", 2013).
"""

from __future__ import annotations

import contextlib
import select
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from l2sweep.bench import clock
from l2sweep.bench.adapter.create import object_keys
from l2sweep.bench.adapter.verbs import Submit
from l2sweep.bench.checks.stored_keys import StoredBatch
from l2sweep.bench.control.timer import Timer
from l2sweep.bench.job import PHASES, Job
from l2sweep.bench.trace.channel import Channel, Operation
from l2sweep.bench.trace.key_states import KeyStates
from l2sweep.bench.trace.memory import ReplayMemory
from l2sweep.bench.trace.requests import RunningRequest, Trace, start_times
from l2sweep.bench.trace.results import outcome_of
from l2sweep.bench.trace.seconds import Outcome, ReplaySeconds

_LATE_RETRY_S = 0.1
# A lookup needs no memory, and a load frees some.
_ORDER = ("lookup", "load", "store")


class Replay:
    """One replay of a trace.

    Args:
        job: The job of the process.
        trace: The trace.
        channels: The three verbs of the adapter.
        memory: The memory of the stores and of the loads.
        seconds: Receives what completed.

    Attributes:
        stored: The stores that completed.
        is_stuck: Whether submits never completed, so that the adapter may still use their memory.
    """

    def __init__(
        self,
        job: Job,
        trace: Trace,
        channels: Mapping[str, Channel],
        memory: Mapping[str, ReplayMemory],
        seconds: ReplaySeconds,
    ) -> None:
        assert job.trace is not None
        self._job = job
        self._channels = channels
        self._memory = memory
        self._seconds = seconds
        self._to_start = deque(
            zip(range(len(trace.requests)), start_times(trace, job.trace.speed), trace.requests, strict=True)
        )
        self._running: dict[int, RunningRequest] = {}
        self._queues: dict[str, deque[Operation]] = {phase: deque() for phase in PHASES}
        self._keys = KeyStates(trace.num_keys)
        self._timer = Timer()
        self._poller = select.poll()
        for descriptor in (self._timer.fileno(), *(one.event_fd for one in channels.values())):
            self._poller.register(descriptor, select.POLLIN)
        self._start = 0.0
        self.stored: list[StoredBatch] = []
        self.is_stuck = False

    def run(self) -> None:
        """Replay the trace, and report each second as soon as it is over."""
        self._seconds.start()
        self._start = time.perf_counter()
        while self._to_start or self._running:
            now = self._now()
            self._seconds.move_to(now)
            if not (self._collect() or self._start_next() or self._submit_next() or self._end_stopped(now)):
                self._wait()
        self._seconds.end(self._now())
        self._wait_for_late()
        self._timer.close()

    def _now(self) -> float:
        return time.perf_counter() - self._start

    def _start_next(self) -> bool:
        """Start the next request if its moment has come, and return whether it has."""
        if not self._to_start:
            return False
        number, at_s, request = self._to_start[0]
        if at_s is None:
            if len(self._running) >= self._job.workload.in_flight:
                return False
            at_s = self._now()
        elif at_s > self._now():
            return False
        self._to_start.popleft()
        self._running[number] = RunningRequest(request)
        self._next_step(number, at_s)
        return True

    def _next_step(self, number: int, due_s: float) -> None:
        """Begin the next step of a request that has operations; without one, the request has ended."""
        progress = self._running[number]
        request = progress.request
        if not progress.step and request.looks_up:
            progress.step = "lookup"
            if self._plan(number, request.keys, due_s):
                return
        if progress.step == "lookup":
            progress.step = "load"
            if self._plan(number, progress.found_prefix, due_s):
                return
        if progress.step != "store" and request.stores:
            progress.step = "store"
            missing = self._keys.missing(request.keys, progress.found, progress.lost)
            self._keys.plan(missing)
            if self._plan(number, missing, due_s):
                return
        del self._running[number]

    def _plan(self, number: int, keys: Sequence[int], due_s: float) -> int:
        """Split the keys of a step into submits, queue them, and return their number."""
        progress, size = self._running[number], self._job.workload.num_keys
        operations = [
            Operation(progress.step, number, list(keys[start : start + size]), due_s)
            for start in range(0, len(keys), size)
        ]
        progress.open = len(operations)
        self._queues[progress.step] += operations
        return len(operations)

    def _submit_next(self) -> bool:
        """Submit an operation, or write one key of the next store, and return whether there was one.

        The payload of a store is written key by key, so that nothing else waits for all of it.
        """
        namespace = self._job.namespace
        for name in _ORDER:
            queue, channel = self._queues[name], self._channels[name]
            if not queue:
                continue
            operation = queue[0]
            if channel.broken:
                self._free(queue.popleft())
                self._end(operation, Outcome(rule=f"not submitted: {channel.broken}"))
                return True
            objects = []
            if name in self._memory:
                operation.slots = operation.slots or self._memory[name].take(len(operation.keys)) or []
                if not operation.slots:
                    continue
                if name == "store" and operation.filled < len(operation.keys):
                    self._memory[name].fill(
                        operation.slots[operation.filled], operation.keys[operation.filled]
                    )
                    operation.filled += 1
                    return True
                objects = self._memory[name].objects(operation.slots)
            queue.popleft()
            self._submit(operation, Submit(operation.keys, object_keys(operation.keys, namespace), objects))
            return True
        return False

    def _submit(self, operation: Operation, submit: Submit) -> None:
        if operation.verb == "store":
            self._keys.submit(operation.keys)
        elif operation.verb == "load":
            self._memory["load"].prepare_load(operation.slots, operation.keys)
        else:
            operation.before = self._keys.stored_before(operation.keys)
        operation.submitted_s = self._now()
        rule = self._channels[operation.verb].submit(operation, submit)
        if rule:
            if operation.rule and operation.slots:  # submitted, but no completion can be known
                self.is_stuck = True
            else:
                self._free(operation)
            self._end(operation, Outcome(rule=rule))

    def _collect(self) -> bool:
        """Collect completions that are signalled, and return whether there were any."""
        has_collected = False
        for name, channel in self._channels.items():
            if channel.is_signalled:
                has_collected = True
                self._drain(name, channel)
        return has_collected

    def _drain(self, name: str, channel: Channel) -> None:
        collected = channel.drain()
        now = self._now()
        self._seconds.move_to(now)
        for rule in collected.rules:
            self._seconds.add(name, Outcome(rule=rule))
        for operation, raw in collected.completed:
            self._complete(operation, raw, now)
        for operation in collected.freed:
            self._free(operation)
        for operation in collected.given_up:
            self.is_stuck = self.is_stuck or bool(operation.slots)
            self._end(operation, Outcome(rule=channel.broken))
        if channel.broken:
            with contextlib.suppress(KeyError):  # another verb may have the same descriptor
                self._poller.unregister(channel.event_fd)

    def _complete(self, operation: Operation, raw: Any, now: float) -> None:
        assert operation.submit is not None
        assert operation.submitted_s is not None
        completion = self._channels[operation.verb].verb.settle(operation.submit, raw)
        outcome = outcome_of(operation, completion, self._memory, self._keys, self._job)
        if not outcome.rule:
            outcome.latency_s = now - operation.submitted_s
            outcome.late_s = max(0.0, operation.submitted_s - operation.due_s)
        if operation.verb == "lookup" and not outcome.rule:
            progress = self._running[operation.request]
            found = {operation.keys[place] for place in completion.ok_positions or ()}
            progress.found |= found
            progress.lost |= {operation.keys[place] for place in operation.before} - found
        if operation.verb == "store":
            self._keys.complete(operation.keys, outcome.keys_ok)
            self.stored.append(StoredBatch(operation.keys, outcome.keys_ok))
        self._free(operation)
        self._end(operation, outcome, now)

    def _free(self, operation: Operation) -> None:
        if operation.slots:
            self._memory[operation.verb].give_back(operation.slots)

    def _end(self, operation: Operation, outcome: Outcome, now: float | None = None) -> None:
        """Count an operation, and go on with its request if it was the last of its step."""
        outcome.keys_requested = len(operation.keys)
        if operation.verb != "lookup":
            outcome.keys_expected = len(operation.keys)
            outcome.bytes_requested = len(operation.keys) * self._job.workload.data_size_bytes
        if operation.verb == "store" and outcome.latency_s is None:
            self._keys.complete(operation.keys, keys_ok=-1)
        self._seconds.add(operation.verb, outcome)
        progress = self._running[operation.request]
        progress.open -= 1
        if not progress.open:
            self._next_step(operation.request, self._now() if now is None else now)

    def _end_stopped(self, now: float) -> bool:
        """End operations whose time limit has passed, and those that wait for memory that nothing frees.

        Returns:
            Whether there were any.
        """
        has_ended = False
        for channel in self._channels.values():
            for operation in channel.timed_out(now):
                assert operation.submitted_s is not None
                self._end(operation, Outcome(waited_s=now - operation.submitted_s))
                has_ended = True
        for name in self._memory:
            queue, channel = self._queues[name], self._channels[name]
            if queue and not channel.pending:
                reason = "not submitted: its memory is in use by submits that exceeded their time limit"
                self._end(queue.popleft(), Outcome(rule=reason))
                has_ended = True
        return has_ended

    def _wait(self) -> None:
        """Wait for the next completion, request, end of a second, or time limit."""
        limits = [channel.next_timeout_s for channel in self._channels.values()]
        next_at_s = self._to_start[0][1] if self._to_start else None
        moments = [self._seconds.next_end_s, *(one for one in (next_at_s, *limits) if one is not None)]
        self._timer.set(self._start + min(moments))
        self._poller.poll()

    def _wait_for_late(self) -> None:
        """Wait for submits that exceeded their time limit, and discard their results."""
        deadline = time.perf_counter() + clock.LATE_GRACE_S
        channels = [channel for channel in self._channels.values() if not channel.broken]
        while any(channel.late for channel in channels) and time.perf_counter() < deadline:
            for channel in channels:
                if channel.late:
                    channel.drain()  # also without a signal: it may have been consumed already
            time.sleep(_LATE_RETRY_S)
        lost = [one for channel in self._channels.values() for one in channel.late.values() if one.slots]
        self.is_stuck = self.is_stuck or bool(lost)
