"""Which field names belong to credentials."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping
from typing import Any

# Parts of names, wherever they stand.
_FRAGMENT = re.compile(
    r"passw(or)?d|passphrase|pwd|secret|token(?!s|iz)|credential|authorization|auth$"
    r"|(api|access|account|private|shared|sas|encryption)[_-]?key|connection[_-]?string",
    re.IGNORECASE,
)
# Whole words of a name: "pw" in "redis_pw", but not in "pwhash".
_WORDS = {
    *("pass", "passcode", "pw", "cred", "creds", "cookie", "cookies", "jwt", "jws", "bearer", "sig", "sigs"),
    *("signature", "signatures", "hmac", "otp", "totp", "apikey", "sessionid", "sshkey", "psk"),
}
_LAST_WORDS = {"pin", "sid"}  # only as the last word: pin_memory is no credential
_PAIRS = {("session", "id"), ("pin", "code")}
# A name that ends in "key" is a credential, unless the word before says which other kind of key it is.
_OTHER_KEYS = {
    *("num", "row", "sort", "partition", "primary", "foreign", "cache", "object", "chunk", "hash", "block"),
    *(
        "group",
        "index",
        "lookup",
        "store",
        "load",
        "shard",
        "routing",
        "per",
        "public",
        "by",
        "prefix",
        "map",
    ),
    *("dict", "kv", "max", "min", "first", "last", "enable", "use", "column", "config", "sample", "layer"),
}
_SECRET_PLURALS = {
    *("api", "access", "account", "private", "shared", "secret", "ssh", "auth", "signing", "encryption"),
    *("bearer", "session", "refresh", "service", "csrf", "hmac"),
}
# These say something about a credential, and are none themselves: signature_version, cookie_size.
_ABOUT = {
    *(
        "version",
        "algorithm",
        "method",
        "type",
        "size",
        "length",
        "len",
        "count",
        "prefix",
        "suffix",
        "format",
    ),
    *("enabled", "policy", "mode", "through", "rate", "ratio", "limit", "memory", "bytes", "kb", "mb", "ms"),
    *("s", "seconds", "ttl", "timeout", "interval", "domain", "number", "index", "over"),
}
_COUNTED = {"num", "n", "max", "min", "multi", "single", "first", "second", "last", "by", "enable", "use"}
_DURATION = re.compile(r"(_m?s|seconds|ttl|timeout)$", re.IGNORECASE)
_VARIABLE = re.compile(r"_env(_?var(iable)?)?(_name)?$|_variable$", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

HEADERS = re.compile(
    r"(^|[_.-])(headers?|params|parameters|query|env|environ|environment|metadata|cookies?)$", re.IGNORECASE
)
"""Names of fields that hold names and values, as pairs or in turn."""
NAME_FIELDS = ("name", "key", "header", "field")
VALUE_FIELDS = ("value", "val", "content")
USER_FLAGS = ("-u", "-U", "--user", "--proxy-user")
"""Options of commands that take ``user:password``."""
PASSWORD_FLAGS = ("-p", "-a")
"""Options of commands that take a password, besides those that have the name of a credential."""
SWAPPED_TYPE = "valkey"
"""LMCache's valkey adapter swaps user name and password, so that ``username`` has the password."""


@functools.lru_cache(maxsize=4096)
def is_credential_name(name: str) -> bool:
    """Whether a field of this name holds a credential, for example ``password`` or ``secret_access_key``.

    Args:
        name: Name of a field, a header, an environment variable or an option of a command, without a path.
    """
    if _VARIABLE.search(name):  # the value is the name of an environment variable
        return False
    if _FRAGMENT.search(name):
        return True
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    if not words or words[-1] in _ABOUT or words[0] in _COUNTED:
        return False
    if words[-1].endswith("pass"):
        return not words[-1].endswith(("bypass", "compass"))
    if words[-1] == "key":
        return len(words) == 1 or words[-2] not in _OTHER_KEYS
    if words[-1] in ("keys", "tokens") and len(words) > 1:
        return words[-2] in _SECRET_PLURALS
    return (
        words[-1] in _LAST_WORDS
        or not _WORDS.isdisjoint(words)
        or any(pair in _PAIRS for pair in itertools.pairwise(words))
    )


def holds_credential(name: str, value: Any) -> bool:
    """Whether a field holds a credential.

    Args:
        name: Name of the field; empty if there is none.
        value: Its value.
    """
    if not name or value is None or isinstance(value, bool) or value == "":
        return False
    if name.lower() == "tokens":  # a number is a number of tokens
        return any(not is_number(leaf) for leaf in leaves(value))
    if not is_credential_name(name):
        return False
    return not (isinstance(value, (int, float)) and _DURATION.search(name))


def is_plain_text(name: str, text: str) -> bool:
    """Whether the text of a field with such a name is no credential: a boolean, nothing, or a duration."""
    if text.lower() in ("", "true", "false", "null", "none", "???", "***"):
        return True
    return is_number(text) and bool(_DURATION.search(name))


def is_number(value: Any) -> bool:
    """Whether a value is a number, or a text of one."""
    return (
        isinstance(value, (int, float)) or re.fullmatch(r"[-+]?\d+(\.\d*)?", str(value).strip()) is not None
    )


def leaves(value: Any) -> list[Any]:
    """Return the plain values in a mapping or sequence, without empty ones and booleans."""
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value] if value not in (None, "") and not isinstance(value, bool) else []
