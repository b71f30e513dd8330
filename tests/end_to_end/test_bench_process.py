"""BenchProcess with a real benchmark process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from conftest import l2sweep_environment
from shipped import point

from l2sweep.bench.messages import Finished, RoundMeasured
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.starter import ProcessStarter


def test_messages_that_were_not_read_before_the_end_are_kept_as_unread() -> None:
    spec = {"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": 10}
    config = point(adapter=spec, num_keys=2, data_size_kb=64, rounds=10, warmup_rounds=0)
    with ProcessStarter("spawn") as starter:
        process = starter.start(config.job("test"), ProcessLimits(60.0), lambda line: None)
        give_up = time.monotonic() + 60
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < give_up
            time.sleep(0.05)
        assert process.end(at_once=True).exit_code is not None
    assert sum(isinstance(message, RoundMeasured) for message in process.unread) == 30
    assert isinstance(process.unread[-1], Finished)


def test_the_folder_for_another_interpreter_is_removed_when_the_launcher_exits(tmp_path: Path) -> None:
    code = (
        "import os; from l2sweep.process.fresh import bench_environment;"
        "folder = bench_environment('/opt/other/bin/python')['PYTHONPATH'];"
        "assert os.path.isdir(folder + '/l2sweep/bench')"
    )
    subprocess.run([sys.executable, "-c", code], env=l2sweep_environment(tmp_path), check=True)
    assert list(tmp_path.iterdir()) == []
