from __future__ import annotations

import itertools
import shutil
import warnings
from pathlib import Path

import pytest
from file_stores import SWEEP, FailingStore, record, spooled

from l2sweep.errors import BenchError, UnreadableRecordsWarning
from l2sweep.records.files import without_content
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.store.counted import Counted, manifest_key, object_key, read_counted
from l2sweep.records.store.object_store import StoreError
from l2sweep.records.store.spooled_files import spooled_sweeps

RECORDS = [
    f"{data_set}/date=2026-11-24/mine/mine.0000{index}.1.parquet"
    for data_set in ("points", "rounds")
    for index in (0, 1)
]
BESIDE = ["sweeps/mine/config.yaml", "sweeps/mine/manifest.json", "sweeps/mine/point-00001.1.log"]


@pytest.fixture
def store(tmp_path: Path) -> FailingStore:
    return FailingStore(tmp_path / "store")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return the spool folder of a machine that has measured two points."""
    record(tmp_path / "here", [0, 1])
    return tmp_path / "here"


def counted(store: FailingStore) -> list[str]:
    return sorted(read_counted(store, SWEEP).objects)


def objects(store: FailingStore) -> list[str]:
    """Return the keys of all objects, also of those that do not count, without what follows from contents."""
    folder = Path(store.address.root)
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    keys = (str(path.with_name(without_content(path.name))) for path in found)
    return sorted(key for key in keys if key != manifest_key(SWEEP))


def rows(store: FailingStore) -> list[tuple[int, int, str, float]]:
    """Return what a reader finds, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnreadableRecordsWarning)
        rounds, points = load_rounds(store.address.url), load_points(store.address.url)
    known = set(zip(points["point_index"], points["attempt"], strict=True))
    assert not points.duplicated(["point_index", "attempt"]).any()
    found = rounds[["point_index", "attempt", "phase", "round", "duration_s"]].itertuples(index=False)
    return [(row[0], row[1], f"{row[2]} {row[3]}", row[4]) for row in found if (row[0], row[1]) in known]


def test_what_a_sweep_has_recorded_counts_after_it_was_published(store: FailingStore, here: Path) -> None:
    for name in ("sweep.lock", "running-00002.1.abc.json", ".hidden", "a name"):
        (here / "sweeps" / SWEEP / name).write_text("stays here")
    sweep = spooled(store, here)
    assert sweep.pending() == sorted(RECORDS + BESIDE)
    sweep.publish()
    assert counted(store) == objects(store) == sorted(RECORDS + BESIDE)
    assert sweep.pending() == []
    assert len(rows(store)) == 4


def test_only_what_is_new_is_put_again(store: FailingStore, here: Path) -> None:
    sweep = spooled(store, here)
    sweep.publish()
    record(here, [2])
    store.requests.clear()
    sweep.publish()
    assert [without_content(request) for request in store.requests if "parquet" in request] == [
        f"put {data_set}/date=2026-11-24/mine/mine.00002.1.parquet" for data_set in ("points", "rounds")
    ]
    store.requests.clear()
    sweep.publish()
    assert store.requests == []
    spooled(store, here, is_fetched=True).publish()
    assert {request.split()[0] for request in store.requests} == {"get", "list"}


def test_rounds_without_their_point_do_not_count(store: FailingStore, here: Path) -> None:
    (here / "points" / "date=2026-11-24" / SWEEP / "mine.00001.1.parquet").unlink()
    spooled(store, here).publish()
    assert "rounds/date=2026-11-24/mine/mine.00001.1.parquet" not in counted(store)


def test_compacted_files_replace_the_others_in_the_store(store: FailingStore, here: Path) -> None:
    sweep = spooled(store, here)
    sweep.publish()
    before = rows(store)
    compact_sweep(here, SWEEP)
    sweep.publish()
    assert counted(store) == objects(store)
    assert [key for key in counted(store) if "parquet" in key] == [
        "points/date=2026-11-24/mine/mine.parquet",
        "rounds/date=2026-11-24/mine/mine.parquet",
    ]
    assert rows(store) == before


@pytest.mark.parametrize("is_new_process", [False, True])
@pytest.mark.parametrize("is_compacted", [False, True])
def test_wherever_the_store_goes_away_a_reader_finds_each_row_once_and_the_next_try_completes_it(
    here: Path, tmp_path: Path, is_compacted: bool, is_new_process: bool
) -> None:
    for after in itertools.count():
        store = FailingStore(tmp_path / f"store{after}")
        spool = tmp_path / f"spool{after}"
        shutil.copytree(here, spool)
        sweep = spooled(store, spool)
        if is_compacted:
            sweep.publish()
            record(spool, [2])
            compact_sweep(spool, SWEEP)
        store.requests.clear()
        store.is_away = lambda request, store=store, after=after: len(store.requests) > after  # type: ignore[misc]
        try:
            sweep.publish()
        except StoreError:
            is_complete = False
        else:
            is_complete = True
        store.is_away = lambda request: False
        if is_compacted:
            assert len(rows(store)) in (4, 6)
        if is_new_process:
            sweep = spooled(store, spool, is_fetched=True)
        sweep.publish()
        assert counted(store) == objects(store)
        assert len(rows(store)) == (6 if is_compacted else 4)
        if is_complete:
            assert after > 5
            return


