"""Find what looks like a credential in a text: an override, JSON, a shell command, an output of a program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, unquote_plus

from l2sweep.bench.adapter.references import values_of
from l2sweep.credentials.names import SWAPPED_TYPE, is_credential_name
from l2sweep.credentials.pairs import (
    IsName,
    block_spans,
    listed_spans,
    output_pair_spans,
    override_span,
    pair_spans,
)
from l2sweep.credentials.spans import Span, is_only_references, mask_references, merged
from l2sweep.credentials.tokens import (
    command_spans,
    decoded_base64,
    form_spans,
    is_shell_variable,
    userinfo_spans,
)

REDACTED = "***"

_ENVIRONMENT_NAME = re.compile(r"(?<![\w.])[A-Z][A-Z0-9_]*=\\*[\"']?$")
_HEADER_SCHEME = re.compile(r"(?:bearer|basic|token|digest|apikey)\s+(?=\S)", re.IGNORECASE)
_USERINFO_REFERENCE = re.compile(r"[^:@/]*:(?=[^:@/]*$)")


def credential_spans(text: str) -> list[Span]:
    """Return the places of everything that looks like a credential in a text, in order.

    A reference such as ``${secret:NAME}`` and a shell variable in a command are none.

    Args:
        text: An override, JSON, YAML, a URL, or a shell command.
    """
    masked = mask_references(text)
    is_name = _is_name_in(text)
    by_name = [
        *override_span(masked, is_name),
        *pair_spans(masked, is_name),
        *listed_spans(masked, is_name),
        *block_spans(masked, is_name),
    ]
    by_form = [*form_spans(masked), *command_spans(masked), *_userinfo_spans(masked)]
    return merged(
        (start, end)
        for start, end in (*by_name, *by_form)
        if masked[start:end] != REDACTED and not _is_elsewhere(masked, start, end)
    )


def output_spans(text: str) -> list[Span]:
    """Return the places of what is a credential in the output of any program, in order.

    Args:
        text: Any text. A name alone is no sign of a credential here: a log has lines such as ``key: 17``.
    """
    masked = mask_references(text)
    found = (*_userinfo_spans(masked), *form_spans(masked), *output_pair_spans(masked))
    return merged(span for span in found if not _is_elsewhere(masked, *span))


def secrets_in_text(text: str) -> set[str]:
    """Return everything that looks like a credential in a text, also in an invalid one.

    Args:
        text: An override, JSON, YAML, a URL, or a shell command. The result has the values of its references.
    """
    return literals_in_text(text) | values_of(text)


def forms_of(value: str) -> set[str]:
    """Return a credential as it is and as programs read it: without quotes, escapes, scheme or user name.

    Args:
        value: A credential as somebody wrote it.
    """
    plain = value.strip().strip("\"'\\")
    found = {value, plain, _as_json(plain)}
    if "\\" in plain:
        found.add(re.sub(r"\\(.)", r"\1", plain))
    if "%" in plain:
        found |= {unquote(plain), unquote_plus(plain)}
    if scheme := _HEADER_SCHEME.match(plain):
        token = plain[scheme.end() :]
        decoded = decoded_base64(token)
        found |= {token, decoded, decoded.partition(":")[2]}
    if "\n" in plain:  # a log is scrubbed line by line
        found |= {
            line.strip() for line in plain.splitlines() if len(line.strip()) > 8 and "-----" not in line
        }
    return {form for form in found if form}


def userinfo_forms(userinfo: str) -> set[str]:
    """Return the userinfo of a URL, and its password with and without escapes."""
    password = userinfo.partition(":")[2]
    return {userinfo, *forms_of(password)} if password else {userinfo}


def literals_in_text(text: str) -> set[str]:
    """Return the credentials in a text in all their forms, without the values of its references."""
    return {secret for reading in _readings(text) for secret in _literals(reading)}


def _literals(text: str) -> set[str]:
    masked = mask_references(text)
    userinfo = set(_userinfo_spans(masked))
    found: set[str] = set()
    for start, end in userinfo:
        found |= userinfo_forms(text[start:end])
    for start, end in credential_spans(text):
        if (start, end) in userinfo:
            continue
        value = text[start:end]
        parts = re.split(r"[,()\[\]{}\n]+", masked[start:end]) if _has_parts(value) else []
        after_colon = [part.partition(":")[2] for part in parts if ":" in part]
        for part in (value, *parts, *after_colon):
            if not is_only_references(part):
                found |= forms_of(part.strip())
    return {secret for secret in found if secret.strip("\ue000* ")}


def _is_elsewhere(masked: str, start: int, end: int) -> bool:
    """Whether a value says where a credential is: a reference, or a variable in a shell command."""
    value = masked[start:end]
    is_variable = is_shell_variable(value) and _ENVIRONMENT_NAME.search(masked[:start])
    return bool(is_only_references(value) or is_variable)


def _has_parts(value: str) -> bool:
    return re.search(r"[,()\[\]{}\n]", value) is not None


def _readings(text: str) -> Iterator[str]:
    """Yield a text, then the text without the escapes of Hydra or JSON, and without those of a URL."""
    yield text
    if "\\" in text:
        yield re.sub(r"\\(.)", r"\1", text)
    if "%" in text and (decoded := unquote(text)) != text:
        yield decoded


def _userinfo_spans(masked: str) -> Iterable[Span]:
    """Yield the userinfo of each URL, except where the password is a reference."""
    for start, end in userinfo_spans(masked):
        password = masked[start:end].rpartition(":")[2]
        if not is_only_references(password):
            yield start, end


def _is_name_in(text: str) -> IsName:
    """Return whether a name is that of a credential in a text."""
    if SWAPPED_TYPE not in text:
        return is_credential_name
    return lambda name: name == "username" or is_credential_name(name)


def _as_json(value: str) -> str:
    """Return the value of a JSON string, given without its quotes; the same text if it is not valid JSON."""
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:
        return value
