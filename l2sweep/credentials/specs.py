"""Find and replace credentials in adapter specs and configurations: mappings, sequences and plain values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from l2sweep.bench.adapter.references import REFERENCE, has_reference, values_of
from l2sweep.credentials.names import (
    HEADERS,
    NAME_FIELDS,
    PASSWORD_FLAGS,
    SWAPPED_TYPE,
    USER_FLAGS,
    VALUE_FIELDS,
    holds_credential,
    is_credential_name,
    leaves,
)
from l2sweep.credentials.scrub import map_texts, redact_text
from l2sweep.credentials.spans import is_only_references, mask_references, replace_spans
from l2sweep.credentials.texts import (
    REDACTED,
    credential_spans,
    forms_of,
    literals_in_text,
)
from l2sweep.credentials.tokens import userinfo_spans

_DROPPED = object()


def redact(value: Any, name: str = "") -> Any:
    """Return a copy with every credential at any depth replaced by ``***``. References to secrets stay.

    Args:
        value: An adapter spec or a part of one: mappings, sequences and plain values.
        name: Name of the field that contains the value; empty if there is none.
    """
    return _changed(value, name, _redacted, redact_text)


def strip_credentials(value: Any) -> Any:
    """Return a copy without credentials and their field names: specs that differ only in these become equal.

    Args:
        value: An adapter spec or a part of one: mappings, sequences and plain values.
    """
    return _changed(value, "", lambda _: _DROPPED, _stripped)


def secrets_of(value: Any, name: str = "") -> set[str]:
    """Return the values of all credentials in an adapter spec, and of the secrets that it refers to.

    Args:
        value: An adapter spec or a part of one: mappings, sequences and plain values.
        name: Name of the field that contains the value; empty if there is none.
    """
    found = literal_secrets(value, name)

    def take_values(text: str) -> str:
        found.update(values_of(text))
        return text

    map_texts(value, take_values)
    return found


def literal_secrets(value: Any, name: str = "") -> set[str]:
    """Return the values of all credentials that an adapter spec contains itself.

    Args:
        value: An adapter spec or a part of one: mappings, sequences and plain values.
        name: Name of the field that contains the value; empty if there is none.
    """
    found: set[str] = set()

    def take(secret: Any) -> Any:
        for leaf in leaves(secret):
            if not _is_reference(leaf):
                found.update(forms_of(str(leaf)))
        return secret

    def take_from(text: str) -> str:
        found.update(literals_in_text(text))
        return text

    _changed(value, name, take, take_from)
    return {secret for secret in found if secret != REDACTED}


def differ_only_in_credentials(first: Any, second: Any) -> bool:
    """Whether two specs are equal if all their credentials, and their references to secrets, are replaced."""
    return bool(_without_references(first) == _without_references(second))


def literal_fields(spec: Any, path: str = "adapter") -> list[str]:
    """Return the names of the fields of a spec that contain a credential as text.

    Args:
        spec: An adapter spec or a part of one.
        path: Its own name.
    """
    if not isinstance(spec, Mapping):
        return [path] if literal_secrets(spec) else []
    found: list[str] = []
    for key, item in spec.items():
        inside = literal_fields(item, f"{path}.{key}") if isinstance(item, Mapping) else []
        if not inside and literal_secrets({**_type_of(spec), key: item}):
            inside = [f"{path}.{key}"]
        found += inside
    return found


def _changed(
    value: Any, name: str, change_secret: Callable[[Any], Any], change_text: Callable[[str], str]
) -> Any:
    """Return a copy with credentials and all other texts changed.

    Args:
        value: Mappings, sequences and plain values.
        name: Name of the field that contains the value; empty if there is none.
        change_secret: Returns what replaces a credential, which may be a container; ``_DROPPED``: nothing.
        change_text: Returns what replaces another text, which may contain a credential.
    """
    if holds_credential(name, value):
        return change_secret(value)
    if isinstance(value, Mapping):
        named = _fields_named_by_others(value)
        names_others = set(NAME_FIELDS) if any(field in value for field in VALUE_FIELDS) else set()
        changed = {
            change_text(key) if isinstance(key, str) else key: change_secret(item)
            if key in named
            else _changed(item, "" if key in names_others else str(key), change_secret, change_text)
            for key, item in value.items()
        }
        return {key: item for key, item in changed.items() if item is not _DROPPED}
    if isinstance(value, (list, tuple)):
        places = set(_places_named_by_others(value, name))
        items = [
            change_secret(item)
            if place in places
            else _changed(item, "[]" if isinstance(item, (list, tuple)) else "", change_secret, change_text)
            for place, item in enumerate(value)
        ]
        return [item for item in items if item is not _DROPPED]
    return change_text(value) if isinstance(value, str) else value


def _fields_named_by_others(mapping: Mapping[Any, Any]) -> set[Any]:
    """Return the fields that hold a credential although their own name does not say so."""
    found = (
        {"username"} & set(mapping)
        if mapping.get("type") == SWAPPED_TYPE and mapping.get("username")
        else set()
    )
    names = [mapping[field] for field in NAME_FIELDS if isinstance(mapping.get(field), str)]
    if any(is_credential_name(name.strip(": ")) for name in names):
        found |= {field for field in VALUE_FIELDS if mapping.get(field) not in (None, "")}
    return found


def _places_named_by_others(items: Sequence[Any], name: str) -> Iterator[int]:
    """Yield the places in a list that hold a credential because of the item before."""
    holds_pairs = (name == "[]" and len(items) == 2) or HEADERS.search(name) is not None
    for place, (before, item) in enumerate(itertools.pairwise(items), start=1):
        if not isinstance(before, str) or isinstance(item, bool) or item in (None, ""):
            continue
        flag = before.startswith("-") and not str(item).startswith("-")
        if before in USER_FLAGS:
            if ":" in str(item):
                yield place
        elif before in PASSWORD_FLAGS:
            if not str(item).isdigit() and not str(item).startswith(("/", ".", "-")):
                yield place
        elif (flag or (holds_pairs and place % 2)) and is_credential_name(before.strip("-: ")):
            yield place


def _redacted(secret: Any) -> Any:
    """Return ``***``, or the same container where some of its values are references, which stay."""
    if not has_reference(secret):
        return REDACTED
    if isinstance(secret, Mapping):
        return {key: _redacted(item) if leaves(item) else item for key, item in secret.items()}
    if isinstance(secret, (list, tuple)):
        return [_redacted(item) if leaves(item) else item for item in secret]
    return secret if _is_reference(secret) else REDACTED


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and is_only_references(mask_references(value))


def _stripped(text: str) -> str:
    without_userinfo = re.sub(r"(?<=://)\0@", "", replace_spans(text, _first_userinfo(text), "\0"))
    return REFERENCE.sub("", replace_spans(without_userinfo, credential_spans(without_userinfo), ""))


def _first_userinfo(text: str) -> list[tuple[int, int]]:
    """Return the userinfo of each URL.

    One with a slash counts only if a host and a port follow it: ``http://u:p@host/path@2x`` keeps its path,
    so that identities do not change.
    """
    found: list[tuple[int, int]] = []
    spans = userinfo_spans(mask_references(text))
    for start, end in sorted(spans, key=lambda span: re.match(r"@[\w.-]+:\d", text[span[1] :]) is None):
        if all(end <= other or start >= until for other, until in found):
            found.append((start, end))
    return sorted(found)


def _without_references(value: Any) -> Any:
    return redact(map_texts(value, lambda text: REFERENCE.sub(REDACTED, text)))


def _type_of(spec: Mapping[Any, Any]) -> dict[str, Any]:
    return {"type": spec["type"]} if "type" in spec else {}
