"""One trial: a sweep with random faults is resumed until all is measured, and then nothing may be amiss."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from chaos.faults import FAULTS, Fault, Target, mend
from chaos.processes import Output, processes_of
from conftest import RunL2Sweep, l2sweep_environment

POINTS = 4
_ROUNDS = 4
_PHASES = 3
_PROCESSES_END_S = 5.0
_NOTICED_AFTER_S = 1.0
# A frozen point is ended by deadline_s=20 of its process; a process that only deletes keys, and a fork server
# whose imports hang, after 120 s.
_END_S = 240
_ATTEMPT = ("sweep_id", "point_index", "attempt")
_TRACES = ("*.tmp", "running-*", "compacting-*")
_GRID = (
    *("-m", "num_keys=4,8", "in_flight=1,2", f"rounds={_ROUNDS}", "data_size_kb=64", "deadline_s=20"),
    "lookup_max_hit_rate=0.5",
)
# What a user must never see, whatever happens.
_INTERNAL = re.compile(r"internal error|Traceback \(most recent|Exception ignored|Fatal Python error")


@dataclass
class Amiss:
    """What is amiss after a trial, a line for each.

    Attributes:
        lost: Rows that were recorded once, and are gone or changed; points that were not measured.
        doubled: Points and rounds that were measured or recorded twice.
        unreadable: Files that cannot be read.
        left: Keys, temporary files, journals and processes that nobody removed.
        internal: Output that a user must never see.
        exit_codes: Exit codes other than documented.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    internal: list[str] = field(default_factory=list)
    exit_codes: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {name: len(lines) for name, lines in vars(self).items()}


