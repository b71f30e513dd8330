"""One attempt at a point: run it on this host, and write its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from l2sweep.bench.messages import Message
from l2sweep.errors import STOPPED, BenchError, RequestError
from l2sweep.process.supervisor import OnMessage
from l2sweep.records.files import file_stem
from l2sweep.records.writer import write_point
from l2sweep.sweep.attempt.host_attempt import HostAttempt, SweepContext, recording
from l2sweep.sweep.clients.host_rows import HostRows, merged_rows
from l2sweep.sweep.clients.live_messages import LiveMessages
from l2sweep.sweep.clients.share import Share
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.rows import Row

_EXIT_CODES = {"ok": 0, "refused": RequestError.exit_code, "stopped": STOPPED}


@dataclass(frozen=True)
class PointResult:
    """The rows of one attempt at a point.

    Attributes:
        points: Rows of the data set ``points``, one per process.
        rounds: Rows of the data set ``rounds``.
        keys_remain: Whether its keys may remain although they should be deleted: the next run tries again.
    """

    points: Sequence[Row]
    rounds: Sequence[Row]
    keys_remain: bool = False

    @property
    def point(self) -> Row:
        """The row with the status of the point: the first that is not ``ok``, otherwise the last."""
        return next((row for row in self.points if row["status"] != "ok"), self.points[-1])

    @property
    def exit_code(self) -> int:
        """0: everything was measured, 1: something failed, 2: LMCache refused the spec, 130: stopped."""
        return max(_EXIT_CODES.get(row["status"], 1) for row in self.points)


def run_attempt(context: SweepContext, planned: PlannedPoint, on_message: OnMessage) -> PointResult:
    """Run a point on this host, and write its rows.

    Args:
        context: The sweep.
        planned: The point and its place in the sweep.
        on_message: Called with each message of its processes, without credentials.

    Returns:
        The rows. If the user stopped the point, they contain everything that was measured before, and the
        exit code is 130.

    Raises:
        BenchError: A process cannot be started, or the rows cannot be written.
    """
    (share,) = Share.all_of(1, planned.config.clients)
    live = LiveMessages(share.size)

    def show(client: int, message: Message) -> None:
        if (shown := live.shown(client, message)) is not None:
            on_message(shown)

    attempt = HostAttempt(context, planned, share, show)
    try:
        attempt.begin()
        result = recorded(context, planned, [attempt.run_processes()])
    except OSError as error:
        raise BenchError(f"a point could not be run: {error}") from error
    finally:
        attempt.end()  # after the rows are written: removing keys may take long and may be interrupted
    return replace(result, keys_remain=attempt.keys_remain)


def recorded(context: SweepContext, planned: PlannedPoint, parts: Sequence[HostRows]) -> PointResult:
    """Write the rows of an attempt, and return them.

    Args:
        context: The sweep.
        planned: The point and its place in the sweep.
        parts: The rows of each host.

    Raises:
        BenchError: They cannot be written.
    """
    points, rounds = merged_rows(planned.config.adapter_spec, parts)
    sweep = context.sweep
    stem = file_stem(sweep.sweep_id, planned.index, planned.attempt)
    with recording(sweep.results_dir):
        write_point(Path(sweep.results_dir), stem, rounds, points)
    return PointResult(points, rounds)
