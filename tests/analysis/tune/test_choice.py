"""The options with the least loss in their worst workload."""

from __future__ import annotations

import pandas as pd
import pytest
from sample_curves import frame, process_rows
from sample_rows import MIB

from l2sweep.analysis.tune.choice import Choice, least_worst_loss
from l2sweep.analysis.tune.settings import settings

# The best number of workers reverses with the size: 1 and 16 lose half where they are not the best.
RATES = {(1, 64): 100.0, (4, 64): 90.0, (16, 64): 50.0, (1, 4096): 50.0, (4, 4096): 95.0, (16, 4096): 100.0}


def rounds_of(rates: dict[tuple[int, int], float], spread: float = 0.0) -> pd.DataFrame:
    """Return three processes for each number of workers and size."""
    return frame(
        *(
            process_rows(
                10 * index + n, rate * (1 + spread * (n - 1)), num_workers=workers, data_size_kb=size
            )
            for index, ((workers, size), rate) in enumerate(rates.items())
            for n in range(3)
        )
    )


def choose(rounds: pd.DataFrame) -> Choice[object]:
    return least_worst_loss(settings(rounds, "load", "cold"), lambda one: one.value("adapter.num_workers"))


def test_the_choice_loses_the_least_in_its_worst_workload() -> None:
    rounds = rounds_of(RATES)
    choice = choose(rounds)
    measured = rounds[~rounds["is_warmup"]]
    workers = measured["adapter_spec"].str.extract(r'"num_workers": (\d+)', expand=False).astype(int)
    rates = (measured["bytes_ok"] / MIB / measured["duration_s"]).groupby([workers, measured["data_size_kb"]])
    table = rates.median().unstack()
    worst = (1 - table / table.max()).max(axis=1).sort_values()
    assert [one.option for one in choice.candidates] == list(worst.index) == [4, 1, 16]
    assert [one.loss for one in choice.candidates] == pytest.approx(list(worst))
    first = choice.candidates[0]
    assert (first.loss, first.worst.data_size_kb) == (pytest.approx(0.1), 64)
    assert first.best_there.value("adapter.num_workers") == 1
    assert (choice.workloads, choice.left_out) == (2, ())


def test_the_interval_of_the_loss_contains_it_and_is_wider_with_more_spread() -> None:
    narrow, wide = (choose(rounds_of(RATES, spread)).candidates[0].loss_interval for spread in (0.01, 0.05))
    assert narrow is not None
    assert wide is not None
    assert narrow.low <= 0.1 <= narrow.high
    assert wide.high - wide.low > narrow.high - narrow.low > 0


def test_an_option_that_was_not_measured_everywhere_is_left_out() -> None:
    rates = {key: rate for key, rate in RATES.items() if key != (4, 64)}
    choice = choose(rounds_of(rates))
    assert [one.option for one in choice.candidates] == [1, 16]
    assert choice.left_out == (4,)


def test_an_option_of_which_a_process_failed_is_left_out_and_no_yardstick() -> None:
    rounds = rounds_of({**RATES, (32, 64): 900.0, (32, 4096): 900.0})
    rounds.loc[rounds["point_index"] == rounds["point_index"].max(), "status"] = "timeout"
    choice = choose(rounds)
    assert choice.left_out == (32,)
    assert choice.candidates[0].loss == pytest.approx(0.1)


def test_nothing_is_chosen_where_no_option_was_measured_everywhere() -> None:
    choice = choose(rounds_of({(1, 64): 1.0, (4, 4096): 1.0}))
    assert choice.candidates == ()
    assert set(choice.left_out) == {1, 4}