def test_another_machine_fetches_what_it_needs_to_resume(
    store: FailingStore, here: Path, tmp_path: Path
) -> None:
    spooled(store, here).publish()
    there = tmp_path / "there"
    sweep = spooled(store, there, is_fetched=True)
    found = sorted(str(path.relative_to(there)) for path in there.rglob("*") if path.is_file())
    assert found == sorted(RECORDS + BESIDE[:2])
    for key in found:
        assert (there / key).read_bytes() == (here / key).read_bytes()
    record(there, [2])
    compact_sweep(there, SWEEP)
    before = rows(store)
    sweep.publish()
    assert set(before) < set(rows(store))
    assert len(rows(store)) == 6
    assert {*BESIDE, "sweeps/mine/point-00002.1.log"} < set(counted(store))
    assert counted(store) == objects(store)


def test_a_machine_that_resumes_after_another_one_takes_over_its_rows(
    store: FailingStore, here: Path, tmp_path: Path
) -> None:
    spooled(store, here).publish()
    there = tmp_path / "there"
    other = spooled(store, there, is_fetched=True)
    record(there, [2])
    compact_sweep(there, SWEEP)
    other.publish()
    before = rows(store)
    spooled(store, here, is_fetched=True).publish()
    assert rows(store) == before
    assert counted(store) == objects(store)
    assert len(load_rounds(here)) == len(before)


def test_rows_that_were_measured_twice_on_two_machines_count_once(
    store: FailingStore, here: Path, tmp_path: Path
) -> None:
    spooled(store, here).publish()
    record(here, [2], duration_s=0.25)  # not uploaded: the store is away
    there = tmp_path / "there"
    other = spooled(store, there, is_fetched=True)
    record(there, [2], duration_s=0.75)
    other.publish()
    before = rows(store)
    sweep = spooled(store, here, is_fetched=True)
    assert (here / "sweeps" / SWEEP / "superseded" / "mine.00002.1.parquet").is_file()
    sweep.publish()
    assert rows(store) == before
    assert before[-1][-1] == 0.75
    compact_sweep(there, SWEEP)
    other.publish()
    assert rows(store) == before


@pytest.mark.parametrize("is_compacted", [False, True])
@pytest.mark.parametrize("has_point", [False, True])
def test_rounds_are_not_counted_beside_the_point_of_another_run_that_has_none(
    store: FailingStore, here: Path, tmp_path: Path, is_compacted: bool, has_point: bool
) -> None:
    spooled(store, here).publish()
    record(here, [2])  # not uploaded
    if not has_point:  # it was killed before the point was recorded
        (here / "points" / "date=2026-11-24" / SWEEP / "mine.00002.1.parquet").unlink()
    there = tmp_path / "there"
    other = spooled(store, there, is_fetched=True)
    record(there, [2], num_rounds=0)
    if is_compacted:
        compact_sweep(there, SWEEP)
    other.publish()
    before = rows(store)
    for _ in range(2):
        spooled(store, here, is_fetched=True).publish()
        assert rows(store) == before
        assert load_points(store.address.url)["status"].tolist() == ["ok", "ok", "crashed"]
        assert not load_rounds(here)["point_index"].isin([2]).any()
    aside = list((here / "sweeps" / SWEEP / "superseded").glob("*.parquet"))
    assert len(aside) == (2 if has_point else 1)  # nothing is lost


@pytest.mark.parametrize("puts", range(1, 4))
def test_what_a_machine_puts_too_late_is_not_read_as_what_counts(
    store: FailingStore, here: Path, tmp_path: Path, puts: int
) -> None:
    late = spooled(store, here)
    late.publish()
    there = tmp_path / "there"
    other = spooled(store, there, is_fetched=True)
    record(there, [2], duration_s=0.75)
    other.publish()
    before = rows(store)
    record(here, [2], duration_s=0.25)
    store.requests.clear()
    store.is_away = lambda request: len([one for one in store.requests if "put" in one]) > puts
    with pytest.raises(StoreError):
        late.publish()
    store.is_away = lambda request: False
    assert rows(store) == before
    compact_sweep(there, SWEEP)
    other.publish()
    assert rows(store) == before
    assert counted(store) == objects(store)


