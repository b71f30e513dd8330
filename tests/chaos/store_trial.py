"""One trial of a sweep whose results go into a store: faults, resumes, and then nothing may be amiss."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from conftest import l2sweep_environment
from stores import BUCKET, ResultsStore, machine

import l2sweep
from l2sweep.errors import L2SweepError
from l2sweep.records.reader import points_table, rounds_table
from l2sweep.records.store.address import StoreAddress
from l2sweep.records.store.counted import SWEEPS, object_keys, read_counted
from l2sweep.records.store.object_store import ObjectStore

POINTS, ROUNDS, PHASES = 4, 3, 3
KILLED, KILLED_ELSEWHERE = "killed launcher", "killed launcher, resumed on another machine"
STORE_KILLED, STORE_FROZEN = "killed store", "frozen store"
BOTH, STOPPED = "killed store and launcher", "killed store, stopped by the user"
# The exit codes that the launcher may end with. 2: a store that is away before the first point is refused.
FAULTS = {
    KILLED: {0, -9},
    KILLED_ELSEWHERE: {0, -9},
    STORE_KILLED: {0, 2},
    STORE_FROZEN: {0, 2},
    BOTH: {0, 2, -9},
    STOPPED: {0, 1, 2, 130},
}
_GRID = (
    *("-m", "adapter=mock", "num_keys=4,8", "in_flight=1,2", f"rounds={ROUNDS}", "warmup_rounds=0"),
    *("data_size_kb=256", "adapter.mock_bandwidth_gb=0.01", "upload_wait_s=120", "sweep_id=mine"),
)
_INTERNAL = ("internal error", "Traceback (most recent", "Exception ignored")
_END_S = 300


@dataclass
class StoreTrial:
    """A trial.

    Args:
        seed: What all its choices follow from.
        folder: An empty folder.
        store: A running store, which runs again after the trial.

    Attributes:
        history: What happened, a line for each step.
        amiss: What is wrong, a line for each fault found: a lost row, a doubled row, a wrong exit code.
    """

    seed: int
    folder: Path
    store: ResultsStore
    history: list[str] = field(default_factory=list)
    amiss: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._url = f"s3://{BUCKET}/trial-{self.seed}"
        self._chance = random.Random(self.seed)
        self._seen: dict[tuple[object, ...], str] = {}
        self._machines = 0
        self._is_watched = threading.Event()

    def run(self) -> None:
        """Run the sweep with its faults, resume it until it is complete, and note what is amiss."""
        environment = self._new_machine()
        is_begun = False
        for fault in self._chance.choices(list(FAULTS), k=self._chance.choice((1, 2))):
            self._run_with(fault, environment, self._request(is_begun))
            is_begun = self._has_manifest(environment)
            if fault == KILLED_ELSEWHERE or self._chance.random() < 0.3:
                environment = self._new_machine()
                is_begun = bool(self._counted())
        self._undisturbed(environment, self._request(is_begun))
        self._judge()

    def _request(self, is_begun: bool) -> list[str]:
        grid = ["resume=mine", "upload_wait_s=120"] if is_begun else list(_GRID)
        return [*grid, f"results_dir={self._url}"]

    def _new_machine(self) -> dict[str, str]:
        self._machines += 1
        return machine(self.folder, f"machine{self._machines}", self.store)

    def _start(self, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "l2sweep", *arguments],
            cwd=self.folder,
            env=l2sweep_environment(self.folder, **environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def _run_with(self, fault: str, environment: dict[str, str], request: list[str]) -> None:
        launcher = self._start(environment, *request)
        reader = threading.Thread(target=self._watch)
        self._is_watched.set()
        reader.start()
        if self._chance.random() < 0.9:  # otherwise the fault comes while the launcher starts
            self._wait_until_begun(environment, launcher)
        after_s = self._chance.uniform(0, 7.0)  # an undisturbed sweep takes six seconds
        time.sleep(after_s)
        away_s = 0.0
        if fault not in (KILLED, KILLED_ELSEWHERE):
            self._is_watched.clear()  # a reader fails while the store is away
            reader.join()
            self.store.freeze() if fault == STORE_FROZEN else self.store.kill()
            away_s = self._chance.uniform(0.2, 12.0)
            time.sleep(away_s)
        if fault in (KILLED, KILLED_ELSEWHERE, BOTH):
            launcher.kill()
        if fault == STOPPED:
            launcher.send_signal(signal.SIGINT)
            launcher.wait(_END_S)
        if fault not in (KILLED, KILLED_ELSEWHERE):
            self.store.thaw() if fault == STORE_FROZEN else self.store.start()
        try:
            out, _ = launcher.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            launcher.kill()
            out, _ = launcher.communicate()
            self.amiss.append(f"the launcher hangs after: {fault}")
        self._is_watched.clear()
        reader.join()
        self._note(f"{fault} after {after_s:.1f} s for {away_s:.1f} s", launcher.returncode, out)
        if launcher.returncode not in FAULTS[fault]:
            self.amiss.append(f"exit code {launcher.returncode} after: {fault}: {out}")
        if fault == STOPPED and self._chance.random() < 0.7 and self._has_manifest(environment):
            self._check("upload", environment, ["upload", self._url])
        self._look()

    def _wait_until_begun(self, environment: dict[str, str], launcher: subprocess.Popen[str]) -> None:
        spool = Path(environment["L2SWEEP_SPOOL_DIR"])
        for _ in range(6000):
            if launcher.poll() is not None or any(spool.glob("*/sweeps/mine/sweep.lock")):
                return
            time.sleep(0.01)
        self.amiss.append("the sweep did not begin within a minute")

    def _undisturbed(self, environment: dict[str, str], request: list[str]) -> None:
        self._check("undisturbed", environment, request)
        self._look()

    def _check(self, name: str, environment: dict[str, str], arguments: list[str]) -> None:
        done = self._start(environment, *arguments)
        out, _ = done.communicate(timeout=_END_S)
        self._note(name, done.returncode, out)
        if done.returncode:
            self.amiss.append(f"{name}: exit code {done.returncode}: {out}")

    def _note(self, what: str, exit_code: int, out: str) -> None:
        lines = [
            line for line in out.splitlines() if "Sweep mine" in line or "l2sweep" in line or "not" in line
        ]
        self.history.append(f"{what} -> {exit_code}: {' / '.join(lines[-3:])}")
        self.amiss += [f"{word}: {out}" for word in _INTERNAL if word in out]

    def _has_manifest(self, environment: dict[str, str]) -> bool:
        spool = Path(environment["L2SWEEP_SPOOL_DIR"])
        return any(spool.glob("*/sweeps/mine/manifest.json")) or bool(self._counted())

    def _object_store(self) -> ObjectStore:
        return ObjectStore(StoreAddress.parse(self._url))

    def _counted(self) -> dict[str, object]:
        return dict(read_counted(self._object_store(), "mine").objects)

    def _watch(self) -> None:
        while self._is_watched.is_set():
            self._look()
            time.sleep(0.1)

    def _look(self) -> None:
        """Read as a user does, and check that nothing that was seen once is lost, changed or doubled."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                points, rounds = points_table(self._url).to_pylist(), rounds_table(self._url).to_pylist()
            except FileNotFoundError:
                points = rounds = []
            except (L2SweepError, UserWarning) as error:
                self.amiss.append(f"a reader: {error}")
                return
        now: dict[tuple[object, ...], str] = {}
        for row in points:
            self._add(now, ("point", row["point_index"], row["attempt"], row["phase"]), row)
        attempts = {key[1:3] for key in now}
        for row in rounds:
            if (row["point_index"], row["attempt"]) in attempts:
                place = (row["point_index"], row["attempt"], row["phase"], row["round"])
                self._add(now, ("round", *place), row)
        for key, row in self._seen.items():
            if now.get(key) != row:
                self.amiss.append(f"{key} was {'changed' if key in now else 'lost'}")
        self._seen |= now

    def _add(self, now: dict[tuple[object, ...], str], key: tuple[object, ...], row: object) -> None:
        if key in now:
            self.amiss.append(f"a reader saw {key} twice")
        now[key] = repr(row)

    def _judge(self) -> None:
        points, rounds = l2sweep.load_points(self._url), l2sweep.load_rounds(self._url)
        ok = points[points["status"] == "ok"]
        if sorted(ok["point_index"]) != list(range(POINTS)):
            self.amiss.append(f"measured points: {sorted(ok['point_index'])}")
        good = rounds.merge(ok[["point_index", "attempt"]])
        counts = good.groupby(["point_index", "phase"]).size()
        if len(counts) != POINTS * PHASES or set(counts) != {ROUNDS}:
            self.amiss.append(f"rounds: {counts.to_dict()}")
        self._judge_objects()

    def _judge_objects(self) -> None:
        """Check that no object is left that does not count: a program that lists the store would read it."""
        store, counted = self._object_store(), object_keys(read_counted(self._object_store(), "mine").objects)
        files = store._files
        from pyarrow.fs import FileSelector

        found = {
            one.path.removeprefix(f"{store.address.root}/")
            for one in files.get_file_info(FileSelector(store.address.root, recursive=True))
            if one.is_file
        }
        left = found - counted - {f"{SWEEPS}/mine/objects.json"}
        self.amiss += [f"left in the store: {key}" for key in left]
        self.amiss += [f"counts and is missing: {key}" for key in counted - found]
        tables = [key for key in counted if key.startswith("points/")]
        if len(tables) != 1:
            self.amiss.append(f"{len(tables)} files of points after the end")
