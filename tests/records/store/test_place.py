from __future__ import annotations

import io
import warnings
from pathlib import Path

import pyarrow as pa
import pytest
from file_stores import SWEEP, FailingStore, record, spooled
from made_sweeps import MadeSweep

from l2sweep.errors import RequestError, UnreadableRecordsWarning
from l2sweep.records.files import file_stem
from l2sweep.records.last_attempts import last_attempts
from l2sweep.records.reader import load_points, load_rounds, rounds_table
from l2sweep.records.reading.comparing import compare
from l2sweep.records.selectors import nights_of, select
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.store.counted import manifest_key
from l2sweep.records.store.object_store import ObjectStore, StoreError
from l2sweep.records.store.place import StorePath, as_local, below, place_of
from l2sweep.records.store.spool import SpooledSweep
from l2sweep.records.sweeps import list_sweeps
from l2sweep.records.writer import write_point

BEGAN = "date=2026-11-24"


@pytest.fixture
def store(tmp_path: Path) -> FailingStore:
    return FailingStore(tmp_path / "store")


@pytest.fixture
def here(tmp_path: Path, store: FailingStore) -> Path:
    """Return a spool folder whose two points are in the store."""
    record(tmp_path / "here", [0, 1])
    spooled(store, tmp_path / "here").publish()
    return tmp_path / "here"


@pytest.fixture
def nights(tmp_path: Path, store: FailingStore) -> str:
    """Return the URL of a store with three compacted nights."""
    shape = {"adapters": ("fs",), "sizes_kb": (4096, 8192), "depths": (1,), "repeats": 2}
    for number in range(3):
        put_night(store, tmp_path / "spool", MadeSweep(number, **shape))  # type: ignore[arg-type]
    return store.address.url


def put_night(store: FailingStore, spool: Path, night: MadeSweep) -> str:
    """Record a sweep, compact it, put it into a store, and return its id."""
    rounds, points = night.lists()
    sweep_id = str(points[0]["sweep_id"])
    for point in points:
        index = point["point_index"]
        own = [row for row in rounds if row["point_index"] == index]
        write_point(spool, file_stem(sweep_id, index, 1), own, [point])
    compact_sweep(spool, sweep_id)
    SpooledSweep(store, spool, sweep_id).publish()
    return sweep_id


