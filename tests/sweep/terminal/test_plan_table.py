"""The table of a dry run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sample_rows import point_row
from shipped import point

from l2sweep.config.cache import CacheConfig
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.records.writer import write_point
from l2sweep.sweep.plan import Plan, PlannedPoint, SkippedPoint
from l2sweep.sweep.terminal import plan_table
from l2sweep.sweep.terminal.plan_table import earlier_wall_s, print_plan

# 2 MiB a round, 4 rounds a phase: 8 MiB are stored and 8 MiB are loaded.
BASE = replace(point(), num_keys=4, in_flight=2, data_size_kb=256, rounds=3, warmup_rounds=1)


def with_seed(seed: int, **changes: Any) -> PointConfig:
    return replace(BASE, overrides=(f"seed={seed}",), seed=seed, **changes)


def planned(*points: PointConfig) -> tuple[PlannedPoint, ...]:
    return tuple(PlannedPoint(index, index, 0, config) for index, config in enumerate(points))


def printed(
    to_run: tuple[PlannedPoint, ...],
    skipped: tuple[SkippedPoint, ...] = (),
    wall_s: dict[str, float] | None = None,
    width: int = 160,
) -> list[str]:
    screen = io.StringIO()
    print_plan(Console(file=screen, width=width), Plan(to_run, skipped), to_run, wall_s or {})
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_each_point_has_a_row_with_its_needs_and_its_expected_time() -> None:
    points = planned(with_seed(1), with_seed(2, only="load"))
    lines = printed(points, wall_s={points[0].config.point_id: 12.34})
    assert lines[0].split("  ")[0] == "point"
    name = "fs num_keys=4 in_flight=2 data_size_kb=256"
    assert lines[1].split() == ["0", "0", *name.split(), "seed=1", "8.0", "8.0", "404.0", "12.3"]
    assert lines[2].split() == ["1", "0", *name.split(), "seed=2", "0.0", "8.0", "402.0", "-"]


def test_the_last_line_contains_the_totals() -> None:
    points = planned(with_seed(1), with_seed(2))
    times = {one.config.point_id: 61.0 for one in points}
    assert printed(points, wall_s=times)[-1] == (
        "2 points in 2 processes, 0 skipped; 16 MiB to write, 16 MiB to read, at most 404 MiB of memory; "
        "expected time 0:02:02"
    )
    del times[points[0].config.point_id]
    last = printed(points, wall_s=times)[-1]
    assert last.endswith("expected time 0:01:01, without 1 points that were not measured before")


def test_a_cold_point_has_a_process_per_phase() -> None:
    cold = CacheConfig(mode="cold", drop_before=["load"], method="fadvise")
    assert "1 points in 3 processes" in printed(planned(with_seed(1, cache=cold)))[-1]


def test_skipped_points_are_listed_with_the_reason() -> None:
    skipped = SkippedPoint(with_seed(2), "needs [more] memory", as_asked=False)
    lines = printed(planned(with_seed(1)), (skipped,))
    named = "fs num_keys=4 in_flight=2 data_size_kb=256 seed=2"
    assert lines[2] == f"skipped: {named}: needs [more] memory"
    assert "1 points in 1 processes, 1 skipped; " in lines[-1]


def test_the_parts_of_a_long_table_have_one_header_and_the_same_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = planned(*(with_seed(seed) for seed in (1, 22, 333)))
    whole = printed(points)
    monkeypatch.setattr(plan_table, "_BATCH", 1)
    assert printed(points) == whole
    assert sum(line.startswith("point ") for line in whole) == 1


def test_a_narrow_terminal_folds_the_parameters_and_cuts_no_number() -> None:
    lines = printed(planned(with_seed(1)), width=90)
    assert "…" not in "".join(lines)
    assert "404.0" in lines[1]
    words = " ".join(" ".join(lines[1:]).split())
    for part in ("num_keys=4", "in_flight=2", "data_size_kb=256"):
        assert part in words


def test_the_earlier_time_of_a_point_is_the_median_of_its_successful_attempts(tmp_path: Path) -> None:
    for index, (status, wall_s) in enumerate([("ok", 2.0), ("ok", 4.0), ("failed", 900.0)]):
        row = point_row(sweep_id=f"s{index}", status=status, wall_s=wall_s, drop_s=0.5, point_id="p")
        write_point(tmp_path, f"s{index}.00000.1", [], [row])
    write_point(tmp_path, "s9.00000.1", [], [point_row(sweep_id="s9", status="failed", point_id="q")])
    assert earlier_wall_s(SweepConfig(results_dir=str(tmp_path))) == {"p": 3.5}


def test_without_earlier_sweeps_no_time_is_known(tmp_path: Path) -> None:
    assert earlier_wall_s(SweepConfig(results_dir=str(tmp_path / "missing"))) == {}
