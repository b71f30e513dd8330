"""Rows of sweeps with durations from a random generator, without running anything."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from sample_rows import Row, point_row, round_row

from l2sweep.analysis.fleet.hosts import FLEET_HOST, with_fleet_hosts
from l2sweep.records import schema

Rows = tuple[pa.Table, pa.Table]
"""The rows of ``rounds`` and of ``points``."""


@dataclass(frozen=True)
class MadeSweep:
    """A sweep whose rounds take 10 us per KiB and submit, with random deviations.

    Attributes:
        number: Number of the sweep: its id, its date and its deviations follow from it.
        adapters: Adapter types.
        sizes_kb: Sizes of a key.
        depths: Submits in flight.
        phases: Phases of each point.
        repeats: Processes of each point.
        rounds: Rounds of each process.
        process_deviation: Relative deviation of a process.
        round_deviation: Relative deviation of a round within its process.
        night_deviation: Relative deviation of a point and phase in a night.
        factors: Factors of the duration, by adapter, by phase, or by both.
        changes: Values of columns, in all rows.
    """

    number: int = 0
    adapters: Sequence[str] = ("fs", "fs_native")
    sizes_kb: Sequence[int] = (4096, 8192, 16384, 32768)
    depths: Sequence[int] = (1, 4)
    phases: Sequence[str] = ("store", "load")
    repeats: int = 3
    rounds: int = 5
    process_deviation: float = 0.01
    round_deviation: float = 0.01
    night_deviation: float = 0.0
    factors: Mapping[Any, float] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)

    def rows(self) -> Rows:
        """Return the rows of the sweep."""
        rounds, points = self.lists()
        return tables(rounds, points)

    def lists(self) -> tuple[list[Row], list[Row]]:
        """Return the rows of the sweep as lists, for a test to change."""
        generator = np.random.default_rng(self.number)
        shapes = [(a, size, depth) for a in self.adapters for size in self.sizes_kb for depth in self.depths]
        night_size = (len(shapes), len(self.phases))
        nights = np.exp(generator.normal(0, self.night_deviation, night_size))
        rounds: list[Row] = []
        points: list[Row] = []
        for repeat in range(self.repeats):
            for shape, of_night in zip(shapes, nights, strict=True):
                shared = self._shared(repeat, len(points), *shape)
                for phase, usual in zip(self.phases, of_night, strict=True):
                    process = usual * math.exp(generator.normal(0, self.process_deviation))
                    deviations = np.exp(generator.normal(0, self.round_deviation, self.rounds))
                    rounds += self._rounds(shared, phase, shape, process * deviations)
                points.append(point_row(**{**shared, **self.changes}))
        return rounds, points

    def _shared(self, repeat: int, index: int, adapter: str, size_kb: int, depth: int) -> Row:
        first = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=self.number)
        return {
            "sweep_id": f"night-{self.number:03}",
            "point_id": f"{adapter}-{size_kb}-{depth}",
            "point_index": index,
            "repeat": repeat,
            "adapter_type": adapter,
            "adapter_spec": json.dumps({"type": adapter, "base_path": "/mnt/nvme/kv"}),
            "in_flight": depth,
            "data_size_kb": size_kb,
            "rounds": self.rounds,
            "started_at": first + timedelta(seconds=index),
        }

    def _rounds(
        self, shared: Row, phase: str, shape: tuple[str, int, int], factors: Sequence[float]
    ) -> Iterator[Row]:
        adapter, size_kb, depth = shape
        known = (adapter, phase, (adapter, phase), (adapter, phase, size_kb))
        usual_s = 1e-5 * size_kb * depth * math.prod(self.factors.get(key, 1.0) for key in known)
        own = round_row()
        changes = {name: value for name, value in self.changes.items() if name in own}
        for number, factor in enumerate(factors):
            row = {**shared, "duration_s": usual_s * factor, **changes}
            yield round_row(phase, number, **row)


def tables(rounds: Sequence[Row], points: Sequence[Row]) -> Rows:
    """Return rows as tables."""
    return as_read(rounds, schema.ROUNDS), as_read(points, schema.POINTS)


def as_read(rows: Iterable[Row], columns: pa.Schema) -> pa.Table:
    """Return rows as a table, with the column that the reader adds to both data sets."""
    return pa.Table.from_pylist(with_fleet_hosts(rows), columns.append(pa.field(FLEET_HOST, pa.string())))


def together(*rows: Rows) -> Rows:
    """Return the rows of several sweeps."""
    return pa.concat_tables([one for one, _ in rows]), pa.concat_tables([one for _, one in rows])
