"""Not overwriting what is not ours: adapters that take a whole device or file are asked about first.

A folder, bucket or database that holds other things is no reason to refuse: only our own keys are written
there and deleted.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from l2sweep.config.adapter_spec import adapter_types, storage_path
from l2sweep.config.point import PointConfig
from l2sweep.records.files import half_written
from l2sweep.records.owner import Host

# They write over whatever their device_path holds: LMCache's raw_block and dax adapters.
_OVERWRITING = ("raw_block", "dax")
_OURS = "owned_files.json"
_ADVICE = "the adapter would overwrite it (allow_destructive=true if that is meant)"


def dangers(points: Iterable[PointConfig], results_dir: str) -> list[str]:
    """Return a sentence for each device or file that a sweep would overwrite, though it may hold something.

    Args:
        points: All that are to be run; those with ``allow_destructive`` are left out.
        results_dir: Where it is written down which files are ours.
    """
    ours = _owned(results_dir)
    found: dict[str, None] = {}
    for path in _overwritten(point for point in points if not point.allow_destructive):
        if path.is_block_device():
            found[f"{path} is a block device{_content(path)}: {_ADVICE}"] = None
        elif path.is_file() and path.stat().st_size and not _is_ours(path, ours):
            found[f"{path} is a file that holds {path.stat().st_size} bytes: {_ADVICE}"] = None
    return list(found)


def remember_ours(points: Iterable[PointConfig], results_dir: str) -> None:
    """Write down the files that these points are going to fill: they are ours from now on."""
    owned = _owned(results_dir)
    found = {
        str(path.resolve()): [Host.here().name, path.stat().st_ino if path.exists() else None]
        for path in _overwritten(points)
        if not path.is_block_device()
    }
    if any(owned.get(path) != entry for path, entry in found.items()):
        Path(results_dir).mkdir(parents=True, exist_ok=True)
        aside = half_written(Path(results_dir), _OURS)
        aside.write_text(json.dumps({**owned, **found}))
        aside.replace(Path(results_dir) / _OURS)


def _is_ours(path: Path, owned: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a file is the one that was written down, on the same host."""
    name, inode = owned.get(str(path.resolve()), ("", None))
    return name == Host.here().name and inode in (None, path.stat().st_ino)


def _overwritten(points: Iterable[PointConfig]) -> list[Path]:
    paths: dict[Path, None] = {}
    for point in points:
        path = storage_path(point.adapter_spec)
        if path is not None and set(adapter_types(point.adapter_spec)) & set(_OVERWRITING):
            paths[Path(path)] = None
    return list(paths)


def _owned(results_dir: str) -> dict[str, Sequence[Any]]:
    """Return by path the host and the inode of each file that is ours; an inode of None is not known yet."""
    try:
        return dict(json.loads((Path(results_dir) / _OURS).read_text()))
    except (OSError, ValueError, TypeError):  # what cannot be read makes nothing ours
        return {}


def _content(device: Path) -> str:
    """Say what a block device holds, as far as it can be seen."""
    listed = _said("lsblk", "--json", "--output", "NAME,FSTYPE,PTTYPE,MOUNTPOINT", str(device))
    entry = json.loads(listed)["blockdevices"][0] if listed else {}
    # lsblk has these from udev, which a container has not; blkid(8) reads the device itself.
    probed = dict(
        line.split("=", 1) for line in _said("blkid", "-p", "-o", "export", str(device)).splitlines()
    )
    file_system = entry.get("fstype") or probed.get("TYPE")
    partition_table = entry.get("pttype") or probed.get("PTTYPE")
    partitions = entry.get("children", [])
    said = [f"a {file_system} file system"] if file_system else []
    said += [f"a {partition_table} partition table"] if partition_table else []
    said += [f"{len(partitions)} partitions"] if partitions else []
    mounted = [part.get("mountpoint") for part in [entry, *partitions]]
    said += [f"a mount on {place}" for place in mounted if place]
    return f" with {', '.join(said)}" if said else ""


def _said(*command: str) -> str:
    """Return what a program prints; nothing where it is not installed or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return "" if done.returncode else done.stdout
