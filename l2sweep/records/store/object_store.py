"""The objects of a store: each is put whole, and errors say whether another try may help.

pyarrow's file systems do the work (``docs/decisions.md``). They take credentials from the environment and
never from us: the variables ``AWS_*``, ``GOOGLE_APPLICATION_CREDENTIALS``, and the roles of an instance.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from l2sweep.credentials import redact_text
from l2sweep.errors import BenchError, RequestError, printable
from l2sweep.records.store.address import StoreAddress

READER_ATTEMPTS = 4
"""How often a reader asks before it fails: the client waits between the attempts."""
_CONNECT_S, _REQUEST_S = 2.0, 3.0
# "When uploading object with key 'k' in bucket 'b': AWS Error ACCESS_DENIED during PutObject operation: text"
_AWS_ERROR = re.compile(
    r"AWS Error (?P<code>[A-Z_0-9]+) during (?P<call>\w+) operation(: (?P<text>.*))?", re.S
)
_REFUSED = {
    "ACCESS_DENIED": "access is denied",
    "INVALID_ACCESS_KEY_ID": "the access key is unknown",
    "SIGNATURE_DOES_NOT_MATCH": "the secret of the access key is wrong",
    "INVALID_CLIENT_TOKEN": "the credentials are invalid",
    "UNRECOGNIZED_CLIENT": "the credentials are invalid",
    "EXPIRED_TOKEN": "the credentials have expired",
    "NO_SUCH_BUCKET": "there is no such bucket",
}
_REFUSED_TEXTS = (
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "Permission denied",
)
_NO_OBJECT = tuple(
    f"AWS Error {code} during {call}"
    for code in ("RESOURCE_NOT_FOUND", "NO_SUCH_KEY")
    for call in ("GetObject", "HeadObject", "DeleteObject")
)
_REFUSED_NUMBERS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
_TOO_LONG = 160  # characters, to keep a message readable


class StoreError(BenchError):
    """A store did not do what it was asked for.

    Args:
        url: Address of the store.
        reason: What it, or the way to it, answered.
        is_away: Whether another try may help: it cannot be reached, does not answer, or is overloaded.
    """

    def __init__(self, url: str, reason: str, *, is_away: bool) -> None:
        super().__init__(f"{url}: the store cannot be {'reached' if is_away else 'used'} ({reason})")
        self.reason = reason
        self.is_away = is_away
        if not is_away:  # the address or the credentials are wrong
            self.exit_code = RequestError.exit_code


class ObjectStore:
    """The objects below an address. A key is a relative path, with ``/`` between its parts.

    Args:
        address: The address.
        attempts: How often the client itself tries each request.
    """

    def __init__(self, address: StoreAddress, attempts: int = READER_ATTEMPTS) -> None:
        self.address = address
        with self._explained():
            self._files: Any = _file_system(address, attempts)

    def put(self, key: str, content: bytes) -> None:
        """Put an object whole. An existing one is replaced: a reader sees the earlier one or this one.

        Raises:
            StoreError: It was not put, or that is not known.
        """
        path = self._path(key)
        try:
            with self._explained():
                if self.address.scheme == "file":
                    self._files.create_dir(str(PurePosixPath(path).parent))
                    temporary = f"{path}.{secrets.token_hex(8)}.tmp"
                    _write(self._files, temporary, content)
                    self._files.move(temporary, path)
                else:
                    _write(self._files, path, content)
        except FileNotFoundError as error:  # in /proc, mkdir(2) fails with ENOENT
            raise StoreError(self.address.url, "its folder cannot be created", is_away=False) from error

    def get(self, key: str) -> bytes:
        """Return the content of an object.

        Raises:
            FileNotFoundError: There is none.
            StoreError: The store did not give it.
        """
        with self._explained(), self._files.open_input_file(self._path(key)) as file:
            return bytes(file.read())

    def open(self, key: str) -> pa.NativeFile:
        """Open an object, to read parts of it.

        Raises:
            FileNotFoundError: There is none.
            StoreError: The store did not open it.
        """
        with self._explained():
            return self._files.open_input_file(self._path(key))

    def delete(self, key: str) -> None:
        """Delete an object, if there is one.

        Raises:
            StoreError: It was not deleted.
        """
        with contextlib.suppress(FileNotFoundError), self._explained():
            self._files.delete_file(self._path(key))

    def names(self, folder: str) -> list[str]:
        """Return the names directly below a key: of objects, and of further keys that contain objects.

        Raises:
            StoreError: The store did not list them.
        """
        return sorted(PurePosixPath(found.path).name for found in self._found(folder))

    def ages_ns(self, folder: str) -> dict[str, int]:
        """Return when the objects directly below a key were put, by the clock of the store, by their names.

        Raises:
            StoreError: The store did not list them.
        """
        found = (one for one in self._found(folder) if one.is_file)
        return {PurePosixPath(one.path).name: one.mtime_ns or 0 for one in found}

    def why_no_bucket(self) -> str:
        """Return that the bucket does not exist; empty if it exists, or if that must not be asked.

        Raises:
            StoreError: The store did not tell.
        """
        bucket = self.address.root.partition("/")[0]
        if not bucket:  # file
            return ""
        from pyarrow.fs import FileType

        try:
            with self._explained():
                is_missing = self._files.get_file_info(bucket).type == FileType.NotFound
        except StoreError as error:
            if error.is_away:
                raise
            return ""
        return f"there is no bucket {bucket}" if is_missing else ""

    def _found(self, folder: str) -> list[Any]:
        from pyarrow.fs import FileSelector

        with self._explained():
            return list(self._files.get_file_info(FileSelector(self._path(folder), allow_not_found=True)))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what pyarrow raises into what :func:`explained` returns."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise explained(error, self.address.url) from error

    def _path(self, key: str) -> str:
        return f"{self.address.root}/{key}" if key else self.address.root


def _file_system(address: StoreAddress, attempts: int) -> Any:
    from pyarrow import fs  # takes 30 ms, which a local folder does not need

    if address.scheme == "file":
        return fs.LocalFileSystem()
    if address.scheme == "gs":
        return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=_REQUEST_S * attempts))
    return fs.S3FileSystem(
        endpoint_override=address.endpoint(os.environ),
        connect_timeout=_CONNECT_S,
        request_timeout=_REQUEST_S,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=attempts),
        allow_delayed_open=True,  # one request for a small object, and not a multipart upload
        background_writes=False,
    )


def _write(files: Any, path: str, content: bytes) -> None:
    stream = files.open_output_stream(path)
    stream.write(content)
    stream.close()


def is_of_store(error: OSError) -> bool:
    """Whether an error that occurred while an object was read comes from the store, and not from its content.

    Args:
        error: The error.
    """
    return "AWS Error" in str(error) or "google::cloud" in str(error)


def explained(error: BaseException, url: str) -> StoreError | FileNotFoundError:
    """Return an error of pyarrow's file systems in one line, without credentials.

    Args:
        error: The error.
        url: Address of the store.

    Returns:
        A FileNotFoundError if there is no object. pyarrow asks for its size first, so an object may also be
        deleted before it is read.
    """
    text = str(error)
    if isinstance(error, FileNotFoundError) or any(word in text for word in _NO_OBJECT):
        return FileNotFoundError(errno.ENOENT, "there is no such object")
    is_refused = any(word in text for word in _REFUSED_TEXTS) or isinstance(error, pa.ArrowInvalid)
    if isinstance(error, OSError) and error.errno:  # of the local file system
        text = os.strerror(error.errno)
        is_refused = error.errno in _REFUSED_NUMBERS
    if parts := _AWS_ERROR.search(text):
        detail = (parts["text"] or "").partition(" (Request ID")[0].rpartition("Details: ")[2]
        known = next((words for code, words in _REFUSED.items() if code in parts["code"]), "")
        text = f"{parts['call']}: {known or parts['code']}" + (f": {detail}" if detail and not known else "")
        is_refused = bool(known)
    reason = printable(redact_text(text.splitlines()[0] if text else type(error).__name__)).rstrip(". ")
    return StoreError(url, reason[:_TOO_LONG], is_away=not is_refused)
