"""What a benchmark process reported, and how it ended."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

from l2sweep.bench.messages import (
    Accepted,
    AdapterCreated,
    CleaningUp,
    Finished,
    Message,
    PhaseEnded,
    PhaseStarted,
    Refused,
    RoundMeasured,
)
from l2sweep.bench.rounds.schedule import RoundsEnd
from l2sweep.process.bench_process import SILENCE, ProcessEnd
from l2sweep.process.output_errors import with_error


@dataclass
class ProcessReport:
    """The messages of a benchmark process, and how it ended.

    Attributes:
        accepted: The message that LMCache accepted the spec; None if it did not arrive.
        refused: The message that LMCache refused the spec; None if it did not arrive.
        created: The message that the adapter was created; None if it did not arrive.
        phase: The last phase that started; empty before the first.
        resident_at_start: For each phase, the fraction of the point's pages in the page cache at its start,
            0 to 1; None if unknown.
        resident_at_end: The same at the end of the phase.
        ends: For each phase that ended, why its rounds did.
        problems: For each phase of which no round counts, what a check after its last round found.
        rounds: All rounds, in the order of their messages.
        finished: The last message of a process that ran to its end; None if it did not arrive.
        failures: What had failed when the process began to delete its keys; empty if nothing had.
        end: How the process ended; None if it was not started.
        isolation: How the process was started: ``forkserver`` or ``spawn``; None if it was not started.
        interrupted: The user stopped the process.
        ended_for_another: It was ended because another client of the point was lost.
        last_line: The last line of its output.
        first_error: The first error in its output, which names the cause of what failed; empty if none.
    """

    accepted: Accepted | None = None
    refused: Refused | None = None
    created: AdapterCreated | None = None
    phase: str = ""
    resident_at_start: dict[str, float | None] = field(default_factory=dict)
    resident_at_end: dict[str, float | None] = field(default_factory=dict)
    ends: dict[str, RoundsEnd] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    rounds: list[RoundMeasured] = field(default_factory=list)
    finished: Finished | None = None
    failures: str = ""
    end: ProcessEnd | None = None
    isolation: str | None = None
    interrupted: bool = False
    ended_for_another: bool = False
    last_line: str = ""
    first_error: str = ""

    @property
    def outcome(self) -> tuple[str, str]:
        """The status of the process and its explanation, as in the columns ``status`` and ``detail``."""
        where = f" during {self.phase}" if self.phase else " before the first phase"
        if self.interrupted or (self.end is None and not self.ended_for_another):
            return "stopped", f"stopped by the user{where}"
        if self.refused is not None:
            return "refused", self.refused.problem
        if self.finished is not None:
            detail = with_error(self.finished.detail, self.first_error)
            return ("failed", detail) if self.finished.exit_code else ("ok", "")
        if self.ended_for_another or self.end is None:
            return "crashed", f"ended by l2sweep{where}: another client was lost"
        output = f"; last output: {self.last_line}" if self.last_line else ""
        if self.first_error and self.first_error not in self.last_line:
            output = f"; first error: {self.first_error}{output}"
        if self.end.exceeded_limit == SILENCE:
            detail = with_error(self.failures, self.first_error)
            return "failed", f"{detail}; the process was ended, because {self.end.exceeded_detail}"
        if self.end.exceeded_limit:
            detail = f"ended by l2sweep{where}: {self.end.exceeded_detail}{output}"
            return self.end.exceeded_limit, detail
        if self.end.signal is not None:
            return "crashed", f"killed by {signal.Signals(self.end.signal).name}{where}{output}"
        return "crashed", f"ended with exit code {self.end.exit_code}{where}{output}"

    def add(self, message: Message) -> None:
        """Add the content of a message."""
        if isinstance(message, RoundMeasured):
            self.rounds.append(message)
        elif isinstance(message, PhaseStarted):
            self.phase = message.phase
            self.resident_at_start[message.phase] = message.resident_fraction
        elif isinstance(message, PhaseEnded):
            self.resident_at_end[message.phase] = message.resident_fraction
            self.ends[message.phase] = RoundsEnd(message.ended_by, message.warmup_ended_by, message.precision)
            if message.problem:
                self.problems[message.phase] = message.problem
        elif isinstance(message, Accepted):
            self.accepted = message
        elif isinstance(message, Refused):
            self.refused = message
        elif isinstance(message, AdapterCreated):
            self.created = message
        elif isinstance(message, CleaningUp):
            self.failures = message.detail
        elif isinstance(message, Finished):
            self.finished = message
