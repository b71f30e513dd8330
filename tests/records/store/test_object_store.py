from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from l2sweep.records.store.address import StoreAddress
from l2sweep.records.store.object_store import ObjectStore, StoreError, explained


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(StoreAddress.parse(f"file://{tmp_path}/store"))


def test_an_object_is_put_whole_read_listed_and_deleted(store: ObjectStore, tmp_path: Path) -> None:
    store.put("a/b/c.json", b"one")
    store.put("a/b/c.json", b"three")
    store.put("a/d.json", b"")
    assert store.get("a/b/c.json") == b"three"
    with store.open("a/b/c.json") as file:
        file.seek(2)
        assert file.read(2) == b"re"
    assert store.names("a") == ["b", "d.json"]
    assert store.names("nothing") == []
    assert set(store.ages_ns("a")) == {"d.json"}
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["c.json", "d.json"]
    store.delete("a/b/c.json")
    store.delete("a/b/c.json")
    for missing in (store.get, store.open):
        with pytest.raises(FileNotFoundError):
            missing("a/b/c.json")


def test_a_local_store_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = ObjectStore(StoreAddress.parse(f"file://{tmp_path}/file"))
    with pytest.raises(StoreError) as refused:
        store.put("a", b"1")
    assert str(refused.value) == f"file://{tmp_path}/file: the store cannot be used (File exists)"
    assert not refused.value.is_away
    store = ObjectStore(StoreAddress.parse("file:///proc/nights"))  # mkdir(2) fails with ENOENT there
    with pytest.raises(StoreError) as refused:
        store.put("a", b"1")
    assert (
        str(refused.value) == "file:///proc/nights: the store cannot be used (its folder cannot be created)"
    )
    assert (refused.value.is_away, refused.value.exit_code) == (False, 2)


@pytest.mark.parametrize(
    ("text", "reason", "is_away"),
    [
        (
            "When uploading object with key 'k' in bucket 'b': AWS Error NETWORK_CONNECTION during PutObject "
            "operation: curlCode: 7, Could not connect to server; Details: Failed to connect to localhost",
            "PutObject: NETWORK_CONNECTION: Failed to connect to localhost",
            True,
        ),
        (
            "AWS Error ACCESS_DENIED during PutObject operation: Access Denied. (Request ID: 18EC)",
            "PutObject: access is denied",
            False,
        ),
        (
            "AWS Error SIGNATURE_DOES_NOT_MATCH during PutObject operation: signature TOPSECRET",
            "PutObject: the secret of the access key is wrong",
            False,
        ),
        ("AWS Error NO_SUCH_BUCKET during X operation: gone", "X: there is no such bucket", False),
        ("AWS Error SLOW_DOWN during PutObject operation: Slow", "PutObject: SLOW_DOWN: Slow", True),
        (
            "google::cloud::Status(PERMISSION_DENIED: no)",
            "google::cloud::Status(PERMISSION_DENIED: no)",
            False,
        ),
        ("google::cloud::Status(UNAVAILABLE: no)", "google::cloud::Status(UNAVAILABLE: no)", True),
        ("token=TOPSECRET is wrong\nand more", "token=***", True),
    ],
)
def test_an_error_is_one_line_without_credentials_and_says_whether_another_try_may_help(
    text: str, reason: str, is_away: bool
) -> None:
    error = explained(OSError(text), "s3://b")
    assert isinstance(error, StoreError)
    assert (error.reason, error.is_away) == (reason, is_away)
    assert "TOPSECRET" not in str(error)


def test_an_invalid_request_is_not_tried_again() -> None:
    error = explained(pa.ArrowInvalid("Expected a valid path"), "s3://b")
    assert isinstance(error, StoreError)
    assert not error.is_away


@pytest.mark.parametrize("code", ["RESOURCE_NOT_FOUND", "NO_SUCH_KEY"])
def test_an_object_that_is_deleted_before_it_is_read_does_not_exist(code: str) -> None:
    text = f"When reading key 'k': AWS Error {code} during GetObject operation: gone"
    assert isinstance(explained(OSError(text), "s3://b"), FileNotFoundError)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_endpoint_is_that_of_the_environment(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:2")
    monkeypatch.setenv(variable, "http://localhost:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "TOPSECRET")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreError, match=r"connect to localhost.*1 ") as refused:
        ObjectStore(StoreAddress.parse("s3://nights"), attempts=1).get("key")
    assert refused.value.is_away
    assert "TOPSECRET" not in str(refused.value)


def test_a_store_of_google_is_made_without_asking_it() -> None:
    store = ObjectStore(StoreAddress.parse("gs://nights/of"))
    assert type(store._files).__name__ == "GcsFileSystem"
    assert store._path("a/b") == "nights/of/a/b"
