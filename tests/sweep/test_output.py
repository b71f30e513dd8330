"""Nobody reads on, or the disk behind standard output is full: the sweep measures on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import l2sweep_environment

import l2sweep


@pytest.mark.parametrize("options", [["num_keys=2"], ["-m", "num_keys=2,3"]])
@pytest.mark.parametrize("reason", ["Broken pipe", "No space left on device"])
def test_an_output_that_takes_no_more_costs_no_measurement(
    tmp_path: Path, options: list[str], reason: str
) -> None:
    if reason == "Broken pipe":
        reader, output = os.pipe()
        os.close(reader)
    else:
        output = os.open("/dev/full", os.O_WRONLY)
    done = subprocess.run(
        [sys.executable, "-m", "l2sweep", "adapter=mock", "data_size_kb=64", *options],
        cwd=tmp_path,
        env=l2sweep_environment(tmp_path),
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(output)
    assert done.stderr == f"l2sweep: nothing more is shown: standard output: {reason}\n"
    assert done.returncode == 0
    assert set(l2sweep.load_points(tmp_path / "results")["status"]) == {"ok"}
