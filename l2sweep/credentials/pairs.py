"""Find credentials in a text by their names: in overrides, JSON, YAML, headers, and queries of URLs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from l2sweep.credentials.names import HEADERS, is_credential_name, is_number, is_plain_text
from l2sweep.credentials.spans import Span, value_span

_OVERRIDE = re.compile(r"[+~]*([\w./-]+)(?:@[\w.:-]*)?=")
_PAIR = re.compile(r"""(?<![\w.-])([\w.-]+)(\\*["']?)(\s*\\*[:=]\s*)""")
_QUOTED_NAME = r"""\\*["']?([\w.-]+):?\\*["']?"""
_NAME_VALUE = re.compile(
    rf"""\b(?:name|key|header|field)\\*["']?\s*[:=]\s*{_QUOTED_NAME}\s*(?:,|\n)\s*\\*["']?"""
    r"""(?:value|val|content)\\*["']?(\s*[:=]\s*)""",
    re.IGNORECASE,
)
_VALUE_NAME = re.compile(
    r"""\b(?:value|val|content)\\*["']?\s*[:=]\s*([^,{}\n]*?)\s*(?:,|\n)\s*\\*["']?"""
    rf"""(?:name|key|header|field)\\*["']?\s*[:=]\s*{_QUOTED_NAME}""",
    re.IGNORECASE,
)
_NESTED_PAIR = re.compile(rf"""(?<=[\[(])\s*{_QUOTED_NAME}\s*,\s*""")
_ITEM = re.compile(rf"""(?<=[\[,])\s*{_QUOTED_NAME}\s*,\s*""")
_LISTED_NAME = re.compile(r"""-[ ]+-[ ]+["']?([\w.-]+):?["']?[ ]*\n[ ]*-[ ]+""")
_BLOCK = re.compile(r"""^([ \t-]*)["']?([\w.-]+)["']?:[ \t]*\n""", re.MULTILINE)
_BLOCK_VALUE = re.compile(r"""(?:^[\s-]*["']?[\w.-]+["']?:\s+|^\s*(?:-\s+)+)(?=\S)|^\s*(?=\S)""")

# In the output of programs, only these names count. Others, such as "key", are often names of statistics.
_OUTPUT_HEADERS = re.compile(
    r"^(proxy-)?authorization$|^(set-)?cookie$|^x-[\w-]*(key|token|secret|signature|credential)$",
    re.IGNORECASE,
)
_OUTPUT_NAMES = re.compile(
    r"passw(or)?d|passphrase|secret|credential|signature|(^|[_.-])(sig|jwt|pwd|token|auth)$"
    r"|(api|access|private|shared)[_-]?key",
    re.IGNORECASE,
)

IsName = Callable[[str], bool]


def override_span(text: str, is_name: IsName) -> Iterator[Span]:
    """Yield the whole value of an override such as ``adapter.password=...``.

    Args:
        text: An override.
        is_name: Whether a name is that of a credential.
    """
    found = _OVERRIDE.match(text)
    if found and _is_secret_field(found[1], text[found.end() :], is_name):
        yield found.end(), len(text)


def pair_spans(text: str, is_name: IsName) -> Iterator[Span]:
    """Yield each value that follows its name: ``name: value``, ``name=value``, ``"name": "value"``.

    Args:
        text: Any text.
        is_name: Whether a name is that of a credential.
    """
    for found in _PAIR.finditer(text):
        if not _could_be_secret(found[1], is_name):
            continue
        before = text[found.start() - 1 : found.start()]
        enclosing = before if before in ("'", '"') and not found[2] else ""
        start, end = value_span(text, found.end(), found[3], enclosing)
        is_name_of_pair = re.match(r"""\\*["']?\s*[,\n]\s*\\*["']?(value|val|content)\b""", text[end:])
        if _last(found[1]).lower() == "key" and is_name_of_pair:
            continue
        if _is_secret_field(found[1], text[start:end], is_name):
            yield start, end


def listed_spans(text: str, is_name: IsName) -> Iterator[Span]:
    """Yield each value whose name is another value: ``[name, value]``, ``{name: ..., value: ...}``.

    Args:
        text: Any text.
        is_name: Whether a name is that of a credential.
    """
    for found in _NAME_VALUE.finditer(text):
        if is_name(found[1]):
            yield _line_value(text, found.end())
    for found in _VALUE_NAME.finditer(text):
        if is_name(found[2]):
            yield found.span(1)
    for found in _NESTED_PAIR.finditer(text):
        if is_name(found[1]) and re.search(r"(^|[\[(,{\-:=])\s*$", text[: found.start() - 1]):
            yield _line_value(text, found.end())
    for found in _LISTED_NAME.finditer(text):
        if is_name(found[1]):
            yield _line_value(text, found.end())
    for holder in _PAIR.finditer(text):
        if HEADERS.search(_last(holder[1])) and text[holder.end() : holder.end() + 1] == "[":
            _, closing = value_span(text, holder.end(), holder[3])
            for found in _ITEM.finditer(text, holder.end(), closing):
                if is_name(found[1]):
                    yield _line_value(text, found.end())


def block_spans(text: str, is_name: IsName) -> Iterator[Span]:
    """Yield the values in a block of YAML below the name of a credential.

    Args:
        text: Any text.
        is_name: Whether a name is that of a credential.
    """
    for found in _BLOCK.finditer(text):
        if not _could_be_secret(found[2], is_name):
            continue
        at = found.end()
        for line in text[at:].splitlines(keepends=True):
            indent = len(line) - len(line.lstrip(" "))
            is_item = indent == len(found[1]) and line.lstrip().startswith("- ")
            if not line.strip() or not (indent > len(found[1]) or is_item):
                break
            value = _BLOCK_VALUE.match(line)
            start = at + (value.end() if value else 0)
            end = at + len(line.rstrip())
            if not text[start:end].endswith(":") and not is_number(text[start:end]):
                yield start, end
            at += len(line)


def output_pair_spans(text: str) -> Iterator[Span]:
    """Yield the values of headers, and of pairs such as ``token=...``, in the output of any program.

    Args:
        text: Any text.
    """
    for found in _PAIR.finditer(text):
        name = _last(found[1])
        is_header = _OUTPUT_HEADERS.search(name) is not None
        if not is_header and not (
            "=" in found[3] and _OUTPUT_NAMES.search(name) and is_credential_name(name)
        ):
            continue
        before = text[found.start() - 1 : found.start()]
        enclosing = before if before in ("'", '"') and not found[2] else ""
        start, end = value_span(text, found.end(), found[3], enclosing)
        if not is_plain_text(name, text[start:end]):
            yield start, end


def _line_value(text: str, start: int) -> Span:
    return value_span(text, start, ":")


def _last(name: str) -> str:
    return name.rstrip(".").rpartition(".")[2]


def _could_be_secret(name: str, is_name: IsName) -> bool:
    last = _last(name)
    return last.lower() == "tokens" or is_name(last)


def _is_secret_field(name: str, value: str, is_name: IsName) -> bool:
    last = _last(name)
    plain = value.strip(" '\"\\")
    if last.lower() == "tokens":
        words = [word for word in re.split(r"[\s,:\[\](){}\"'\\]+", plain) if word]
        return any(not is_number(word) for word in words)
    return is_name(last) and not is_plain_text(last, plain)
