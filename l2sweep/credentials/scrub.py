"""Replace known secrets in a text, in every encoding in which programs print them."""

from __future__ import annotations

import base64
import functools
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from l2sweep.credentials.spans import Span, merged, replace_spans
from l2sweep.credentials.texts import REDACTED, credential_spans, literals_in_text, output_spans

MIN_LENGTH_INSIDE_WORDS = 4
"""A shorter secret is replaced only as a whole word: "ab" inside other words would make a text unreadable."""

CUT = "..."
"""What :func:`l2sweep.errors.shown` writes where it cuts a text off, perhaps in the middle of a secret."""

_LONGEST_CUT = 48  # a longer beginning of a secret is found by this number of characters
_MIN_BASE64 = 5
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\a": "a", "\0": "0"}


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret replaced by ``***``.

    A secret is found as it is, with the escapes of JSON, ``repr``, shells, HTML and URLs, in hexadecimal
    digits, and in base64 together with what was encoded before and after it. What looks like a credential in
    the output of any program is replaced too: the userinfo of a URL, a signature in its query, an
    ``Authorization`` header.

    Args:
        text: A text to write or to show.
        secrets: The result of :func:`secrets_of` or :func:`secrets_in_text`.
    """
    found: list[Span] = []
    for secret in secrets:
        if len(secret) >= MIN_LENGTH_INSIDE_WORDS:
            found += (match.span() for match in _any_escape(secret).finditer(text))
            found += _encoded(text, secret)
            if CUT in text:
                found += (match.span() for match in _cut_off(secret).finditer(text))
        elif secret:
            found += (match.span() for match in re.finditer(rf"(?<!\w){re.escape(secret)}(?!\w)", text))
    return replace_spans(text, merged([*found, *output_spans(text)]), REDACTED)


def redact_text(text: str) -> str:
    """Return a text with everything that looks like a credential replaced by ``***``.

    Args:
        text: An override, JSON, YAML, a URL, or a shell command.
    """
    replaced = replace_spans(text, credential_spans(text), REDACTED)
    return scrub(replaced, literals_in_text(text))


def redact_override(override: str) -> str:
    """Return a command-line override with its credentials replaced by ``***``."""
    return redact_text(override)


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


@functools.lru_cache(maxsize=256)
def _any_escape(secret: str) -> re.Pattern[str]:
    """Return a pattern that matches a secret, each of its characters with or without an escape."""
    parts = re.findall(r"\\+|[^\\]", secret, flags=re.DOTALL)
    return re.compile("".join(_characters(parts)))


def _characters(parts: Sequence[str]) -> list[str]:
    """Return the pattern of each character; backslashes before it take those of its escape as well."""
    after_run = [False, *(part[0] == "\\" for part in parts)]
    return [
        _character(part).replace(r"\\+", r"\\*") if after else _character(part)
        for part, after in zip(parts, after_run, strict=False)
    ]


@functools.lru_cache(maxsize=1024)
def _character(part: str) -> str:
    """Return a pattern for a character, or for backslashes, whose number an escape changes."""
    if part[0] == "\\":
        return r"(?:\\|%(?:25)*5[Cc])++"  # possessive: a long run of backslashes must not take long
    code, encoded = ord(part), _utf8(part)
    units = part.encode("utf-16-be", "surrogatepass").hex()
    forms = [
        re.escape(part) if part.isalnum() else rf"\\*{re.escape(part)}",
        "".join(rf"%(?:25)*{_digits(f'{byte:02x}')}" for byte in encoded),
        "".join(rf"\\+x{_digits(f'{byte:02x}')}" for byte in encoded),
        "".join(rf"\\+u{_digits(units[at : at + 4])}" for at in range(0, len(units), 4)),
        rf"\\+U{_digits(f'{code:08x}')}",
    ]
    if 0x80 <= code < 0x100:
        forms.append(rf"\\+x{_digits(f'{code:02x}')}")
    if part in _ESCAPES:
        forms.append(rf"\\+{_ESCAPES[part]}")
    if part == " ":
        forms.append(r"\+")
    if part == "'":
        forms.append(r"""'\\''|'"'"'|''|&#39;""")
    if html.escape(part) != part:
        forms.append(re.escape(html.escape(part)))
    return f"(?:{'|'.join(forms)})"


def _digits(digits: str) -> str:
    """Return a pattern for hexadecimal digits in upper or lower case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


@functools.lru_cache(maxsize=256)
def _cut_off(secret: str) -> re.Pattern[str]:
    """Return a pattern that matches the beginning of a secret where a text was cut off: errors.shown()."""
    parts = re.findall(r"\\+|[^\\]", secret, flags=re.DOTALL)
    patterns = _characters(parts[:_LONGEST_CUT])
    first, rest = patterns[:MIN_LENGTH_INSIDE_WORDS], patterns[MIN_LENGTH_INSIDE_WORDS:]
    more = r"\S*" if len(parts) > _LONGEST_CUT else ""
    for pattern in reversed(rest):
        more = f"(?:{pattern}{more})?"
    forms = ["".join(first) + more]
    for core in _base64_cores(_utf8(secret)):
        tail = r"[A-Za-z0-9+/_-]*" if len(core) > _LONGEST_CUT else ""
        for char in reversed(core[_MIN_BASE64:_LONGEST_CUT]):
            tail = f"(?:{re.escape(char)}{tail})?"
        if len(core) >= _MIN_BASE64:
            forms.append(f"[A-Za-z0-9+/_-]{{0,64}}{re.escape(core[:_MIN_BASE64])}{tail}")
    return re.compile(rf"(?:{'|'.join(forms)})(?=[\\%]?\w{{0,4}}{re.escape(CUT)})")


def _encoded(text: str, secret: str) -> Iterator[Span]:
    """Yield the places of a secret in hexadecimal digits and in base64."""
    content = _utf8(secret)
    yield from (match.span() for match in re.finditer(content.hex(), text, re.IGNORECASE))
    for core in _base64_cores(content):
        for at in _positions(text, core):
            start, end = at, at + len(core)
            while start > 0 and text[start - 1] in _BASE64:
                start -= 1
            while end < len(text) and text[end] in _BASE64:
                end += 1
            yield start, end


def _utf8(text: str) -> bytes:
    """Return a text in UTF-8. Bytes of a command line that are no UTF-8 are U+DC80 to U+DCFF in Python."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _positions(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _base64_cores(content: bytes) -> set[str]:
    """Return what base64 makes of a secret inside a longer text, such as ``user:password``.

    Three bytes become four characters, so there is one form for each position of the secret modulo 3.
    Characters that also depend on the bytes around it are left out.
    """
    cores = set()
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + content).decode()
        core = whole[-(-offset * 8 // 6) : (offset + len(content)) * 8 // 6]
        cores |= {core, core.replace("+", "-").replace("/", "_")}
    return cores
