"""An object store for results: a real S3 server, and what l2sweep needs to use it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

from real_servers import RealSeaweed

from l2sweep.records.store.address import SPOOL_VARIABLE
from l2sweep.services.signed_requests import S3Credentials, S3Request

BUCKET = "nights"
URL = f"s3://{BUCKET}/of/a/host"
_REGION = "us-east-1"


class ResultsStore(RealSeaweed):
    """SeaweedFS with a bucket for results."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment in which l2sweep finds the store and its credentials."""
        return {
            "AWS_ACCESS_KEY_ID": self.service.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": _REGION,
            "AWS_ENDPOINT_URL": f"http://localhost:{self.service.ports[0]}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self) -> None:
        """Create the bucket."""
        host = f"localhost:{self.service.ports[0]}"
        keys = S3Credentials(_REGION, self.service.access_key_id, self.secret)
        request = S3Request("PUT", host, f"/{BUCKET}")
        connection = HTTPConnection(host, timeout=30)
        try:
            connection.request("PUT", request.path, headers=request.headers(keys, datetime.now(UTC)))
            assert connection.getresponse().status in (200, 409)
        finally:
            connection.close()


def machine(folder: Path, name: str, store: ResultsStore | None = None) -> dict[str, str]:
    """Return the environment of one machine of several: each has a spool folder and host lock of its own.

    Args:
        folder: Folder of the test.
        name: Name of the machine.
        store: The store that it uses; None: one of files.
    """
    own = folder / name
    (own / "tmp").mkdir(parents=True, exist_ok=True)
    places = {SPOOL_VARIABLE: str(own / "spool"), "TMPDIR": str(own / "tmp")}
    return {**places, **(store.environment if store is not None else {})}


def spooled(environment: Mapping[str, str]) -> list[Path]:
    """Return the spool folders of a machine."""
    folder = Path(environment[SPOOL_VARIABLE])
    return [Path(entry.path) for entry in os.scandir(folder)] if folder.is_dir() else []
