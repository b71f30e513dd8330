"""Names of the files of the data sets, writing a file whole, and removal of incomplete files."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from l2sweep.records.owner import Host, is_held, open_held

ROUNDS, POINTS = "rounds", "points"
_BY_CONTENT = re.compile(r"(?P<stem>.+)\.sha256-[0-9a-f]{16}\.parquet")


def file_stem(sweep_id: str, point_index: int, attempt: int) -> str:
    """Return the name of the files of an attempt, without the extension."""
    return f"{sweep_id}.{point_index:05d}.{attempt}"


def compacted_name(sweep_id: str, number: int) -> str:
    """Return the name of the file with all rows of a sweep.

    Args:
        sweep_id: The sweep.
        number: Number of the compaction, from 1. Each has a name of its own, so that a reader that listed the
            files before a compaction finds none of them after it, instead of some rows twice.
    """
    return f"{sweep_id}.parquet" if number == 1 else f"{sweep_id}.{number}.parquet"


def name_by_content(name: str, sha256: str) -> str:
    """Return the name that a file of a data set has in a store: ``ID.2.1.sha256-0123456789abcdef.parquet``.

    Two machines may record the same attempt. Neither replaces what the other one has put.

    Args:
        name: Name of the file, with the extension ``.parquet``.
        sha256: SHA-256 of its content, in hexadecimal digits.
    """
    return f"{name.removesuffix('.parquet')}.sha256-{sha256[:16]}.parquet"


def without_content(name: str) -> str:
    """Return the name of a file of a data set, for its name in a store. Other names stay as they are."""
    found = _BY_CONTENT.fullmatch(name)
    return name if found is None else f"{found['stem']}.parquet"


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


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the device: fsync(2).

    Raises:
        OSError: They cannot be flushed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_half_written(results_dir: Path) -> None:
    """Remove the incomplete files of processes of this host that died.

    Args:
        results_dir: Folder of the results.
    """
    here = Host.here()
    # Not deeper than the folder of a sweep: an adapter may keep its own files there.
    of_sweeps = [f"{name}/{folder}" for name in (ROUNDS, POINTS) for folder in ("*/", "date=*/*/")]
    folders = ("", "*/", "sweeps/*/", *of_sweeps)
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