@dataclass
class Trial:
    """A trial.

    Args:
        seed: What all its choices follow from.
        folder: An empty folder.
        run_l2sweep: Runs the last, undisturbed resume.
    """

    seed: int
    folder: Path
    run_l2sweep: RunL2Sweep
    history: list[str] = field(default_factory=list)
    amiss: Amiss = field(default_factory=Amiss)

    def run(self) -> None:
        """Run the sweep with its faults, resume it until it is complete, and note what is amiss."""
        chance = random.Random(self.seed)
        faults = [chance.choice(FAULTS) for _ in range(chance.choice((1, 1, 2, 3)))]
        grid = [*_GRID, f"adapter.base_path={self.folder}/kv"]
        mounted = {fault.needs_mount for fault in faults if fault.needs_mount}
        # One process for each phase: a fault may come between two phases. Memory (a tmpfs) cannot be cold.
        is_cold = chance.random() < 0.4 and "kv" not in mounted
        grid += ["cache=cold", "cache.method=fadvise"] if is_cold else []
        with _small_file_systems([self.folder / place for place in sorted(mounted)]):
            for fault in faults:
                self._run_with(fault, self._request(grid), chance)
            mend(self.folder)
            self._finish(grid)
            self._judge(
                phases_are_processes=is_cold, rows_were_removed=any(one.removes_records for one in faults)
            )

    def _request(self, grid: list[str]) -> list[str]:
        return ["resume=latest"] if list(self._results.glob("sweeps/*/manifest.json")) else grid

    @property
    def _results(self) -> Path:
        return self.folder / "results"

    def _run_with(self, fault: Fault, request: list[str], chance: random.Random) -> None:
        recorded = self._recorded()
        after_s = chance.uniform(0, 1.5) + (chance.uniform(0, 2.5) if chance.random() < 0.7 else 0)
        self.history.append(f"{fault.name} after {after_s:.2f} s of {' '.join(request)}")
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(Path(fault.stdout).open("wb")) if fault.stdout else subprocess.PIPE
            launcher = subprocess.Popen(
                [sys.executable, "-m", "l2sweep", *request],
                cwd=self.folder,
                env=l2sweep_environment(self.folder),
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            output = Output(launcher)
            time.sleep(after_s)
            fault.strike(Target(launcher, output, self.folder))
            struck_at = time.monotonic()
            try:
                launcher.wait(_END_S)
            except subprocess.TimeoutExpired:
                self.amiss.left.append(f"the launcher hangs after: {fault.name}")
                launcher.kill()
                launcher.wait()
            output.close()
        self._judge_output(output.text)
        self.history[-1] += f" -> {launcher.returncode}"
        if launcher.returncode not in {0, *fault.exit_codes}:
            self.amiss.exit_codes.append(self.history[-1])
        # A launcher that had ended, or was just ending, could not notice the fault.
        if launcher.returncode == 0 and time.monotonic() - struck_at > _NOTICED_AFTER_S:
            measured = len({key for key in self._recorded() if "points" in key})
            if measured < POINTS:
                self.amiss.exit_codes.append(f"exit code 0 with {measured} points recorded: {fault.name}")
        if not fault.removes_records:
            now = self._recorded()
            self.amiss.lost += [
                f"{name} after: {fault.name}" for name in recorded if now.get(name) != recorded[name]
            ]
        mend(self.folder)

    def _finish(self, grid: list[str]) -> None:
        before = self._recorded()
        done = self.run_l2sweep(*self._request(grid), TMPDIR=str(self.folder))
        self.history.append(f"undisturbed: {done.exit_code}")
        self._judge_output(done.out + done.err)
        if done.exit_code:
            self.amiss.exit_codes.append(f"undisturbed: {done.exit_code}: {done.out}{done.err}")
        now = self._recorded()
        self.amiss.lost += [f"{name} in the end" for name in before if now.get(name) != before[name]]

    def _judge_output(self, text: str) -> None:
        if _INTERNAL.search(text):
            self.amiss.internal.append(text)

    def _recorded(self) -> dict[str, str]:
        """Return the digest of the rows of each attempt at a point that has ended, by its name.

        A compaction puts the rows into another file, and changes no row.
        """
        rows: dict[tuple[object, ...], list[str]] = {}
        for data_set in ("points", "rounds"):
            for row in (row for table in self._tables(data_set) for row in table.to_pylist()):
                place = tuple(row[name] for name in _ATTEMPT)
                if data_set == "points" or ("points", *place) in rows:
                    rows.setdefault((data_set, *place), []).append(repr(row))
        return {
            str(place): hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
            for place, lines in rows.items()
        }

    def _judge(self, *, phases_are_processes: bool, rows_were_removed: bool) -> None:
        tables = {name: self._read(name) for name in ("points", "rounds")}
        if not self.amiss.unreadable and all(len(table) for table in tables.values()):
            # A sweep whose manifest was removed is started again, as another sweep.
            newest = tables["points"].sort_values("started_at")["sweep_id"].iloc[-1]
            points, rounds = (table[table["sweep_id"] == newest] for table in tables.values())
            if rows_were_removed:  # a point whose rounds were removed is measured again
                kept = points.set_index(["point_index", "attempt"]).index.isin(
                    rounds.set_index(["point_index", "attempt"]).index
                )
                points = points[kept]
            self._judge_rows(points, rounds, _PHASES if phases_are_processes else 1)
        elif not self.amiss.unreadable:
            self.amiss.lost.append("all rows")
        kept = [path for path in (self.folder / "kv").rglob("*") if path.is_file()]
        kept += [path for name in _TRACES for path in self._results.rglob(name)]
        self.amiss.left += map(str, kept)
        until = time.monotonic() + _PROCESSES_END_S
        while (processes := processes_of(self.folder)) and time.monotonic() < until:
            time.sleep(0.05)
        self.amiss.left += processes

    def _tables(self, data_set: str) -> list[pa.Table]:
        tables = []
        for path in sorted((self._results / data_set).rglob("*.parquet")):
            try:
                tables.append(pq.read_table(path))
            except Exception as error:
                self.amiss.unreadable.append(f"{path}: {error}")
        return tables

    def _read(self, data_set: str) -> pd.DataFrame:
        tables = [table.to_pandas() for table in self._tables(data_set)]
        return pd.concat(tables) if tables else pd.DataFrame()

    def _judge_rows(self, points: pd.DataFrame, rounds: pd.DataFrame, processes: int) -> None:
        ok = points.groupby(["point_index", "attempt"])["status"].agg(
            lambda status: set(status) == {"ok"} and len(status) == processes
        )
        times = ok.groupby("point_index").sum().reindex(range(POINTS), fill_value=0)
        self.amiss.lost += [f"point {index} was not measured" for index in times.index[times < 1]]
        self.amiss.doubled += [f"point {index} was measured twice" for index in times.index[times > 1]]
        good = rounds.merge(ok[ok].reset_index()[["point_index", "attempt"]])
        counted = good.groupby(["point_index", "phase"]).size()
        for index in times.index:
            for phase in ("store", "lookup", "load"):
                count = counted.get((index, phase), 0)
                if count < _ROUNDS + 1:  # and one round of warm-up
                    self.amiss.lost.append(f"point {index}: {count} {phase} rounds")
                elif count > _ROUNDS + 1:
                    self.amiss.doubled.append(f"point {index}: {count} {phase} rounds")
        one_row = ["point_index", "attempt", "phase"]
        twice = points[points.duplicated(one_row)]
        self.amiss.doubled += [str(tuple(row)) for row in twice[one_row].itertuples(index=False)]


@contextlib.contextmanager
def _small_file_systems(folders: list[Path]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for folder in folders:
            folder.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=True)
            stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        yield
