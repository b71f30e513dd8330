"""Add up what completed in each second of a replay, and report it as one row for each phase."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from l2sweep.bench.adapter.contract import in_one_line
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.job import PHASES
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.rounds.resource_usage import ResourceUsage

SECOND_S = 1.0


@dataclass
class Outcome:
    """What one submit adds to the second in which it ended.

    Attributes:
        keys_requested: Number of its keys.
        keys_expected: Number of keys that it must move or find.
        keys_ok: Number of keys that were moved or found.
        bytes_requested: Payload of its keys; 0 for lookups.
        bytes_ok: Bytes that were moved.
        latency_s: Time from the submit to its completion; None if it has none.
        late_s: Time from the moment at which it was due to the submit; None if it was not submitted.
        waited_s: Time that it was waited for, if it did not complete in time; else None.
        verified_keys: Loaded keys of which every byte was checked.
        sampled_keys: Loaded keys of which a few words were checked.
        mismatched_keys: Loaded keys with wrong bytes.
        false_hits: Found keys that were never stored.
        false_misses: Stored keys that were not found.
        rule: The rule of its interface that the adapter broke; empty if it broke none.
        reason: Why keys are missing; empty if none are.
    """

    keys_requested: int = 0
    keys_expected: int = 0
    keys_ok: int = 0
    bytes_requested: int = 0
    bytes_ok: int = 0
    latency_s: float | None = None
    late_s: float | None = None
    waited_s: float | None = None
    verified_keys: int = 0
    sampled_keys: int = 0
    mismatched_keys: int = 0
    false_hits: int = 0
    false_misses: int = 0
    rule: str = ""
    reason: str = ""


@dataclass
class ReplaySeconds:
    """The seconds of a replay.

    Attributes:
        report: Called with the row of each phase as soon as its second is over.
        log: Holds the last warning or error of LMCache.
        counts_false_hits: Whether no one else stores keys in the namespace.
        measured: The rows that were reported.
    """

    report: Callable[[RoundMeasured], None]
    log: LogWatch
    counts_false_hits: bool
    measured: list[RoundMeasured] = field(default_factory=list, init=False)
    _second: int = field(default=0, init=False)
    _outcomes: dict[str, list[Outcome]] = field(default_factory=dict, init=False)
    _started_at_s: float = field(default=0.0, init=False)
    _usage: ResourceUsage | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin the first second."""
        self._started_at_s = time.time()
        self._usage = ResourceUsage.now()
        self.log.take()

    def move_to(self, elapsed_s: float) -> None:
        """Report the seconds that are over.

        Args:
            elapsed_s: Time since the start of the replay.
        """
        while elapsed_s >= (self._second + 1) * SECOND_S:
            self._report(SECOND_S)
            self._second += 1

    def add(self, phase: str, outcome: Outcome) -> None:
        """Add a submit that ended in the current second.

        Args:
            phase: store, lookup or load.
            outcome: What it moved or found.
        """
        self._outcomes.setdefault(phase, []).append(outcome)

    def end(self, elapsed_s: float) -> None:
        """Report the last second.

        Args:
            elapsed_s: Time since the start of the replay.
        """
        self.move_to(elapsed_s)
        self._report(max(elapsed_s - self._second * SECOND_S, time.get_clock_info("perf_counter").resolution))

    @property
    def next_end_s(self) -> float:
        """When the current second is over, in seconds since the start of the replay."""
        return (self._second + 1) * SECOND_S

    def _report(self, elapsed_s: float) -> None:
        usage = ResourceUsage.now()
        used = usage.since(usage if self._usage is None else self._usage)
        self._usage = usage
        logged = self.log.take()
        for phase in PHASES:
            outcomes = self._outcomes.get(phase, [])
            row = self._row(phase, outcomes, elapsed_s, used, logged)
            self.measured.append(row)
            self.report(row)
        self._outcomes.clear()

    def _row(
        self, phase: str, outcomes: list[Outcome], elapsed_s: float, used: ResourceUsage, logged: str
    ) -> RoundMeasured:
        def total(name: str) -> int:
            return sum(getattr(one, name) for one in outcomes)

        rules = in_one_line(one.rule for one in outcomes if one.rule)
        unfinished = [one.waited_s for one in outcomes if one.waited_s is not None]
        keys_ok, expected, false_hits = total("keys_ok"), total("keys_expected"), total("false_hits")
        is_lookup = phase == "lookup"
        if rules or (is_lookup and false_hits and self.counts_false_hits):
            status = "error"
        elif unfinished:
            status = "timeout"
        elif keys_ok == expected:
            status = "ok"
        else:
            status = "partial" if keys_ok else "error"
        details = [
            f"{phase}: {rules}" if rules else "",
            f"{len(unfinished)} of {len(outcomes)} submits did not complete in time" if unfinished else "",
            in_one_line(one.reason for one in outcomes if one.reason),
            f"{false_hits} false hits" if false_hits and self.counts_false_hits else "",
            f"{total('false_misses')} false misses" if total("false_misses") else "",
            logged,
        ]
        timed = [one for one in outcomes if one.latency_s is not None and one.late_s is not None]
        return RoundMeasured(
            phase=phase,
            round=self._second + 1,
            is_warmup=False,
            status=status,
            detail="; ".join(part for part in details if part),
            started_at_s=self._started_at_s + self._second * SECOND_S,
            duration_s=None if rules else elapsed_s,
            keys_requested=total("keys_requested"),
            keys_expected=expected,
            keys_ok=keys_ok,
            bytes_requested=total("bytes_requested"),
            bytes_ok=total("bytes_ok"),
            submit_latency_s=[one.latency_s for one in timed if one.latency_s is not None],
            verified_keys=total("verified_keys"),
            mismatched_keys=total("mismatched_keys"),
            cpu_user_s=used.cpu_user_s,
            cpu_sys_s=used.cpu_sys_s,
            device_read_bytes=used.device_read_bytes,
            device_write_bytes=used.device_write_bytes,
            submit_unfinished_s=unfinished,
            sampled_keys=total("sampled_keys"),
            false_hits=false_hits if is_lookup and self.counts_false_hits else None,
            false_misses=total("false_misses") if is_lookup else None,
            elapsed_s=elapsed_s,
            second=self._second,
            late_s=[one.late_s for one in timed if one.late_s is not None],
        )
