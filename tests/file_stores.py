"""Stores of files for unit tests, some of which fail on purpose, and sweeps in their spool folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sample_rows import point_row, round_row

from l2sweep.records.files import file_stem
from l2sweep.records.store.address import StoreAddress
from l2sweep.records.store.object_store import ObjectStore, StoreError
from l2sweep.records.store.spool import SpooledSweep
from l2sweep.records.writer import write_point

SWEEP = "mine"


class FailingStore(ObjectStore):
    """A store of files that is away when a function says so.

    Args:
        folder: Folder of its objects.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(StoreAddress.parse(f"file://{folder}"))
        self.requests: list[str] = []
        self.is_away: Callable[[str], bool] = lambda request: False

    def put(self, key: str, content: bytes) -> None:
        self._ask(f"put {key}")
        super().put(key, content)

    def get(self, key: str) -> bytes:
        self._ask(f"get {key}")
        return super().get(key)

    def delete(self, key: str) -> None:
        self._ask(f"delete {key}")
        super().delete(key)

    def names(self, folder: str) -> list[str]:
        self._ask(f"list {folder}")
        return super().names(folder)

    def _ask(self, request: str) -> None:
        self.requests.append(request)
        if self.is_away(request):
            raise StoreError(self.address.url, "on purpose", is_away=True)


def record(
    spool: Path,
    indices: Sequence[int],
    attempt: int = 1,
    *,
    duration_s: float = 0.5,
    num_rounds: int = 2,
    sweep_id: str = SWEEP,
) -> None:
    """Write the records of points as a sweep does, and its plan. A point without rounds has crashed."""
    for index in indices:
        shared = {"sweep_id": sweep_id, "point_index": index, "attempt": attempt}
        rounds = [round_row("store", number, duration_s=duration_s, **shared) for number in range(num_rounds)]
        point = point_row(**shared, **({} if num_rounds else {"status": "crashed"}))
        write_point(spool, file_stem(sweep_id, index, attempt), rounds, [point])
    folder = spool / "sweeps" / sweep_id
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("manifest.json", "config.yaml", f"point-{indices[-1]:05d}.{attempt}.log"):
        (folder / name).write_text(name)


def spooled(store: ObjectStore, spool: Path, *, is_fetched: bool = False) -> SpooledSweep:
    """Return the sweep in a spool folder, as a process sees it that has just claimed it."""
    sweep = SpooledSweep(store, spool, SWEEP)
    sweep.fetch() if is_fetched else sweep.load()
    return sweep