def test_readers_find_the_same_in_the_store_as_in_the_folder(nights: str, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    assert load_rounds(nights).equals(load_rounds(folder))
    assert load_points(nights, sweep="latest~1").equals(load_points(folder, sweep="latest~1"))
    where = "num_keys >= 4 and adapter.type == 'fs'"
    columns = ["mib_per_s", "point_index"]
    assert load_rounds(nights, phase="load", where=where, columns=columns).equals(
        load_rounds(folder, phase="load", where=where, columns=columns)
    )
    of_store, of_folder = (
        compare("latest~1", "latest", results_dir=nights),
        compare("latest~1", "latest", results_dir=folder),
    )
    assert of_store == of_folder
    listed = [{**vars(one), "num_bytes": 0} for one in list_sweeps(nights)]
    assert listed == [{**vars(one), "num_bytes": 0} for one in list_sweeps(folder)]
    assert nights_of("latest", nights).sweep_ids == nights_of("latest", folder).sweep_ids
    assert select(f"{nights}@latest").sweep_ids == ("night-002",)
    assert last_attempts(nights, "night-001") == last_attempts(folder, "night-001")  # type: ignore[arg-type]


def test_only_the_manifest_objects_of_the_sweeps_that_are_read_are_asked_for(
    nights: str, store: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(nights)
    assert isinstance(place, StorePath)
    place.sweeps.store = store
    store.requests.clear()
    load_rounds(place, sweep=["night-001"])
    assert "get sweeps/night-001/objects.json" in store.requests
    assert not [request for request in store.requests if "night-000" in request or "night-002" in request]
    assert store.requests.count("get sweeps/night-001/objects.json") == 1


def test_only_the_columns_that_are_read_are_fetched(store: FailingStore, tmp_path: Path) -> None:
    night = MadeSweep(adapters=("fs",), sizes_kb=(4096,), depths=(1,), repeats=2, rounds=3000)
    sweep_id = put_night(store, tmp_path / "spool", night)
    fetched: list[int] = []

    class Counted:
        """A file that counts what is read of it."""

        def __init__(self, file: pa.NativeFile) -> None:
            self._file = file
            self.closed = False

        def read(self, size: int = -1) -> bytes:
            content = bytes(self._file.read(size))
            fetched.append(len(content))
            return content

        def seek(self, offset: int, whence: int = 0) -> int:
            return int(self._file.seek(offset, whence))

        def tell(self) -> int:
            return int(self._file.tell())

        def close(self) -> None:
            self.closed = True
            self._file.close()

    class CountingStore(FailingStore):
        def open(self, key: str) -> pa.NativeFile:
            return pa.PythonFile(Counted(super().open(key)), mode="r")

    place = place_of(store.address.url)
    assert isinstance(place, StorePath)
    place.sweeps.store = CountingStore(Path(store.address.root))
    (file,) = Path(store.address.root).glob(f"rounds/*/{sweep_id}/{sweep_id}.*.parquet")
    size = file.stat().st_size
    table = rounds_table(place, sweep=[sweep_id], columns=["point_index"], phase="load")
    assert len(table) == 2 * 3000
    assert size > 100_000
    assert 0 < sum(fetched) < 64 * 1024 + size / 20  # Arrow reads 64 KiB at the end of a file for its footer


def test_the_folder_of_a_store_of_files_is_read_as_a_results_folder(nights: str, here: Path) -> None:
    folder = nights.removeprefix("file://")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnreadableRecordsWarning)
        assert load_rounds(folder).equals(load_rounds(nights))
        assert load_points(folder).equals(load_points(nights))


def test_an_object_that_does_not_count_is_not_read(here: Path, store: FailingStore) -> None:
    before = load_rounds(store.address.url)
    store.put(f"rounds/{BEGAN}/{SWEEP}/mine.00009.1.parquet", b"not even Parquet")
    store.put(f"rounds/{BEGAN}/other/other.00000.1.parquet", b"not even Parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_rounds(store.address.url).equals(before)


def test_a_reader_that_began_before_a_compaction_reads_each_row_once(here: Path, store: FailingStore) -> None:
    place = place_of(store.address.url)
    assert isinstance(place, StorePath)
    before = load_rounds(place)
    sweep = spooled(store, here, is_fetched=True)
    compact_sweep(here, SWEEP)
    sweep.publish()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnreadableRecordsWarning)
        assert load_rounds(place).equals(before)
        assert len(load_points(place)) == 2


def test_a_counted_object_that_is_gone_is_named(here: Path, store: FailingStore) -> None:
    (file,) = Path(store.address.root).glob(f"rounds/{BEGAN}/{SWEEP}/mine.00001.1.*.parquet")
    file.unlink()
    with pytest.warns(UnreadableRecordsWarning, match=r"mine\.00001\.1\.parquet \(there is no such obj"):
        rounds = load_rounds(store.address.url)
    assert set(rounds["point_index"]) == {0}


def test_a_manifest_object_that_is_replaced_while_it_is_read_is_read_again(
    here: Path, store: FailingStore
) -> None:
    class ReplacingStore(FailingStore):
        """A store in which each object is cut off when it is read for the first time."""

        def get(self, key: str) -> bytes:
            is_first = f"get {key}" not in self.requests
            content = super().get(key)
            return content[:-20] if is_first and key.endswith(".json") else content

    place = place_of(store.address.url)
    assert isinstance(place, StorePath)
    place.sweeps.store = ReplacingStore(Path(store.address.root))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_points(place)) == 2


