"""The control adapter as a user runs it."""

from __future__ import annotations

import json

import pytest
from conftest import RunL2Sweep

from l2sweep.analysis.control import ControlTheory

SMALL = (
    "adapter=control",
    "adapter.adapter_params.service_ms=100",
    "num_keys=4",
    "data_size_kb=64",
    "lookup_max_hit_rate=0.5",
)


@pytest.mark.alone  # beside other tests, a copy may take longer than the service time, which is an error
@pytest.mark.parametrize("synchronous", ["false", "true"])
def test_every_truth_check_passes_and_no_duration_is_shorter_than_theory(
    run_l2sweep: RunL2Sweep, synchronous: str
) -> None:
    run = run_l2sweep(
        *SMALL,
        f"adapter.adapter_params.synchronous={synchronous}",
        "in_flight=3",
        "rounds=2",
        "skip_verify=false",
    )
    assert run.exit_code == 0, run.out + run.err
    rounds = run.rounds
    assert rounds["status"].tolist() == ["ok"] * 9
    assert (rounds["keys_ok"] == rounds["keys_expected"]).all()
    loads = rounds[(rounds["phase"] == "load") & ~rounds["is_warmup"]]
    assert loads["verified_keys"].tolist() == [12] * 2
    theory = ControlTheory.of(json.loads(rounds["adapter_spec"][0]))
    assert (rounds["duration_s"] >= theory.duration_s(3)).all()
    assert run.points["cache_state"].isna().all()


def test_a_service_time_that_is_too_short_for_the_copy_is_an_error(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("adapter=control", "adapter.adapter_params.service_ms=0.001", "only=store")
    assert run.exit_code == 1
    assert set(run.rounds["status"]) == {"error"}
    assert run.rounds["detail"].str.contains("could not copy the data within the service time").all()


def test_its_data_cannot_be_measured_cold(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*SMALL, "cache=cold")
    assert run.exit_code == 2
    assert "keeps its data in the memory of its process" in run.err


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("adapter.adapter_params.servers=0", "adapter.adapter_params.servers=0: must be an integer from 1"),
        (
            "adapter.adapter_params.service_ms=x",
            "adapter.adapter_params.service_ms=x: must be a number above 0",
        ),
        (
            "+adapter.adapter_params.serverz=2",
            "adapter.adapter_params.serverz: must be servers, service_ms or synchronous",
        ),
    ],
)
@pytest.mark.parametrize("multirun", [(), ("-m", "num_keys=4,8")])
def test_wrong_fields_are_refused_before_anything_runs(
    run_l2sweep: RunL2Sweep, multirun: tuple[str, ...], option: str, problem: str
) -> None:
    run = run_l2sweep(*multirun, "adapter=control", option)
    assert run.exit_code == 2
    assert run.err == f"l2sweep: {problem}\n"
    assert not run.results_dir.exists()


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("adapter.adapter_params.servrs=2", "did you mean adapter.adapter_params.servers?"),
        ("adapter.clas_name=X", "did you mean adapter.class_name?"),
    ],
)
def test_a_misspelt_field_is_refused_with_a_suggestion(
    run_l2sweep: RunL2Sweep, option: str, meant: str
) -> None:
    run = run_l2sweep("adapter=control", option)
    name = option.partition("=")[0]
    assert run.exit_code == 2
    assert run.err == (
        f"l2sweep: {name}: the chosen adapter has no such field; {meant} (+{name}=... adds it to the spec)\n"
    )
