"""The plan of a sweep: which points run, in which order, and which are skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from shipped import point

from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError
from l2sweep.sweep.plan import Plan, make_plan

BASE = replace(point(), overrides=())
GRID = [replace(BASE, num_keys=keys) for keys in (2, 4, 8, 16)]
ALL_PAIRS = {(repeat, cell) for repeat in range(3) for cell in range(4)}


def feasible(config: PointConfig) -> str:
    return ""


def plan(grid: Sequence[PointConfig] = GRID, why_infeasible: Any = feasible, **options: Any) -> Plan:
    return make_plan(grid, SweepConfig(sweep_id="mine", **options), why_infeasible, 0)


def order(made: Plan) -> list[tuple[int, int]]:
    return [(planned.repeat, planned.cell) for planned in made.points]


def num_keys(made: Plan) -> list[int]:
    return [planned.config.num_keys for planned in made.points]


def test_the_points_of_a_grid_run_in_its_order() -> None:
    made = plan()
    assert num_keys(made) == [2, 4, 8, 16]
    assert [planned.index for planned in made.points] == [0, 1, 2, 3]
    assert [planned.attempt for planned in made.points] == [1, 1, 1, 1]


def test_indices_start_at_the_first_index() -> None:
    made = make_plan(GRID, SweepConfig(sweep_id="mine"), feasible, 7)
    assert [planned.index for planned in made.points] == [7, 8, 9, 10]
    assert [planned.cell for planned in made.points] == [0, 1, 2, 3]


def test_in_grid_order_the_repeats_of_a_cell_follow_each_other() -> None:
    made = plan(repeats=2)
    assert order(made) == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)]
    assert num_keys(made) == [2, 2, 4, 4, 8, 8, 16, 16]
    assert [planned.index for planned in made.points] == list(range(8))


def test_in_random_order_every_repeat_of_every_cell_runs_once() -> None:
    shuffled = order(plan(order="random", repeats=3))
    assert len(shuffled) == 12
    assert set(shuffled) == ALL_PAIRS
    assert shuffled != order(plan(repeats=3))


def test_in_interleaved_order_each_repeat_is_a_whole_grid_in_another_order() -> None:
    shuffled = order(plan(order="interleaved", repeats=3))
    assert [repeat for repeat, _ in shuffled] == [0] * 4 + [1] * 4 + [2] * 4
    grids = [[cell for repeat, cell in shuffled if repeat == number] for number in range(3)]
    assert all(sorted(cells) == [0, 1, 2, 3] for cells in grids)
    assert len({tuple(cells) for cells in grids}) > 1


@pytest.mark.parametrize("kind", ["random", "interleaved"])
def test_the_seed_decides_a_shuffled_order(kind: str) -> None:
    orders = [order(plan(order=kind, repeats=3, order_seed=seed)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_each_planned_point_has_the_options_of_its_cell() -> None:
    made = plan(order="random", repeats=3)
    assert all(planned.config is GRID[planned.cell] for planned in made.points)


def test_points_that_a_constraint_excludes_are_skipped_as_requested() -> None:
    made = plan(constraints=["num_keys > 2", "num_keys * in_flight <= 8"])
    assert num_keys(made) == [4, 8]
    assert [planned.cell for planned in made.points] == [0, 1]  # skipped points are not counted
    assert [(skipped.config.num_keys, skipped.reason, skipped.as_asked) for skipped in made.skipped] == [
        (2, "constraint num_keys > 2", True),
        (16, "constraint num_keys * in_flight <= 8", True),
    ]


def test_a_constraint_can_use_the_adapter() -> None:
    assert num_keys(plan(constraints=["adapter.type == 'mock'"])) == []
    assert num_keys(plan(constraints=["adapter.type == 'fs'"])) == [2, 4, 8, 16]


def test_a_constraint_that_cannot_be_evaluated_is_refused() -> None:
    with pytest.raises(RequestError, match=r"constraints: .*no_such_option"):
        plan(constraints=["no_such_option < 3"])


def test_a_constraint_that_cannot_be_computed_names_the_point() -> None:
    grid = [replace(BASE, seed=0, overrides=("seed=0", "+adapter.password=hunter22"))]
    with pytest.raises(RequestError) as refused:
        plan(grid, constraints=["num_keys / seed > 1"])
    assert str(refused.value) == (
        "constraints: 'num_keys / seed > 1': num_keys / seed: division by zero "
        "(at seed=0 +adapter.password=***)"
    )


def test_a_constraint_can_use_the_options_below_a_dot_and_no_credential() -> None:
    assert (
        len(plan(constraints=["cache.mode == 'hot' and timeout_s.store > 1 and model == None"]).points) == 4
    )
    secret = [replace(BASE, adapter_spec={"type": "resp", "password": "x"})]
    with pytest.raises(RequestError, match="no field adapter_spec"):
        plan(secret, constraints=["adapter_spec.password == 'x'"])


def too_large(config: PointConfig) -> str:
    return "needs too much memory" if config.num_keys > 4 else ""


def test_points_that_this_machine_cannot_run_are_skipped_with_the_reason() -> None:
    made = plan(why_infeasible=too_large)
    assert num_keys(made) == [2, 4]
    assert [(skipped.reason, skipped.as_asked) for skipped in made.skipped] == [
        ("needs too much memory", False)
    ] * 2


def test_with_on_infeasible_fail_they_are_refused() -> None:
    with pytest.raises(RequestError, match=r"needs too much memory \(on_infeasible=fail\)"):
        plan(why_infeasible=too_large, on_infeasible="fail")


def test_with_on_infeasible_fail_constraints_still_skip_points() -> None:
    made = plan(why_infeasible=too_large, on_infeasible="fail", constraints=["num_keys < 8"])
    assert num_keys(made) == [2, 4]
    assert len(made.skipped) == 2


def test_the_options_of_all_points_include_those_of_skipped_points() -> None:
    made = plan(constraints=["num_keys != 4"])
    assert [config.num_keys for config in made.configs] == [2, 8, 16, 4]


def test_a_plan_with_a_point_is_accepted() -> None:
    plan(constraints=["num_keys == 4"]).require_a_point()


def test_a_plan_without_a_point_is_refused_with_each_reason_and_its_count() -> None:
    made = plan(constraints=["num_keys > 4"], why_infeasible=too_large)
    with pytest.raises(RequestError) as refused:
        made.require_a_point()
    assert str(refused.value) == (
        "no point is left to run: 2 skipped: constraint num_keys > 4; 2 skipped: needs too much memory"
    )


def test_at_most_five_reasons_are_listed() -> None:
    grid = [replace(BASE, num_keys=keys) for keys in (*range(1, 9), 1)]
    with pytest.raises(RequestError) as refused:
        plan(grid, lambda config: f"needs {config.num_keys} GiB").require_a_point()
    assert str(refused.value) == (
        "no point is left to run: 2 skipped: needs 1 GiB; "
        + "".join(f"1 skipped: needs {size} GiB; " for size in (2, 3, 4, 5))
        + "3 skipped for other reasons"
    )


def test_an_empty_grid_is_refused() -> None:
    with pytest.raises(RequestError, match="no point is left to run: the grid is empty"):
        plan([]).require_a_point()
