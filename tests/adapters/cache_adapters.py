"""Adapters that serve loads from memory, or store later than they report, loaded as a ``plugin`` of LMCache.

They keep their files as the ``fs`` adapter does, unless their description says otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from faulty_adapters import report_all_loaded
from lmcache.v1.distributed.internal_api import L2StoreResult
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig

__all__ = ["FSL2AdapterConfig"]

_LATE_S = 1.0  # longer than a flush of a few MiB


class _Files(FSL2Adapter):
    config_class_name = "FSL2AdapterConfig"

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        self._folder = Path(str(config.base_path))
        self._copies = Path("/dev/shm") / f"copies-of-{str(self._folder).replace('/', '_')}"
        self._submits = 0

    def _report_stored(self, task_id: int, num_bytes: int) -> None:
        with self._lock:
            self._completed_store_tasks[task_id] = L2StoreResult(True, num_bytes)
        self._store_efd.notify()


class WarmsLaterRounds(_Files):
    """Reads all files during its first load, so that all later loads are served from memory."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        self._submits += 1
        self._warm(self._submits)
        await super()._execute_load(keys, objects, task_id)

    def _warm(self, submit: int) -> None:
        if submit == 1:
            for path in self._folder.glob("*.data"):
                path.read_bytes()


class WarmsByAnotherProcess(WarmsLaterRounds):
    """Lets another process read all files during its first load."""

    def _warm(self, submit: int) -> None:
        code = "import pathlib, sys\nfor path in pathlib.Path(sys.argv[1]).glob('*.data'): path.read_bytes()"
        if submit == 1:
            subprocess.run([sys.executable, "-c", code, str(self._folder)], check=True)


class WarmsBetweenRounds(WarmsLaterRounds):
    """Reads all files in a thread after its first load."""

    def _warm(self, submit: int) -> None:
        if submit == 1:
            self._reader = threading.Thread(target=super()._warm, args=(1,))
        elif submit == 2:
            self._reader.start()
            self._reader.join()


class WarmsOneRound(WarmsLaterRounds):
    """Reads the fourth file during its third load. A round is one submit of one key."""

    def _warm(self, submit: int) -> None:
        if submit == 3:
            files = sorted(self._folder.glob("*.data"), key=lambda path: path.stat().st_mtime_ns)
            files[3].read_bytes()


class WarmsTheNextRound(WarmsLaterRounds):
    """Reads the files of the next load as well, so that every round but the last reads enough."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        files = sorted(self._folder.glob("*.data"), key=lambda path: path.stat().st_mtime_ns)
        self._next = files[(self._submits + 1) * len(keys) :][: len(keys)]
        await super()._execute_load(keys, objects, task_id)

    def _warm(self, submit: int) -> None:
        for path in self._next:
            path.read_bytes()


class PrefetchesTheNextFiles(WarmsLaterRounds):
    """Asks the kernel, while a load runs, to read the files of the next 8 keys, and does not wait for it.

    The kernel counts a read when it is requested. While keys are left that no round loads, each round
    requests as many bytes as it loads, although its own bytes were in memory before it started.
    """

    _keys_ahead = 8
    _step_bytes = 128 * 1024  # the kernel reads at most this much ahead for one request

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        files = sorted(self._folder.glob("*.data"))  # their names end with the index of the key
        last = files.index(Path(self._key_to_path(keys[-1])))
        self._ahead = files[last + 1 :][: self._keys_ahead]
        await super()._execute_load(keys, objects, task_id)

    def _warm(self, submit: int) -> None:
        for path in self._ahead:
            descriptor = os.open(path, os.O_RDONLY)
            for offset in range(0, path.stat().st_size, self._step_bytes):
                os.posix_fadvise(descriptor, offset, self._step_bytes, os.POSIX_FADV_WILLNEED)
            os.close(descriptor)


class CopiesInMemory(_Files):
    """Keeps a copy of each key in /dev/shm and serves loads from there."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        self._copies.mkdir(exist_ok=True)
        for key, memory in zip(keys, objects, strict=True):
            (self._copies / self._key_to_path(key).name).write_bytes(memory.byte_array)
        await super()._execute_store(keys, objects, task_id)

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        for key, memory in zip(keys, objects, strict=True):
            with (self._copies / self._key_to_path(key).name).open("rb") as copy:
                copy.readinto(memory.byte_array)
            self._read_from_device(self._key_to_path(key))
        report_all_loaded(self, len(keys), task_id)

    def delete(self, keys: Any) -> None:
        super().delete(keys)
        for key in keys:
            (self._copies / self._key_to_path(key).name).unlink(missing_ok=True)
        if self._copies.exists() and not any(self._copies.iterdir()):
            self._copies.rmdir()

    def _read_from_device(self, path: Path) -> None:
        pass


class CopiesInMemoryAndReadsJunk(CopiesInMemory):
    """The same, and also reads the file, but does not use what it reads."""

    def _read_from_device(self, path: Path) -> None:
        path.read_bytes()


class WritesLater(_Files):
    """Reports a store at once, and writes its files a second later."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        self._writers: list[threading.Thread] = []

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        content = {
            self._key_to_path(key): bytes(memory.byte_array)
            for key, memory in zip(keys, objects, strict=True)
        }
        for path, data in content.items():
            self._write_early(path, data)
        self._writers.append(threading.Thread(target=self._write_late, args=(content,)))
        self._writers[-1].start()
        self._report_stored(task_id, sum(map(len, content.values())))

    def _write_early(self, path: Path, data: bytes) -> None:
        pass

    def _write_late(self, content: dict[Path, bytes]) -> None:
        time.sleep(_LATE_S)
        for path, data in content.items():
            path.write_bytes(data)

    def close(self) -> None:
        for writer in self._writers:
            writer.join()
        super().close()


class WritesLaterIntoLargeFiles(WritesLater):
    """The same, but makes the files at once, with their size and no content."""

    def _write_early(self, path: Path, data: bytes) -> None:
        path.touch()
        os.truncate(path, len(data))


class WritesHalfLater(WritesLater):
    """The same, but writes the first half of each file at once."""

    def _write_early(self, path: Path, data: bytes) -> None:
        path.write_bytes(data[: len(data) // 2])
        os.truncate(path, len(data))


class DirtiesAgain(_Files):
    """Stores correctly, and writes every file again as soon as it is flushed, without end."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        await super()._execute_store(keys, objects, task_id)
        if not self._submits:
            threading.Thread(target=self._write_again, daemon=True).start()
        self._submits += 1

    def _write_again(self) -> None:
        while True:
            for path in self._folder.glob("*.data"):
                with path.open("r+b") as file:
                    start = file.read(4096)
                    file.seek(0)
                    file.write(start)


class PathHintConfig(FSL2AdapterConfig):
    """A config whose field for the folder is not one that l2sweep knows as a path."""

    def __init__(self, hint: str) -> None:
        super().__init__(base_path=hint)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> PathHintConfig:
        return cls(hint=d["hint"])


class WhereTheFileSays(_Files):
    """The ``fs`` adapter, with a folder that l2sweep does not know."""

    config_class_name = "PathHintConfig"
