"""What a benchmark process reports, one JSON object a line.

Every message is written as soon as it is true, so that what was measured before a crash is kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

MESSAGE_FD_VARIABLE = "L2SWEEP_MESSAGE_FD"


@dataclass(frozen=True)
class Accepted:
    """LMCache understood the spec; nothing has been touched yet.

    Attributes:
        lmcache_version: Of the process that measures.
        torch_version: Of the process that measures.
        python_version: Of the process that measures.
    """

    lmcache_version: str
    torch_version: str
    python_version: str


@dataclass(frozen=True)
class Refused:
    """LMCache refused the spec; nothing has been touched.

    Attributes:
        problem: One sentence that names the option, the value and what is allowed.
    """

    problem: str


@dataclass(frozen=True)
class AdapterCreated:
    """The adapter is there.

    Attributes:
        adapter_class: Name of its class in LMCache.
        duration_s: Time that its construction took.
    """

    adapter_class: str
    duration_s: float


@dataclass(frozen=True)
class PhaseStarted:
    """An operation begins.

    Attributes:
        phase: store, lookup or load.
        resident_share: Share of the point's pages that are in the page cache now, 0 to 1; None where it was
            not looked at or the kernel does not tell.
    """

    phase: str
    resident_share: float | None = None


@dataclass(frozen=True)
class PhaseEnded:
    """An operation ended; the attributes are those of :class:`PhaseStarted`."""

    phase: str
    resident_share: float | None = None


@dataclass(frozen=True)
class RoundMeasured:
    """One round ended, or will never end.

    Attributes:
        phase: store, lookup or load.
        round: Counted from 1, warm-up rounds first.
        is_warmup: The round belongs to no result.
        status: ``ok`` (all that was expected), ``partial`` (some of it), ``error`` (none of it, or the
            adapter failed), ``timeout``.
        detail: Why it is not ok, and the adapter's last warning or error in it; else empty.
        started_at_s: Seconds since the epoch, just before the first submit; None where it was not run.
        duration_s: From the first submit to the last completion; None where there was none.
        keys_requested: Keys in all submits.
        keys_expected: Keys that must be moved or found.
        keys_ok: Keys that were.
        bytes_requested: Payload of ``keys_requested``; 0 for lookups.
        bytes_ok: Bytes that moved, and that were right where they were checked.
        submit_latency_s: For each submit that completed in time, from its submit to its completion.
        verified_keys: Loaded keys whose every byte was checked.
        mismatched_keys: Checked keys that differ.
        cpu_user_s: User time of the process, all threads, during the round.
        cpu_sys_s: System time likewise.
        device_read_bytes: Bytes that the kernel fetched from storage for the process during the round,
            or None where it does not tell.
        device_write_bytes: Bytes that the process caused to be sent to storage, likewise.
        flush_s: Time that flushing to the device took after the round; None where nothing was flushed.
    """

    phase: str
    round: int
    is_warmup: bool
    status: str
    detail: str
    started_at_s: float | None
    duration_s: float | None
    keys_requested: int
    keys_expected: int
    keys_ok: int
    bytes_requested: int
    bytes_ok: int
    submit_latency_s: list[float]
    verified_keys: int
    mismatched_keys: int
    cpu_user_s: float
    cpu_sys_s: float
    device_read_bytes: int | None
    device_write_bytes: int | None
    flush_s: float | None = None


@dataclass(frozen=True)
class Note:
    """Something that a person at the terminal wants to know; it is in the log, too."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The process did all it could and is about to end.

    Attributes:
        exit_code: 0 all that was asked is measured and right, 1 something failed.
        detail: Every failure in one line; empty with exit code 0.
        peak_rss_bytes: Largest resident set of the process.
        keys_removed: Whether the point's own keys were deleted at the end.
        keys_stay: They were to be, and the adapter cannot delete.
    """

    exit_code: int
    detail: str
    peak_rss_bytes: int
    keys_removed: bool = False
    keys_stay: bool = False


Message = Accepted | Refused | AdapterCreated | PhaseStarted | PhaseEnded | RoundMeasured | Note | Finished

_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (Accepted, Refused, AdapterCreated, PhaseStarted, PhaseEnded, RoundMeasured, Note, Finished)
}


def encode(message: Message) -> bytes:
    """Return a message as one line."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Read a line that :func:`encode` made.

    Raises:
        ValueError: The line is no message.
    """
    fields = json.loads(line)
    try:
        return _KINDS[fields.pop("kind")](**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a message of a benchmark process: {line[:80]!r}") from error
