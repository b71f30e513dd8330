"""The submits of one verb that are in flight: submit, collect completions, and notice time limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from l2sweep.bench.adapter.contract import TaskIds, raised_rule
from l2sweep.bench.adapter.event import Event
from l2sweep.bench.adapter.verbs import Submit, Verb
from l2sweep.errors import BenchError


@dataclass(eq=False)
class Operation:
    """One submit of a request.

    Attributes:
        verb: store, lookup or load.
        request: Number of its request.
        keys: Key indices.
        due_s: When it was due, in seconds since the start of the replay, as are the other moments.
        slots: Its memory; empty for a lookup.
        filled: For a store, the number of keys whose payload has been written into it.
        before: For a lookup, the positions of the keys that were stored when it was submitted.
        submitted_s: When it was submitted; None before.
        rule: The rule that its task id broke; empty if it broke none. Its result does not count then.
    """

    verb: str
    request: int
    keys: list[int]
    due_s: float
    slots: list[int] = field(default_factory=list)
    filled: int = 0
    before: frozenset[int] = frozenset()
    submitted_s: float | None = None
    rule: str = ""
    submit: Submit | None = None


@dataclass
class Collected:
    """What was collected from an adapter.

    Attributes:
        completed: The operations that completed in time, with their raw results.
        freed: Operations that completed after their time limit: their memory is free again.
        given_up: Operations in flight of which no completion can be collected any more.
        rules: Rules that the adapter broke, of no operation in flight.
    """

    completed: list[tuple[Operation, Any]] = field(default_factory=list)
    freed: list[Operation] = field(default_factory=list)
    given_up: list[Operation] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


class Channel:
    """One verb of an adapter.

    Args:
        verb: The verb.
        timeout_s: Seconds that a submit may take.
        task_ids: The task ids that the adapter has returned for this verb.

    Raises:
        BenchError: The adapter has no usable event descriptor.

    Attributes:
        verb: The verb.
        pending: The operations that are waited for, by task id, in the order of their submits.
        late: Those that exceeded their time limit. The adapter may still use their memory.
        broken: Why no completion can be collected any more; empty while it can.
    """

    def __init__(self, verb: Verb, timeout_s: float, task_ids: TaskIds) -> None:
        self.verb = verb
        self.pending: dict[int, Operation] = {}
        self.late: dict[int, Operation] = {}
        self.broken = ""
        self._timeout_s = timeout_s
        self._task_ids = task_ids
        try:
            self.event_fd = verb.event_fd
            self._event = Event(self.event_fd)
        except Exception as raised:
            raise BenchError(
                f"{verb.name}: {raised_rule('getting the event descriptor', raised)}"
            ) from raised

    @property
    def is_signalled(self) -> bool:
        """Whether a completion may be collected."""
        return not self.broken and bool(self._event.is_signalled())

    def submit(self, operation: Operation, submit: Submit) -> str:
        """Submit an operation.

        Args:
            operation: The operation.
            submit: Its keys and memory.

        Returns:
            Why it is not in flight; empty if it is. A task id that breaks a rule ends the operation, unless
            its completion can still be told from the others.
        """
        operation.submit = submit
        try:
            task_id = self.verb.submit(submit)
        except Exception as raised:
            return raised_rule(self.verb.submit_call, raised)
        rule = self._task_ids.problem(task_id)
        if not rule:
            self.pending[task_id] = operation
            return ""
        operation.rule = rule
        is_number = isinstance(task_id, int) and not isinstance(task_id, bool)
        if is_number and task_id not in self.pending and task_id not in self.late:
            self.pending[task_id] = operation
            return ""
        if is_number and task_id in self.pending:
            self.pending[task_id].rule = rule
        return rule

    def drain(self) -> Collected:
        """Collect completions."""
        collected = Collected()
        try:
            self._event.consume()  # before the results are read: a completion in between signals again
            results = list(self.verb.drain([*self.pending, *self.late] if self.late else self.pending))
        except Exception as raised:
            self.broken = raised_rule(self.verb.drain_call, raised)
            collected.given_up = list(self.pending.values())
            self.late |= self.pending
            self.pending = {}
            return collected
        for task_id, raw in results:
            if task_id in self.pending:
                collected.completed.append((self.pending.pop(task_id), raw))
            elif task_id in self.late:
                operation = self.late.pop(task_id)
                assert operation.submit is not None
                self.verb.settle(operation.submit, raw)
                collected.freed.append(operation)
            else:
                collected.rules.append(self._task_ids.unexpected(task_id))
        return collected

    def timed_out(self, now_s: float) -> Iterator[Operation]:
        """Yield the operations whose time limit has passed; from then on they are late.

        Args:
            now_s: Seconds since the start of the replay.
        """
        while self.next_timeout_s is not None and self.next_timeout_s <= now_s:
            task_id = next(iter(self.pending))
            self.late[task_id] = self.pending.pop(task_id)
            yield self.late[task_id]

    @property
    def next_timeout_s(self) -> float | None:
        """When the next time limit passes; None if nothing is in flight."""
        first = next(iter(self.pending.values()), None)
        return None if first is None or first.submitted_s is None else first.submitted_s + self._timeout_s
