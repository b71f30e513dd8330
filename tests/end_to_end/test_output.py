"""An error of standard output, such as a closed pipe or a full disk, does not end a measurement."""

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
def test_a_sweep_completes_although_standard_output_fails(
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
    assert done.stderr == f"l2sweep: standard output: {reason}; the run continues without output\n"
    assert done.returncode == 0
    assert set(l2sweep.load_points(tmp_path / "results")["status"]) == {"ok"}
