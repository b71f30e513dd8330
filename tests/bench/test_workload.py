"""Sizes that follow from a workload."""

from __future__ import annotations

from small_job import small_workload


def test_sizes_follow_from_the_options() -> None:
    workload = small_workload(num_keys=3, in_flight=5, data_size_kb=7, rounds=11, warmup_rounds=2)
    assert workload.data_size_bytes == 7 * 1024
    assert workload.keys_per_round == 15
    assert workload.round_bytes == 15 * 7 * 1024
    assert workload.total_rounds == 13
