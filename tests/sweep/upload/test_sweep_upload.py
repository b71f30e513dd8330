from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from file_stores import SWEEP, FailingStore, record

from l2sweep.errors import RequestError
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.store.claim import Claim
from l2sweep.records.store.counted import manifest_key, read_counted
from l2sweep.records.store.object_store import StoreError
from l2sweep.records.store.spool import SpooledSweep
from l2sweep.sweep.upload import sweep_upload
from l2sweep.sweep.upload.pending import Removed, pending_sweeps, remove_uploaded, upload_pending
from l2sweep.sweep.upload.resumed import manifest_anywhere
from l2sweep.sweep.upload.sweep_upload import SweepUpload


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FailingStore:
    monkeypatch.setenv("L2SWEEP_SPOOL_DIR", str(tmp_path / "spools"))
    monkeypatch.setattr(sweep_upload, "BEGIN_S", 0.0)
    found = FailingStore(tmp_path / "store")
    monkeypatch.setattr(sweep_upload, "ObjectStore", lambda *_: found)
    return found


@pytest.fixture
def spool(store: FailingStore, tmp_path: Path) -> Path:
    return store.address.spool_folder({"L2SWEEP_SPOOL_DIR": str(tmp_path / "spools")})


def upload_of(store: FailingStore, spool: Path, wait_s: float = 0.0) -> SweepUpload:
    return SweepUpload(store.address, spool, SWEEP, wait_s)


def test_what_is_recorded_is_uploaded_after_each_point_and_the_claim_ends_with_the_sweep(
    store: FailingStore, spool: Path
) -> None:
    upload = upload_of(store, spool)
    with upload.begun(resumes=False):
        for index in range(3):
            record(spool, [index])
            upload._next_s = 0  # whatever the last upload took
            upload.after_point()
            assert (
                f"points/date=2026-11-24/mine/mine.0000{index}.1.parquet"
                in read_counted(store, SWEEP).objects
            )
        assert len(store.names("sweeps/mine/claims")) == 1
        upload.finish()
    assert upload.problem == ""
    assert store.names("sweeps/mine/claims") == []


def test_a_store_that_is_away_stops_nothing_and_is_not_asked_after_each_point(
    store: FailingStore, spool: Path
) -> None:
    upload = upload_of(store, spool)
    with upload.begun(resumes=False):
        record(spool, [0])
        store.is_away = lambda request: True
        upload.after_point()
        assert upload.problem == "on purpose"
        count = len(store.requests)
        upload._next_s += 60
        upload.after_point()
        assert len(store.requests) == count
        upload.finish()
        files = len(SpooledSweep(store, spool, SWEEP).pending())
        assert upload.what_is_missing() == (
            f"{files} files of this sweep not in {store.address.url} yet (on purpose): "
            f"l2sweep upload {store.address.url}"
        )
        store.is_away = lambda request: False
        upload.finish()
        assert upload.problem == ""


def test_a_store_that_is_away_at_first_is_refused(store: FailingStore, spool: Path) -> None:
    store.is_away = lambda request: True
    with pytest.raises(
        RequestError, match=r"^results_dir=file://.*: the store cannot be reached \(on purpose\)"
    ):
        upload_of(store, spool).begun(resumes=False).__enter__()
    assert not spool.exists()


def test_a_new_sweep_must_not_exist_in_the_store(store: FailingStore, spool: Path, tmp_path: Path) -> None:
    record(tmp_path / "there", [0])
    other = SpooledSweep(store, tmp_path / "there", SWEEP)
    other.publish()
    with pytest.raises(RequestError, match=r"sweep_id=mine: must be new, but file://.* already contains"):
        upload_of(store, spool).begun(resumes=False).__enter__()
    assert store.names("sweeps/mine/claims") == []


def test_a_sweep_that_was_taken_over_uploads_nothing(
    store: FailingStore, spool: Path, tmp_path: Path
) -> None:
    upload = upload_of(store, spool)
    with upload.begun(resumes=False):
        store.delete(f"sweeps/mine/claims/{store.names('sweeps/mine/claims')[0]}")
        other = Claim(FailingStore(tmp_path / "store"), SWEEP)
        other.acquire()
        record(spool, [0])
        upload.finish()
        assert upload.problem.startswith("sweep mine was taken over by process ")
        other.release()
    assert read_counted(store, SWEEP).objects == {}


def test_what_earlier_runs_left_is_uploaded_and_then_removed(store: FailingStore, spool: Path) -> None:
    for sweep_id in ("one", "two", "three"):
        record(spool, [0], sweep_id=sweep_id)
    assert set(pending_sweeps(store.address)) == {"one", "two", "three"}
    found = {one.sweep_id: one for one in upload_pending(store.address, lambda one: one != "two")}
    assert set(found) == {"one", "three"}
    assert found["one"].sentence(store.address) == f"uploaded 5 files of sweep one to {store.address.url}"
    assert set(pending_sweeps(store.address)) == {"two"}
    store.is_away = lambda request: True
    (failed,) = upload_pending(store.address, lambda _: True)
    assert "5 files of sweep two could not be uploaded to " in failed.sentence(store.address)
    assert remove_uploaded(store.address) == Removed(["one", "three"], [])
    assert set(pending_sweeps(store.address)) == {"two"}
    assert not (spool / "rounds" / "date=2026-11-24" / "one").exists()
    assert (spool / "rounds" / "date=2026-11-24" / "two").exists()


