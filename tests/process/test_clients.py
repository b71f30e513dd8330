"""supervise_clients(): the processes of several clients of one point."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

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
