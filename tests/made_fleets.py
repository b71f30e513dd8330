"""Rows of a fleet: the points of a made sweep on several hosts, without running anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from made_sweeps import MadeSweep
from sample_rows import Row


@dataclass(frozen=True)
class MadeFleet:
    """A fleet whose rounds take as long as those of a made sweep, with deviations of the hosts.

    Attributes:
        number: Its deviations follow from it.
        hosts: How many hosts it has: ``host-0``, ``host-1`` and so on.
        sizes_kb: Sizes of a key.
        depths: Submits in flight.
        phases: Phases of each point.
        repeats: Processes of each point on each host.
        rounds: Rounds of each process.
        host_deviation: Relative deviation of a host.
        process_deviation: Relative deviation of a process.
        factors: Factors of the duration on a host: by its name, or by its name and the phase, or by its name,
            the phase and the size.
        changes: Values of columns, by the name of the host.
        is_fleet: Whether the rows say that their sweep is a fleet.
    """

    number: int = 0
    hosts: int = 8
    sizes_kb: Sequence[int] = (4096, 16384)
    depths: Sequence[int] = (1,)
    phases: Sequence[str] = ("store", "load")
    repeats: int = 3
    rounds: int = 3
    host_deviation: float = 0.005
    process_deviation: float = 0.005
    factors: Mapping[Any, float] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_fleet: bool = True

    @property
    def sweep_id(self) -> str:
        """Id of the sweep."""
        return f"fleet-{self.number:03}"

    @property
    def names(self) -> list[str]:
        """Names of the hosts."""
        return [f"host-{number}" for number in range(self.hosts)]

    def lists(self) -> tuple[list[Row], list[Row]]:
        """Return the rows of ``rounds`` and of ``points``, for a test to change."""
        generator = np.random.default_rng(self.number)
        rounds: list[Row] = []
        points: list[Row] = []
        for number, name in enumerate(self.names):
            usual = math.exp(generator.normal(0, self.host_deviation))
            sweep = MadeSweep(
                1000 * self.number + number,
                ("fs",),
                self.sizes_kb,
                self.depths,
                self.phases,
                self.repeats,
                self.rounds,
                self.process_deviation,
                factors={("fs", phase): self._factor(name, phase) * usual for phase in self.phases}
                | {
                    ("fs", phase, size_kb): self.factors[name, phase, size_kb]
                    for phase in self.phases
                    for size_kb in self.sizes_kb
                    if (name, phase, size_kb) in self.factors
                },
                changes={
                    "host": name,
                    "fleet": True if self.is_fleet else None,
                    **self.changes.get(name, {}),
                },
            )
            own_rounds, own_points = sweep.lists()
            shift = len(points)
            for row in (*own_rounds, *own_points):
                row.update(sweep_id=self.sweep_id, sweep_name="fleet", point_index=row["point_index"] + shift)
            rounds += own_rounds
            only = self.phases[0] if len(self.phases) == 1 else None
            points += [{**row, "only": only, "signal": None, "detail": ""} for row in own_points]
        return rounds, points

    def _factor(self, name: str, phase: str) -> float:
        return self.factors.get(name, 1.0) * self.factors.get((name, phase), 1.0)
