"""What an S3 store answers about a bucket, and what a spec says of it."""

from __future__ import annotations

from typing import Any

import pytest
from line_server import line_server

from l2sweep.services.signed_requests import S3Answer
from l2sweep.sweep.checks.probe.s3_bucket import S3Bucket, refusal_of, s3_buckets

SPEC = {"type": "s3", "s3_endpoint": "b.example:9000", "s3_region": "r", "disable_tls": True}
KEYS = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("spec", "buckets"),
    [
        ({**SPEC, **KEYS}, [S3Bucket("b.example:9000", "r", False, "id", "secret")]),
        (SPEC, [S3Bucket("b.example:9000", "r", False)]),
        (
            {"type": "s3", "s3_endpoint": "s3://b.s3.amazonaws.com", "s3_region": "r"},
            [S3Bucket("b.s3.amazonaws.com", "r", True)],
        ),
        ({"type": "s3", "s3_region": "r"}, []),
        ({"type": "s3", "s3_endpoint": 5, "s3_region": "r"}, []),
    ],
)
def test_the_bucket_of_a_spec(spec: dict[str, Any], buckets: list[S3Bucket]) -> None:
    assert s3_buckets(spec) == buckets


def test_keys_of_the_environment_are_used_where_the_spec_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert s3_buckets(SPEC) == [S3Bucket("b.example:9000", "r", False, "id", "secret", "token")]
    assert s3_buckets({**SPEC, **KEYS})[0].session_token == ""


@pytest.mark.parametrize(
    ("head", "listing", "clause"),
    [
        (S3Answer(404), S3Answer(404, "NoSuchBucket"), "there is no such bucket (NoSuchBucket)"),
        (
            S3Answer(403),
            S3Answer(403, "SignatureDoesNotMatch"),
            "the store refuses the credentials (SignatureDoesNotMatch)",
        ),
        (S3Answer(301, "", "eu-west-1"), S3Answer(301), "the bucket is in another region: eu-west-1"),
        (S3Answer(503), S3Answer(503, "SlowDown"), "the store answers SlowDown"),
        (S3Answer(403), S3Answer(403), "the store refuses the credentials (status 403)"),
        (S3Answer(405), S3Answer(200), ""),
    ],
)
def test_a_refusal_becomes_a_clause(head: S3Answer, listing: S3Answer, clause: str) -> None:
    assert refusal_of(head, listing) == clause


def answers(status: str) -> Any:
    return lambda _: f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("status", "keys", "clause"),
    [
        ("200 OK", ("id", "secret"), ""),
        ("403 Forbidden", ("id", "secret"), "the store refuses the credentials (status 403)"),
        ("403 Forbidden", (), ""),
        ("404 Not Found", (), "there is no such bucket (status 404)"),
    ],
)
def test_without_keys_a_store_that_refuses_is_reachable_and_nothing_more_is_known(
    status: str, keys: tuple[str, ...], clause: str
) -> None:
    with line_server(answers(status)) as port:
        assert S3Bucket(f"127.0.0.1:{port}", "r", False, *keys).problem(5) == clause


def test_what_is_no_http_server_is_named() -> None:
    with (
        line_server(lambda _: b"-ERR unknown command\r\n") as port,
        pytest.raises(OSError, match="no HTTP server"),
    ):
        S3Bucket(f"127.0.0.1:{port}", "r", False).problem(5)
