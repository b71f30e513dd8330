"""List the files of the data sets, in the layout of this release and of earlier ones."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from l2sweep.records.files import without_content
from l2sweep.records.storage.layout import date_folders, dated_folders, is_date
from l2sweep.records.store.place import Place, StorePath, as_local, narrowed

# The first releases wrote the files of all sweeps into one folder.
_ATTEMPT = re.compile(r"(?P<sweep_id>.*)\.(?P<point_index>[0-9]+)\.(?P<attempt>[0-9]+)\.parquet")


@dataclass
class SweepFiles:
    """The files of a sweep in one data set.

    Attributes:
        compacted: The file with the rows of many attempts, and the number of its compaction; None if there is
            none.
        attempts: The files of single attempts, by the index of the point and the number of the attempt.
    """

    compacted: tuple[Place, int] | None = None
    attempts: dict[tuple[int, int], Place] = field(default_factory=dict)

    @property
    def paths(self) -> list[Place]:
        """All files. The compacted one is first: if a compaction replaces it, one of the others is gone."""
        first = [self.compacted[0]] if self.compacted else []
        return first + [self.attempts[key] for key in sorted(self.attempts)]


@dataclass
class DataSetFiles:
    """The files of a data set.

    Attributes:
        sweeps: By the id of the sweep. Neither the id nor the files were checked.
        others: Parquet files without the name of a record.
        replaced: Files of attempts in two places, and compacted files with a newer one beside them.
    """

    sweeps: dict[str, SweepFiles] = field(default_factory=dict)
    others: list[Place] = field(default_factory=list)
    replaced: list[Place] = field(default_factory=list)

    @property
    def paths(self) -> list[Place]:
        """The records of all sweeps."""
        return [path for sweep_id in sorted(self.sweeps) for path in self.sweeps[sweep_id].paths]


def list_files(results_dir: Place, data_set: str, sweep_ids: Collection[str] | None = None) -> DataSetFiles:
    """Return the files of a data set.

    A file is listed once, even while a compaction moves the files of an earlier release: first into the
    folder of their sweep, then below its date. The places are listed in this order.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        sweep_ids: The sweeps to list; None: all. The folders of other sweeps are not opened. Files that are
            not records are listed for all sweeps, or if they are in the folder of one of these.

    Raises:
        FileNotFoundError: The folder of the data set does not exist.
    """
    listed = list_earlier(results_dir, data_set, sweep_ids)
    folder = narrowed(results_dir, sweep_ids) / data_set
    if sweep_ids is None:
        for date in date_folders(folder):
            list_date(date, listed)
    else:
        for sweep_id in sorted(sweep_ids):
            for own in dated_folders(folder, sweep_id):
                _list_folder(own, listed)
    listed.others.sort()
    return listed


def list_earlier(results_dir: Place, data_set: str, sweep_ids: Collection[str] | None = None) -> DataSetFiles:
    """Return the files of a data set where earlier releases wrote them: not below a date.

    Args:
        results_dir: Folder of the data sets.
        data_set: As in :func:`list_files`, as ``sweep_ids``.

    Raises:
        FileNotFoundError: The folder of the data set does not exist.
    """
    folder = narrowed(results_dir, sweep_ids) / data_set
    listed = DataSetFiles()
    for name in _parquet_names(folder):
        if parts := _ATTEMPT.fullmatch(name):
            if sweep_ids is None or parts["sweep_id"] in sweep_ids:
                sweep = listed.sweeps.setdefault(parts["sweep_id"], SweepFiles())
                sweep.attempts[int(parts["point_index"]), int(parts["attempt"])] = folder / name
        elif sweep_ids is None:
            listed.others.append(folder / name)
    for sweep_id in _subfolders(folder) if sweep_ids is None else sorted(sweep_ids):
        if not is_date(sweep_id):
            _list_folder(folder / sweep_id, listed)
    return listed


def list_date(folder: Place, listed: DataSetFiles) -> None:
    """Add the files of all sweeps of a date.

    Args:
        folder: Folder of the date.
        listed: What was listed before.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        listed.others += [folder / name for name in _parquet_names(folder)]
        for sweep_id in _subfolders(folder):
            _list_folder(folder / sweep_id, listed)


def _list_folder(folder: Place, listed: DataSetFiles) -> None:
    """Add the files in the folder of a sweep."""
    sweep_id, names = folder.name, []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        names = _parquet_names(folder)
    if not names:
        return
    sweep = listed.sweeps.setdefault(sweep_id, SweepFiles())
    compacted = [] if sweep.compacted is None else [sweep.compacted]
    for name in names:
        # The parts of the name that are left after the id, which may contain dots and digits itself.
        plain = without_content(name)  # the folder may be that of a store
        numbers = plain.removeprefix(sweep_id).split(".")[1:-1] if plain.startswith(f"{sweep_id}.") else [""]
        if len(numbers) < 3 and all(map(_is_number, numbers)):
            if len(numbers) < 2:
                compacted.append((folder / name, int(numbers[0]) if numbers else 1))
                continue
            key = int(numbers[0]), int(numbers[1])
            if key in sweep.attempts:
                _replace(sweep.attempts[key], listed)
            sweep.attempts[key] = folder / name
        else:
            listed.others.append(folder / name)
    if compacted:
        *older, sweep.compacted = sorted(compacted, key=lambda one: one[1])  # of two equal ones, the last
        for path, _ in older:
            _replace(path, listed)


def _replace(path: Place, listed: DataSetFiles) -> None:
    if path.exists():  # otherwise it was moved just now
        listed.replaced.append(path)


def _parquet_names(folder: Place) -> list[str]:
    if isinstance(folder, StorePath):
        names = [name for name in folder.files() if name.endswith(".parquet")]
    else:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(".parquet")]
    return sorted(name for name in names if name[0] not in "._")


def _subfolders(folder: Place) -> list[str]:
    if isinstance(folder, StorePath):
        return folder.folders()
    with os.scandir(folder) as entries:
        found = [entry.name for entry in entries if not entry.name.endswith(".parquet") and entry.is_dir()]
    return sorted(name for name in found if name[0] not in "._")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def files_of_sweep(results_dir: Path, data_set: str, sweep_id: str) -> list[Path]:
    """Return the records of a sweep, sorted by point; none if the data set does not exist.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        sweep_id: The sweep. Files of a sweep whose id begins with this id and a dot are not returned.
    """
    try:
        return as_local(list_files(results_dir, data_set, [sweep_id]).paths)
    except (FileNotFoundError, NotADirectoryError):
        return []
