"""Nights with real runs: quiet ones print nothing, a slow one names the adapter, the size and the amount."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from conftest import PYTHON_PATH, ROOT

import l2sweep
from l2sweep.cli.application import main
from l2sweep.cli.nightly.run import RunSweep, run_nightly
from l2sweep.cli.nightly.settings import Limits, NightlySettings
from l2sweep.process.starter import ProcessStarter
from l2sweep.sweep.state.host_lock import FOLDER_VARIABLE

pytestmark = pytest.mark.alone

QUIET_NIGHTS = 8
# fio has one thread for each key, as long as 64 threads are enough. To limit its rate takes more than one I/O
# of a thread, and 67 keys have no other divisor than 1.
KEYS = 67
IOS_PER_S = 1000
EXPERIMENT = """\
# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params: {adapter: "delayed,delayed,fio", data_size_kb: "4,8,4", rounds: "3,3,2"}
zip: [[adapter, data_size_kb, rounds]]
repeats: 3
order: interleaved
warmup_rounds: 0
num_keys: %d
"""
ADAPTER = """\
type: plugin
module_path: delayed_adapters
class_name: Delayed
adapter_params: {servers: 1, service_ms: 60, factors_file: %s}
"""


@dataclass(frozen=True)
class Host:
    """A home folder whose nights measure an adapter and a disk with speeds that files set."""

    home: Path

    @property
    def settings(self) -> NightlySettings:
        """The settings that the script has from ``nightly.conf``."""
        return NightlySettings(
            self.home / "l2sweep-nights",
            experiment="small",
            config_dir=self.home / "conf",
            limits=Limits(min_control_fraction=0, max_control_error_percent=float("inf")),
        )

    def set_speed(self, *, factors: dict[int, float], ios_per_s: float = IOS_PER_S) -> None:
        """Set by how much the adapter is slower, by size in KiB, and the speed of the disk."""
        (self.home / "factors.json").write_text(json.dumps(factors))
        (self.home / "ios_per_s").write_text(f"{ios_per_s:.0f}")

    def script(self) -> subprocess.CompletedProcess[str]:
        """Run the script of cron."""
        return subprocess.run(
            [ROOT / "scripts" / "nightly_cold.sh"],
            env={"HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=900,
        )

    def night_ms(self) -> dict[tuple[str, str, str, str], list[float]]:
        """Return the value of each night by adapter, phase, size and cache, computed from the rows."""
        rows = l2sweep.load_rounds(self.settings.results_dir)
        rows["cache_state"] = rows["cache_state"].fillna("-")
        series = ["adapter_type", "phase", "data_size_kb", "cache_state"]
        medians = rows.groupby([*series, "sweep_id", "point_index"], sort=False)["duration_s"].median()
        nights = medians.groupby([*series, "sweep_id"], sort=False).median() * 1000
        return {
            (one, two, str(kib), state): list(own) for (one, two, kib, state), own in nights.groupby(series)
        }


@pytest.fixture
def host(tmp_path: Path, fio: None) -> Host:
    home = tmp_path / "home"
    for folder in ("bin", "tmp", "conf/experiment", "conf/adapter", ".config/l2sweep"):
        (home / folder).mkdir(parents=True)
    (home / "conf/experiment/small.yaml").write_text(EXPERIMENT % KEYS)
    (home / "conf/adapter/delayed.yaml").write_text(ADAPTER % (home / "factors.json"))
    wrapper = home / "bin" / "fio"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("fio")} "$@" --rate_iops="$(cat {home}/ios_per_s)"\n')
    wrapper.chmod(0o755)
    (home / ".config/l2sweep/nightly.conf").write_text(
        f"python={shlex.quote(sys.executable)}\nexperiment=small\nconfig_dir={home}/conf\n"
        "min_control_fraction=0\nmax_control_error_percent=null\n"
        f"export PATH={home}/bin:$PATH TMPDIR={home}/tmp {FOLDER_VARIABLE}={home}/tmp\n"
        f"export PYTHONPATH={PYTHON_PATH}\n"
    )
    host = Host(home)
    host.set_speed(factors={})
    return host


@pytest.fixture
def run_in_process(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunSweep]:
    """Run sweeps without a new interpreter, which imports torch for seconds."""
    monkeypatch.setenv("PATH", f"{host.home}/bin", prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", PYTHON_PATH)
    with ProcessStarter("auto") as starter:
        starter.start_server()

        def run(arguments: Sequence[str], output: IO[bytes]) -> int:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                exit_code = main(arguments, starter)
            output.write(printed.getvalue().encode())
            return exit_code

        yield run


def test_quiet_nights_print_nothing_and_a_loud_one_says_what_is_slower(
    host: Host, run_in_process: RunSweep, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(QUIET_NIGHTS):
        assert run_nightly(host.settings, run_in_process) == 0
        assert capsys.readouterr() == ("", "")

    host.set_speed(factors={8: 1.10})
    slow = host.script()
    assert (slow.returncode, slow.stderr) == (1, "")
    assert "the host changed" not in slow.stdout
    rows = {row["phase"]: row for row in map(table_row, slow.stdout.splitlines()) if row}
    assert rows  # on an idle host all three phases
    for phase, row in rows.items():
        assert (row["adapter"], row["kib"], row["since"]) == ("plugin", "8", "tonight")
        assert 7 < float(row["percent"].rstrip("%")) < 13
        *earlier, tonight_ms = host.night_ms()["plugin", phase, "8", row["cache"]]
        assert float(row["tonight"]) == pytest.approx(tonight_ms, abs=0.006)
        assert float(row["before"]) == pytest.approx(statistics.median(earlier[-7:]), rel=0.02)
    assert "To measure the points" not in slow.stdout

    host.set_speed(factors={4: 1.3, 8: 1.3}, ios_per_s=IOS_PER_S / 1.3)
    assert run_nightly(host.settings, run_in_process) == 1
    busy = capsys.readouterr().out
    assert re.search(r"^- the host changed: .*fio (store|load) takes \d+% longer", busy, re.MULTILINE)
    log = (host.settings.results_dir / "nightly.log").read_text().splitlines()
    assert sum(line.endswith(": no problems") for line in log) == QUIET_NIGHTS


def table_row(line: str) -> dict[str, str] | None:
    """Return a row of the table of slower points."""
    names = {
        "adapter": r"\w+",
        "keys": r"\d+",
        "depth": r"\d+",
        "kib": r"\d+",
        "phase": r"\w+",
        "cache": r"\S+",
    }
    names |= {"before": r"[\d.]+", "tonight": r"[\d.]+", "percent": r"[\d.]+%", "since": r"\S+"}
    pattern = " +".join(f"(?P<{name}>{form})" for name, form in names.items())
    found = re.fullmatch(pattern, line.rstrip())
    return found.groupdict() if found else None
