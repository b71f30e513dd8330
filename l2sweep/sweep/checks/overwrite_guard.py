"""Refuse to overwrite a device or file that may hold data of someone else.

Only adapters that take a whole device or file are checked. A folder, bucket or database may hold other data:
l2sweep writes and deletes only its own keys there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from l2sweep.config.point import PointConfig
from l2sweep.sweep.state.owned_files import OwnedFiles

_CONSEQUENCE = "the adapter would overwrite it (set allow_destructive=true to allow that)"


def overwrite_problems(points: Iterable[PointConfig], results_dir: str) -> list[str]:
    """Return a sentence for each device or file with foreign data that a sweep would overwrite.

    Args:
        points: Points to run. Those with ``allow_destructive`` are ignored.
        results_dir: Folder of the results, which holds the list of the files that l2sweep filled.
    """
    owned = OwnedFiles.load(results_dir)
    problems: dict[str, None] = {}
    for path in _overwritten_paths(point for point in points if not point.allow_destructive):
        if path.is_block_device():
            problems[f"{path} is a block device{_content(path)}: {_CONSEQUENCE}"] = None
        elif path.is_file() and path.stat().st_size and not owned.contains(path):
            unread = f"; {owned.ignored_because}" if owned.ignored_because else ""
            problems[f"{path} is a file that holds {path.stat().st_size} bytes: {_CONSEQUENCE}{unread}"] = (
                None
            )
    return list(problems)


def _overwritten_paths(points: Iterable[PointConfig]) -> list[Path]:
    paths = (point.traits.overwritten_path for point in points)
    return list(dict.fromkeys(Path(path) for path in paths if path is not None))


def _content(device: Path) -> str:
    """Return what a block device holds as " with ...", as far as lsblk(8) and blkid(8) report it."""
    listed = _output_of("lsblk", "--json", "--output", "NAME,FSTYPE,PTTYPE,MOUNTPOINT", str(device))
    entry = json.loads(listed)["blockdevices"][0] if listed else {}
    # lsblk reads these fields from udev, which does not run in a container; blkid reads the device itself.
    probed = dict(
        line.split("=", 1) for line in _output_of("blkid", "-p", "-o", "export", str(device)).splitlines()
    )
    file_system = entry.get("fstype") or probed.get("TYPE")
    partition_table = entry.get("pttype") or probed.get("PTTYPE")
    partitions = entry.get("children", [])
    content = [f"a {file_system} file system"] if file_system else []
    content += [f"a {partition_table} partition table"] if partition_table else []
    content += [f"{len(partitions)} partitions"] if partitions else []
    mounted = [part.get("mountpoint") for part in [entry, *partitions]]
    content += [f"a mount on {place}" for place in mounted if place]
    return f" with {', '.join(content)}" if content else ""


def _output_of(*command: str) -> str:
    """Run a program and return its standard output; empty if it is not installed or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return "" if done.returncode else done.stdout
