"""One request to an S3 store, signed with Signature Version 4.

Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API Reference. Only the standard
library is used: a request before a sweep is no reason for another package.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_MOST_BYTES = 65536  # an error of S3 has about 300 bytes
_ERROR_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,80})</Code>")


@dataclass(frozen=True)
class S3Credentials:
    """What signs a request.

    Attributes:
        region: The region of the bucket.
        access_key_id: Id of the key.
        secret_access_key: The key.
        session_token: Token of temporary credentials; empty: they are not temporary.
    """

    region: str
    access_key_id: str
    secret_access_key: str
    session_token: str = ""


@dataclass(frozen=True)
class S3Answer:
    """What an S3 store answered.

    Attributes:
        status: Status of HTTP.
        code: The error code of S3, such as ``SignatureDoesNotMatch``; empty if there is none.
        region: Region of the bucket, where the store tells it; empty if not.
    """

    status: int
    code: str = ""
    region: str = ""


@dataclass(frozen=True)
class S3Request:
    """A request to an S3 store.

    Attributes:
        method: Method of HTTP.
        host: The Host header: the address of the bucket, with a port where it is not the usual one.
        path: Path, not escaped.
        query: Query, as in a URL.
        body: Content.
    """

    method: str
    host: str
    path: str = "/"
    query: str = ""
    body: bytes = b""

    def headers(self, credentials: S3Credentials | None, now: datetime) -> dict[str, str]:
        """Return the headers of the request.

        Args:
            credentials: What signs it; None: it is not signed.
            now: The time, in UTC.
        """
        content_hash = hashlib.sha256(self.body).hexdigest()
        headers = {"host": self.host, "x-amz-content-sha256": content_hash}
        if credentials is None:
            return headers
        headers["x-amz-date"] = f"{now:%Y%m%dT%H%M%SZ}"
        if credentials.session_token:
            headers["x-amz-security-token"] = credentials.session_token
        names = ";".join(sorted(headers))
        pairs = sorted(parse_qsl(self.query, keep_blank_values=True))
        canonical = "\n".join(
            [
                self.method,
                quote(self.path, safe="/~"),
                "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs),
                *(f"{name}:{headers[name].strip()}" for name in sorted(headers)),
                "",
                names,
                content_hash,
            ]
        )
        scope = f"{now:%Y%m%d}/{credentials.region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = "\n".join([_ALGORITHM, headers["x-amz-date"], scope, digest])
        key = f"AWS4{credentials.secret_access_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        headers["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope},"
            f"SignedHeaders={names},Signature={signature}"
        )
        return headers

    def send(self, credentials: S3Credentials | None, *, uses_tls: bool, timeout_s: float) -> S3Answer:
        """Send the request, and return the answer.

        Args:
            credentials: What signs it; None: it is not signed.
            uses_tls: Whether the store uses TLS.
            timeout_s: Time limit in seconds for each wait.

        Raises:
            OSError: The store cannot be reached, or does not answer in time.
            http.client.HTTPException: What answers is no HTTP server.
        """
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(self.host, timeout=timeout_s, context=ssl.create_default_context())
            if uses_tls
            else http.client.HTTPConnection(self.host, timeout=timeout_s)
        )
        try:
            target = quote(self.path, safe="/~") + (f"?{self.query}" if self.query else "")
            headers = self.headers(credentials, datetime.now(UTC))
            connection.request(self.method, target, self.body or None, headers)
            answer = connection.getresponse()
            code = _ERROR_CODE.search(answer.read(_MOST_BYTES))
            region = answer.getheader("x-amz-bucket-region", "")
            return S3Answer(answer.status, code[1].decode() if code else "", region)
        finally:
            connection.close()
