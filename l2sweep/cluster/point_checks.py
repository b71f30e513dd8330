"""The checks of a sweep's points, which each host makes before it runs one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from l2sweep.cluster.attempt import Member
from l2sweep.cluster.line.messages import Check, Checked
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.plan import Plan, PlannedPoint


class PointChecks:
    """Asks hosts whether the points can run on them. Without points, every host is ready.

    Args:
        plugin_folders: Returns the folders from which the processes can also import.
    """

    def __init__(self, plugin_folders: Callable[[], tuple[str, ...]]) -> None:
        self._plugin_folders = plugin_folders
        self._check: Check | None = None
        self._number = 0

    def begin(
        self, plan: Plan, to_run: Sequence[PlannedPoint], sweep: SweepConfig, members: Iterable[Member]
    ) -> None:
        """Ask all hosts again, because other points are about to run.

        Args:
            plan: All points of the sweep.
            to_run: The points that are not measured yet.
            sweep: The options of the sweep.
            members: The hosts that have joined.
        """
        self._number += 1
        # A fleet of 1,000 hosts has 1,000 points with the same options, and more with repeats.
        cells = {one.cell: one for one in to_run}.values()
        configs = {id(one): one for one in plan.configs}.values()
        self._check = Check.of(self._number, list(cells), sweep, configs, self._plugin_folders())
        for member in members:
            self.ask(member)

    def end(self) -> None:
        """Ask no more: no point runs any more."""
        self._check = None

    def ask(self, member: Member) -> None:
        """Let a host check the points: once each, however often they are repeated."""
        if self._check is not None:
            member.problems = None
            member.send(self._check)

    def take(self, member: Member, answer: Checked) -> None:
        """Take the answer of a host. One to an earlier question does not count."""
        if answer.number == self._number:
            member.problems = tuple(answer.problems)


def problems_of(members: Iterable[Member]) -> list[str]:
    """Return why hosts cannot run the points. Hosts with the same problem share a sentence.

    Args:
        members: The hosts.
    """
    hosts: dict[str, list[str]] = {}
    for member in sorted(members, key=lambda one: one.rank):
        for problem in member.problems or ():
            hosts.setdefault(problem, []).append(member.host)
    return [f"{', '.join(names)}: {problem}" for problem, names in hosts.items()]
