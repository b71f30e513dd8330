"""The messages of a benchmark process, one JSON object per line.

Each message is written as soon as it applies, so that everything measured before a crash is kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, get_args

from l2sweep.bench.rounds.measured import RoundMeasured as RoundMeasured

MESSAGE_FD_VARIABLE = "L2SWEEP_MESSAGE_FD"


@dataclass(frozen=True)
class Accepted:
    """The spec is accepted; nothing has been changed yet.

    Attributes:
        lmcache_version: Release of LMCache in the benchmark process; None if it does not use LMCache.
        torch_version: Release of torch; None if it does not use torch.
        python_version: Release of Python.
    """

    lmcache_version: str | None
    torch_version: str | None
    python_version: str


@dataclass(frozen=True)
class RendezvousOpened:
    """The first client of a point listens for the others, which can start now.

    Attributes:
        port: The port on which it listens.
    """

    port: int


@dataclass(frozen=True)
class Refused:
    """The spec is refused; nothing has been changed.

    Attributes:
        problem: One sentence that names the option, its value and the allowed values.
    """

    problem: str


@dataclass(frozen=True)
class AdapterDescribed:
    """An adapter type that LMCache has, for a job that only describes them.

    Attributes:
        adapter_type: Its name in a spec.
        problem: Why it cannot be used here, in one line; empty if its modules can be imported.
        missing_module: The module that is missing; empty if none is, or the problem is another one.
        fields: The fields of its spec, as LMCache's configuration class tells them: ``name``, ``type``,
            ``default``, ``is_required`` and ``help``. Empty if the class cannot be imported.
    """

    adapter_type: str
    problem: str
    missing_module: str
    fields: list[dict[str, Any]]


@dataclass(frozen=True)
class AdapterCreated:
    """The adapter was created.

    Attributes:
        adapter_class: Name of its class in LMCache.
        duration_s: Time that the creation took.
    """

    adapter_class: str
    duration_s: float


@dataclass(frozen=True)
class PhaseStarted:
    """A phase starts.

    Attributes:
        phase: store, lookup or load; ``trace`` where a trace runs all three at once.
        resident_fraction: Fraction of the point's pages that are in the page cache now, 0 to 1; None if the
            pages were not counted, or the kernel does not report them.
    """

    phase: str
    resident_fraction: float | None = None


@dataclass(frozen=True)
class PhaseEnded:
    """A phase ended.

    Attributes:
        phase: store, lookup or load.
        resident_fraction: As in :class:`PhaseStarted`.
        problem: What a check after the last round found, for which no round of the phase counts; empty if
            it found nothing.
        ended_by: Why the measured rounds ended, as in ``RoundsEnd`` of ``bench/rounds/schedule.py``; so are
            the next two.
        warmup_ended_by: Why the warm-up rounds ended.
        precision: The precision that the measured rounds reached.
    """

    phase: str
    resident_fraction: float | None = None
    problem: str = ""
    ended_by: str = ""
    warmup_ended_by: str = ""
    precision: float | None = None


@dataclass(frozen=True)
class CleaningUp:
    """Keys are being deleted, or the adapter is being closed, in a process that failed or only deletes keys.

    It is sent at the start, and again after each step: the store still answers.

    Attributes:
        detail: What has failed before, in one line; empty if nothing has.
    """

    detail: str


@dataclass(frozen=True)
class Note:
    """A text for the terminal. It is also in the log."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The process has finished its job and is about to end.

    Attributes:
        exit_code: 0 if everything was measured and is correct, 1 if something failed.
        detail: All failures in one line; empty if the exit code is 0.
        peak_rss_bytes: Largest resident set of the process.
        keys_removed: Whether the point's own keys were deleted at the end, and that is proven.
        keys_stay: Whether they should have been deleted, but the adapter cannot delete.
        keys_left: Number of the point's keys that a lookup still found after they were deleted; None if no
            key was deleted, none was looked up, or the deletion is not proven.
    """

    exit_code: int
    detail: str
    peak_rss_bytes: int
    keys_removed: bool = False
    keys_stay: bool = False
    keys_left: int | None = None


Message = (
    Accepted
    | RendezvousOpened
    | Refused
    | AdapterDescribed
    | AdapterCreated
    | PhaseStarted
    | PhaseEnded
    | RoundMeasured
    | CleaningUp
    | Note
    | Finished
)

_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    """Return a message as one line of JSON."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of a line that :func:`encode` wrote.

    Raises:
        ValueError: The line is not a message.
    """
    fields = json.loads(line)
    try:
        return _KINDS[fields.pop("kind")](**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a message of a benchmark process: {line[:80]!r}") from error
