"""An attempt at a point that runs on one or several hosts, as the launcher follows it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from l2sweep.bench.messages import Message
from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.cluster.line.messages import (
    Begin,
    Ended,
    Heard,
    LineMessage,
    Lost,
    Measured,
    Opened,
    Stop,
    to_line,
)
from l2sweep.interrupts import requested
from l2sweep.process.report import ProcessReport
from l2sweep.records.environment import Machine, Storage
from l2sweep.sweep.attempt.host_attempt import SweepContext, log_file
from l2sweep.sweep.attempt.point_attempt import PointResult, recorded
from l2sweep.sweep.cache.coldness import CacheEvidence
from l2sweep.sweep.clients.host_rows import HostRows
from l2sweep.sweep.clients.jobs import client_jobs
from l2sweep.sweep.clients.live_messages import LiveMessages
from l2sweep.sweep.clients.share import Share
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.rows import PointColumns
from l2sweep.sweep.state.own_names import run_label

# Rows of a host that has measured for this much longer than its processes may live never arrive.
_LATE_S = 180.0
_STOP_LIMIT_S = 60.0


@dataclass(eq=False)
class Member:
    """A host that takes part.

    Attributes:
        rank: Its number among the hosts.
        host: Its name in the rows.
        machine: Its machine.
        connection: To its worker.
        problems: Why the points of the sweep cannot run on it; None: its check has not ended.
    """

    rank: int
    host: str
    machine: Machine
    connection: Connection
    problems: Sequence[str] | None = ()

    def send(self, message: LineMessage) -> bool:
        """Send a message, and return whether the host can be reached."""
        try:
            self.connection.send(to_line(message))
        except LineLostError:
            return False
        return True


@dataclass
class ClusterAttempt:
    """An attempt that runs on some hosts.

    Attributes:
        number: Number of the attempt in this run.
        context: The sweep.
        planned: The point and its place in the sweep.
        members: The hosts that measure it, in the order of their shares.
        on_message: Called with each message that a view shows.
    """

    number: int
    context: SweepContext
    planned: PlannedPoint
    members: Sequence[Member]
    on_message: Callable[[Message], None]
    _shares: list[Share] = field(init=False)
    _started_at: datetime = field(init=False)
    _give_up_at: float = field(init=False)
    _reports: dict[int, ProcessReport] = field(init=False)
    _rows: dict[int, HostRows] = field(default_factory=dict, init=False)
    _ended: dict[int, Ended] = field(default_factory=dict, init=False)
    _opened: set[str] = field(default_factory=set, init=False)
    _has_told: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Send each host its share of the point."""
        config = self.planned.config
        address = self.members[0].connection.peer_address
        self._shares = Share.all_of(len(self.members), config.clients, address)
        self._live = LiveMessages(self._shares[0].size)
        self._started_at = datetime.now(UTC)
        self._give_up_at = time.monotonic() + len(config.phases) * config.process_deadline_s + _LATE_S
        self._reports = defaultdict(ProcessReport)
        for member, share in zip(self.members, self._shares, strict=True):
            begin = Begin.of(
                *(self.number, self.planned, self.context.sweep, share, member.host),
                self.context.config_git_commit,
            )
            member.send(begin)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended on all hosts."""
        return len(self._ended) == len(self.members)

    @property
    def result(self) -> PointResult:
        """Its rows, written. Call this once, when it has ended.

        Raises:
            BenchError: The rows cannot be written.
        """
        parts = [self._rows[position] for position in range(len(self.members))]
        result = recorded(self.context, self.planned, parts)
        return replace(result, keys_remain=any(ended.keys_remain for ended in self._ended.values()))

    def stop(self) -> None:
        """Ask all hosts to stop."""
        self._give_up_at = min(self._give_up_at, time.monotonic() + _STOP_LIMIT_S)
        for position, member in enumerate(self.members):
            if position not in self._rows:
                member.send(Stop(self.number))

    @property
    def late(self) -> list[Member]:
        """The hosts that take longer than their processes may live."""
        if time.monotonic() < self._give_up_at:
            return []
        return [member for position, member in enumerate(self.members) if position not in self._ended]

    def take(self, member: Member, message: LineMessage) -> None:
        """Take a message of a host.

        Args:
            member: The host.
            message: What it sent.
        """
        position = self.members.index(member)
        if isinstance(message, Heard):
            told = message.read()
            self._reports[message.client].add(told)
            if (shown := self._live.shown(message.client, told)) is not None:
                self.on_message(shown)
        elif isinstance(message, Opened):
            self._opened.add(message.phase)
            for other in self.members:
                if other is not member:
                    other.send(message)
        elif isinstance(message, Measured):
            self._rows[position] = message.read()
            has_opened = position or not message.points or message.points[-1]["phase"] in self._opened
            if message.lost or not has_opened:
                self._tell_lost()
        elif isinstance(message, Ended):
            if position not in self._rows:
                self._rows[position] = self._lost_rows(position, message.problem or "it sent no rows")
                self._tell_lost()
            self._ended[position] = message

    def lose(self, member: Member, reason: str) -> None:
        """Take note that a host can no longer be reached.

        Args:
            member: The host.
            reason: What happened, in one line.
        """
        position = self.members.index(member)
        if position in self._ended:
            return
        if position not in self._rows:
            self._rows[position] = self._lost_rows(position, f"{member.host} was lost: {reason}")
        # Its keys are deleted by its worker, or by the next run there.
        self._ended[position] = Ended(self.number, keys_remain=False, problem=reason)
        self._tell_lost()

    def _tell_lost(self) -> None:
        """Tell the hosts that still measure: their clients would wait for one that does not come."""
        if not self._has_told:
            self._has_told = True
            for position, member in enumerate(self.members):
                if position not in self._rows:
                    member.send(Lost(self.number))

    def _lost_rows(self, position: int, reason: str) -> HostRows:
        """Return the rows of a host that sent none: what its clients had reported before."""
        point, sweep, planned = self.planned.config, self.context.sweep, self.planned
        share, member = self._shares[position], self.members[position]
        label = run_label(sweep.sweep_id, planned.index, planned.attempt, share.label)
        machine = replace(member.machine, host=member.host)
        points, rounds, lost = [], [], {}
        for client, job in zip(share.clients, client_jobs(point.job(label), share), strict=True):
            report = self._reports[client]
            columns = PointColumns(
                *(sweep, machine, self.context.config_git_commit, planned, job, Storage()),
                *(str(log_file(sweep.sweep_id, planned, share.rank)), client),
            )
            where = f" during {report.phase}" if report.phase else " before the first phase"
            phase = report.phase if point.cache.is_cold and report.phase else point.only or "all"
            outcome = report.outcome if requested() else ("crashed", f"{reason}{where}")
            lost[client] = ": ".join(outcome)
            points.append(columns.point_row(phase, report, outcome, self._started_at, CacheEvidence(), None))
            rounds += columns.round_rows(report, [None] * len(report.rounds))
        return HostRows(points, rounds, lost)


def named_apart(members: Iterable[Member]) -> list[tuple[Member, str]]:
    """Return the name of each host in the rows: its own, with its rank if another host has the same name.

    Args:
        members: All hosts.
    """
    names = Counter(member.machine.host for member in members)
    found = []
    for member in members:
        host = member.machine.host
        found.append((member, host if names[host] == 1 else f"{host}-r{member.rank}"))
    return found
