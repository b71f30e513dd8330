"""Requests are signed as the examples of the Amazon S3 API Reference are."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from l2sweep.services.signed_requests import S3Answer, S3Credentials, S3Request

# "Signature Calculations for the Authorization Header", with the keys of its examples.
KEYS = S3Credentials("us-east-1", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "examplebucket.s3.amazonaws.com"


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ("lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_a_signature_is_that_of_the_published_example(query: str, signature: str) -> None:
    headers = S3Request("GET", HOST, query=query).headers(KEYS, NOW)
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature={signature}"
    )


def test_a_session_token_is_signed_and_the_secret_key_is_not_sent() -> None:
    keys = S3Credentials("r", "id", "s3cr3t", "t0ken")
    headers = S3Request("HEAD", HOST).headers(keys, NOW)
    assert headers["x-amz-security-token"] == "t0ken"
    assert (
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token" in headers["authorization"]
    )
    assert "s3cr3t" not in str(headers)


def test_without_credentials_nothing_is_signed() -> None:
    assert "authorization" not in S3Request("HEAD", HOST).headers(None, NOW)


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Answer each request with the same bytes; the value is the address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_answer_has_the_code_of_its_error_and_the_region_of_the_bucket() -> None:
    body = b"<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"
    head = b"HTTP/1.1 403 Forbidden\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    with answering(head + body) as host:
        answer = S3Request("GET", host).send(KEYS, uses_tls=False, timeout_s=5)
    assert answer == S3Answer(403, "SignatureDoesNotMatch", "eu-west-1")
