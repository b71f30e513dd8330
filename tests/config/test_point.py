"""A point: its phases, its job, and an identity that never changes."""

from __future__ import annotations

from shipped import point


def test_the_identity_is_the_one_of_earlier_releases() -> None:
    # Recorded by the release with schema version 2: nights are compared by it.
    mock = {"type": "mock", "max_size_gb": 4, "mock_bandwidth_gb": 100}
    assert point(adapter=mock, num_keys=2, data_size_kb=64, rounds=2).point_id == "36e78a7bd492548c"
    assert point(adapter=mock, num_keys=4, data_size_kb=64, rounds=2).point_id == "5644e230ef6d5ce4"


def test_the_identity_of_a_cold_point_is_the_one_of_earlier_releases() -> None:
    cache = {**_HOT, "mode": "cold", "drop_before": ["load"], "method": "auto"}
    both = {**cache, "drop_before": ["lookup", "load"]}
    assert point(num_keys=2, data_size_kb=64, rounds=2, cache=cache).point_id == "36516bedce2fde73"
    assert point(num_keys=2, data_size_kb=64, rounds=2, cache=both).point_id == "57071138258b45c6"


_HOT = {
    "mode": "hot",
    "drop_before": [],
    "method": "none",
    "command": None,
    "command_timeout_s": 60,
    "helper": "/usr/local/sbin/l2sweep-drop-caches",
    "max_resident_fraction": 0.01,
    "store_durable": False,
    "paths": None,
}


def test_the_phases_are_those_of_the_adapter_or_the_one_that_is_asked_for() -> None:
    assert point().phases == ("store", "lookup", "load")
    assert point(adapter={"type": "fio", "base_path": "/a"}).phases == ("store", "load")
    assert point(only="load").phases == ("load",)


def test_the_pages_are_counted_where_that_tells_something() -> None:
    direct = {"type": "fs", "base_path": "/a", "use_odirect": True}
    cold = {**_HOT, "mode": "cold", "drop_before": ["load"], "method": "auto"}
    assert point().job("run").cache_paths == ()
    assert point(adapter=direct).job("run").cache_paths == ("/a",)
    job = point(cache=cold).job("run")
    assert job.cache_paths == ("results/scratch",)
    assert job.max_resident_fraction == 0.01
    assert point(cache={**_HOT, "store_durable": True}).job("run").flush_paths == ("results/scratch",)


def test_the_workload_is_what_the_options_say() -> None:
    workload = point(num_keys=3, in_flight=2, data_size_kb=8, rounds=4, warmup_rounds=1).amount
    assert workload.keys_per_round == 6
    assert workload.round_bytes == 6 * 8 * 1024
    assert workload.total_rounds == 5


def test_a_profiled_point_has_an_identity_of_its_own_and_finds_the_same_keys() -> None:
    wall = {"profile": "flamegraph", "profile_mode": "wall"}
    identities = {point().point_id, point(profile="flamegraph").point_id, point(**wall).point_id}
    assert len(identities) == 3
    assert point(only="load", **wall).job("a").namespace == point(only="load").job("b").namespace


def test_the_job_of_a_profiled_point_says_what_is_sampled() -> None:
    assert (point().profiler, point().job("run").profile_mode) == (None, "")
    profiled = point(profile="flamegraph", profile_mode="gil", profile_scripts_dir="/opt/scripts")
    job = profiled.job("run")
    assert profiled.profiler == "flamegraph:gil"
    assert (job.profile_mode, job.profile_scripts_dir) == ("gil", "/opt/scripts")
