"""The result of examining a fleet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Verdict = Literal["slow", "failed", "inconclusive", "ok"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""The verdicts, the worst first."""
NOTHING_SLOW, SOMETHING_SLOW, INCONCLUSIVE = 0, 1, 3
"""Exit codes, as those of ``compare``. Where nothing can be examined, it is that of a RequestError."""


@dataclass(frozen=True)
class Finding:
    """Where a host is slow.

    Attributes:
        where: In words: ``all phases``, ``load over 4 points``, or a point.
        phase: The phase; None: all.
        points: Number of points and phases.
        relative_rate: Rate of the host relative to the median of the fleet: 0.85 is 15 % below it.
        score: Robust score: the difference from the median in deviations of the hosts.
        p: p-value, corrected for the number of hosts, and of phases and points that are judged.
    """

    where: str
    phase: str | None
    points: int
    relative_rate: float
    score: float
    p: float


@dataclass(frozen=True)
class HostFailure:
    """What a host failed at, and other hosts completed.

    Attributes:
        where: The point, in words or by its id, and the phase.
        processes: Number of processes of the host that failed there.
        reason: How the first of them ended.
    """

    where: str
    processes: int
    reason: str


@dataclass(frozen=True)
class Difference:
    """A property of the environment in which a host differs from most others.

    Attributes:
        name: What differs.
        value: The value on the host.
        others: The most frequent value on the other hosts.
        hosts: How many of the other hosts have that value.
    """

    name: str
    value: str
    others: str
    hosts: int


@dataclass(frozen=True)
class HostResult:
    """What is known of a host.

    Attributes:
        host: Its name.
        verdict: ``slow``, ``failed`` (other hosts completed what it failed at), ``inconclusive`` or ``ok``.
        reason: Why it is inconclusive; else empty.
        relative_rate: Rate relative to the median of the fleet, over all points and phases; None if it
            completed nothing that another host completed.
        by_phase: The same for each phase.
        score: Robust score over all points and phases; None with fewer than three hosts.
        p: p-value of that score, corrected as in :class:`Finding`.
        points: Number of points and phases that it completed.
        processes: Number of processes.
        findings: Where it is slow, the widest scope first.
        failures: What it failed at.
        environment: How its environment differs, if it is slow or failed.
    """

    host: str
    verdict: Verdict
    reason: str
    relative_rate: float | None
    by_phase: dict[str, float | None]
    score: float | None
    p: float | None
    points: int
    processes: int
    findings: tuple[Finding, ...]
    failures: tuple[HostFailure, ...]
    environment: tuple[Difference, ...] = ()

    @property
    def failed_processes(self) -> int:
        """Number of processes that failed."""
        return sum(one.processes for one in self.failures)


@dataclass(frozen=True)
class FleetResult:
    """Which hosts of a fleet are slow or failed.

    Attributes:
        sweeps: Ids of the sweeps.
        phases: The phases that were measured on several hosts.
        points: Number of points and phases that were measured on several hosts.
        threshold: The least difference for which a host is named: 0.05 is 5 %.
        level: A corrected p-value of at most this is significant.
        hosts: The hosts, the worst verdict first, then the lowest rate.
        visible: The least difference over all points and phases for which a host would be named, given how
            the hosts deviate; None with fewer than three hosts.
        notes: What was not judged, in sentences.
    """

    sweeps: tuple[str, ...]
    phases: tuple[str, ...]
    points: int
    threshold: float
    level: float
    hosts: tuple[HostResult, ...]
    visible: float | None
    notes: tuple[str, ...]

    @property
    def slow(self) -> tuple[HostResult, ...]:
        """The hosts that are slow."""
        return tuple(one for one in self.hosts if one.findings)

    @property
    def failed(self) -> tuple[HostResult, ...]:
        """The hosts that failed at something, whether they are also slow or not."""
        return tuple(one for one in self.hosts if one.failures)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer: a sentence for each host that is slow or failed, or one that says that none is."""
        from l2sweep.analysis.fleet.sentences import sentences

        return sentences(self)

    def exit_code(self, *, strict: bool = False) -> int:
        """Return the exit code of the command.

        Args:
            strict: Whether an inconclusive host, without one that is slow or failed, has a code of its own.
        """
        if self.slow or self.failed:
            return SOMETHING_SLOW
        is_open = any(one.verdict == "inconclusive" for one in self.hosts)
        return INCONCLUSIVE if strict and is_open else NOTHING_SLOW
