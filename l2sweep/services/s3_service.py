"""What the S3 stores have in common: one bucket, made at the start, and the keys for it."""

from __future__ import annotations

import hashlib
import http.client
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from l2sweep.services.service import Service
from l2sweep.services.signed_requests import S3Credentials, S3Request

_REGION = "us-east-1"
_TRIAL = "/l2sweep-is-ready"
_REQUEST_TIMEOUT_S = 5.0
_MADE = (200, 409)  # 409: an earlier call has made it


class S3Service(Service):
    """An S3 store with one bucket, over HTTP without TLS."""

    @property
    @abstractmethod
    def endpoint(self) -> str:
        """Host and port that mean the bucket: LMCache takes the address of a bucket, and no path."""

    @property
    @abstractmethod
    def new_bucket(self) -> tuple[str, str]:
        """Host and path of the request that makes the bucket."""

    @property
    def access_key_id(self) -> str:
        """Id of the key whose value is the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()[:20]

    def spec_fields(self, adapter_type: str) -> Mapping[str, Any]:
        """Return the address of the bucket and the keys, as s3 names them."""
        return {
            "s3_endpoint": self.endpoint,
            "s3_region": _REGION,
            "disable_tls": True,
            "s3_prefer_http2": False,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret,
        }

    def set_up(self) -> None:
        """Create the bucket, and store and delete an object: parts of a store may start later than others."""
        self._send(S3Request("PUT", *self.new_bucket), _MADE)
        self._send(S3Request("PUT", self.endpoint, _TRIAL, body=b"1"), (200,))
        self._send(S3Request("DELETE", self.endpoint, _TRIAL), (200, 204))

    def _send(self, request: S3Request, allowed: tuple[int, ...]) -> None:
        keys = S3Credentials(_REGION, self.access_key_id, self.secret)
        try:
            answer = request.send(keys, uses_tls=False, timeout_s=_REQUEST_TIMEOUT_S)
        except http.client.HTTPException as error:
            raise OSError(f"{request.method} {request.path}: {error}") from error
        if answer.status not in allowed:
            raise OSError(f"{request.method} {request.path}: {answer.status} {answer.code}")
