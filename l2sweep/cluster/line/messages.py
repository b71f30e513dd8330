"""What the launcher and a worker tell each other, once the worker has joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, get_args

from pydantic import TypeAdapter

from l2sweep.bench.messages import Message as BenchMessage
from l2sweep.bench.messages import decode, encode
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.clients.host_rows import HostRows
from l2sweep.sweep.clients.share import Share
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.rows import Row

_PLANNED, _SWEEP = TypeAdapter(PlannedPoint), TypeAdapter(SweepConfig)
_POINTS = TypeAdapter(list[PlannedPoint])


@dataclass(frozen=True)
class Check:
    """To a worker: get ready for a sweep, and check whether its points can run on the host.

    Attributes:
        number: Number of the check, which its answer has.
        points: The points, as :meth:`of` makes them.
        sweep: The options of the sweep.
        specs: Every adapter spec of the sweep: leftovers are removed with them, as with ``pythons``.
        pythons: Every interpreter of the sweep; None: that of the worker.
        plugin_folders: Folders from which the processes can also import.
    """

    number: int
    points: list[Any]
    sweep: dict[str, Any]
    specs: list[Any]
    pythons: list[str | None]
    plugin_folders: list[str]

    @classmethod
    def of(
        cls,
        number: int,
        points: Sequence[PlannedPoint],
        sweep: SweepConfig,
        configs: Iterable[PointConfig],
        plugin_folders: tuple[str, ...],
    ) -> Check:
        """Return the message.

        Args:
            number: See the class, as for ``points``, ``sweep`` and ``plugin_folders``.
            configs: Every point of the sweep.
        """
        configs = list(configs)
        every = {json.dumps(one.adapter_spec, sort_keys=True): one.adapter_spec for one in configs}
        return cls(
            number,
            _POINTS.dump_python(list(points), mode="json"),
            _SWEEP.dump_python(sweep, mode="json"),
            list(every.values()),
            list(dict.fromkeys(one.python for one in configs)),
            list(plugin_folders),
        )

    def read(self) -> tuple[list[PlannedPoint], SweepConfig]:
        """Return the points and the options of the sweep.

        Raises:
            ValueError: They are not what this version of l2sweep sends.
        """
        return _POINTS.validate_json(json.dumps(self.points)), _SWEEP.validate_json(json.dumps(self.sweep))


@dataclass(frozen=True)
class Checked:
    """From a worker: it is ready for the points of a sweep, or they cannot run on the host.

    Attributes:
        number: Number of the check.
        problems: A sentence for each reason why they cannot.
    """

    number: int
    problems: list[str]


@dataclass(frozen=True)
class Begin:
    """To a worker: run an attempt at a point.

    Attributes:
        number: Number of the attempt, which all its messages have.
        planned: The point, as :func:`begin` makes it.
        sweep: The options of the sweep.
        share: The clients that run on the host.
        host: Name of the host in the rows.
        config_git_commit: Git commit of the configuration folder.
    """

    number: int
    planned: dict[str, Any]
    sweep: dict[str, Any]
    share: dict[str, Any]
    host: str
    config_git_commit: str | None

    @classmethod
    def of(
        cls,
        number: int,
        planned: PlannedPoint,
        sweep: SweepConfig,
        share: Share,
        host: str,
        config_git_commit: str | None,
    ) -> Begin:
        """Return the message. See the class for the arguments."""
        return cls(
            number,
            _PLANNED.dump_python(planned, mode="json"),
            _SWEEP.dump_python(sweep, mode="json"),
            asdict(share),
            host,
            config_git_commit,
        )

    def read(self) -> tuple[PlannedPoint, SweepConfig, Share]:
        """Return the point, the options of the sweep and the share of the host.

        Raises:
            ValueError: They are not what this version of l2sweep sends.
        """
        return (
            _PLANNED.validate_json(json.dumps(self.planned)),
            _SWEEP.validate_json(json.dumps(self.sweep)),
            Share(**self.share),
        )


@dataclass(frozen=True)
class Opened:
    """From the first host and to all others: client 0 listens.

    Attributes:
        number: Number of the attempt.
        phase: The process step.
        port: The port on which it listens.
    """

    number: int
    phase: str
    port: int


@dataclass(frozen=True)
class Lost:
    """To a worker: a client on another host was lost.

    Attributes:
        number: Number of the attempt.
    """

    number: int


@dataclass(frozen=True)
class Stop:
    """To a worker: the user asked to stop.

    Attributes:
        number: Number of the attempt.
    """

    number: int


@dataclass(frozen=True)
class Leave:
    """To a worker: the sweep has ended."""


@dataclass(frozen=True)
class Heard:
    """From a worker: a message of one of its benchmark processes.

    Attributes:
        number: Number of the attempt.
        client: Number of the client.
        line: The message, as one line of JSON.
    """

    number: int
    client: int
    line: str

    @classmethod
    def of(cls, number: int, client: int, message: BenchMessage) -> Heard:
        """Return the message. See the class for the arguments."""
        return cls(number, client, encode(message).decode().rstrip())

    def read(self) -> BenchMessage:
        """Return the message of the process.

        Raises:
            ValueError: It is not one.
        """
        return decode(self.line.encode())


@dataclass(frozen=True)
class Measured:
    """From a worker: its processes have ended, and these are the rows of its clients.

    Attributes:
        number: Number of the attempt.
        points: As in :class:`HostRows`, with times as text, as are the next three.
    """

    number: int
    points: list[Any]
    rounds: list[Any]
    lost: dict[str, str]
    for_another: list[int]

    @classmethod
    def of(cls, number: int, rows: HostRows) -> Measured:
        """Return the message. See the class for the arguments."""
        lost = {str(client): text for client, text in rows.lost.items()}
        points, rounds = (list(map(_with_texts, one)) for one in (rows.points, rows.rounds))
        return cls(number, points, rounds, lost, sorted(rows.for_another))

    def read(self) -> HostRows:
        """Return the rows.

        Raises:
            ValueError: A time is not one.
        """
        points, rounds = (list(map(_with_times, one)) for one in (self.points, self.rounds))
        lost = {int(client): text for client, text in self.lost.items()}
        return HostRows(points, rounds, lost, frozenset(self.for_another))


@dataclass(frozen=True)
class Ended:
    """From a worker: the attempt has ended there, and the next one can begin.

    Attributes:
        number: Number of the attempt.
        keys_remain: Whether it may have keys that should be deleted.
        problem: Why it could not be run; empty if it could.
    """

    number: int
    keys_remain: bool
    problem: str


LineMessage = Check | Checked | Begin | Opened | Lost | Stop | Leave | Heard | Measured | Ended
_KINDS: dict[str, type[LineMessage]] = {kind.__name__: kind for kind in get_args(LineMessage)}
_TIME = "started_at"


def to_line(message: LineMessage) -> dict[str, Any]:
    """Return a message as a mapping for JSON."""
    return {"kind": type(message).__name__, **vars(message)}


def from_line(values: Mapping[str, Any]) -> LineMessage:
    """Return the message in a mapping that :func:`to_line` made.

    Raises:
        ValueError: It is not a message.
    """
    fields = dict(values)
    try:
        return _KINDS[fields.pop("kind")](**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a message between hosts: {str(values)[:80]}") from error


def _with_texts(row: Row) -> dict[str, Any]:
    started_at = row[_TIME]
    return {**row, _TIME: started_at if started_at is None else started_at.isoformat()}


def _with_times(row: Row) -> dict[str, Any]:
    started_at = row[_TIME]
    return {**row, _TIME: started_at if started_at is None else datetime.fromisoformat(started_at)}
