"""The secret that the workers of a sweep share. Who does not have it cannot take part."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from l2sweep.errors import RequestError, shown
from l2sweep.records.trusted_files import is_owned

VARIABLE = "L2SWEEP_TOKEN"
"""The environment variable that has the token."""

_SHORTEST = 16
_LONGEST = 4096
_HOW_TO_MAKE_ONE = "for example the output of: openssl rand -hex 16"


def secret_token(environment: Mapping[str, str], token_file: str | None) -> str:
    """Return the token of the workers, without the white space around it.

    Args:
        environment: The environment variables. ``L2SWEEP_TOKEN`` is used if there is no file.
        token_file: Value of ``--token-file``: a file that only this user can read.

    Raises:
        RequestError: There is no token, it is too short or too long, or others can read the file. No message
            contains the token.
    """
    if token_file is not None:
        return _checked(_content(Path(token_file)), f"--token-file {shown(token_file)}")
    if VARIABLE not in environment:
        raise RequestError(
            [f"{VARIABLE}: must be set on every host, or --token-file given: {_HOW_TO_MAKE_ONE}"]
        )
    return _checked(environment[VARIABLE], VARIABLE)


def _checked(text: str, source: str) -> str:
    token = text.strip()
    if not (_SHORTEST <= len(token) <= _LONGEST and token.isascii() and token.isprintable()):
        allowed = f"{_SHORTEST} to {_LONGEST} printable ASCII characters"
        raise RequestError([f"{source}: must have {allowed}, and has {len(token)}: {_HOW_TO_MAKE_ONE}"])
    return token


def _content(path: Path) -> str:
    """Return the content of a token file, or of what bash makes of ``--token-file <(command)``."""
    source = f"--token-file {shown(path)}"
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not is_owned(status):
                raise RequestError([f"{source}: must belong to you, and belongs to user {status.st_uid}"])
            mode = stat.S_IMODE(status.st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                allowed = "must be a file that only you can read (chmod 600)"
                raise RequestError([f"{source}: {allowed}, and has mode {mode:04o}"])
            return file.read(_LONGEST + 2).decode("ascii", "replace")
    except OSError as error:
        raise RequestError([f"{source}: must be a file that can be read: {error.strerror}"]) from None