def test_rows_that_another_machine_measured_and_compacted_are_not_counted_beside_them(
    store: FailingStore, here: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    spooled(store, here).publish()
    record(here, [2], duration_s=0.25)
    other = spooled(store, there, is_fetched=True)
    record(there, [2], duration_s=0.75)
    compact_sweep(there, SWEEP)
    other.publish()
    before = rows(store)
    for _ in range(2):
        spooled(store, here, is_fetched=True).publish()
        assert rows(store) == before
    assert counted(store) == objects(store)


def test_an_attempt_that_counts_in_another_folder_is_not_counted_again(
    store: FailingStore, here: Path, tmp_path: Path
) -> None:
    spooled(store, here).publish()
    record(here, [2])  # not uploaded
    record(tmp_path / "there", [2])
    spooled(store, tmp_path / "there").publish()
    known = read_counted(store, SWEEP)
    objects = {}
    for key, one in known.objects.items():  # as another machine puts them, which began on another day
        dated = key.replace("/mine/mine.00002", "/date=2026-11-30/mine/mine.00002")
        store.put(object_key(dated, one), store.get(object_key(key, one)))
        objects[dated] = one
    store.put(manifest_key(SWEEP), Counted(SWEEP, objects).to_json())
    spooled(store, here, is_fetched=True).publish()
    aside = {path.name for path in (here / "sweeps" / SWEEP / "superseded").iterdir()}
    assert {"2-mine.00002.1.parquet", "mine.00002.1.parquet"} <= aside
    names = [key.rpartition("/")[2] for key in counted(store) if key.startswith("points/")]
    assert names.count("mine.00002.1.parquet") == 1


def test_two_compacted_files_of_one_name_do_not_replace_what_counts(
    store: FailingStore, here: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    spooled(store, here).publish()
    other = spooled(store, there, is_fetched=True)
    for folder, duration_s in ((here, 0.25), (there, 0.75)):
        record(folder, [2], duration_s=duration_s)
        compact_sweep(folder, SWEEP)
    other.publish()
    before = rows(store)
    spooled(store, here, is_fetched=True).publish()
    assert rows(store) == before
    assert (here / "sweeps" / SWEEP / "superseded" / "mine.parquet").is_file()


@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_resume_puts_again_what_an_old_manifest_object_does_not_name_any_more(
    store: FailingStore, here: Path, is_compacted: bool
) -> None:
    sweep = spooled(store, here)
    sweep.publish()
    old = store.get(manifest_key(SWEEP))
    record(here, [2])
    if is_compacted:
        compact_sweep(here, SWEEP)
    sweep.publish()
    before = rows(store)
    store.put(manifest_key(SWEEP), old)  # by a process that was frozen for long
    spooled(store, here, is_fetched=True).publish()
    assert rows(store) == before
    assert len(before) == 6
    assert counted(store) == objects(store)


def test_rows_of_the_store_stay_if_their_local_files_are_gone(store: FailingStore, here: Path) -> None:
    sweep = spooled(store, here)
    sweep.publish()
    before = rows(store)
    shutil.rmtree(here)
    sweep.publish()
    assert rows(store) == before
    spooled(store, here, is_fetched=True).publish()
    assert rows(store) == before


def test_an_object_that_is_not_what_was_put_is_not_fetched(
    store: FailingStore, here: Path, tmp_path: Path
) -> None:
    spooled(store, here).publish()
    key = object_key(RECORDS[0], read_counted(store, SWEEP).objects[RECORDS[0]])
    store.put(key, b"something else")
    with pytest.raises(BenchError, match=rf"{Path(key).name} is not what was put"):
        spooled(store, tmp_path / "there", is_fetched=True)
    store.delete(key)
    with pytest.raises(BenchError, match="counts, and does not exist"):
        spooled(store, tmp_path / "there", is_fetched=True)


def test_a_damaged_manifest_object_stops_the_upload_and_stays(store: FailingStore, here: Path) -> None:
    store.put(manifest_key(SWEEP), b"{")
    with pytest.raises(BenchError, match=r"sweeps/mine/objects.json cannot be read: it is damaged"):
        spooled(store, here)
    assert store.get(manifest_key(SWEEP)) == b"{"


def test_only_folders_with_the_id_of_a_sweep_are_sweeps_of_a_spool_folder(here: Path, tmp_path: Path) -> None:
    (here / "sweeps" / ".hidden").mkdir()
    (here / "sweeps" / "file").write_text("")
    assert spooled_sweeps(here) == [SWEEP]
    assert spooled_sweeps(tmp_path / "nothing") == []
