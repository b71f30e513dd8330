"""A sweep is removed from its store as a whole, and from the spool folder."""

from __future__ import annotations

import itertools
import json
import warnings
from pathlib import Path

import pytest
from file_stores import SWEEP, FailingStore, record, spooled

from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError, UnreadableRecordsWarning
from l2sweep.records.owner import Owner
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.store.object_store import StoreError
from l2sweep.records.store.place import StorePath, place_of
from l2sweep.records.store.spool import SpooledSweep
from l2sweep.sweep.state.sweep_lock import sweep_lock
from l2sweep.sweep.upload.removal import SweepInStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FailingStore:
    """Return a store with the sweep of this machine, and another one."""
    monkeypatch.setenv("L2SWEEP_SPOOL_DIR", str(tmp_path / "spools"))
    return filled(tmp_path / "store")


def filled(folder: Path) -> FailingStore:
    store = FailingStore(folder)
    spool = spool_of(store)
    for sweep_id in (SWEEP, "other"):
        record(spool, [0, 1], sweep_id=sweep_id)
        SpooledSweep(store, spool, sweep_id).publish()
    return store


def spool_of(store: FailingStore) -> Path:
    return in_store(store).spool


def in_store(store: FailingStore) -> SweepInStore:
    place = place_of(store.address.url)
    assert isinstance(place, StorePath)
    place.sweeps.store = store
    return SweepInStore(place, SWEEP)


def left(folder: Path) -> list[str]:
    """Return the files below a folder that are of the sweep."""
    return sorted(str(path) for path in folder.rglob("*") if path.is_file() and path.parent.name == SWEEP)


def remove(store: FailingStore, *arguments: str) -> int:
    return run_command(["remove", f"{store.address.url}@{SWEEP}", "--yes", *arguments])


def test_all_objects_of_a_sweep_and_what_this_machine_has_of_it_are_removed(
    store: FailingStore, capsys: pytest.CaptureFixture[str]
) -> None:
    stray = f"rounds/date=2026-11-24/{SWEEP}/mine.00002.1.sha256-0123456789abcdef.parquet"
    store.put(stray, b"put by a machine that was cut off")
    assert remove(store) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "removed 1 sweep"
    assert left(Path(store.address.root)) == left(spool_of(store)) == []
    assert store.names(f"sweeps/{SWEEP}/claims") == []
    assert set(load_points(store.address.url)["sweep_id"]) == {"other"}
    assert len(load_rounds(spool_of(store))) == 4


@pytest.mark.parametrize("is_compacted", [False, True])
def test_wherever_the_store_goes_away_no_reader_finds_a_part_and_the_same_command_goes_on(
    store: FailingStore, tmp_path: Path, is_compacted: bool
) -> None:
    for after in itertools.count():
        one = filled(tmp_path / f"store{after}")
        if is_compacted:
            compact_sweep(spool_of(one), SWEEP)
            spooled(one, spool_of(one)).publish()
        one.requests.clear()
        one.is_away = lambda request, one=one, after=after: len(one.requests) > after  # type: ignore[misc]
        try:
            in_store(one).remove()
        except StoreError:
            is_complete = False
        else:
            is_complete = True
        one.is_away = lambda request: False
        with warnings.catch_warnings():
            warnings.simplefilter("error", UnreadableRecordsWarning)
            found = load_rounds(one.address.url)
        assert len(found[found["sweep_id"] == SWEEP]) in (0, 4)
        assert len(found[found["sweep_id"] == "other"]) == 4
        for name in one.names(f"sweeps/{SWEEP}/claims"):  # it expires
            one.delete(f"sweeps/{SWEEP}/claims/{name}")
        if not is_complete and left(Path(one.address.root)):
            assert remove(one) == 0
            assert left(Path(one.address.root)) == left(spool_of(one)) == []
        if is_complete and after > 5:
            return


@pytest.mark.parametrize("is_here", [True, False])
def test_a_sweep_that_runs_is_not_removed(store: FailingStore, is_here: bool) -> None:
    folder = spool_of(store) / "sweeps" / SWEEP
    before = left(Path(store.address.root)), left(spool_of(store))
    if is_here:
        with sweep_lock(folder), pytest.raises(RequestError, match="sweep mine is being run by process"):
            remove(store)
    else:
        owner = json.loads(Owner.of_this_process(SWEEP).to_json())
        owner["host"] = {"name": "far", "machine_id": "1", "boot_id": "2"}
        store.put(f"sweeps/{SWEEP}/claims/other.json", json.dumps(owner).encode())
        with pytest.raises(RequestError, match=r"sweep mine is being run by process \d+ on host far"):
            remove(store)
    assert (left(Path(store.address.root)), left(spool_of(store))) == before


def test_a_sweep_that_is_kept_is_not_removed(store: FailingStore) -> None:
    (spool_of(store) / "sweeps" / SWEEP / "keep").touch()
    SpooledSweep(store, spool_of(store), SWEEP).publish()
    with pytest.raises(RequestError, match=r"^remove: mine is kept: it has a file keep in "):
        remove(store)
    (spool_of(store) / "sweeps" / SWEEP / "keep").unlink()
    with pytest.raises(RequestError, match=r"^remove: mine is kept: it has a file keep in "):
        remove(store)  # the object counts


def test_an_unknown_sweep_is_named(store: FailingStore) -> None:
    with pytest.raises(RequestError, match="has no such sweep"):
        run_command(["remove", f"{store.address.url}@mime", "--yes"])
