"""The hosts of a sweep: wait until they have joined, let them check its points, and run these on them."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any

from l2sweep import interrupts
from l2sweep.bench.messages import Message
from l2sweep.cluster.attempt import ClusterAttempt, Member, named_apart
from l2sweep.cluster.line.connection import LineLostError
from l2sweep.cluster.line.messages import Checked, Leave, from_line
from l2sweep.cluster.line.readable import readable
from l2sweep.cluster.point_checks import PointChecks, problems_of
from l2sweep.cluster.reception import Joined, Reception
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError, RequestError
from l2sweep.sweep.attempt.host_attempt import SweepContext
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.runs import PointRun, Todo

_LOOK_S = 1.0
_SOON_S = 5.0  # hosts that join within this time are not worth a line

Problem = Callable[[], str | None]


class Hosts(contextlib.AbstractContextManager["Hosts"]):
    """The hosts of a sweep, as the loop of the sweep sees them.

    Args:
        reception: Lets workers join.
        size: Number of hosts.
        wait_s: How long to wait for hosts that have not joined, or were lost, in seconds.
        plugin_folders: Returns the folders from which the processes can also import.
        problem: Returns why workers cannot join, for example because their engine is gone; None if they can.
        note: Called with each line for the user.

    Attributes:
        size: Number of hosts.
    """

    def __init__(
        self,
        reception: Reception,
        size: int,
        wait_s: float,
        plugin_folders: Callable[[], tuple[str, ...]],
        problem: Problem,
        note: Callable[[str], None],
    ) -> None:
        self.size = size
        self._reception = reception
        self._wait_s = wait_s
        self._problem = problem
        self._note = note
        self._members: dict[int, Member] = {}
        self._running: list[ClusterAttempt] = []
        self._numbers = itertools.count(1)
        self._checks = PointChecks(plugin_folders)
        self._noted: set[str] = set()

    def __exit__(self, *error: object) -> None:
        """Tell all workers that the sweep has ended, also those that have joined just now."""
        self._reception.end()
        self._checks.end()
        for joined in self._reception.joined():
            self._join(joined)
        for member in self._members.values():
            member.send(Leave())
            member.connection.close()

    def check(self, plan: Plan, to_run: Sequence[PlannedPoint], sweep: SweepConfig) -> None:
        """Wait until all hosts have joined, and let each of them check the points.

        A worker that joins later checks them as well. Until then it runs nothing.

        Args:
            plan: All points of the sweep.
            to_run: The points that are not measured yet.
            sweep: The options of the sweep.

        Raises:
            RequestError: A host cannot run them. The problem names the host.
            BenchError: Hosts did not join in time.
            KeyboardInterrupt: The user asked to stop.
        """
        self._checks.begin(plan, to_run, sweep, self._members.values())
        self._gather()
        if problems := problems_of(self._members.values()):
            raise RequestError(problems)

    def run(
        self, context: SweepContext, todo: Todo, show: PointRun
    ) -> Iterator[tuple[PlannedPoint, PointResult]]:
        """Run points on the hosts, as many at the same time as there are free hosts, and yield their results.

        Args:
            context: The sweep.
            todo: The points.
            show: Shows the points that run.

        Raises:
            BenchError: Hosts did not join in time, or a row cannot be written.
        """
        waiting: list[PlannedPoint] = []
        is_serial = context.sweep.fleet and context.sweep.fleet_order == "serial"
        self._gather_ready(todo)
        while True:
            while len(waiting) < self.size and (planned := todo.take()) is not None:
                waiting.append(planned)
            if todo.has_ended:
                waiting.clear()
            self._start(context, waiting, show, is_serial=is_serial)
            if not self._running:
                if not waiting:
                    return
                self._gather_ready(todo)
                continue
            # One result at a time: while many are written, the other hosts must be heard.
            self._follow(0.0 if any(one.has_ended for one in self._running) else _LOOK_S)
            ended = next((one for one in self._running if one.has_ended), None)
            if ended is not None:
                self._running.remove(ended)
                yield ended.planned, ended.result

    def _gather_ready(self, todo: Todo) -> None:
        """Wait until all hosts have joined and can run the points, or no point may start any more.

        Raises:
            BenchError: They do not in time, or one that has joined later cannot run them.
        """
        with contextlib.suppress(KeyboardInterrupt):  # the user asked to stop: then no point may start
            self._gather(lambda: todo.has_ended)
        if not todo.has_ended and (problems := problems_of(self._members.values())):
            raise BenchError("; ".join(problems))

    def _gather(self, is_needless: Callable[[], bool] = lambda: False) -> None:
        """Wait until all hosts have joined, and have checked the points.

        Args:
            is_needless: Returns whether they are needed no more.

        Raises:
            BenchError: They do not join in time.
            KeyboardInterrupt: The user asked to stop.
        """
        begun_at = time.monotonic()
        has_told = False
        while not is_needless():
            reachable = self._reachable()
            missing = sorted(set(range(self.size)) - set(reachable))
            if not missing:
                if all(self._members[rank].problems is not None for rank in reachable):
                    return
                begun_at = time.monotonic()  # a check has limits of its own
                self._listen(_LOOK_S)
                continue
            if problem := self._problem():
                raise BenchError(problem)
            ranks = ", ".join(map(str, missing[:10])) + (" and more" if len(missing) > 10 else "")
            waited_s = time.monotonic() - begun_at
            if waited_s > self._wait_s:
                raise BenchError(
                    f"{self.size - len(missing)} of {self.size} hosts joined at {self._reception.place} "
                    f"within cluster.wait_s={self._wait_s:g}: missing is rank {ranks}"
                )
            if waited_s > _SOON_S and not has_told:
                has_told = True
                limit = f"for {self._wait_s:g} s at most"
                self._note(
                    f"waiting at {self._reception.place} for rank {ranks} of {self.size} hosts, {limit}"
                )
            self._listen(_LOOK_S)

    def _reachable(self) -> Sequence[int]:
        return [rank for rank, member in self._members.items() if not member.connection.is_lost]

    def _start(
        self, context: SweepContext, waiting: list[PlannedPoint], show: PointRun, *, is_serial: bool
    ) -> None:
        """Start the points that can run on hosts that are free."""
        busy = {member.rank for attempt in self._running for member in attempt.members}
        ready = {rank for rank in self._reachable() if self._members[rank].problems == ()}
        free = ready - busy
        for planned in list(waiting):
            if not free or (is_serial and self._running):
                return
            members = self._chosen(planned, free)
            if members is None:
                continue
            free -= {member.rank for member in members}
            waiting.remove(planned)
            show.started(planned)
            is_alone = planned.config.hosts == self.size
            attempt = ClusterAttempt(
                next(self._numbers),
                context,
                planned,
                members,
                show.message if is_alone else _ignore,
            )
            self._running.append(attempt)

    def _chosen(self, planned: PlannedPoint, free: Set[int]) -> list[Member] | None:
        """Return the hosts for a point; None if it has to wait."""
        if planned.rank is not None:
            free = free & {planned.rank}
        needed = planned.config.hosts
        if len(free) < needed:
            return None
        return [self._members[rank] for rank in heapq.nsmallest(needed, free)]

    def _follow(self, limit_s: float) -> None:
        """Wait for the hosts, and hand what they send to the attempts that run."""
        try:
            self._listen(limit_s)
        except KeyboardInterrupt:
            for attempt in self._running:
                attempt.stop()
        if interrupts.hurried():
            for attempt in self._running:
                for member in attempt.members:
                    attempt.lose(member, "stopped by the user")
        for attempt in self._running:
            for member in attempt.late:  # it begins nothing else before it has ended this attempt
                self._lose(member, "its rows did not arrive in time")

    def _listen(self, limit_s: float) -> None:
        """Wait for a message or a worker, and take what has arrived."""
        reachable = [self._members[rank] for rank in self._reachable()]
        sources: list[Any] = [self._reception, *(member.connection for member in reachable)]
        with interrupts.interruptible():  # only the wait: what arrives must be taken as a whole
            arrived = readable(sources, limit_s)
        attempts = {member: attempt for attempt in self._running for member in attempt.members}
        for member in reachable:
            if member.connection in arrived:
                self._take_from(member, attempts.get(member))
        if self._reception in arrived:
            for joined in self._reception.joined():
                self._join(joined)
            for sentence in self._reception.refused():
                if sentence not in self._noted:  # a stranger can try again and again
                    self._noted.add(sentence)
                    self._note(sentence)
        for member in [member for attempt in self._running for member in attempt.members]:
            if member.connection.is_lost:  # noticed while a message was sent
                self._lose(member, member.connection.problem)

    def _take_from(self, member: Member, attempt: ClusterAttempt | None) -> None:
        try:
            for values in member.connection.arrived():
                message = from_line(values)
                if isinstance(message, Checked):
                    self._checks.take(member, message)
                    if self._running:  # it has joined while other hosts measure, and they go on without it
                        for sentence in problems_of([member]):
                            self._note(sentence)
                elif attempt is not None and getattr(message, "number", None) == attempt.number:
                    attempt.take(member, message)
        except (LineLostError, ValueError) as error:
            self._lose(member, str(error))

    def _lose(self, member: Member, reason: str) -> None:
        member.connection.close()
        for attempt in self._running:
            if member in attempt.members:
                attempt.lose(member, self._problem() or reason)

    def _join(self, joined: Joined) -> None:
        """Let a worker take part. One that joins again has lost its connection, and so its attempt."""
        rank = joined.worker.rank
        if (before := self._members.get(rank)) is not None and not before.connection.is_lost:
            self._lose(before, "it joined again")
        new = self._members[rank] = Member(rank, "", joined.worker.machine, joined.connection)
        for member, host in named_apart(list(self._members.values())):
            member.host = host
        self._checks.ask(new)


def _ignore(message: Message) -> None:
    """Show nothing: several points run at the same time."""
