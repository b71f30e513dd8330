"""The clock: time one round of submits, from the first submit to the last completion."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from l2sweep.bench.adapter.contract import ContractError, TaskIds, in_one_line, raised_rule
from l2sweep.bench.adapter.event import Event
from l2sweep.bench.adapter.verbs import Completion, Submit, Verb
from l2sweep.bench.rounds.resource_usage import ResourceUsage

# A submit that completes later than this after its round timed out counts as lost. Rounds in a row that time
# out share it. A choice: with the deletion of keys it is within the 15 s that docs/truth.md promises.
LATE_GRACE_S = 5.0
# How long to wait for a signal before a late submit is looked for without one: its signal may be used up.
_LATE_RETRY_S = 0.1


@dataclass(frozen=True)
class RoundTiming:
    """The timing of one round.

    Attributes:
        started_at_s: Seconds since the epoch, just before the first submit; None if the round was not run.
        duration_s: Time from the first submit to the last completion; None if a submit did not complete, or
            the adapter broke a rule of its interface: nothing is known then that a throughput could rest on.
        completions: The submits that completed in time, by their position in the round.
        submit_latency_s: Time from each of these submits to its completion, by the same position, without
            submits that broke a rule.
        outstanding: The submits that did not complete, by their task id. A submit without a task id of its
            own, of which no completion can be known, has a text instead.
        error: The rules that the adapter broke, which include any exception; empty if it broke none.
        usage: Resources that the process used during the round.
        submit_unfinished_s: Time that each submit was waited for that did not complete, by its position.
        elapsed_s: Time from the first submit to the last completion, or to the moment at which the clock
            stopped if not all submits completed; None if the round was not run.
    """

    started_at_s: float | None
    duration_s: float | None
    completions: dict[int, Completion]
    submit_latency_s: dict[int, float]
    outstanding: dict[int | str, Submit]
    error: str
    usage: ResourceUsage
    submit_unfinished_s: dict[int, float] = field(default_factory=dict)
    elapsed_s: float | None = None


@dataclass
class _Tasks:
    """The tasks of a round while it runs.

    Attributes:
        pending: Positions of the submits that have not completed, by task id.
        raw: Raw results, by position.
        finished: When each result was collected, by position.
        untracked: Positions of submits without a task id of their own.
        broken: Broken rules of submits whose results do not count, by position.
        rules: Other broken rules.
        at_completion: As for the clock.
    """

    pending: dict[int, int] = field(default_factory=dict)
    raw: dict[int, Any] = field(default_factory=dict)
    finished: dict[int, float] = field(default_factory=dict)
    untracked: list[int] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    at_completion: Callable[[int], None] | None = None


@dataclass
class RoundClock:
    """Time the rounds of one verb.

    Attributes:
        verb: The verb to time.
        timeout_s: Seconds that a round may take, from its first submit.
        task_ids: The task ids that the adapter has returned for this verb.
        at_completion: Called with the position of each submit just after the moment that ends its latency.
            It takes part in the latency of the submits that are still in flight.

    Raises:
        ContractError: The adapter has no usable event descriptor.
    """

    verb: Verb
    timeout_s: float
    task_ids: TaskIds = field(default_factory=TaskIds)
    at_completion: Callable[[int], None] | None = None
    _event: Event = field(init=False)
    _waited_for_late_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Open the event descriptor of the verb once for all rounds."""
        try:
            self._event = Event(self.verb.event_fd)
        except Exception as raised:
            rule = raised_rule("getting the event descriptor", raised)
            raise ContractError(f"{self.verb.name}: {rule}") from raised

    def time(self, submits: list[Submit]) -> RoundTiming:
        """Submit one after another from this thread, then wait until every submit completes.

        Args:
            submits: The submits of the round. They are made before the clock starts.
        """
        # Looked up before the clock starts: an adapter's thread may wait for the interpreter lock meanwhile.
        clock = time.perf_counter
        submit_one, is_signalled, problem = self.verb.submit, self._event.is_signalled, self.task_ids.problem
        submitted: list[float] = []
        tasks = _Tasks(at_completion=self.at_completion)
        pending = tasks.pending
        can_drain = True
        collects = gc.isenabled()  # not where a second thread has a clock, see bench/mixed/rounds.py
        gc.disable()
        before = ResourceUsage.now()
        started_at_s = time.time()
        start = clock()
        deadline = start + self.timeout_s
        try:
            for position, submit in enumerate(submits):
                # Else what a blocking submit completed would wait for all later submits.
                if position and is_signalled() and clock() < deadline:
                    can_drain = self._drain(tasks)
                    if not can_drain:
                        break
                submitted.append(clock())
                task_id = submit_one(submit)
                rule = problem(task_id)
                if not rule:
                    pending[task_id] = position
                elif not self._can_track(tasks, task_id, position, rule):
                    break
        except Exception as raised:
            tasks.rules.append(raised_rule(self.verb.submit_call, raised))
        if can_drain:
            self._collect(tasks, deadline)
        stopped = clock()
        after = ResourceUsage.now()
        if collects:
            gc.enable()

        completions = {position: self._settle(tasks, submits[position], position) for position in tasks.raw}
        rules = [*tasks.rules, *tasks.broken.values()]
        all_completed = len(tasks.raw) == len(submits)
        last = max(tasks.finished.values()) if all_completed else stopped
        outstanding: dict[int | str, Submit] = {
            task_id: submits[position] for task_id, position in tasks.pending.items()
        }
        # A lookup has no memory that the adapter may still use.
        outstanding |= {f"submit {one}": submits[one] for one in tasks.untracked if submits[one].objects}
        self._waited_for_late_s *= bool(outstanding)  # until a round completes in time
        return RoundTiming(
            started_at_s=started_at_s,
            duration_s=last - start if all_completed and not rules else None,
            completions=completions,
            submit_latency_s={
                position: tasks.finished[position] - submitted[position]
                for position in tasks.raw
                if position not in tasks.broken
            },
            outstanding=outstanding,
            error=f"{self.verb.name}: {in_one_line(rules)}" if rules else "",
            usage=after.since(before),
            submit_unfinished_s={
                position: stopped - submitted[position] for position in tasks.pending.values()
            },
            elapsed_s=last - start,
        )

    def wait_for_late(self, outstanding: dict[int | str, Submit]) -> bool:
        """Wait for the submits that a round left outstanding, and discard their results.

        The adapter may use their memory until they complete, so no later round may start earlier.

        Args:
            outstanding: The submits, by their task id.

        Returns:
            Whether all of them completed.
        """
        task_ids = [task_id for task_id in outstanding if isinstance(task_id, int)]
        if len(task_ids) < len(outstanding):
            return False
        tasks = _Tasks(pending={task_id: position for position, task_id in enumerate(task_ids)})
        deadline = (start := time.perf_counter()) + LATE_GRACE_S - self._waited_for_late_s
        while True:
            has_drained = self._drain(tasks)  # also without a signal: it may have been consumed already
            remaining_s = deadline - time.perf_counter()
            if not tasks.pending or remaining_s <= 0:
                break
            if has_drained:
                self._event.wait(min(_LATE_RETRY_S, remaining_s))
            else:  # a descriptor that fails may look ready at once
                time.sleep(min(_LATE_RETRY_S, remaining_s))
        self._waited_for_late_s += time.perf_counter() - start
        for position, result in tasks.raw.items():
            self.verb.settle(outstanding[task_ids[position]], result)
        return not tasks.pending

    def _can_track(self, tasks: _Tasks, task_id: Any, position: int, rule: str) -> bool:
        """Return whether a submit whose task id breaks a rule can still be told from the others."""
        tasks.broken[position] = rule
        is_used = isinstance(task_id, int) and not isinstance(task_id, bool)
        if is_used and task_id not in tasks.pending:
            tasks.pending[task_id] = position
            return True
        if is_used:
            tasks.broken[tasks.pending[task_id]] = rule
        tasks.untracked.append(position)
        return False

    def _collect(self, tasks: _Tasks, deadline: float) -> None:
        clock, wait = time.perf_counter, self._event.wait
        while tasks.pending:
            remaining_s = deadline - clock()
            if remaining_s <= 0 or not wait(remaining_s) or not self._drain(tasks):
                return

    def _drain(self, tasks: _Tasks) -> bool:
        """Collect the results of completed tasks, and return whether the adapter raised no exception."""
        results: dict[int, Any] = {}
        failure: Exception | None = None
        try:
            # The signal is consumed before the results are read: a completion in between signals again.
            self._event.consume()
            for task_id, result in self.verb.drain(tasks.pending):
                results[task_id] = result
        except Exception as raised:
            failure = raised
        now = time.perf_counter()
        for task_id, result in results.items():
            position = tasks.pending.pop(task_id, None)
            if position is None:
                tasks.rules.append(self.task_ids.unexpected(task_id))
                continue
            tasks.raw[position] = result
            tasks.finished[position] = now
            if tasks.at_completion is not None:
                tasks.at_completion(position)
        if failure is not None:
            tasks.rules.append(raised_rule(self.verb.drain_call, failure))
        return failure is None

    def _settle(self, tasks: _Tasks, submit: Submit, position: int) -> Completion:
        completion = self.verb.settle(submit, tasks.raw[position])
        if position in tasks.broken:
            return Completion.broken(tasks.broken[position])
        if completion.broken_rule:
            tasks.broken[position] = completion.broken_rule
        return completion
