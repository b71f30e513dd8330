"""The share of the fio ceiling, and what limits an adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sample_curves import frame, process_rows

from l2sweep.analysis.tune.ceiling import DEPTH, DEVICE, LMCACHE, UNKNOWN, Ceiling, ceiling, depth
from l2sweep.analysis.tune.settings import Setting, settings


def measured(
    adapter: tuple[float, ...], fio: dict[int, tuple[float, ...]], of_adapter: Any = None, **of_fio: Any
) -> tuple[Setting, list[Setting]]:
    """Return an adapter with 4 keys in flight, and all settings with those of fio by its ``in_flight``."""
    rows = [process_rows(index, rate, **(of_adapter or {})) for index, rate in enumerate(adapter)]
    for in_flight, rates in fio.items():
        rows += [
            process_rows(100 * in_flight + index, rate, **{"type": "fio", "in_flight": in_flight, **of_fio})
            for index, rate in enumerate(rates)
        ]
    every = settings(frame(*rows), "load", "cold")
    (own,) = (one for one in every if one.spec.adapter != "fio")
    return own, every


def found(*arguments: Any, **changes: Any) -> Ceiling:
    result = ceiling(*measured(*arguments, **changes))
    assert isinstance(result, Ceiling), result
    return result


def test_the_share_is_that_of_fio_with_as_many_threads() -> None:
    result = found((40.0, 50.0, 60.0), {1: (99.0, 100.0, 101.0), 4: (310.0, 300.0, 320.0)})
    assert result.share.value == pytest.approx(0.5)
    assert result.share_of_best.value == pytest.approx(50 / 310)
    assert result.gain.value == pytest.approx(310 / 50)
    assert (depth(result.same), depth(result.best)) == (4, 16)
    interval = result.share.interval
    assert interval is not None
    assert 40 / 101 <= interval.low < 0.5 < interval.high < 0.607  # 60 / 99


@pytest.mark.parametrize(
    ("adapter", "same", "deeper", "limit"),
    [
        (95.0, 100.0, 101.0, DEVICE),
        (95.0, 100.0, 310.0, DEPTH),
        (50.0, 100.0, 101.0, LMCACHE),
        (50.0, 100.0, 310.0, LMCACHE),
        (120.0, 100.0, 101.0, UNKNOWN),  # fio is slower: it is no ceiling
        (120.0, 70.0, 125.0, DEVICE),  # fio is slower with as many threads only
        (120.0, 70.0, 310.0, DEPTH),
    ],
)
def test_the_limit_follows_from_both_shares(adapter: float, same: float, deeper: float, limit: str) -> None:
    assert found((adapter,), {1: (same,), 4: (deeper,)}).limit == limit
    assert found((adapter,) * 3, {1: (same,) * 3, 4: (deeper,) * 3}).limit == limit


def test_the_limit_is_not_known_if_the_interval_contains_it() -> None:
    assert found((70.0, 91.0, 99.0), {1: (100.0,) * 3}).limit == UNKNOWN
    assert found((70.0, 80.0, 95.0), {1: (100.0,) * 3}).limit == UNKNOWN
    assert found((70.0, 70.0, 70.0), {1: (100.0,) * 3}).limit == LMCACHE


def test_the_ceiling_of_a_depth_is_the_most_that_fio_reaches_with_as_many_threads() -> None:
    rows = [
        process_rows(0, 50.0),
        process_rows(1, 100.0, type="fio"),
        process_rows(2, 140.0, type="fio", num_workers=4, in_flight=8),
        process_rows(3, 900.0, type="fio", num_workers=1, in_flight=8),
    ]
    every = settings(frame(*rows), "load", "cold")
    own = next(one for one in every if one.spec.adapter != "fio")
    result = ceiling(own, every)
    assert isinstance(result, Ceiling)
    assert (result.same.rate, depth(result.same)) == (pytest.approx(140.0), 4)
    assert (result.best.rate, depth(result.best)) == (pytest.approx(900.0), 1)


@pytest.mark.parametrize(
    ("num_keys", "in_flight", "num_workers", "threads"),
    [(4, 1, None, 4), (8, 16, None, 64), (67, 1, None, 1), (4, 8, 16, 16), (4, 1, 16, 4), (4, 8, 5, 4)],
)
def test_the_depth_of_fio_is_its_number_of_threads(
    num_keys: int, in_flight: int, num_workers: int | None, threads: int
) -> None:
    options = {} if num_workers is None else {"num_workers": num_workers}
    rows = process_rows(0, 1.0, type="fio", num_keys=num_keys, in_flight=in_flight, **options)
    (one,) = settings(frame(rows), "load", "cold")
    assert depth(one) == threads


@pytest.mark.parametrize(
    ("of_fio", "reason"),
    [
        ({"path": "/other"}, "fio was not measured on /mnt/nvme/kv among these rows"),
        ({"host": "other"}, "fio was not measured on /mnt/nvme/kv among these rows"),
        ({"data_size_kb": 64}, "fio was not measured with data_size_kb=256 use_odirect=false"),
        ({"use_odirect": True}, "fio was not measured with data_size_kb=256 use_odirect=false"),
        ({"cache_state": "bypassed"}, "fio was not measured with the page cache in the state cold"),
        ({"num_keys": 8}, "fio was not measured with 4 keys in flight"),
        ({"num_workers": 1}, "fio was not measured with 4 keys in flight"),
        ({"status": "error"}, "fio was not measured on /mnt/nvme/kv among these rows"),
    ],
    ids=str,
)
def test_fio_that_is_not_alike_is_no_ceiling(of_fio: dict[str, Any], reason: str) -> None:
    if "status" in of_fio:
        rows = process_rows(9, 100.0, type="fio")
        rows[-1]["status"] = "error"
        every = settings(frame(process_rows(0, 50.0), rows), "load", "cold")
        own = next(one for one in every if one.spec.adapter != "fio")
    else:
        own, every = measured((50.0,), {1: (100.0,)}, **of_fio)
    assert ceiling(own, every) == reason


def test_an_adapter_without_a_path_has_no_ceiling() -> None:
    own, every = measured((50.0,), {1: (100.0,)})
    remote = replace(own, spec=replace(own.spec, path=None))
    assert ceiling(remote, every) == "its data are on no path that fio can use"


def test_the_best_of_fio_is_that_of_one_depth() -> None:
    result = found((50.0,), {1: (100.0,), 2: (200.0,), 4: (150.0,), 8: (199.0,)})
    assert (depth(result.best), result.best.rate) == (8, pytest.approx(200.0))
