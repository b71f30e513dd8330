"""Look at the folder, file or device of an adapter that keeps its data on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from l2sweep.config.adapter.traits import AdapterTraits
from l2sweep.errors import shown
from l2sweep.sweep.checks.storage_places import why_unusable


@dataclass(frozen=True)
class LocalPlace:
    """A folder, file or device.

    Attributes:
        path: Its path.
        is_one_file: Whether the adapter needs a file or a device, and not a folder.
        must_exist: Whether the adapter does not create it.
    """

    path: str
    is_one_file: bool
    must_exist: bool = False

    @property
    def place(self) -> str:
        """The path, for a message."""
        return shown(self.path)

    def problem(self, timeout_s: float) -> str:
        """Return why it cannot be used; empty if it can.

        Args:
            timeout_s: Not used: the caller stops waiting, for example for a network file system.

        Raises:
            OSError: A device cannot be opened.
        """
        # Whether it can be written depends on the phases, which place_problems() knows.
        if reason := why_unusable(self.path, writes=False, is_one_file=self.is_one_file):
            return reason
        if self.must_exist and not os.path.lexists(self.path):
            return "does not exist, and the adapter does not create it"
        if self.is_one_file and os.path.lexists(self.path) and not _holds_blocks(self.path):
            return "is neither a block device nor a file"
        return "the device has no space: its size is 0" if device_size_bytes(self.path) == 0 else ""


def local_places(spec: Mapping[str, Any]) -> list[LocalPlace]:
    """Return the place of a spec; none where its data are not on this machine.

    Args:
        spec: The spec.
    """
    traits = AdapterTraits.of(spec)
    if not traits.kind.is_local or traits.storage_path is None:
        return []
    is_device = traits.overwritten_path is not None
    return [LocalPlace(traits.storage_path, is_device, must_exist=is_device)]


def _holds_blocks(path: str) -> bool:
    mode = os.stat(path).st_mode  # noqa: PTH116 - the path may be no valid one
    return stat.S_ISBLK(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # a folder has its own sentence


def device_size_bytes(path: str) -> int | None:
    """Return the size of a block device in bytes; None if the path is something else.

    Args:
        path: The path.

    Raises:
        OSError: The device cannot be opened.
    """
    try:
        is_device = stat.S_ISBLK(os.stat(path).st_mode)  # noqa: PTH116 - the path may be no valid one
    except (OSError, ValueError):
        return None
    if not is_device:
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)
