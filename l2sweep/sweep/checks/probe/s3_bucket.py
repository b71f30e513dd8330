"""Ask an S3 store for a bucket: HEAD, and for the reason of a refusal, which a HEAD has not, a listing."""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from l2sweep.services.signed_requests import S3Answer, S3Credentials, S3Request

_NOT_FOUND, _MOVED, _UNSIGNED = 404, (301, 307), (400, 401, 403)
_SCHEME = "s3://"


@dataclass(frozen=True)
class S3Bucket:
    """A bucket.

    Attributes:
        place: Its address: bucket, host, and a port where it is not the usual one.
        region: Its region.
        uses_tls: Whether the store uses TLS.
        access_key_id: Id of the key; empty: the adapter finds its credentials elsewhere.
        secret_access_key: The key.
        session_token: Token of temporary credentials; empty: they are not temporary.
    """

    place: str
    region: str
    uses_tls: bool
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""

    def problem(self, timeout_s: float) -> str:
        """Return why the bucket cannot be used; empty if the store answers that it can.

        Args:
            timeout_s: Time limit in seconds.

        Raises:
            OSError: The store cannot be reached, or does not answer in time.
        """
        answer = self._ask("HEAD", "", timeout_s)
        if answer.status < 300:
            return ""
        if answer.status in _UNSIGNED and self._credentials is None:
            return ""  # the adapter signs with credentials that are not known here
        why = self._ask("GET", "list-type=2&max-keys=0", timeout_s)
        return refusal_of(answer, why)

    @property
    def _credentials(self) -> S3Credentials | None:
        if not (self.access_key_id and self.secret_access_key):
            return None
        keys = self.access_key_id, self.secret_access_key, self.session_token
        return S3Credentials(self.region, *keys)

    def _ask(self, method: str, query: str, timeout_s: float) -> S3Answer:
        request = S3Request(method, self.place, query=query)
        try:
            return request.send(self._credentials, uses_tls=self.uses_tls, timeout_s=timeout_s)
        except http.client.HTTPException as error:
            raise OSError("what answers is no HTTP server") from error


def s3_buckets(spec: Mapping[str, Any]) -> list[S3Bucket]:
    """Return the bucket of a spec of the type s3; none where LMCache refuses the spec.

    Args:
        spec: The spec, without references to secrets.
    """
    endpoint, region = spec.get("s3_endpoint"), spec.get("s3_region")
    if not (isinstance(endpoint, str) and endpoint and isinstance(region, str) and region):
        return []
    keys = [spec.get("aws_access_key_id"), spec.get("aws_secret_access_key")]
    token = ""
    if not all(keys):  # the adapter asks boto3, which asks these first
        keys = [os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")]
        token = os.environ.get("AWS_SESSION_TOKEN", "")
    place, uses_tls = endpoint.removeprefix(_SCHEME), not spec.get("disable_tls", False)
    if not all(keys):
        return [S3Bucket(place, region, uses_tls)]
    return [S3Bucket(place, region, uses_tls, str(keys[0]), str(keys[1]), token)]


def refusal_of(head: S3Answer, listing: S3Answer) -> str:
    """Return why a bucket cannot be used; empty if it can.

    Args:
        head: The answer to HEAD.
        listing: The answer to a listing, whose content says why HEAD was refused.
    """
    if listing.status < 300:
        return ""
    region = head.region or listing.region
    if head.status in _MOVED or listing.status in _MOVED:
        return f"the bucket is in another region{f': {region}' if region else ''}"
    code = listing.code or f"status {listing.status}"
    if listing.status == _NOT_FOUND:
        return f"there is no such bucket ({code})"
    if listing.status == 403:
        return f"the store refuses the credentials ({code})"
    return f"the store answers {code}"
