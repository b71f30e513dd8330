"""A compaction that is killed at a random moment: no reader misses or doubles a row, and nothing is lost.

``L2SWEEP_COMPACTION_KILLS=500`` runs as many trials as one likes.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import RunL2Sweep, start_l2sweep, wait_for
from record_files import split
from sample_rows import DATE, point_row, round_row

import l2sweep
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.storage.layout import record_path
from l2sweep.records.writer import write_point

KILLS = int(os.environ.get("L2SWEEP_COMPACTION_KILLS", "50"))
POINTS = 3
PHASES = ("store", "lookup", "load")
EXPECTED = Counter({(index, phase): 2 for index in range(POINTS) for phase in PHASES})
Read = Callable[[Path], "Counter[tuple[int, str]]"]


SERVER = """
import os, signal, sys
from pathlib import Path
import pandas  # before the forks: else each of them would import it
from l2sweep.records.storage.compaction import compact_sweep

CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chmod", "ctypes.dlsym"}

def kill_at(step, results_dir):
    left = step
    def count(event, arguments):
        nonlocal left
        # Modules that are imported are opened, too.
        is_step = event in CHANGES or (event == "open" and results_dir in str(arguments[0]))
        left -= is_step
        if is_step and not left:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)

for line in sys.stdin:
    results_dir, step = line.strip().split("\\t")
    if not (pid := os.fork()):
        if int(step):
            kill_at(int(step), results_dir)
        compact_sweep(Path(results_dir), "mine")
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""Forks a process for each compaction, so that it begins at once, and kills it before one of its steps."""


class Server:
    """Compacts results folders, each in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", SERVER]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self, results_dir: Path, step: int = 0) -> int:
        """Begin a compaction, and return its process.

        Args:
            results_dir: Folder of the results.
            step: It kills itself before this call that opens or changes a file or folder, from 1; 0: never.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{results_dir}\t{step}\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for the end of the process, and return its exit code."""
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def close(self) -> None:
        self._process.communicate()


def counted(frame: pd.DataFrame) -> Counter[tuple[int, str]]:
    return Counter(zip(frame["point_index"], frame["phase"], strict=True))


def read_with_l2sweep(results_dir: Path) -> Counter[tuple[int, str]]:
    return counted(l2sweep.load_rounds(results_dir, columns=["point_index", "phase"]))


def read_with_pandas(results_dir: Path) -> Counter[tuple[int, str]]:
    return counted(pd.read_parquet(results_dir / "rounds", columns=["point_index", "phase"]))


def read_with_duckdb(results_dir: Path) -> Counter[tuple[int, str]]:
    files = f"read_parquet('{results_dir}/rounds/**/*.parquet', union_by_name=true)"
    return Counter(duckdb.sql(f"select point_index, phase from {files}").fetchall())


