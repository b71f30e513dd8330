"""Find credentials, and keep them out of everything that is written, logged or shown."""

from __future__ import annotations

import ctypes
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

REDACTED = "***"

_NAME = re.compile(
    r"passw(or)?d|passphrase|pwd|secret|token(?!s|iz)|credential|authorization|auth$"
    r"|(api|access|account|private|shared|sas|encryption)[_-]?key|connection[_-]?string",
    re.IGNORECASE,
)
_DURATION_NAME = re.compile(r"(_m?s|seconds|ttl|timeout)$", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s\"']+(?=@)")
# A look-ahead finds a pair inside the value of another pair: adapter_json='{"password": "..."}'.
_PAIR = re.compile(
    r"""(?<![\w.-])(?=([\w.-]+)\\*["']?\s*[:=]\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,}\]\n]+))"""
)
_OPTION = re.compile(r"[+~]*[\w.@/-]+")
# A shorter secret is replaced only as a whole word: "ab" inside other words would make a text unreadable.
_MIN_LENGTH_INSIDE_WORDS = 4


def is_credential_name(name: str) -> bool:
    """Whether a field of this name holds a credential, for example ``password`` or ``secret_access_key``."""
    return _NAME.search(name) is not None


def redact(value: Any, name: str = "") -> Any:
    """Return a copy with every credential at any depth replaced by ``***``.

    Args:
        value: An adapter spec or a part of one: mappings, sequences and plain values.
        name: Name of the field that contains the value; empty if there is none.
    """
    if _holds_credential(name, value):
        return REDACTED
    if isinstance(value, Mapping):
        return {redact(key): redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(item) for item in value]
    return _USERINFO.sub(REDACTED, value) if isinstance(value, str) else value


def strip_credentials(value: Any) -> Any:
    """Return a copy without credentials and their field names: specs that differ only in these become equal.

    Args:
        value: An adapter spec or a part of one: mappings, sequences and plain values.
    """
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if not _holds_credential(str(key), item)}
        return {key: strip_credentials(item) for key, item in kept.items()}
    if isinstance(value, (list, tuple)):
        return [strip_credentials(item) for item in value]
    return re.sub(_USERINFO.pattern + "@", "", value) if isinstance(value, str) else value


def secrets_of(value: Any, name: str = "") -> set[str]:
    """Return the values of all credentials in an adapter spec.

    Args:
        value: An adapter spec or a part of one: mappings, sequences and plain values.
        name: Name of the field that contains the value; empty if there is none.
    """
    if _holds_credential(name, value):
        return set(_leaves(value))
    if isinstance(value, Mapping):
        return set().union(*(secrets_of(item, str(key)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return set().union(*(secrets_of(item) for item in value))
    return _secrets_of_url(value) if isinstance(value, str) else set()


def secrets_in_text(text: str) -> set[str]:
    """Return everything that looks like a credential in a text, also in an invalid one.

    Args:
        text: A command-line override, or JSON.
    """
    found = _secrets_of_url(text)
    name, separator, value = text.partition("=")
    if separator and _OPTION.fullmatch(name) and is_credential_name(name.rsplit(".", 1)[-1]):
        found |= {value, *(part.strip(" '\"[]()") for part in value.split(","))}
    for match in _PAIR.finditer(text):
        if is_credential_name(match[1].rsplit(".", 1)[-1]):
            value = match[2].strip().strip("\"'\\")
            found |= {value, re.sub(r"\\(.)", r"\1", value), _as_json(value)}
    return {secret for secret in found if secret}


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret and the userinfo of every URL replaced by ``***``.

    Args:
        text: A text to write or to show.
        secrets: The result of :func:`secrets_of` or :func:`secrets_in_text`.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _MIN_LENGTH_INSIDE_WORDS:
            text = text.replace(secret, REDACTED)
        elif secret:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", REDACTED, text)
    return _USERINFO.sub(REDACTED, text)


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a copy with every text changed at any depth, but not the keys of mappings.

    Args:
        value: Mappings, sequences and plain values.
        change: Returns what replaces a text.
    """
    if isinstance(value, Mapping):
        return {key: map_texts(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [map_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def redact_override(override: str) -> str:
    """Return a command-line override with its credentials replaced by ``***``."""
    return scrub(override, secrets_in_text(override))


def hide_from_process_list(secrets: Iterable[str]) -> None:
    """Overwrite secrets in the command line of this process, which every user can read (``ps``).

    The kernel shows a part of the process's own memory as ``/proc/self/cmdline``. Its address is in the
    fields ``arg_start`` and ``arg_end`` of proc_pid_stat(5). Without these fields, do nothing.

    Args:
        secrets: Texts to overwrite. Those shorter than four bytes stay.
    """
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])  # fields 48 and 49; fields[0] is field 3
    except (OSError, IndexError, ValueError):
        return
    if not 0 < start < end:
        return
    arguments = ctypes.string_at(start, end - start)
    for secret in secrets:
        needle = os.fsencode(secret)
        position = arguments.find(needle) if len(needle) >= _MIN_LENGTH_INSIDE_WORDS else -1
        while position >= 0:
            ctypes.memset(start + position, ord("*"), len(needle))
            position = arguments.find(needle, position + len(needle))


def _holds_credential(name: str, value: Any) -> bool:
    if not name or value is None or isinstance(value, bool) or not is_credential_name(name):
        return False
    if name.endswith("_env"):  # the value is the name of an environment variable
        return False
    return not (isinstance(value, (int, float)) and _DURATION_NAME.search(name))


def _as_json(value: str) -> str:
    """Return the value of a JSON string, given without its quotes; the same text if it is not valid JSON."""
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:
        return value


def _leaves(value: Any) -> Sequence[str]:
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in _leaves(item)]
    return [str(value)] if value not in (None, "") and not isinstance(value, bool) else []


def _secrets_of_url(text: str) -> set[str]:
    secrets: set[str] = set()
    for userinfo in _USERINFO.findall(text):
        password = userinfo.partition(":")[2]
        secrets |= {userinfo, password, unquote(password)} if password else {userinfo}
    return secrets
