"""List the sweeps of a results folder: what ran when, how it ended, and how much it occupies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.reading.intact import ERRORS, opened
from l2sweep.records.reading.listing import (
    DataSetFiles,
    SweepFiles,
    list_date,
    list_earlier,
    list_files,
)
from l2sweep.records.reading.rows import read_rows
from l2sweep.records.storage.layout import date_folders, date_name
from l2sweep.records.storage.stored_sweep import StoredSweep
from l2sweep.records.store.place import Place, ResultsDir, StorePath, asked_again, narrowed, place_of
from l2sweep.records.trusted_files import is_sweep_id

_TEXTS = ("sweep_id", "sweep_name", "status", "adapter_type")
_NUMBERS = ("point_index", "attempt", "started_at", "wall_s")
_COLUMNS = pa.schema([schema.POINTS.field(name) for name in (*_TEXTS, *_NUMBERS)])
_NEVER = datetime.max.replace(tzinfo=UTC)  # a sweep without a start time is last


_STOPPED, _OK = 1, 2  # 0: failed, the worst


@dataclass(frozen=True)
class SweepRecord:
    """What is recorded of a sweep.

    Attributes:
        sweep_id: The sweep.
        sweep_name: Its label.
        began: When its first process started; None if that is not recorded.
        ended: When its last process ended.
        wall_s: Seconds that its processes ran, all together. A pause before a resumed run is not in it.
        adapters: Types of its adapters, sorted.
        points: Number of points with at least one attempt.
        processes: Number of benchmark processes.
        ok: Number of points whose last attempt was ``ok``.
        failed: Number of the other points.
        stopped: Number of points that the user stopped.
        num_bytes: Size of its files, with logs.
        is_compacted: Whether all its records are in one file of each data set.
    """

    sweep_id: str
    sweep_name: str
    began: datetime | None
    ended: datetime | None
    wall_s: float
    adapters: tuple[str, ...]
    points: int
    processes: int
    ok: int
    failed: int
    stopped: int
    num_bytes: int
    is_compacted: bool


@dataclass(frozen=True)
class Begun:
    """When a sweep began.

    Attributes:
        began: When its first process started.
        sweep_id: The sweep.
        sweep_name: Its label.
    """

    began: datetime
    sweep_id: str
    sweep_name: str


def list_sweeps(results_dir: ResultsDir = "results") -> list[SweepRecord]:
    """Return the recorded sweeps of a results folder, oldest first. A few columns of ``points`` are read.

    Args:
        results_dir: Folder of the data sets.

    Raises:
        FileNotFoundError: The folder has no records.

    Warns:
        UnreadableRecordsWarning: With the files in ``points`` that cannot be read.
    """
    folder = place_of(results_dir)
    rows = read_rows(folder, POINTS, _COLUMNS)
    rows.warn(folder)
    if not len(rows.table):
        return []  # Arrow ends the process if it counts the distinct texts of a table without rows
    points = list_files(folder, POINTS)
    with contextlib.suppress(FileNotFoundError):
        rounds = DataSetFiles()
        rounds = list_files(folder, ROUNDS)
    ended = _last_ended(rows.table)
    found: list[SweepRecord] = []
    for row in _summed(rows.table):
        sweep_id = row["sweep_id"]
        files = [listed.sweeps.get(sweep_id, SweepFiles()) for listed in (points, rounds)]
        paths = [path for one in files for path in one.paths]
        found.append(
            SweepRecord(
                sweep_id=sweep_id,
                sweep_name=next(iter(row["sweep_name_distinct"]), None) or "",
                began=row["started_at_min"],
                ended=row["ended_at_max"] or row["started_at_max"],
                wall_s=row["wall_s_sum"] or 0.0,
                adapters=tuple(sorted(filter(None, row["adapter_type_distinct"]))),
                points=ended[sweep_id][0],
                processes=row["count_all"],
                ok=ended[sweep_id][1],
                failed=ended[sweep_id][0] - ended[sweep_id][1] - ended[sweep_id][2],
                stopped=ended[sweep_id][2],
                num_bytes=_num_bytes(folder, sweep_id, paths),
                is_compacted=all(len(one.paths) < 2 for one in files),
            )
        )
    return sorted(found, key=lambda one: (one.began or _NEVER, one.sweep_id))


def begun_sweeps(results_dir: ResultsDir) -> list[Begun]:
    """Return when the recorded sweeps began, oldest first.

    Args:
        results_dir: Folder of the data sets.

    Raises:
        FileNotFoundError: The folder has no records.
    """
    return sorted(newest_sweeps(results_dir), key=_age)


def newest_sweeps(results_dir: ResultsDir) -> Iterator[Begun]:
    """Yield when the recorded sweeps began, newest first. Of each sweep only the footer of a file is read.

    A date is opened when its first sweep is asked for. Sweeps in the places of earlier releases are read at
    once, because their dates are not known before.

    Args:
        results_dir: Folder of the data sets.

    Raises:
        FileNotFoundError: The folder has no records.
    """
    folder = place_of(results_dir)
    waiting = _begun_in(folder, list_earlier(folder, POINTS))
    known = {one.sweep_id for one in waiting}
    for date in date_folders(folder / POINTS):
        listed = DataSetFiles()
        list_date(date, listed)
        waiting += [one for one in _begun_in(folder, listed) if one.sweep_id not in known]
        known |= set(listed.sweeps)
        waiting.sort(key=_age)
        while waiting and date_name(waiting[-1].began) >= date.name:
            yield waiting.pop()
    yield from sorted(waiting, key=_age, reverse=True)


def _age(one: Begun) -> tuple[datetime, str]:
    return one.began, one.sweep_id


def _begun_in(results_dir: Place, listed: DataSetFiles) -> list[Begun]:
    """Return when the listed sweeps began."""
    found = []
    for sweep_id, files in listed.sweeps.items():
        if is_sweep_id(sweep_id):
            one = _begun_of(sweep_id, files)
            if one is None:  # a compaction may have replaced the files
                with contextlib.suppress(OSError):
                    again = list_files(asked_again(results_dir), POINTS, [sweep_id])
                    one = _begun_of(sweep_id, again.sweeps.get(sweep_id, SweepFiles()))
            found += [] if one is None else [one]
    return found


def _begun_of(sweep_id: str, files: SweepFiles) -> Begun | None:
    """Return when a sweep began; None if no file can be read.

    The points of a sweep run one after another, so the file that was written first has the first start time.
    """
    for path in _by_age(files):
        with contextlib.suppress(*ERRORS):
            return _begun(path, sweep_id)
    return None


def _num_bytes(folder: Place, sweep_id: str, paths: Sequence[Place]) -> int:
    if isinstance(folder, StorePath):
        return narrowed(folder, [sweep_id]).num_bytes()
    return StoredSweep.of(folder, sweep_id, [path for path in paths if isinstance(path, Path)]).num_bytes


def _by_age(files: SweepFiles) -> list[Place]:
    if files.compacted is not None or len(files.paths) < 2:
        return files.paths
    written: list[tuple[int, Place]] = []
    for path in files.paths:
        with contextlib.suppress(OSError):
            written.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(written)]


def _begun(path: Place, sweep_id: str) -> Begun:
    with opened(path) as file:
        metadata = pq.read_metadata(file)
        names = metadata.schema.names
        starts, labels = [], set()
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            start = group.column(names.index("started_at")).statistics
            label = group.column(names.index("sweep_name")).statistics
            if start is None or label is None or not (start.has_min_max and label.has_min_max):
                table = pq.ParquetFile(file, metadata=metadata).read(["started_at", "sweep_name"])
                starts.append(pc.min(table["started_at"]).as_py())
                labels |= set(table["sweep_name"].unique().to_pylist())
                break
            starts.append(start.min)
            labels |= {label.min, label.max}
    return Begun(min(filter(None, starts), default=_NEVER), sweep_id, min(filter(None, labels), default=""))


def _summed(table: pa.Table) -> list[dict[str, Any]]:
    """Return a row for each sweep, with the least and largest times and the distinct names."""
    wall = pc.fill_null(pc.multiply(table["wall_s"], 1e6), 0).cast(pa.int64(), safe=False)
    ended = pc.add(table["started_at"], wall.cast(pa.duration("us")))
    grouped = table.append_column("ended_at", ended).group_by("sweep_id")
    summed: list[dict[str, Any]] = grouped.aggregate(
        [
            ("started_at", "min"),
            ("started_at", "max"),
            ("ended_at", "max"),
            ("wall_s", "sum"),
            ("sweep_name", "distinct"),
            ("adapter_type", "distinct"),
            ([], "count_all"),
        ]
    ).to_pylist()
    return summed


def _last_ended(table: pa.Table) -> dict[str, tuple[int, int, int]]:
    """Return for each sweep how many points it has, and how many last attempts were ok, and were stopped."""
    place = ["sweep_id", "point_index"]
    is_ok, is_stopped = (pc.equal(table["status"], name).cast(pa.int64()) for name in ("ok", "stopped"))
    state = pc.add(pc.multiply(is_ok, _OK), pc.multiply(is_stopped, _STOPPED))
    attempts = table.append_column("state", state).group_by([*place, "attempt"]).aggregate([("state", "min")])
    # The last two bits are the state, so that the largest number has that of the last attempt.
    number = pc.add(pc.multiply(attempts["attempt"].cast(pa.int64()), 4), attempts["state_min"])
    last = attempts.append_column("number", number).group_by(place).aggregate([("number", "max")])
    of_last = pc.bit_wise_and(last["number_max"], 3)
    for name, wanted in (("ok", _OK), ("stopped", _STOPPED)):
        last = last.append_column(name, pc.equal(of_last, wanted).cast(pa.int64()))
    counted = last.group_by("sweep_id").aggregate([("ok", "sum"), ("stopped", "sum"), ([], "count_all")])
    return {
        row["sweep_id"]: (row["count_all"], row["ok_sum"], row["stopped_sum"]) for row in counted.to_pylist()
    }