class Reader(threading.Thread):
    """Reads the rounds again and again, and notes what it reads other than all rows once.

    Args:
        read: Reads and counts the rows.
        results_dir: Folder of the data sets.
        may_fail: Whether it may find that a file that it has listed is gone. It never reads wrong rows.
    """

    def __init__(self, read: Read, results_dir: Path, *, may_fail: bool) -> None:
        super().__init__()
        self._read, self._results_dir, self._may_fail = read, results_dir, may_fail
        self._has_ended = threading.Event()
        self.wrong: list[Any] = []
        self.reads = 0

    def run(self) -> None:
        while not self._has_ended.is_set():
            try:
                found = self._read(self._results_dir)
            except (OSError, duckdb.IOException) as error:
                if not self._may_fail:
                    self.wrong.append(error)
                continue
            self.reads += 1
            if found != EXPECTED:
                self.wrong.append(found - EXPECTED or EXPECTED - found)

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._has_ended.set()
        self.join()


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "sweeps" / "mine").mkdir(parents=True)
    for index in range(POINTS):
        same = {"sweep_id": "mine", "point_index": index, "attempt": 1}
        rounds = [round_row(phase, number, **same) for phase in PHASES for number in (1, 2)]
        write_point(folder, f"mine.{index:05d}.1", rounds, [point_row(**same)])
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def duration_s(sweep: Path, server: Server, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Return how long a compaction takes."""
    for name in ("warm-up", "measured"):
        results = shutil.copytree(sweep, tmp_path_factory.mktemp(name) / "results")
        server.begin(results)
        began = time.monotonic()
        assert server.end() == 0
    return time.monotonic() - began


def flatten(results_dir: Path) -> None:
    """Move the files to where the first releases wrote them."""
    for file in list(results_dir.glob("*/date=*/mine/*.parquet")):
        file.rename(file.parents[2] / file.name)
    for folder in results_dir.glob("*/date=*"):
        shutil.rmtree(folder)


def undate(results_dir: Path) -> None:
    """Move the folders of the sweep to where earlier releases wrote them."""
    for folder in list(results_dir.glob("*/date=*/mine")):
        folder.rename(folder.parents[1] / "mine")
        folder.parent.rmdir()


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kill_at_any_moment_of_a_compaction_loses_and_doubles_nothing(
    seed: int, sweep: Path, server: Server, duration_s: float, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    results = shutil.copytree(sweep, tmp_path / "results")
    is_of_earlier_release = seed % 5 > 2
    if is_of_earlier_release:
        (undate if seed % 5 == 3 else flatten)(results)
    before = l2sweep.load_rounds(results), l2sweep.load_points(results)
    # While files and folders of an earlier release are moved, only the readers of l2sweep are right.
    other = chance.choice((read_with_pandas, read_with_duckdb))
    read = read_with_l2sweep if is_of_earlier_release or chance.random() < 0.5 else other
    with Reader(read, results, may_fail=read is not read_with_l2sweep) as reader:
        pid = server.begin(results)
        time.sleep(chance.uniform(0, 1.2 * duration_s))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        exit_code = server.end()
        reads = reader.reads
        until = time.monotonic() + 10
        while reader.reads == reads and time.monotonic() < until and not reader.wrong:
            time.sleep(0.01)  # until it has also read what the kill left
    assert reader.wrong == []
    assert exit_code in (0, -signal.SIGKILL)
    assert_same(results, before)
    assert_compactable(results, before)


@pytest.mark.parametrize("release", ["this", "earlier", "first"])
def test_a_kill_before_any_step_of_a_compaction_loses_and_doubles_nothing(
    release: str, sweep: Path, server: Server, tmp_path: Path
) -> None:
    before = l2sweep.load_rounds(sweep), l2sweep.load_points(sweep)
    step, exit_code = 0, -signal.SIGKILL
    checked: set[frozenset[object]] = set()
    while exit_code:
        step += 1
        results = shutil.copytree(sweep, tmp_path / str(step))
        if release != "this":
            {"earlier": undate, "first": flatten}[release](results)
        server.begin(results, step)
        exit_code = server.end()
        assert exit_code in (0, -signal.SIGKILL)
        if (left := contents(results)) not in checked:  # some calls change nothing
            checked.add(left)
            assert_same(results, before)
            assert_compactable(results, before)
        shutil.rmtree(results)
    assert len(checked) > 4 * POINTS
    assert step > 4 * POINTS  # it reads and removes two files of each point


def contents(folder: Path) -> frozenset[object]:
    """Return the name, mode and bytes of everything below a folder."""
    return frozenset(
        (path.relative_to(folder), path.stat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
    )


def assert_same(results_dir: Path, before: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Check that a results folder has all rows once, for every reader."""
    assert read_with_pandas(results_dir) == read_with_duckdb(results_dir) == EXPECTED
    pd.testing.assert_frame_equal(l2sweep.load_rounds(results_dir), before[0])
    pd.testing.assert_frame_equal(l2sweep.load_points(results_dir), before[1])


def assert_compactable(results_dir: Path, before: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Compact a results folder, and check that it has all rows and nothing else."""
    compact_sweep(results_dir, "mine")
    assert_same(results_dir, before)
    left = sorted(str(path.relative_to(results_dir)) for path in results_dir.rglob("*") if path.is_file())
    assert left == [f"{name}/{DATE}/mine/mine.parquet" for name in ("points", "rounds")]
    assert list((results_dir / "sweeps" / "mine").iterdir()) == []


def test_a_sweep_is_compacted_when_it_ends_and_again_when_it_was_resumed(run_l2sweep: RunL2Sweep) -> None:
    grid = ("-m", "adapter=mock", "data_size_kb=64", "rounds=1", "num_keys=2,3,4", "sweep_id=mine")
    first = run_l2sweep(*grid)
    assert first.exit_code == 0, first.err
    for data_set, rows in (("rounds", 3 * 3 * 2), ("points", 3)):
        (file,) = (first.results_dir / data_set).rglob("*.parquet")
        assert pq.read_metadata(file).num_rows == rows
    split(first.results_dir)
    record_path(first.results_dir, "points", "mine.00001.1").unlink()
    resumed = run_l2sweep("resume=mine")
    assert "1 of 3 points measured, 2 measured before" in resumed.out
    (file,) = (first.results_dir / "points").rglob("*.parquet")
    assert len(resumed.points) == 3
    again = run_l2sweep("resume=mine")
    assert "0 of 3 points measured, 3 measured before" in again.out
    assert run_l2sweep("status").out.splitlines()[1].split() == ["mine", "3", "3", "0", "0", "0"]


def test_a_stopped_sweep_is_not_compacted(tmp_path: Path) -> None:
    seeds = ",".join(map(str, range(200)))
    process = start_l2sweep(tmp_path, "-m", "adapter=mock", "data_size_kb=64", f"seed={seeds}")
    points = tmp_path / "results" / "points"
    wait_for(lambda: True if len(list(points.rglob("*.parquet"))) > 2 else None)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(list(points.rglob("*.parquet"))) > 2


def test_records_that_cannot_be_compacted_are_one_line_and_no_failure(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    grid = ("-m", "adapter=mock", "data_size_kb=64", "rounds=1", "num_keys=2,3", "sweep_id=mine")
    (tmp_path / "results" / "rounds" / "mine" / "a folder").mkdir(parents=True)
    run = run_l2sweep(*grid)
    assert run.exit_code == 0, run.err
    assert "The records stay in several files: results/rounds/mine: a folder is not a regular file" in run.out
    assert len(list((tmp_path / "results" / "rounds").rglob("*.parquet"))) == 2
    assert len(run.rounds) == 2 * 3 * 2
