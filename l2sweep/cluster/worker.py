"""A worker: it joins the launcher of a sweep, and runs attempts at points on its host."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from l2sweep import interrupts
from l2sweep.bench.messages import Message
from l2sweep.cluster.launcher import Launcher
from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.cluster.line.handshake import MOST_HANDSHAKE_BYTES, Introduction, SweepEndedError, introduce
from l2sweep.cluster.line.messages import (
    Begin,
    Check,
    Checked,
    Ended,
    Heard,
    Leave,
    Measured,
    from_line,
    to_line,
)
from l2sweep.cluster.membership import Membership
from l2sweep.errors import BenchError, L2SweepError, RequestError
from l2sweep.process.starter import ProcessStarter
from l2sweep.records.environment import Machine
from l2sweep.sweep.attempt.host_attempt import HostAttempt, SweepContext
from l2sweep.sweep.checks.foreign_folders import require_own_folders
from l2sweep.sweep.checks.preflight import require_usable
from l2sweep.sweep.checks.results_dir import require_writable
from l2sweep.sweep.checks.storage_places import place_problems
from l2sweep.sweep.state.host_lock import holder, host_lock
from l2sweep.sweep.state.leftovers import remove_leftovers

CONNECT_S = 5.0
_PAUSE_S = 0.5
_WAKE_S = 1.0  # as in process/bench_process.py: a signal may arrive in another thread

Say = Callable[[str], None]


@dataclass(frozen=True)
class WorkerLimits:
    """How long a worker waits.

    Attributes:
        join_s: Seconds in which the launcher must be reached, at the start and after it was lost.
        joins_again: Whether a launcher that was lost is waited for.
    """

    join_s: float
    joins_again: bool = True


def serve(member: Membership, token: str, starter: ProcessStarter, limits: WorkerLimits, say: Say) -> None:
    """Run attempts for the launcher of a sweep until the sweep ends.

    If the launcher is lost, the running attempt is stopped and its keys are deleted. A launcher that listens
    again in time, as that of a resumed sweep, is joined again.

    Args:
        member: The place of this worker among the hosts.
        token: The token.
        starter: Starts the benchmark processes.
        limits: How long to wait.
        say: Called with each line for the user.

    Raises:
        BenchError: The launcher cannot be reached, or refuses this worker.
        KeyboardInterrupt: The user asked to stop.
    """
    place = member.rendezvous
    own = Introduction.here(member.rank, member.size)
    has_ended = False
    while not has_ended:
        try:
            connection = _joined(member, token, own, limits.join_s)
        except SweepEndedError as error:
            say(str(error))
            return
        say(f"joined {place} as rank {member.rank} of {member.size}")
        with contextlib.closing(connection), _Attempts(connection, starter, say) as attempts:
            has_ended = attempts.run()
        if not has_ended and not limits.joins_again:
            raise BenchError(f"lost the launcher at {place}")
        if not has_ended:
            say(f"lost the launcher at {place}; waiting {limits.join_s:g} s for it")


def _joined(member: Membership, token: str, own: Introduction, limit_s: float) -> Connection:
    address = member.rendezvous_host, member.rendezvous_port
    give_up_at = time.monotonic() + limit_s
    while True:
        try:
            with interrupts.interruptible():
                connection = Connection(socket.create_connection(address, CONNECT_S), MOST_HANDSHAKE_BYTES)
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            try:
                introduce(connection, token, own)
            except LineLostError as error:
                connection.close()
                reason = str(error)
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        if time.monotonic() > give_up_at:
            place = member.rendezvous
            raise BenchError(f"--rendezvous {place}: no launcher could be joined in {limit_s:g} s: {reason}")
        with interrupts.interruptible():
            time.sleep(_PAUSE_S)


class _Attempts(contextlib.AbstractContextManager["_Attempts"]):
    """The attempts of one connection.

    Args:
        connection: To the launcher.
        starter: Starts the benchmark processes.
        say: Called with each line for the user.
    """

    def __init__(self, connection: Connection, starter: ProcessStarter, say: Say) -> None:
        self._connection = connection
        self._starter = starter
        self._say = say
        self._held = contextlib.ExitStack()
        self._sweep_id = ""
        self._has_left = False

    def __exit__(self, *error: object) -> None:
        """Release the lock of the host."""
        self._held.close()

    def run(self) -> bool:
        """Run attempts until the launcher ends. Return whether it said that the sweep has ended."""
        try:
            while True:
                for values in self._connection.arrived():  # the first may have come with the handshake
                    message = from_line(values)
                    if isinstance(message, Leave):
                        return True
                    if isinstance(message, Check | Begin):
                        with interrupts.deferred():
                            self._check(message) if isinstance(message, Check) else self._run(message)
                        if interrupts.requested():
                            raise KeyboardInterrupt
                        if self._has_left:
                            return True
                with interrupts.interruptible():
                    select.select([self._connection], [], [], _WAKE_S)
        except LineLostError:  # also noticed by sending, before what had arrived was read
            return self._has_left or self._hears_leave()

    def _leave(self) -> None:
        """Take note that the sweep has ended, while an attempt runs."""
        self._has_left = True

    def _hears_leave(self) -> bool:
        with contextlib.suppress(LineLostError):
            return any(isinstance(from_line(values), Leave) for values in self._connection.arrived())
        return False

    def _check(self, check: Check) -> None:
        problems: tuple[str, ...] = ()
        try:
            self._get_ready(check)
        except RequestError as error:
            problems = error.problems
        except (L2SweepError, OSError, ValueError) as error:
            problems = (str(error) or type(error).__name__,)
        for problem in problems:
            self._say(f"the sweep cannot run on this host: {problem}")
        self._connection.send(to_line(Checked(check.number, list(problems))))

    def _get_ready(self, check: Check) -> None:
        """Lock the host, remove leftovers and check the points, as the launcher does on its own host.

        Raises:
            RequestError: The points cannot run on this host.
            L2SweepError, OSError: Something else is wrong with this host.
        """
        points, sweep = check.read()
        self._starter.isolation = sweep.isolation
        self._starter.plugin_folders = tuple(check.plugin_folders)
        require_own_folders(sweep.results_dir)
        require_writable(sweep.results_dir)
        if self._sweep_id != sweep.sweep_id:
            self._held.close()
            if f"sweep {sweep.sweep_id}," not in holder():  # else the launcher runs on this host, and has it
                # The other hosts have joined: no time to wait.
                mode = "off" if sweep.lock == "off" else "fail"
                self._held.enter_context(host_lock(mode, sweep.sweep_id))
            self._sweep_id = sweep.sweep_id
            for sentence in remove_leftovers(
                sweep.results_dir, self._starter.start, check.specs, check.pythons
            ):
                self._say(sentence)
        if problems := place_problems(planned.config for planned in points):
            raise RequestError(problems)
        require_usable(points, sweep, self._starter.start)

    def _run(self, begin: Begin) -> None:
        problem, keys_remain = "", False
        try:
            attempt = self._attempt(begin)
            try:
                attempt.begin()
                rows = attempt.run_processes()
                if interrupts.requested():  # by a signal: the user stops this worker, and not the sweep
                    problem = f"the worker of {begin.host} was stopped"
                else:
                    self._connection.send(to_line(Measured.of(begin.number, rows)))
            finally:
                attempt.end()
                keys_remain = attempt.keys_remain
        except LineLostError:
            raise
        except (L2SweepError, OSError, ValueError) as error:
            problem = str(error) or type(error).__name__
        self._connection.send(to_line(Ended(begin.number, keys_remain, problem)))

    def _attempt(self, begin: Begin) -> HostAttempt:
        planned, sweep, share = begin.read()
        (Path(sweep.results_dir) / "sweeps" / sweep.sweep_id).mkdir(parents=True, exist_ok=True)
        machine = replace(Machine.here(), host=begin.host)
        context = SweepContext(sweep, machine, begin.config_git_commit, self._starter.start)
        launcher = Launcher(self._connection, begin.number, self._leave)

        def on_message(client: int, message: Message) -> None:
            launcher.send(Heard.of(begin.number, client, message))

        return HostAttempt(context, planned, share, on_message, launcher)
