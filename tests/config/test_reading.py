"""A request is checked as a whole; a point's identity follows from what it measures."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf
from shipped import CONF, configuration, point

from l2sweep.config.options import options_of
from l2sweep.config.point_options import PointOptions
from l2sweep.config.reading import read_point, read_request, read_sweep
from l2sweep.config.sweep import SweepConfig
from l2sweep.config.workload.model import chunk_kb
from l2sweep.errors import RequestError

# Options that are part of a point's identity, each with another value; and those that are not.
MEASURED: dict[str, Any] = {
    "num_keys": 33,
    "in_flight": 2,
    "data_size_kb": 512,
    "rounds": 2,
    "warmup_rounds": 2,
    "lookup_max_hit_rate": 0.5,
    "skip_verify": False,
    "only": "load",
    "l1_align_bytes": 512,
    "l1_use_hugepages": True,
    "seed": 1,
    "namespace": "bench-model",
    "payload_namespace": "fixed",
    "profile": "flamegraph",
    "clients": 2,
    "hosts": 2,
}
NOT_MEASURED: dict[str, Any] = {
    "keep_data": True,
    "deadline_s": 5,
    "isolation": "spawn",
    "service": "auto",
    "probe": False,
    "constraints": ["num_keys > 1"],
    "zip": [["num_keys", "in_flight"]],
    "repeats": 2,
    "max_points": 20_000,
    "order": "random",
    "order_seed": 1,
    "on_infeasible": "fail",
    "on_failure": "stop",
    "dry_run": True,
    "resume": "latest",
    "retry_failed": False,
    "lock": "off",
    "objective": "store_mib_per_s",
    "python": "python3",
    "memory_limit_mib": 4096,
    "lmcache_log_level": "DEBUG",
    "allow_destructive": True,
    "quiet": True,
    "profile_scripts_dir": "/opt/FlameGraph",
    "upload_wait_s": 5,
    "report_format": "json",
    "report_file": "report.json",
    "report": True,
    "ray_address": "auto",
    "fleet": True,
    "fleet_order": "serial",
    "results_dir": "/elsewhere",
    "sweep_name": "other",
    "sweep_id": "other",
}


def problems_of(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(RequestError) as refused:
        point(**changes)
    assert refused.value.exit_code == 2
    return refused.value.problems


def test_the_shipped_configuration_is_a_point() -> None:
    shipped = point()
    assert (shipped.num_keys, shipped.in_flight, shipped.data_size_kb, shipped.rounds) == (32, 1, 256, 1)
    assert shipped.adapter_spec == {"type": "fs", "base_path": "results/scratch"}
    assert read_sweep(configuration()).scratch_dir == "results/scratch"


def test_every_option_is_listed_as_measured_or_not_measured() -> None:
    declared = {one.name for kind in (PointOptions, SweepConfig) for one in options_of(kind)}
    plain = {name for name in declared if "." not in name}
    elsewhere = {"scratch_dir", "profile_mode", "release"}  # test_point.py and test_releases.py
    of_auto = {"precision", "max_rounds", "max_seconds", "max_warmup_rounds"}  # workload/test_options.py
    of_path = {"through", "serde_tolerance", "concurrent"}  # workload/test_through.py
    of_trace = {"workload", "trace", "trace_speed"}  # workload/test_trace.py
    assert {*MEASURED, *NOT_MEASURED} == plain - elsewhere - of_auto - of_path - of_trace


@pytest.mark.parametrize("name", MEASURED)
def test_the_point_id_changes_with_what_is_measured(name: str) -> None:
    assert configuration()[name] != MEASURED[name]
    assert point(**{name: MEASURED[name]}).point_id != point().point_id


@pytest.mark.parametrize("name", NOT_MEASURED)
def test_the_point_id_does_not_change_with_what_is_not_measured(name: str) -> None:
    assert configuration()[name] != NOT_MEASURED[name]
    assert point(**{name: NOT_MEASURED[name]}).point_id == point().point_id


def test_the_point_id_does_not_change_with_time_outs_or_the_scratch_folder() -> None:
    assert point(timeout_s={"store": 1, "lookup": 2, "load": 3}).point_id == point().point_id
    assert point(scratch_dir="/elsewhere").point_id == point().point_id


def test_the_point_id_does_not_change_with_a_password_or_the_order_of_fields() -> None:
    first = {"type": "resp", "host": "h", "password": "a"}
    second = {"password": "b", "host": "h", "type": "resp"}
    assert point(adapter=first).point_id == point(adapter=second).point_id
    assert point(adapter={"host": "h", "type": "resp"}).point_id == point(adapter=first).point_id


def test_the_point_id_is_the_same_however_the_spec_was_given() -> None:
    spec = '{"type": "fs", "base_path": "/mnt/nvme/kv"}'
    by_json = read_point(configuration(adapter_json=spec), [], {})
    by_environment = read_point(configuration(), [], {"L2_ADAPTER_JSON": spec})
    by_group = point(adapter={"type": "fs", "base_path": "/mnt/nvme/kv"})
    assert by_json.point_id == by_environment.point_id == by_group.point_id


@pytest.mark.parametrize("change", [{"base_path": "/mnt/b"}, {"use_odirect": True}, {"type": "fs_native"}])
def test_the_point_id_changes_with_the_spec(change: dict[str, Any]) -> None:
    spec = {"type": "fs", "base_path": "/mnt/a"}
    assert point(adapter={**spec, **change}).point_id != point(adapter=spec).point_id


def test_an_integer_and_the_same_number_are_one_point() -> None:
    assert point(lookup_max_hit_rate=1).point_id == point(lookup_max_hit_rate=1.0).point_id


def namespace(run_label: str = "run", **changes: Any) -> str:
    return point(**changes).job(run_label).namespace


def test_a_full_runs_namespace_carries_the_runs_label() -> None:
    assert "monday-0" in namespace("monday-0")
    assert namespace("monday-0") != namespace("tuesday-0")
    assert namespace("monday-0", num_keys=8) != namespace("monday-0", num_keys=9)


def test_a_phase_on_its_own_finds_what_another_process_stored() -> None:
    stored = namespace("monday", only="store")
    assert namespace("tuesday", only="lookup", lookup_max_hit_rate=0.5) == stored
    assert namespace("wednesday", only="load", skip_verify=False) == stored
    assert namespace("monday", only="load", adapter={"type": "fs", "base_path": "/mnt/b"}) != stored


@pytest.mark.parametrize("name", ["num_keys", "in_flight", "data_size_kb", "rounds", "warmup_rounds", "seed"])
def test_a_phase_on_its_own_does_not_meet_keys_of_another_size(name: str) -> None:
    assert namespace(only="load", **{name: MEASURED[name]}) != namespace(only="load")


def payload_namespace(run_label: str = "run", **changes: Any) -> str:
    return point(**changes).job(run_label).payload_namespace


def test_the_payload_follows_from_the_namespace_of_the_keys() -> None:
    for changes in ({}, {"only": "store"}, {"namespace": "mine"}):
        assert payload_namespace("monday", **changes) == namespace("monday", **changes) != ""
    assert payload_namespace("monday") != payload_namespace("tuesday")


def test_a_phase_on_its_own_expects_the_payload_that_another_process_stored() -> None:
    for given in (None, "fixed", "bench-model"):
        same = {"payload_namespace": given}
        stored = payload_namespace("monday", only="store", **same)
        assert payload_namespace("tuesday", only="load", skip_verify=False, **same) == stored
        assert namespace("monday", only="store", **same) == namespace("tuesday", only="load", **same)


def test_a_phase_on_its_own_does_not_meet_keys_with_another_payload() -> None:
    assert namespace(only="load", payload_namespace="fixed") != namespace(only="load")


def test_the_payload_can_be_fixed_for_a_sweep() -> None:
    assert payload_namespace("monday", payload_namespace="fixed") == "fixed"
    assert payload_namespace("tuesday", num_keys=8, payload_namespace="fixed") == "fixed"


def test_the_payload_of_bench_model_is_the_same_everywhere() -> None:
    assert payload_namespace(namespace="bench-model") == ""
    assert payload_namespace(payload_namespace="bench-model") == ""
    assert payload_namespace(only="load", namespace="old", payload_namespace="bench-model") == ""


@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3"])
def test_a_size_that_is_not_the_models_is_refused(model: str) -> None:
    chosen = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{model}.yaml").model)
    assert isinstance(chosen, dict)
    size = chunk_kb(chosen)
    assert point(model=chosen, data_size_kb=size).model == model
    (problem,) = problems_of(model=chosen, data_size_kb=64)
    assert problem.startswith(f"data_size_kb=64: must be left out with model={model}")
    assert str(size) in problem


def test_a_size_of_ones_own_goes_with_a_label_of_ones_own() -> None:
    assert point(model={"name": "mine"}, data_size_kb=64).model == "mine"


def test_a_given_namespace_is_used() -> None:
    assert namespace(namespace="bench-model") == "bench-model"
    assert namespace(namespace="bench-model", only="load") == "bench-model"


@pytest.mark.parametrize(
    ("changes", "is_fresh", "deletes_before", "deletes_after"),
    [
        ({}, True, True, True),
        ({"keep_data": True}, True, True, False),
        ({"namespace": "mine"}, False, True, True),
        ({"only": "store"}, False, True, False),
        ({"only": "load"}, False, False, False),
        ({"only": "lookup"}, False, False, False),
    ],
)
def test_a_run_deletes_only_what_it_stores(
    changes: dict[str, Any], is_fresh: bool, deletes_before: bool, deletes_after: bool
) -> None:
    request = point(**changes).job("run")
    deletes = (request.delete_before, request.delete_after)
    assert (request.fresh_namespace, *deletes) == (is_fresh, deletes_before, deletes_after)


def test_others_may_have_stored_keys_only_in_a_namespace_that_was_given() -> None:
    assert point(namespace="bench-model").job("run").shared_namespace
    assert point(namespace="mine", only="lookup").job("run").shared_namespace
    assert not point().job("run").shared_namespace
    assert not point(only="lookup").job("run").shared_namespace


def test_all_problems_are_reported_together() -> None:
    changes = {"num_keys": 0, "rounds": "three", "only": "erase", "adapter": {"type": ""}}
    problems = problems_of(**changes, timeout_s={"store": -1, "lookup": 1, "load": 1})
    for named in ("num_keys=0", "rounds=three", "only=erase", "adapter.type", "timeout_s.store=-1"):
        assert sum(named in problem for problem in problems) == 1, named
    assert len(problems) == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_keys", 0),
        ("num_keys", -1),
        ("num_keys", True),
        ("num_keys", 2.0),
        ("num_keys", None),
        ("in_flight", 0),
        ("rounds", 0),
        ("warmup_rounds", -1),
        ("data_size_kb", "256KB"),
        ("lookup_max_hit_rate", 1.01),
        ("lookup_max_hit_rate", -0.1),
        ("lookup_max_hit_rate", float("nan")),
        ("skip_verify", "no"),
        ("only", "all"),
        ("seed", -1),
        ("seed", 2**63),
        ("namespace", "a@b"),
        ("namespace", ""),
        ("namespace", "a" * 129),
        ("deadline_s", 0),
        ("deadline_s", float("inf")),
        ("lmcache_log_level", "LOUD"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: Any) -> None:
    (problem,) = problems_of(**{name: value})
    assert problem.startswith(f"{name}=")
    assert "must be" in problem


def test_an_unknown_option_and_a_missing_value_are_named() -> None:
    with pytest.raises(RequestError) as refused:
        read_request(configuration(num_key=3), [], {})
    assert refused.value.problems == ("num_key: no such option; did you mean num_keys?",)
    with pytest.raises(RequestError, match=r"adapter\.inner\.host: no value given"):
        point(adapter={"type": "x", "inner": {"host": "???"}})


def test_sizes_that_the_alignment_does_not_divide_are_refused() -> None:
    (problem,) = problems_of(data_size_kb=6, l1_align_bytes=4096)
    assert "data_size_kb=6" in problem
    assert "l1_align_bytes=4096" in problem
    assert point(data_size_kb=8, l1_align_bytes=4096).data_size_kb == 8


@pytest.mark.parametrize("sweep_id", ["", "a/b", "a b", "..", ".", ".hidden", "_passed_over"])
def test_a_sweep_id_that_makes_no_readable_file_names_is_refused(sweep_id: str) -> None:
    with pytest.raises(RequestError, match="sweep_id="):
        read_sweep(configuration(sweep_id=sweep_id))


def test_all_problems_of_a_sweep_are_reported_together() -> None:
    with pytest.raises(RequestError) as refused:
        read_sweep(configuration(quiet="yes", sweep_name="", results_dir=""))
    assert len(refused.value.problems) == 3


def test_the_deadline_grows_with_rounds_and_with_time_outs_of_the_phases_that_run() -> None:
    assert point(rounds=10).process_deadline_s > point(rounds=1).process_deadline_s
    assert point(warmup_rounds=10).process_deadline_s > point(warmup_rounds=1).process_deadline_s
    assert point().process_deadline_s > point(only="load").process_deadline_s
    allowed_s = point(rounds=9, warmup_rounds=1, only="lookup").timeout_s.lookup * 10
    assert point(rounds=9, warmup_rounds=1, only="lookup").process_deadline_s > allowed_s


def test_a_given_deadline_is_used() -> None:
    assert point(deadline_s=7.5, rounds=100).process_deadline_s == 7.5


def test_a_job_is_the_same_after_a_round_trip_through_json() -> None:
    request = point(namespace="mine", rounds=3).job("run")
    assert type(request).from_json(request.to_json()) == request
    assert request.workload.total_rounds == 4
