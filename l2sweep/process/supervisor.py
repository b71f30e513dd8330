"""One benchmark process, from its request to what is known of it when it is gone."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from l2sweep import credentials
from l2sweep.bench.messages import (
    Accepted,
    AdapterCreated,
    Finished,
    Message,
    PhaseEnded,
    PhaseStarted,
    Refused,
    RoundMeasured,
)
from l2sweep.bench.request import PointRequest
from l2sweep.process.bench_process import ProcessEnd, ProcessLimits
from l2sweep.process.log import PointLog
from l2sweep.process.starter import StartProcess

OnMessage = Callable[[Message], None]


@dataclass
class PhaseProcess:
    """What a benchmark process has reported, and how it ended.

    Attributes:
        accepted: LMCache's word that it takes the spec.
        refused: Its word that it does not.
        created: The adapter is there.
        phase: The last operation that began.
        resident_at_start: By operation, the share of its pages in the page cache when it began.
        resident_at_end: The same when it ended.
        rounds: Every round.
        finished: It came to its end.
        end: How it ended; None where it was not started.
        isolation: How it was started.
        interrupted: The user stopped it.
        last_line: What it said last.
    """

    accepted: Accepted | None = None
    refused: Refused | None = None
    created: AdapterCreated | None = None
    phase: str = ""
    resident_at_start: dict[str, float | None] = field(default_factory=dict)
    resident_at_end: dict[str, float | None] = field(default_factory=dict)
    rounds: list[RoundMeasured] = field(default_factory=list)
    finished: Finished | None = None
    end: ProcessEnd | None = None
    isolation: str | None = None
    interrupted: bool = False
    last_line: str = ""

    @property
    def outcome(self) -> tuple[str, str]:
        """The status and the detail of its row."""
        where = f" during {self.phase}" if self.phase else " before the first operation"
        if self.interrupted or self.end is None:
            return "stopped", f"stopped by the user{where}"
        if self.refused is not None:
            return "refused", self.refused.problem
        if self.finished is not None:
            return ("failed", self.finished.detail) if self.finished.exit_code else ("ok", "")
        said = f"; its last words: {self.last_line}" if self.last_line else ""
        if self.end.ended_as:
            return self.end.ended_as, f"ended by l2sweep for {self.end.ended_because}{where}{said}"
        if self.end.signal is not None:
            return "crashed", f"killed by {signal.Signals(self.end.signal).name}{where}{said}"
        return "crashed", f"ended with exit code {self.end.exit_code}{where}{said}"

    def hear(self, message: Message) -> None:
        """Keep what a message says."""
        if isinstance(message, RoundMeasured):
            self.rounds.append(message)
        elif isinstance(message, PhaseStarted):
            self.phase = message.phase
            self.resident_at_start[message.phase] = message.resident_share
        elif isinstance(message, PhaseEnded):
            self.resident_at_end[message.phase] = message.resident_share
        elif isinstance(message, Accepted):
            self.accepted = message
        elif isinstance(message, Refused):
            self.refused = message
        elif isinstance(message, AdapterCreated):
            self.created = message
        elif isinstance(message, Finished):
            self.finished = message


def run_process(
    start: StartProcess,
    request: PointRequest,
    limits: ProcessLimits,
    log: PointLog,
    secrets: set[str],
    on_message: OnMessage,
) -> PhaseProcess:
    """Run a benchmark process to its end.

    Args:
        start: How it is started.
        request: What it is to do.
        limits: What it is given.
        log: Takes what it prints.
        secrets: Texts that must not be seen.
        on_message: Told everything that it reports, with no credential in it.

    Returns:
        What is known of it. A KeyboardInterrupt ends it and is noted.
    """
    heard = PhaseProcess()
    process = None
    try:
        process = start(request, limits, log.write)
        heard.isolation = process.isolation
        for message in process.messages():
            clean = _scrubbed(message, secrets)
            heard.hear(clean)
            on_message(clean)
    except KeyboardInterrupt:
        heard.interrupted = True
    except BaseException:  # what it reports cannot be kept
        if process is not None:
            process.end(at_once=True)
        raise
    if process is not None:
        heard.end = process.end(at_once=heard.interrupted)
        for message in process.unread:
            heard.hear(_scrubbed(message, secrets))
    heard.last_line = log.last_line
    return heard


def _scrubbed(message: Message, secrets: set[str]) -> Message:
    texts = {
        name: credentials.scrub(value, secrets)
        for name, value in vars(message).items()
        if isinstance(value, str) and name in ("detail", "problem", "text")
    }
    return type(message)(**{**vars(message), **texts})
