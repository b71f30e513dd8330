"""Tests of l2sweep.bench.control.adapter, created by LMCache as for a user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from small_job import KEY_BYTES, NAMESPACE, open_adapter, small_region, submit

from l2sweep.analysis.control import CONTROL_MODULE
from l2sweep.bench.adapter.create import can_delete, delete
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.adapter.verbs import VERBS, Completion, Submit
from l2sweep.bench.clock import RoundClock, RoundTiming
from l2sweep.bench.control.adapter import ControlAdapter
from l2sweep.errors import RequestError

SERVICE_MS = 50.0


def control_spec(**changes: Any) -> dict[str, Any]:
    params = {"servers": 2, "service_ms": SERVICE_MS, "synchronous": False, **changes}
    return {
        "type": "plugin",
        "module_path": CONTROL_MODULE,
        "class_name": ControlAdapter.__name__,
        "adapter_params": params,
    }


@pytest.fixture(params=[False, True], ids=["asynchronous", "synchronous"])
def adapter(request: pytest.FixtureRequest) -> Iterator[L2AdapterInterface]:
    opened = open_adapter(control_spec(synchronous=request.param))
    yield opened
    opened.close()


def timed(adapter: L2AdapterInterface, name: str, *submits: Submit) -> RoundTiming:
    timing = RoundClock(VERBS[name](adapter, KEY_BYTES), timeout_s=5.0).time(list(submits))
    assert not timing.outstanding
    return timing


def run(adapter: L2AdapterInterface, name: str, one: Submit) -> Completion:
    return timed(adapter, name, one).completions[0]


def test_stored_bytes_are_copied_and_loaded_again(adapter: L2AdapterInterface) -> None:
    region = small_region()
    expected = np.arange(region.slots.size, dtype=np.uint32).astype(np.uint8).reshape(region.slots.shape)
    region.slots[:] = expected
    keys = submit([1, 2, 3], region)
    assert run(adapter, "store", keys) == Completion(3, 3 * KEY_BYTES, None)
    region.slots.fill(0)  # the adapter must have a copy of its own
    assert run(adapter, "load", keys) == Completion(3, 3 * KEY_BYTES, [0, 1, 2])
    assert (region.slots[:3] == expected[:3]).all()
    assert not region.slots[3:].any()


def test_lookups_and_loads_find_exactly_the_stored_keys(adapter: L2AdapterInterface) -> None:
    region = small_region()
    run(adapter, "store", submit([1, 3], region))
    assert run(adapter, "lookup", submit([0, 1, 2, 3])).ok_positions == [1, 3]
    region.slots.fill(7)
    assert run(adapter, "load", submit([0, 1, 2, 3], region)).ok_positions == [1, 3]
    assert (region.slots[[0, 2]] == 7).all()


def test_a_second_store_moves_nothing_and_changes_nothing(adapter: L2AdapterInterface) -> None:
    region = small_region()
    region.slots.fill(1)
    run(adapter, "store", submit([1], region))
    region.slots.fill(2)
    second = run(adapter, "store", submit([1, 2], region))
    assert (second.keys_ok, second.bytes_ok) == (1, KEY_BYTES)
    run(adapter, "load", submit([1, 2], region))
    assert region.slots[:2, 0].tolist() == [1, 2]


def test_deleted_keys_are_gone(adapter: L2AdapterInterface) -> None:
    run(adapter, "store", submit([1, 2, 3], small_region()))
    assert can_delete(adapter)
    delete(adapter, [1, 3, 9], NAMESPACE)
    assert run(adapter, "lookup", submit([1, 2, 3])).ok_positions == [1]
    assert adapter.get_usage().total_bytes_used == KEY_BYTES


@pytest.mark.parametrize("name", ["store", "lookup", "load"])
def test_no_round_is_faster_than_theory(adapter: L2AdapterInterface, name: str) -> None:
    region = small_region()
    submits = [submit([index], region if name != "lookup" else None) for index in range(3)]
    timing = timed(adapter, name, *submits)
    services = 3 if adapter._synchronous else 2
    assert timing.duration_s is not None
    assert timing.duration_s >= services * SERVICE_MS / 1000


def test_a_copy_that_takes_longer_than_the_service_time_fails_and_is_logged() -> None:
    log = LogWatch()
    for synchronous in (False, True):
        adapter = open_adapter(control_spec(service_ms=0.0001, synchronous=synchronous))
        completion = run(adapter, "store", submit([1, 2], small_region()))
        assert completion.failed
        assert "could not copy the data within the service time of 0.0001 ms" in log.take()
        adapter.close()


def test_a_request_that_raises_fails_and_the_next_one_is_served() -> None:
    log = LogWatch()
    adapter = open_adapter(control_spec())
    wrong = submit([1, 2], small_region())
    assert run(adapter, "load", Submit(wrong.indices, wrong.keys, wrong.objects[:1])).ok_positions == []
    assert "a request of the control failed: ValueError" in log.take()
    assert run(adapter, "store", wrong).keys_ok == 2
    adapter.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"servers": 0}, "adapter_params.servers=0: must be an integer from 1"),
        ({"servers": True}, "adapter_params.servers=True: must be an integer from 1"),
        ({"servers": None}, "adapter_params.servers=None: must be an integer from 1"),
        ({"service_ms": 0}, "adapter_params.service_ms=0: must be a number above 0"),
        ({"service_ms": "1"}, "adapter_params.service_ms=1: must be a number above 0"),
        ({"synchronous": 1}, "adapter_params.synchronous=1: must be true or false"),
        ({"service_s": 1}, "adapter_params.service_s: must be servers, service_ms or synchronous"),
    ],
)
def test_a_wrong_parameter_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(f"adapter.{message}")):
        open_adapter(control_spec(**changes))