def test_a_sweep_is_not_removed_that_the_store_does_not_have(store: FailingStore, spool: Path) -> None:
    record(spool, [0])
    assert [one.problem for one in upload_pending(store.address, lambda _: True)] == [""]
    store.delete(manifest_key(SWEEP))
    assert remove_uploaded(store.address) == Removed([], [])
    assert (spool / "rounds" / "date=2026-11-24" / SWEEP).exists()


def test_rows_that_only_this_machine_has_are_not_removed(
    store: FailingStore, spool: Path, tmp_path: Path
) -> None:
    record(tmp_path / "there", [0])
    SpooledSweep(store, tmp_path / "there", SWEEP).publish()
    record(spool, [0], duration_s=0.25)
    (rounds,) = (spool / "rounds").rglob("*.parquet")
    own = rounds.read_bytes()
    assert [one.problem for one in upload_pending(store.address, lambda _: True)] == [""]
    aside = spool / "sweeps" / SWEEP / "superseded"
    sentence = (
        f"{aside} stays: 2 files of attempts that another machine put first; "
        "if nobody needs them, delete this folder"
    )
    assert remove_uploaded(store.address) == Removed([SWEEP], [sentence])
    assert own in [path.read_bytes() for path in aside.iterdir()]
    assert list((spool / "sweeps" / SWEEP).iterdir()) == [aside]
    assert not list((spool / "rounds").rglob("*.parquet"))
    assert remove_uploaded(store.address) == Removed([], [sentence])
    assert pending_sweeps(store.address) == {}
    again = SpooledSweep(store, spool, SWEEP)  # it can be resumed here all the same
    again.fetch()
    again.publish()
    shutil.rmtree(aside)
    assert remove_uploaded(store.address) == Removed([SWEEP], [])
    assert list((spool / "sweeps").iterdir()) == []


def test_a_sweep_with_rounds_whose_point_was_never_recorded_is_not_removed(
    store: FailingStore, spool: Path
) -> None:
    record(spool, [0, 1])
    (spool / "points" / "date=2026-11-24" / SWEEP / "mine.00001.1.parquet").unlink()
    assert [one.problem for one in upload_pending(store.address, lambda _: True)] == [""]
    rounds = spool / "rounds" / "date=2026-11-24" / SWEEP / "mine.00001.1.parquet"
    assert remove_uploaded(store.address) == Removed(
        [], [f"sweep mine stays: records that are not in the store: {rounds}"]
    )
    assert rounds.is_file()


@pytest.mark.parametrize("is_compacted", [False, True])
def test_rows_that_an_old_manifest_object_does_not_name_any_more_are_not_removed(
    store: FailingStore, spool: Path, is_compacted: bool
) -> None:
    record(spool, [0])
    assert [one.problem for one in upload_pending(store.address, lambda _: True)] == [""]
    old = store.get(manifest_key(SWEEP))
    record(spool, [1])
    if is_compacted:
        compact_sweep(spool, SWEEP)
    assert [one.problem for one in upload_pending(store.address, lambda _: True)] == [""]
    new = store.get(manifest_key(SWEEP))
    store.put(manifest_key(SWEEP), old)  # by a process that was frozen for long
    ((note,), removed) = (found := remove_uploaded(store.address)).notes, found.sweep_ids
    assert removed == []
    assert note.startswith("sweep mine stays: records that are not in the store: ")
    assert note.endswith(" and 1 more")
    store.put(manifest_key(SWEEP), new)
    assert remove_uploaded(store.address) == Removed([SWEEP], [])


def test_what_another_machine_has_compacted_is_removed(
    store: FailingStore, spool: Path, tmp_path: Path
) -> None:
    record(spool, [0, 1])
    assert [one.problem for one in upload_pending(store.address, lambda _: True)] == [""]
    other = SpooledSweep(store, tmp_path / "there", SWEEP)
    other.fetch()
    compact_sweep(tmp_path / "there", SWEEP)
    other.publish()
    assert remove_uploaded(store.address) == Removed([SWEEP], [])


def test_a_sweep_is_resumed_from_where_its_plan_was_written_last(
    store: FailingStore, spool: Path, tmp_path: Path
) -> None:
    url = store.address.url
    with pytest.raises(RequestError, match=f"resume=latest: {url} contains no such sweep"):
        manifest_anywhere(url, "latest")
    for number, sweep_id in enumerate(("one", "two")):
        folder = (tmp_path / "there" if sweep_id == "one" else spool) / "sweeps" / sweep_id
        folder.mkdir(parents=True)
        content = f'{{"sweep_id": "{sweep_id}", "arguments": [], "zip": [], "points": []}}'
        (folder / "manifest.json").write_text(content)
        if number == 0:
            record(tmp_path / "there", [0], sweep_id="one")
            (folder / "manifest.json").write_text(content)
            SpooledSweep(store, tmp_path / "there", "one").publish()
    assert manifest_anywhere(url, "latest").sweep_id == "two"
    assert manifest_anywhere(url, "one").sweep_id == "one"


def test_a_store_error_while_a_sweep_is_looked_for_is_a_wrong_request(
    store: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreError(store.address.url, "on purpose", is_away=True)

    monkeypatch.setattr("l2sweep.sweep.upload.resumed.load_manifest", away)
    with pytest.raises(RequestError, match=r"the store cannot be reached \(on purpose\)"):
        manifest_anywhere(store.address.url, "latest")