def test_a_damaged_manifest_object_is_named_and_the_other_sweeps_are_read(
    here: Path, store: FailingStore
) -> None:
    store.put(manifest_key("other"), b"{")
    with pytest.warns(UnreadableRecordsWarning, match=r"sweeps/other/objects\.json cannot be read"):
        assert len(load_points(store.address.url)) == 2


def test_a_store_that_is_away_is_an_error_and_not_missing_rows(here: Path, store: FailingStore) -> None:
    place = place_of(store.address.url)
    assert isinstance(place, StorePath)
    place.sweeps.store = store
    for request in ("list", "get sweeps", "get rounds"):
        store.is_away = lambda asked, request=request: asked.startswith(request)  # type: ignore[misc]
        fresh = StorePath(place.url, "", type(place.sweeps)(store))
        with pytest.raises(StoreError, match="the store cannot be reached"):
            load_rounds(fresh)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("AWS Error NETWORK_CONNECTION during GetObject operation: on purpose", StoreError),
        ("Couldn't deserialize thrift", UnreadableRecordsWarning),
    ],
)
def test_an_error_in_the_middle_of_an_object_is_that_of_the_store_or_of_the_object(
    text: str, error: type[Exception], here: Path, store: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("l2sweep.records.store.place._WHOLE_BYTES", 0)

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(text)

    monkeypatch.setattr(store, "open", lambda key: pa.PythonFile(Broken(b"0" * 100_000), mode="r"))
    place = place_of(store.address.url)
    assert isinstance(place, StorePath)
    place.sweeps.store = store
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnreadableRecordsWarning)
        with pytest.raises(error):
            load_rounds(place)


def test_a_store_without_sweeps_has_no_records(store: FailingStore) -> None:
    url = store.address.url
    with pytest.raises(FileNotFoundError, match=f"no records in {url}/rounds"):
        load_rounds(url)
    with pytest.raises(RequestError, match=f"sweep 'latest': {url} has no recorded sweep"):
        select("latest", url)
    with pytest.raises(RequestError, match="has no recorded sweep"):
        select(f"{url}@mine")


def test_a_bucket_that_does_not_exist_is_named(store: FailingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    url = store.address.url
    monkeypatch.setattr(ObjectStore, "why_no_bucket", lambda _: "there is no bucket nights")
    for read in (load_rounds, load_points, list_sweeps, lambda url: select("latest", url)):
        with pytest.raises(StoreError) as refused:
            read(url)
        assert str(refused.value) == f"{url}: the store cannot be used (there is no bucket nights)"
        assert refused.value.exit_code == 2


def test_a_url_with_a_password_is_refused_without_printing_it() -> None:
    for text in ("s3://me:TOPSECRET@nights/a@latest", "s3://me:TOPSECRET@nights"):
        with pytest.raises(RequestError) as refused:
            select(text)
        assert "TOPSECRET" not in str(refused.value)


def test_paths_of_a_store_have_the_order_and_the_names_of_paths(here: Path, store: FailingStore) -> None:
    place = place_of(store.address.url)
    assert isinstance(place, StorePath)
    folder = place / "sweeps" / SWEEP
    assert (folder.name, folder.parent.name, str(folder)) == (SWEEP, "sweeps", f"{place.url}/sweeps/mine")
    assert folder.is_dir()
    assert not folder.is_file()
    assert (folder / "config.yaml").is_file()
    assert not (folder / "other").exists()
    assert folder.files() == ["config.yaml", "manifest.json", "point-00001.1.log"]
    assert place.folders() == ["points", "rounds", "sweeps"]
    assert (folder / "config.yaml").read_bytes() == b"config.yaml"
    assert (folder / "config.yaml").stat().st_size == 11
    assert below(folder, place) == "sweeps/mine"
    assert sorted([place / "b", place / "a"]) == [place / "a", place / "b"]
    with pytest.raises(FileNotFoundError):
        (folder / "other").files()
    with pytest.raises(FileNotFoundError):
        (folder / "other").stat()
    with pytest.raises(TypeError, match="is not a local file"):
        as_local([folder])
