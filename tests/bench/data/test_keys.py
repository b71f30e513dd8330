"""The keys of each round: the same as in ``lmcache bench l2``, and no key is stored or looked up twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product

import pytest
from small_job import small_workload

from l2sweep.bench.data.keys import KeyLayout

RATES = (0.0, 0.01, 0.29, 0.3, 1 / 3, 0.5, 0.7, 0.999, 1.0)


def layouts() -> Iterator[KeyLayout]:
    for num_keys, in_flight, total_rounds, rate in product((1, 2, 7, 32), (1, 3, 8), (1, 2, 5), RATES):
        yield layout(num_keys, in_flight, total_rounds, rate)


def layout(num_keys: int, in_flight: int, total_rounds: int, rate: float) -> KeyLayout:
    workload = small_workload(
        num_keys=num_keys,
        in_flight=in_flight,
        rounds=total_rounds - total_rounds // 2,
        warmup_rounds=total_rounds // 2,
        lookup_max_hit_rate=rate,
    )
    return KeyLayout(workload)


def flat(submits: list[list[int]]) -> list[int]:
    return list(chain.from_iterable(submits))


def test_store_and_load_rounds_are_those_of_lmcache_bench_l2() -> None:
    for found in layouts():
        workload = found.workload
        for r in range(workload.total_rounds):
            # run_l2_adapter_bench, _build_round_keys
            keys_per_round = workload.in_flight * workload.num_keys
            base = r * keys_per_round
            upstream = [
                [base + i * workload.num_keys + k for k in range(workload.num_keys)]
                for i in range(workload.in_flight)
            ]
            assert found.transfer_round(r) == upstream


def test_lookup_rounds_are_those_of_lmcache_bench_l2() -> None:
    for found in layouts():
        workload = found.workload
        for r in range(workload.total_rounds):
            # run_l2_adapter_bench, _build_lookup_round_keys
            keys_per_round = workload.in_flight * workload.num_keys
            per_round_hit = int(keys_per_round * workload.lookup_max_hit_rate)
            per_round_miss = keys_per_round - per_round_hit
            hit_base = r * per_round_hit
            miss_base = workload.total_rounds * keys_per_round + r * per_round_miss
            keys_round = [hit_base + k for k in range(per_round_hit)]
            keys_round += [miss_base + k for k in range(per_round_miss)]
            n = workload.num_keys
            upstream = [keys_round[i * n : (i + 1) * n] for i in range(workload.in_flight)]
            assert found.lookup_round(r) == upstream


def test_each_submit_has_num_keys_keys() -> None:
    for found in layouts():
        workload = found.workload
        for submits in (found.transfer_round(0), found.lookup_round(workload.total_rounds - 1)):
            assert [len(submit) for submit in submits] == [workload.num_keys] * workload.in_flight


def test_store_rounds_share_no_key_and_store_all_keys() -> None:
    for found in layouts():
        rounds = range(found.workload.total_rounds)
        stored = [index for r in rounds for index in flat(found.transfer_round(r))]
        assert stored == list(found.stored)


def test_a_lookup_round_has_its_hits_and_no_key_is_looked_up_twice() -> None:
    for found in layouts():
        looked_up: list[int] = []
        for r in range(found.workload.total_rounds):
            indices = flat(found.lookup_round(r))
            assert sum(index in found.stored for index in indices) == found.hits_per_round
            looked_up += indices
        assert len(set(looked_up)) == len(looked_up)


@pytest.mark.parametrize(
    ("keys_per_round", "rate", "hits"),
    [(8, 0.0, 0), (8, 1.0, 8), (8, 0.5, 4), (10, 0.29, 2), (100, 0.29, 28), (3, 0.999, 2), (1, 0.5, 0)],
)
def test_hits_are_rounded_down_as_in_lmcache_bench_l2(keys_per_round: int, rate: float, hits: int) -> None:
    assert layout(keys_per_round, 1, 1, rate).hits_per_round == hits


def test_fewer_stored_rounds_change_no_key_of_a_round() -> None:
    for found in layouts():
        workload = found.workload
        fewer = KeyLayout(workload, stored_rounds=1)
        assert list(fewer.stored) == list(range(workload.keys_per_round))
        assert fewer.storable == found.storable == found.stored
        assert fewer.never_stored == found.never_stored
        for r in range(workload.total_rounds):
            assert fewer.transfer_round(r) == found.transfer_round(r)
            assert fewer.lookup_round(r) == found.lookup_round(r)


def test_the_hits_of_a_round_were_stored_once_as_many_rounds_were() -> None:
    for found in layouts():
        for r in range(found.workload.total_rounds):
            stored = KeyLayout(found.workload, stored_rounds=r + 1).stored
            assert sum(index in stored for index in flat(found.lookup_round(r))) == found.hits_per_round


def test_keys_that_are_stored_while_others_are_loaded_are_apart_and_belong_to_the_point() -> None:
    for found in layouts():
        mixed = KeyLayout(found.workload, stored_rounds=found.workload.total_rounds, is_concurrent=True)
        later = [index for r in mixed.later_rounds for index in flat(mixed.transfer_round(r))]
        assert mixed.stored == found.stored == found.owned
        assert list(mixed.owned) == [*found.stored, *later]
        assert not set(mixed.never_stored) & set(mixed.storable)
        assert not list(found.later_rounds)
