from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.errors import RequestError
from l2sweep.records.store.address import StoreAddress, is_url, local_folder


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://nights", "s3://nights"),
        ("s3://nights/", "s3://nights"),
        ("s3://nights/of/a host//", "s3://nights/of/a host"),
        ("gs://nights.example.com/of-hosts", "gs://nights.example.com/of-hosts"),
        ("file:///mnt/shared/nights/", "file:///mnt/shared/nights"),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix(text: str, url: str) -> None:
    assert is_url(text)
    assert StoreAddress.parse(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "s3://me:TOPSECRET@nights/a",
        "s3://TOPSECRET@nights/a",
        "s3://nights/me:TOPSECRET@host",
        "s3://nights/a?secret=TOPSECRET",
        "s3://nights/a#TOPSECRET",
        "s3://nights:9000/a",
        "s3://",
        "s3:///a",
        "s3://n/a",
        "s3://nights/../a",
        "s3://nights/a\nb",
        "file://host/path",
        "file:///",
        "file:///mnt/../etc",
        "https://nights.s3.amazonaws.com/TOPSECRET",
        "S3://nights/a",
        "foo://bar",
    ],
)
def test_another_url_is_refused_in_one_line_that_does_not_contain_it(text: str) -> None:
    assert is_url(text)
    with pytest.raises(RequestError) as refused:
        StoreAddress.parse(text, "--results-dir")
    (problem,) = refused.value.problems
    assert problem.startswith(
        "--results-dir: a URL must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or file:///"
    )
    assert "TOPSECRET" not in problem
    assert "\n" not in problem


@pytest.mark.parametrize("text", ["results", "/mnt/results", "./s3:/x", "~/results", "s3:/nights", "C:x"])
def test_a_path_is_no_url(text: str) -> None:
    assert not is_url(text)
    assert local_folder(text) == Path(text)


def test_each_url_has_a_spool_folder_of_its_own() -> None:
    environment = {"L2SWEEP_SPOOL_DIR": "/spool"}
    texts = ("s3://nights/a/b", "s3://nights/a-b", "gs://nights/a/b", "file:///nights/a/b", "s3://nights/a")
    folders = {StoreAddress.parse(text).spool_folder(environment) for text in texts}
    assert len(folders) == len(texts)
    assert {folder.parent for folder in folders} == {Path("/spool")}
    assert StoreAddress.parse(texts[0]).spool_folder(environment).name.startswith("s3-nights-a-b-")


def test_two_servers_with_a_bucket_of_one_name_have_two_spool_folders() -> None:
    def name(url: str, **environment: str) -> str:
        return StoreAddress.parse(url).spool_folder({"L2SWEEP_SPOOL_DIR": "/spool", **environment}).name

    ours, theirs = "http://ours:9000", "http://theirs:9000"
    names = {
        name("s3://nights"),
        name("s3://nights", AWS_ENDPOINT_URL=ours),
        name("s3://nights", AWS_ENDPOINT_URL=theirs),
    }
    assert len(names) == 3
    assert name("s3://nights", AWS_ENDPOINT_URL="") == name("s3://nights")
    for same in ({"AWS_ENDPOINT_URL": f"{ours}/"}, {"AWS_ENDPOINT_URL_S3": ours, "AWS_ENDPOINT_URL": theirs}):
        assert name("s3://nights", **same) == name("s3://nights", AWS_ENDPOINT_URL=ours)
    for url in ("gs://nights", "file:///nights"):
        assert name(url, AWS_ENDPOINT_URL=ours) == name(url)


def test_the_spool_folder_is_in_the_folder_for_state_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    address = StoreAddress.parse("s3://nights")
    assert address.spool_folder({"XDG_STATE_HOME": "/state"}).parent == Path("/state/l2sweep/spool")
    monkeypatch.setenv("HOME", "/home/me")
    assert address.spool_folder({}).parent == Path("/home/me/.local/state/l2sweep/spool")
    monkeypatch.setenv("L2SWEEP_SPOOL_DIR", "/spool")
    assert local_folder("s3://nights").parent == Path("/spool")
