"""Names of the files of the data sets, writing a file whole, and removal of incomplete files."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from l2sweep.records.owner import Host, is_held, open_held

ROUNDS, POINTS = "rounds", "points"


def file_stem(sweep_id: str, point_index: int, attempt: int) -> str:
    """Return the name of the files of an attempt, without the extension."""
    return f"{sweep_id}.{point_index:05d}.{attempt}"


def files_of_sweep(results_dir: Path, data_set: str, sweep_id: str) -> list[Path]:
    """Return the files of a sweep, sorted by point.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        sweep_id: The sweep. Files of a sweep whose id begins with this id and a dot are not returned.
    """
    name = re.compile(re.escape(sweep_id) + r"\.\d+\.\d+\.parquet")
    found = (results_dir / data_set).glob(f"{glob.escape(sweep_id)}.*.parquet")
    return sorted(path for path in found if name.fullmatch(path.name))


def half_written(folder: Path, stem: str) -> Path:
    """Return a temporary path for a file while it is written. No other call returns the same path.

    The name begins with a dot, so that readers of data sets ignore it. It contains the host and the kernel,
    so that :func:`remove_half_written` can tell whether its writer ran here.
    """
    here = Host.here()
    return folder / f".{stem}.{secrets.token_hex(8)}.{_system(here)}.{_kernel(here)}.tmp"


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Write a file under a temporary name, and give it its name at the end of the block.

    A reader sees the earlier file or the new one, and never an incomplete one. After an exception in the
    block, the earlier file stays.

    Args:
        path: Path of the file. An existing file is replaced.

    Raises:
        OSError: The file cannot be written.
    """
    temporary = half_written(path.parent, path.stem)
    with open_held(temporary) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def remove_half_written(results_dir: Path) -> None:
    """Remove the incomplete files of processes of this host that died.

    Args:
        results_dir: Folder of the results.
    """
    here = Host.here()
    # Not deeper than the folder of a sweep: an adapter may keep its own files there.
    folders = ("", "*/", "sweeps/*/")
    for path in itertools.chain.from_iterable(results_dir.glob(f"{folder}.*.*.*.tmp") for folder in folders):
        below = itertools.takewhile(lambda folder: folder != results_dir, path.parents)
        if any(folder.is_symlink() for folder in below):
            continue  # it is elsewhere, and somebody else may have made the link
        system, kernel = path.name.split(".")[-3:-1]
        is_here = kernel == _kernel(here) or (here.machine_id and system == _system(here))
        if is_here and not is_held(path):
            with contextlib.suppress(OSError):  # removed just now, or in a folder of another user
                path.unlink()


def _system(host: Host) -> str:
    return f"{host.name.replace('.', '_')}-{host.machine_id[:8]}"


def _kernel(host: Host) -> str:
    return host.boot_id[:8]
