"""supervise_clients(): the processes of several clients of one point."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fake_process import JOB, LIMITS, FakeProcess, round_measured
from fake_starter import ACCEPTED, CREATED

from l2sweep.bench.job import Job
from l2sweep.bench.messages import Finished, Message, PhaseStarted, Refused, RendezvousOpened
from l2sweep.bench.rendezvous.address import Rendezvous
from l2sweep.process.bench_process import BenchProcess, OnOutput, ProcessLimits
from l2sweep.process.log import PointLog
from l2sweep.process.report import ProcessReport
from l2sweep.process.supervisor import supervise_clients

FINISHED = Finished(0, "", 1)
BEGUN = (ACCEPTED, CREATED, PhaseStarted("store"))


@dataclass
class Clients:
    """Runs fake processes of several clients.

    Attributes:
        log: The log of the point.
        messages: The messages of each client.
        status: Exit codes that differ from 0, by client.
        hanging: The clients that only end when they get SIGTERM.
    """

    log: PointLog
    messages: Sequence[Sequence[Message | bytes]]
    status: dict[int, int] = field(default_factory=dict)
    hanging: Sequence[int] = ()
    jobs: list[Job] = field(default_factory=list)
    processes: list[FakeProcess] = field(default_factory=list)
    seen: list[tuple[int, Message]] = field(default_factory=list)

    def run(self) -> list[ProcessReport]:
        size = len(self.messages)
        jobs = [replace(JOB, rendezvous=Rendezvous("token", rank, size)) for rank in range(size)]
        return supervise_clients(
            self._start,
            jobs,
            LIMITS,
            self.log,
            set(),
            lambda client, message: self.seen.append((client, message)),
        )

    def _start(self, job: Job, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
        client = len(self.processes)
        self.jobs.append(job)
        process = FakeProcess(
            self.messages[client],
            f"from {client}\n".encode(),
            (self.status.get(client, 0), 1 << 20),
            on_output=on_output,
            hangs=[signal.SIGTERM] if client in self.hanging else [],
        )
        self.processes.append(process)
        return process


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PointLog]:
    log = PointLog(tmp_path / "point.log", set())
    log.open()
    yield log
    log.close()


def test_the_others_start_when_the_first_one_listens_and_learn_the_port(log: PointLog) -> None:
    own = [[RendezvousOpened(4711), *BEGUN, FINISHED], [*BEGUN, FINISHED], [*BEGUN, FINISHED]]
    clients = Clients(log, own)
    reports = clients.run()
    assert [report.outcome for report in reports] == [("ok", "")] * 3
    places = [job.rendezvous for job in clients.jobs if job.rendezvous is not None]
    assert [(place.rank, place.port) for place in places] == [(0, 0), (1, 4711), (2, 4711)]
    assert not any(isinstance(message, RendezvousOpened) for _, message in clients.seen)
    assert sorted({client for client, _ in clients.seen}) == [0, 1, 2]


def test_the_output_of_a_client_is_its_own_and_its_number_is_in_the_log(log: PointLog) -> None:
    clients = Clients(log, [[RendezvousOpened(1), FINISHED], [FINISHED]])
    reports = clients.run()
    assert [report.last_line for report in reports] == ["from 0", "from 1"]
    assert sorted(log.path.read_text().splitlines()) == ["[client 0] from 0", "[client 1] from 1"]


def test_a_client_that_is_lost_ends_the_others_which_keep_their_rounds(log: PointLog) -> None:
    own = [
        [RendezvousOpened(1), *BEGUN, round_measured(number=1)],
        [*BEGUN, round_measured(number=1)],
        [*BEGUN, round_measured(number=1), round_measured(number=2)],
    ]
    clients = Clients(log, own, status={1: -9, 0: -15, 2: -15}, hanging=[0, 2])
    first, lost, last = clients.run()
    assert lost.outcome == ("crashed", "killed by SIGKILL during store; last output: from 1")
    assert (first.ended_for_another, lost.ended_for_another, last.ended_for_another) == (True, False, True)
    assert first.outcome == ("crashed", "ended by l2sweep during store: another client was lost")
    assert [process.was_ended_at_once for process in clients.processes] == [True, False, True]
    assert [len(report.rounds) for report in (first, lost, last)] == [1, 1, 2]


def test_a_client_that_has_finished_does_not_end_the_others(log: PointLog) -> None:
    clients = Clients(
        log, [[RendezvousOpened(1), *BEGUN, FINISHED], [*BEGUN, Finished(1, "store: failed", 1)]]
    )
    assert [report.outcome for report in clients.run()] == [("ok", ""), ("failed", "store: failed")]


@pytest.mark.parametrize("first", [[Refused("no")], [ACCEPTED]])
def test_only_the_first_client_was_started_if_it_never_listened(
    log: PointLog, first: Sequence[Message]
) -> None:
    clients = Clients(log, [first, [FINISHED]])
    assert len(clients.run()) == len(clients.processes) == 1


class Others:
    """The other hosts, as a worker sees them: what they send is ready when it is asked for.

    Args:
        sent: What they send, in order; each is a message, None (a client is lost), or an exception.
    """

    def __init__(self, *sent: Message | BaseException | None) -> None:
        self._sent = list(sent)
        self._readable, self._end = os.pipe()
        self.told: list[Message] = []
        if sent:
            os.write(self._end, b"x")

    def fileno(self) -> int:
        return self._readable

    def begin_step(self, phase: str) -> None:
        raise AssertionError("the attempt does this")

    def read(self) -> Iterator[Message | None]:
        while self._sent:
            one = self._sent.pop(0)
            if isinstance(one, BaseException):
                raise one
            yield one

    def opened(self, message: RendezvousOpened) -> None:
        self.told.append(message)

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._end)


@pytest.fixture
def with_others(log: PointLog) -> Iterator[Callable[..., tuple[list[ProcessReport], Clients, Others]]]:
    """Run clients beside other hosts: of four clients, two run here."""
    made: list[Others] = []

    def run(
        messages: Sequence[Sequence[Message | bytes]],
        sent: Sequence[Message | BaseException | None],
        first: int,
        **changes: Any,
    ) -> tuple[list[ProcessReport], Clients, Others]:
        clients, others = Clients(log, messages, **changes), Others(*sent)
        made.append(others)
        places = [Rendezvous("token", rank, 4, "10.0.0.1", remote=(2, 3)) for rank in (first, first + 1)]
        reports = supervise_clients(
            *(clients._start, [replace(JOB, rendezvous=place) for place in places], LIMITS, log, set()),
            *(lambda client, message: clients.seen.append((client, message)), others),
        )
        return reports, clients, others

    yield run
    for one in made:
        one.close()


RunWithOthers = Callable[..., tuple[list[ProcessReport], Clients, Others]]


def test_the_other_hosts_learn_where_client_0_listens(with_others: RunWithOthers) -> None:
    reports, clients, others = with_others([[RendezvousOpened(4711), FINISHED], [FINISHED]], [], first=0)
    assert others.told == [RendezvousOpened(4711)]
    assert [job.rendezvous.port for job in clients.jobs if job.rendezvous] == [0, 4711]
    assert [report.outcome for report in reports] == [("ok", "")] * 2


def test_on_another_host_no_client_starts_before_client_0_listens(with_others: RunWithOthers) -> None:
    reports, clients, others = with_others([[FINISHED], [FINISHED]], [RendezvousOpened(4711)], first=2)
    assert [(job.rendezvous.rank, job.rendezvous.port) for job in clients.jobs if job.rendezvous] == [
        (2, 4711),
        (3, 4711),
    ]
    assert sorted(clients.seen) == [(2, FINISHED), (3, FINISHED)]
    assert others.told == []
    assert [report.outcome for report in reports] == [("ok", "")] * 2


def test_a_client_that_is_lost_on_another_host_ends_those_of_this_host(with_others: RunWithOthers) -> None:
    waiting = [[*BEGUN], [*BEGUN]]
    reports, clients, _ = with_others(
        waiting, [RendezvousOpened(1), None], first=2, hanging=[0, 1], status={0: -15, 1: -15}
    )
    assert [report.ended_for_another for report in reports] == [True, True]
    assert [process.was_ended_at_once for process in clients.processes] == [True, True]


def test_a_client_that_is_lost_before_client_0_listens_leaves_nothing_to_start(
    with_others: RunWithOthers,
) -> None:
    reports, clients, _ = with_others([[FINISHED], [FINISHED]], [None], first=2)
    assert clients.processes == []
    assert [report.ended_for_another for report in reports] == [True]
    assert reports[0].outcome == (
        "crashed",
        "ended by l2sweep before the first phase: another client was lost",
    )


def test_a_stop_that_comes_from_another_host_stops_the_clients(with_others: RunWithOthers) -> None:
    sent = [RendezvousOpened(1), KeyboardInterrupt()]
    reports, clients, _ = with_others(
        [[*BEGUN], [*BEGUN]], sent, first=2, hanging=[0, 1], status={0: -15, 1: -15}
    )
    assert {report.outcome[0] for report in reports} == {"stopped"}
    assert [process.was_ended_at_once for process in clients.processes] == [True] * len(clients.processes)


def test_a_stop_before_client_0_listens_starts_nothing(with_others: RunWithOthers) -> None:
    reports, clients, _ = with_others([[FINISHED], [FINISHED]], [KeyboardInterrupt()], first=2)
    assert clients.processes == []
    assert [report.outcome for report in reports] == [
        ("stopped", "stopped by the user before the first phase")
    ]
