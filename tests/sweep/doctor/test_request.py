"""What is wrong with a request for an examination."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shipped import point

from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.doctor.examination import small_point
from l2sweep.sweep.doctor.request import point_problems

SWEEP = SweepConfig(sweep_id="one")


def test_a_control_without_a_lookup_is_refused(tmp_path: Path) -> None:
    fio = replace(point(), adapter_spec={"type": "fio", "base_path": str(tmp_path)})
    (problem,) = point_problems(SWEEP, fio)
    assert problem.startswith("adapter=fio: must be an adapter of LMCache")


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    file.write_text("data")
    spec = {"type": "raw_block", "device_path": str(file)}
    config = small_point(replace(point(), adapter_spec=spec))
    sweep = replace(SWEEP, results_dir=str(tmp_path / "results"))
    (problem,) = point_problems(sweep, config)
    assert "is a file that holds 4 bytes" in problem
    assert point_problems(sweep, replace(config, allow_destructive=True)) == []
