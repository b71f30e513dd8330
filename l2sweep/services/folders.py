"""The folder of a server: made for this user alone, locked while the server runs, and removed after it."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from l2sweep.records.owner import is_held, open_held
from l2sweep.records.trusted_files import UntrustedFileError, is_owned, why_untrusted
from l2sweep.services.watcher import DATA, LOG, remove

_PREFIX = "service-"
_LOCK = "l2sweep-service.lock"
_PRIVATE_MODE = 0o700  # what mkdtemp() gives


@dataclass(frozen=True)
class ServerFolder:
    """The folder of one server.

    Attributes:
        path: Absolute path of the folder. Only this user can read it.
        lock: The open lock file. The folder is in use as long as a process has it open.
    """

    path: Path
    lock: BinaryIO

    @classmethod
    def make(cls, below: Path) -> ServerFolder:
        """Make a folder with a random name, and lock it.

        Args:
            below: The folder to make it in, which need not exist.

        Raises:
            UntrustedFileError: Another user could replace the folder, and so the configuration of the server.
            OSError: It cannot be made.
        """
        below = below.resolve()
        for folder in filter(Path.exists, (below, *below.parents)):
            status = folder.stat()
            can_only_add = status.st_mode & stat.S_ISVTX and is_owned(status)
            if not can_only_add and (reason := why_untrusted(status)):
                raise UntrustedFileError(folder, reason)
        below.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=below))
        lock = open_held(path / _LOCK)
        (path / DATA).mkdir()
        return cls(path, lock)

    @property
    def data(self) -> Path:
        """The folder for the data of the server, which is its current folder."""
        return self.path / DATA

    @property
    def log(self) -> Path:
        """The file with the output of the server. It may not exist yet."""
        return self.path / LOG

    def write_private(self, name: str, text: str) -> Path:
        """Write a file that only this user can read, and return its path.

        Args:
            name: Name of the file.
            text: Its content, which may contain secrets.

        Raises:
            OSError: It cannot be written.
        """
        file = self.path / name
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(text)
        return file


def remove_abandoned(below: Path) -> None:
    """Remove the folders of servers whose launcher and watcher both died.

    Only folders of this user that nobody else can write to are removed, and none that is locked.

    Args:
        below: The folder that contains them, which need not exist.
    """
    for path in sorted(below.glob(f"{_PREFIX}*")):
        try:
            status = path.lstat()
        except OSError:  # its watcher has just removed it
            continue
        is_own = status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode)
        is_private = stat.S_IMODE(status.st_mode) == _PRIVATE_MODE
        if is_own and is_private and not is_held(path / _LOCK):
            remove(path)
