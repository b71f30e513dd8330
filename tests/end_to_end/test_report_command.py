"""``l2sweep report`` and ``report=true`` over a real sweep: adapters, controls, credentials."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT, Run, RunL2Sweep, plugin_option

SECRET, IN_ENVIRONMENT = "pass-hunter22-text", "pass-hunter33-variable"
SMALL = ("num_keys=2", "data_size_kb=64", "rounds=4", "warmup_rounds=0", "repeats=3", "skip_verify=false")


def medians(rounds: pd.DataFrame, phase: str) -> dict[tuple[str, int], float]:
    """Return the median throughput of the processes, by adapter and depth."""
    own = rounds[rounds["phase"] == phase]
    sums = own.groupby(["adapter_type", "in_flight", "point_index"])[["bytes_ok", "duration_s"]].sum()
    rates = sums["bytes_ok"] / 2**20 / sums["duration_s"]
    return {key: statistics.median(values) for key, values in rates.groupby(level=[0, 1])}


def test_a_sweep_ends_with_its_page_and_the_command_gives_its_numbers(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep("-m", "adapter=fs,mock", "in_flight=1,2", *SMALL, "sweep_id=mine", "report=true")
    assert run.exit_code == 0, run.out + run.err
    page = run.results_dir / "sweeps" / "mine" / "report.html"
    assert page.is_file()
    assert run.out.splitlines()[-1].startswith("Report: ")
    assert run.out.splitlines()[-1].endswith("sweeps/mine/report.html")
    found = answer(run_l2sweep, tmp_path)
    rates = {phase: medians(run.rounds, phase) for phase in ("store", "load")}
    seen = 0
    for one in found["throughput"]["settings"]:
        if one["phase"] in rates:
            assert one["rate"] == pytest.approx(rates[one["phase"]][one["adapter"], one["in_flight"]])
            seen += 1
    assert seen == 8
    assert found["scope"]["controls"] == ["mock"]
    assert found["verdict"]["sentence"].startswith(
        "For hot loads, fs is the only adapter that was measured: "
    )
    assert found["trust"]["verified"]["loaded_keys"] == 2 * (1 + 2) * 4 * 3
    command = found["run_again"][0]["command"]
    assert command.startswith("python -m l2sweep -m adapter=fs,mock in_flight=1,2 num_keys=2 ")
    assert "sweep_id" not in command


def test_no_credential_reaches_the_page_or_its_data(
    run_l2sweep: RunL2Sweep,
    run_l2sweep_process: RunL2Sweep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The adapter prints its password, and raises it, in many encodings."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "adapters"))
    from password_forms import all_forms

    def sweep(run: RunL2Sweep, password: str, **environment: str) -> None:
        option = plugin_option(
            "leaking_adapters", "LeakingStore", base_path=str(tmp_path / "kv"), password=password
        )
        done = run("-m", option, "in_flight=1,2", *SMALL[:3], "report=true", **environment)
        assert done.exit_code == 1, done.out + done.err
        assert done.out.splitlines()[-1].startswith("Report: ")

    sweep(run_l2sweep, SECRET)
    sweep(run_l2sweep_process, "${secret:L2SWEEP_TEST_REPORT}", L2SWEEP_TEST_REPORT=IN_ENVIRONMENT)
    found = answer(run_l2sweep, tmp_path, "--base", "latest~1")
    assert found["all_failures"] == 2
    assert "AUTH failed" in json.dumps(found["failures"])  # it is the cause, without the password
    assert found["failures"][0]["last_lines"]
    for secret in (SECRET, IN_ENVIRONMENT):
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [str(path) for path in files if secret.encode() in path.read_bytes()] == []
        for form in all_forms(secret).split(" | "):
            assert form not in (tmp_path / "report.json").read_text()


def test_a_page_that_cannot_be_made_is_a_line_and_the_sweep_keeps_its_exit_code(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    blocked = tmp_path / "results" / "sweeps" / "mine" / "report.html"

    def block(_: object) -> str:
        raise RuntimeError("out of ink")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("l2sweep.analysis.report.page.render.render_page", block)
        run = run_l2sweep(
            *("-m", "adapter=mock", "in_flight=1,2", "num_keys=1", "data_size_kb=64", "rounds=1"),
            *("sweep_id=mine", "report=true"),
        )
    assert run.exit_code == 0
    assert run.err == "l2sweep: report=true: the page was not made: RuntimeError('out of ink')\n"
    assert not blocked.exists()
    assert len(run.points) == 2


def test_one_point_and_a_sweep_without_the_option_make_no_page(run_l2sweep: RunL2Sweep) -> None:
    small = ("adapter=mock", "num_keys=1", "data_size_kb=64", "rounds=1")
    one = run_l2sweep(*small, "report=true")
    several = run_l2sweep("-m", *small, "in_flight=1,2")
    assert one.exit_code == several.exit_code == 0
    assert list(one.results_dir.rglob("report.html")) == []


def answer(run_l2sweep: RunL2Sweep, tmp_path: Path, *arguments: str) -> Any:
    file = tmp_path / "report.json"
    run: Run = run_l2sweep("report", "latest", *arguments, "--json", str(file))
    assert run.exit_code == 0, run.err
    return json.loads(file.read_text())
