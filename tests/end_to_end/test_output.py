"""Output that fails (a closed pipe, a full disk) neither ends a measurement nor prints a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, RunL2SweepIn, l2sweep_environment, start_l2sweep, wait_for

import l2sweep

POINTS = 2
SWEEP = ("-m", "adapter=mock", "data_size_kb=64", "num_keys=1,2")
CONTINUES = "; the run continues without output\n"


def in_shell(folder: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash; ``l2sweep`` is this project's, and ``$SWEEP`` are the options of a sweep."""
    command = f'l2sweep() {{ "{sys.executable}" -m l2sweep "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=l2sweep_environment(folder, SWEEP=" ".join(SWEEP), **environment),
        capture_output=True,
        text=True,
        timeout=120,
    )


def measured(folder: Path) -> list[str]:
    return list(l2sweep.load_points(folder / "results")["status"])


@pytest.fixture(scope="module")
def measured_folder(run_l2sweep_in: RunL2SweepIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a measured sweep, which no test changes."""
    folder = tmp_path_factory.mktemp("measured")
    assert run_l2sweep_in(folder)(*SWEEP).exit_code == 0
    return folder


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
    assert done.stderr == f"l2sweep: standard output: {reason}{CONTINUES}"
    assert done.returncode == 0
    assert set(measured(tmp_path)) == {"ok"}


PIPES = ("2>&1 | head -1", "2>&1 | true", "| head -1")
FILES = (
    *(">/dev/full 2>&1", "2>/dev/full >/dev/full", ">&-", "2>&-", "<&-"),
    *(">&- 2>&- <&-", ">&- 2>/dev/full"),
)


@pytest.mark.parametrize(
    ("sigpipe", "redirection"),
    [
        *(("", redirection) for redirection in (*PIPES, *FILES)),
        *(("trap '' PIPE;", redirection) for redirection in PIPES),  # nothing else sends SIGPIPE
    ],
)
def test_a_sweep_completes_wherever_its_output_goes(tmp_path: Path, redirection: str, sigpipe: str) -> None:
    done = in_shell(tmp_path, f"{sigpipe} l2sweep $SWEEP {redirection}")
    assert (done.returncode, measured(tmp_path)) == (0, ["ok"] * POINTS)
    assert done.stderr in ("", f"l2sweep: standard output: Broken pipe{CONTINUES}")


def test_a_failed_sweep_fails_wherever_its_output_goes(tmp_path: Path) -> None:
    for redirection in (">/dev/full 2>&1", "2>&1 | true", ">&- 2>&-"):
        assert in_shell(tmp_path, f"l2sweep num_keys=0 {redirection}").returncode == 2


def test_no_file_of_a_sweep_becomes_a_closed_standard_descriptor(tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import os, sys\n"
        "from l2sweep import __main__\n"
        "from l2sweep.cli import application\n"
        "def main():\n"
        "    places = [os.readlink(f'/proc/self/fd/{number}') for number in (0, 1, 2)]\n"
        "    print('printed'), print('printed', file=sys.stderr)\n"
        "    with open('places', 'w') as file:\n"
        "        file.write(f'{places} {file.fileno() > 2}')\n"
        "    return 0\n"
        "application.main = main\n"
        "__main__.run()\n"
    )
    done = in_shell(tmp_path, f'"{sys.executable}" {probe} >&- 2>&- <&-', PYTHONPATH=str(ROOT))
    assert done.returncode == 0
    assert (tmp_path / "places").read_text() == f"{['/dev/null'] * 3} True"


@pytest.mark.parametrize(
    "command", ["status", "--help", "--help-all", "--cfg job", "--version", "$SWEEP dry_run=true"]
)
def test_a_command_that_only_prints_ends_quietly_at_a_closed_pipe(
    measured_folder: Path, command: str
) -> None:
    for redirection in ("| true", "2>&1 | true", ">&-"):
        done = in_shell(measured_folder, f"l2sweep {command} {redirection}")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["status", "--help", "--version", "--cfg job", "$SWEEP dry_run=true"])
def test_a_command_that_only_prints_fails_on_a_full_disk(measured_folder: Path, command: str) -> None:
    done = in_shell(measured_folder, f"l2sweep {command} >/dev/full")
    assert (done.returncode, done.stderr) == (1, "l2sweep: standard output: No space left on device\n")


def test_a_json_report_that_could_not_be_written_is_a_failure(tmp_path: Path) -> None:
    done = in_shell(tmp_path, "l2sweep $SWEEP report_format=json >/dev/full")
    assert done.returncode == 1
    assert done.stderr.endswith("l2sweep: standard output: No space left on device\n")
    assert measured(tmp_path) == ["ok"] * POINTS


def test_a_json_report_is_complete_although_the_progress_is_lost(tmp_path: Path) -> None:
    done = in_shell(tmp_path, "l2sweep $SWEEP report_format=json 2>/dev/full")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["points"]) == POINTS


def test_text_that_the_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    latin = {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii:strict"}
    done = in_shell(tmp_path, "l2sweep $SWEEP \"results_dir='é'\"", **latin)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'load_rounds("\\xe9")' in done.stdout
    assert len(l2sweep.load_points(tmp_path / "é")) == POINTS
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = in_shell(tmp_path, "l2sweep $SWEEP \"results_dir='é'\"", **plain)
    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr


def test_a_terminal_that_goes_away_stops_the_sweep_like_a_signal(tmp_path: Path) -> None:
    process = start_l2sweep(
        tmp_path, "-m", "adapter=mock", "data_size_kb=64", f"seed={','.join(map(str, range(200)))}"
    )
    recorded = tmp_path / "results" / "points"
    wait_for(lambda: len(list(recorded.rglob("*.parquet"))) if recorded.is_dir() else None)
    process.send_signal(1)  # SIGHUP
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list((tmp_path / "results").rglob("running-*"))
