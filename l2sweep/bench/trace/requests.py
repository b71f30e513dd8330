"""A trace as the replay needs it: requests at moments, whose keys are numbered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TraceReplay:
    """The trace that a point replays, as the launcher read it.

    Attributes:
        path: Absolute path of the file.
        sha256: SHA-256 of its content, in hexadecimal digits.
        speed: Recorded seconds that are replayed in one second; None: as fast as possible.
        num_keys: Number of different keys in the trace.
    """

    path: str
    sha256: str
    speed: float | None
    num_keys: int


@dataclass(frozen=True)
class RecordedRequest:
    """A request as a file has it.

    Attributes:
        at_s: Recorded moment in seconds, from any origin.
        names: What the file calls the keys, in the order of the tokens.
        looks_up: Whether the keys are looked up, and the found prefix is loaded.
        stores: Whether the keys that are not stored yet are stored.
    """

    at_s: float
    names: Sequence[Hashable]
    looks_up: bool
    stores: bool


@dataclass(frozen=True)
class Request:
    """A request of a trace.

    Attributes:
        at_s: Seconds between the first request of the trace and this one.
        keys: Key indices, in the order of the tokens, each once.
        looks_up: Whether the keys are looked up, and the found prefix is loaded.
        stores: Whether the keys that are not stored yet are stored. If they are looked up as well, this is
            after the load.
    """

    at_s: float
    keys: tuple[int, ...]
    looks_up: bool
    stores: bool


@dataclass(frozen=True)
class Trace:
    """A trace.

    Attributes:
        requests: The requests in the order of their moments. The first is at 0 s.
        num_keys: Number of different keys. Their indices are numbered from 0 in the order of the requests.
        note: What could not be read, in one sentence; empty if everything was read.
    """

    requests: tuple[Request, ...]
    num_keys: int
    note: str = ""

    @classmethod
    def of(cls, recorded: Iterable[RecordedRequest], note: str = "") -> Trace:
        """Sort requests by their moments, and number their keys. Requests without keys are left out.

        Args:
            recorded: The requests of a file.
            note: As the attribute.

        Raises:
            ValueError: No request has a key.
        """
        in_order = sorted((one for one in recorded if one.names), key=lambda one: one.at_s)
        if not in_order:
            raise ValueError("no request has a key")
        indices: dict[Hashable, int] = {}
        requests = [
            Request(
                at_s=one.at_s - in_order[0].at_s,
                keys=tuple(indices.setdefault(name, len(indices)) for name in dict.fromkeys(one.names)),
                looks_up=one.looks_up,
                stores=one.stores,
            )
            for one in in_order
        ]
        return cls(tuple(requests), len(indices), note)

    @property
    def duration_s(self) -> float:
        """Seconds between the first and the last request."""
        return self.requests[-1].at_s

    @property
    def key_references(self) -> int:
        """Number of keys in all requests, those that several requests have counted each time."""
        return sum(len(request.keys) for request in self.requests)


@dataclass
class RunningRequest:
    """A request that has started. Its steps run one after another: lookup, load, store.

    Attributes:
        request: The request.
        step: The verb of the step that runs now; empty before the first.
        open: Number of submits of this step that have not ended.
        found: Keys that its lookup found.
        lost: Keys that were stored before its lookup, which did not find them.
    """

    request: Request
    step: str = ""
    open: int = 0
    found: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    @property
    def found_prefix(self) -> list[int]:
        """The keys before the first one that was not found: only these can be used."""
        return list(itertools.takewhile(self.found.__contains__, self.request.keys))


def start_times(trace: Trace, speed: float | None) -> list[float | None]:
    """Return when each request starts, in seconds from the start of the replay.

    Args:
        trace: The trace.
        speed: Recorded seconds that are replayed in one second; None: as fast as possible.

    Returns:
        The moments, which do not depend on how long any operation takes. None for each request if there is
        no pace: it starts as soon as ``in_flight`` allows.
    """
    return [None if speed is None else request.at_s / speed for request in trace.requests]


def planned_seconds(duration_s: float, speed: float | None) -> int:
    """Return the number of seconds, begun or whole, in which requests start.

    Args:
        duration_s: Recorded seconds between the first and the last request.
        speed: As for :func:`start_times`. Without a pace, the number is unknown, and at least 1.
    """
    return 1 if speed is None else math.floor(duration_s / speed) + 1
