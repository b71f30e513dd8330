"""A point with flame graphs, as a user runs it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from conftest import RunL2Sweep, require

_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
_SIZES = ("num_keys=16", "data_size_kb=64", "rounds=10")


@pytest.fixture
def py_spy() -> None:
    """Require py-spy."""
    require(shutil.which("py-spy", path=_PATH), "py-spy is missing (pip install l2sweep[profile])")


@pytest.mark.parametrize("cache", ["hot", "cold"])
def test_each_phase_has_a_flame_graph_and_the_rows_are_marked(
    run_l2sweep: RunL2Sweep, py_spy: None, tmp_path: Path, cache: str
) -> None:
    own = ("sweep_id=one", f"cache={cache}", f"adapter.base_path={tmp_path}/kv")
    if cache == "cold":
        own = (*own, "cache.method=fadvise")
    run = run_l2sweep("profile=flamegraph", "profile_mode=wall", *_SIZES, *own)
    assert run.exit_code == 0, run.out + run.err
    for phase in ("store", "lookup", "load"):
        file = run.results_dir / "sweeps" / "one" / f"point-00000.1.{phase}.wall.svg"
        assert "<svg" in file.read_text()
        assert f"flame graph of the {phase} phase: {file}" in run.out
    assert set(run.rounds["profile"]) == set(run.points["profile"]) == {"flamegraph:wall"}
    assert "Profiled, which disturbs the numbers:" in run.out


def test_a_point_without_a_profiler_is_not_marked(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("adapter=mock", *_SIZES)
    assert run.points["profile"].isna().all()
    assert run.rounds["profile"].isna().all()
    assert not list(run.results_dir.rglob("*.svg"))
