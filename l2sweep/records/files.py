"""The files of the data sets: their names, and which are whose."""

from __future__ import annotations

import glob
import itertools
import re
from pathlib import Path

from l2sweep.records.owner import Host, is_held

ROUNDS, POINTS = "rounds", "points"


def file_stem(sweep_id: str, point_index: int, attempt: int) -> str:
    """Return the name of an attempt's files, without their ending."""
    return f"{sweep_id}.{point_index:05d}.{attempt}"


def sweep_id_of(path: Path) -> str:
    """Return the sweep that a file belongs to."""
    return path.name.rsplit(".", 3)[0]


def files_of_sweep(results_dir: Path, data_set: str, sweep_id: str) -> list[Path]:
    """Return a sweep's files in the order of its points; another sweep's id may begin with its id and a dot.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        sweep_id: Which sweep.
    """
    name = re.compile(re.escape(sweep_id) + r"\.\d+\.\d+\.parquet")
    found = (results_dir / data_set).glob(f"{glob.escape(sweep_id)}.*.parquet")
    return sorted(path for path in found if name.fullmatch(path.name))


def half_written(folder: Path, stem: str) -> Path:
    """Return what a file is called while it is written: data set readers pass a leading dot over."""
    return folder / f".{stem}.{_system(Host.here())}.{_kernel(Host.here())}.tmp"


def remove_half_written(results_dir: Path) -> None:
    """Remove what processes of this host that died were writing.

    Args:
        results_dir: Folder of the results.
    """
    here = Host.here()
    places = ("", "*/", "sweeps/*/")  # and no deeper: an adapter's own files may be there
    for aside in itertools.chain.from_iterable(results_dir.glob(f"{place}.*.*.*.tmp") for place in places):
        system, kernel = aside.name.split(".")[-3:-1]
        is_here = kernel == _kernel(here) or (here.machine_id and system == _system(here))
        if is_here and not is_held(aside):
            aside.unlink(missing_ok=True)


def _system(host: Host) -> str:
    return f"{host.name.replace('.', '_')}-{host.machine_id[:8]}"


def _kernel(host: Host) -> str:
    return host.boot_id[:8]
