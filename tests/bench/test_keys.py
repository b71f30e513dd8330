"""Which keys a round uses: those that ``lmcache bench l2`` uses, and no key twice where it must not be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product

import pytest

from l2sweep.bench.data.keys import KeyLayout

RATES = (0.0, 0.01, 0.29, 0.3, 1 / 3, 0.5, 0.7, 0.999, 1.0)


def layouts() -> Iterator[KeyLayout]:
    for num_keys, in_flight, total_rounds, rate in product((1, 2, 7, 32), (1, 3, 8), (1, 2, 5), RATES):
        yield KeyLayout(num_keys, in_flight, total_rounds, rate)


def flat(submits: list[list[int]]) -> list[int]:
    return list(chain.from_iterable(submits))


def test_store_and_load_rounds_are_upstreams() -> None:
    for layout in layouts():
        for r in range(layout.total_rounds):
            # run_l2_adapter_bench, _build_round_keys
            keys_per_round = layout.in_flight * layout.num_keys
            base = r * keys_per_round
            upstream = [
                [base + i * layout.num_keys + k for k in range(layout.num_keys)]
                for i in range(layout.in_flight)
            ]
            assert layout.transfer_round(r) == upstream


def test_lookup_rounds_are_upstreams() -> None:
    for layout in layouts():
        for r in range(layout.total_rounds):
            # run_l2_adapter_bench, _build_lookup_round_keys
            keys_per_round = layout.in_flight * layout.num_keys
            per_round_hit = int(keys_per_round * layout.lookup_max_hit_rate)
            per_round_miss = keys_per_round - per_round_hit
            hit_base = r * per_round_hit
            miss_base = layout.total_rounds * keys_per_round + r * per_round_miss
            keys_round = [hit_base + k for k in range(per_round_hit)]
            keys_round += [miss_base + k for k in range(per_round_miss)]
            n = layout.num_keys
            upstream = [keys_round[i * n : (i + 1) * n] for i in range(layout.in_flight)]
            assert layout.lookup_round(r) == upstream


def test_every_submit_carries_its_number_of_keys() -> None:
    for layout in layouts():
        for submits in (layout.transfer_round(0), layout.lookup_round(layout.total_rounds - 1)):
            assert [len(submit) for submit in submits] == [layout.num_keys] * layout.in_flight


def test_the_store_rounds_share_no_key_and_are_all_that_is_stored() -> None:
    for layout in layouts():
        stored = [index for r in range(layout.total_rounds) for index in flat(layout.transfer_round(r))]
        assert stored == list(layout.stored)


def test_a_lookup_finds_exactly_its_hits_and_no_key_is_looked_up_twice() -> None:
    for layout in layouts():
        looked_up: list[int] = []
        for r in range(layout.total_rounds):
            indices = flat(layout.lookup_round(r))
            assert sum(index in layout.stored for index in indices) == layout.hits_per_round
            looked_up += indices
        assert len(set(looked_up)) == len(looked_up)


@pytest.mark.parametrize(
    ("keys_per_round", "rate", "hits"),
    [(8, 0.0, 0), (8, 1.0, 8), (8, 0.5, 4), (10, 0.29, 2), (100, 0.29, 28), (3, 0.999, 2), (1, 0.5, 0)],
)
def test_hits_are_rounded_down_as_upstream_does(keys_per_round: int, rate: float, hits: int) -> None:
    assert KeyLayout(keys_per_round, 1, 1, rate).hits_per_round == hits
