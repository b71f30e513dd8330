"""The address of results in an object store: ``s3://BUCKET/PREFIX``, ``gs://BUCKET/PREFIX``, ``file:///PATH``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from l2sweep.errors import RequestError

SPOOL_VARIABLE = "L2SWEEP_SPOOL_DIR"
"""Environment variable: the folder of all spool folders. Default: ``~/.local/state/l2sweep/spool``."""
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # the first one that is set: as in the AWS CLI
A_URL = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or file:///PATH"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}[A-Za-z0-9]")
_ADDRESS = re.compile(r"(?P<scheme>s3|gs|file)://(?P<host>[^/]*)(?P<path>/.*)?", re.DOTALL)


@dataclass(frozen=True)
class StoreAddress:
    """Where results are in an object store.

    Attributes:
        scheme: ``s3``, ``gs`` or ``file``.
        root: Bucket and prefix, or with ``file`` the absolute path of a folder. No slash at the end.
    """

    scheme: str
    root: str

    @classmethod
    def parse(cls, text: str, option: str = "results_dir") -> StoreAddress:
        """Return the address in a URL. The URL is never part of an error: it may contain a password.

        Args:
            text: A text for which :func:`is_url` is true.
            option: Name of the option, for the message.

        Raises:
            RequestError: It is not the URL of a store, or it contains more than bucket and prefix.
        """
        parts = _ADDRESS.fullmatch(text)
        names = [] if parts is None else [name for name in (parts["path"] or "").split("/") if name]
        is_plain = text.isprintable() and not set(text) & set("?#\\") and not {".", ".."} & set(names)
        if parts is None or not is_plain or not _has_only_a_place(parts["scheme"], parts["host"], names):
            raise RequestError(
                [
                    f"{option}: a URL must be {A_URL}, without credentials, port, query and fragment: "
                    "credentials come from the environment (docs/results_anywhere.md)"
                ]
            )
        head = "" if parts["scheme"] == "file" else parts["host"]
        return cls(parts["scheme"], "/".join([head, *names]))

    @property
    def url(self) -> str:
        """The address as a URL."""
        return f"{self.scheme}://{self.root}"

    def endpoint(self, environment: Mapping[str, str]) -> str | None:
        """Return the URL of the server to use instead of Amazon's; None if none is set.

        Args:
            environment: The environment of the process: ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``.
        """
        found = filter(None, map(environment.get, _ENDPOINTS))
        return next(found, None) if self.scheme == "s3" else None

    def spool_folder(self, environment: Mapping[str, str]) -> Path:
        """Return the local folder in which sweeps with this address are recorded before they are uploaded.

        Buckets of one name on two servers have two folders.

        Args:
            environment: The environment of the process: ``L2SWEEP_SPOOL_DIR``, ``XDG_STATE_HOME``, and that
                of :meth:`endpoint`. Source of the default: XDG Base Directory Specification.
        """
        state = environment.get("XDG_STATE_HOME") or "~/.local/state"
        above = environment.get(SPOOL_VARIABLE) or f"{state}/l2sweep/spool"
        readable = re.sub(r"[^A-Za-z0-9.-]+", "-", self.root).strip("-")[-60:]
        endpoint = (self.endpoint(environment) or "").rstrip("/")
        digest = hashlib.sha256(f"{self.url} {endpoint}".rstrip().encode()).hexdigest()[:12]
        return Path(above).expanduser().absolute() / f"{self.scheme}-{readable}-{digest}"


def _has_only_a_place(scheme: str, host: str, names: list[str]) -> bool:
    if scheme == "file":
        return not host and bool(names)
    return _BUCKET.fullmatch(host) is not None and not any("@" in name or "://" in name for name in names)


def is_url(text: str) -> bool:
    """Whether a place of results is given as a URL, and not as a path."""
    return _SCHEME.match(text) is not None


def local_folder(results_dir: str | os.PathLike[str]) -> Path:
    """Return the local folder of results: the spool folder of a URL, otherwise the folder itself.

    Args:
        results_dir: A path or a URL.

    Raises:
        RequestError: It is a URL that is not the address of a store.
    """
    text = os.fspath(results_dir)
    return StoreAddress.parse(text).spool_folder(os.environ) if is_url(text) else Path(text)
