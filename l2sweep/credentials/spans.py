"""Places in a text: which of its characters belong to one value, and how places are replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable

from l2sweep.bench.adapter.references import REFERENCE

Span = tuple[int, int]
"""Start and end of a part of a text, as in ``text[start:end]``."""

_CLOSING = {"[": "]", "{": "}", "(": ")"}
_QUOTE = re.compile(r"""(\\*)(["'])""")
_AFTER_COLON = re.compile(r"[^,}\]\n]*")
_AFTER_EQUALS = re.compile(r"""(?:[^\s"'&;,]|,(?=[^\s"']))*""")
_MASK = "\ue000"  # a private character: it is no part of a name, a number, a space or a quote
_AROUND_REFERENCE = re.compile(
    rf"[\s\"'\\,:;.()\[\]{{}}{_MASK}]|\b(?:bearer|basic|token|digest|apikey|choice)\b", re.IGNORECASE
)


def mask_references(text: str) -> str:
    """Return a text of the same length in which references to secrets cannot be taken for secrets."""
    return REFERENCE.sub(lambda match: _MASK * len(match[0]), text)


def is_only_references(masked: str) -> bool:
    """Whether a value consists of references, separators and the scheme of an ``Authorization`` header.

    Args:
        masked: A part of what :func:`mask_references` returned.
    """
    return _MASK in masked and not _AROUND_REFERENCE.sub("", masked)


def value_span(text: str, start: int, separator: str, enclosing_quote: str = "") -> Span:
    """Return the place of a value: a quoted text without its quotes, a bracket, or what ends at a separator.

    A quoted text or a bracket that is not closed reaches to the end of the text.

    Args:
        text: The whole text.
        start: Where the value begins.
        separator: The text between name and value: contains ``:``, ``=``, or only white space.
        enclosing_quote: The quote that opened before the name, at which the value ends; empty: none.
    """
    if quote := _QUOTE.match(text, start):
        return quote.end(), _closing_quote(text, quote)
    if text[start : start + 1] in _CLOSING:
        return start, _closing_bracket(text, start)
    pattern = _AFTER_COLON if ":" in separator else _AFTER_EQUALS
    end = pattern.match(text, start).end()  # type: ignore[union-attr]  # it also matches an empty text
    if enclosing_quote and (closing := text.find(enclosing_quote, start)) >= 0:
        end = closing if ":" in separator else min(end, closing)
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return places in order, those that overlap as one, without empty ones."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if result and start < result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def replace_spans(text: str, spans: Iterable[Span], replacement: str) -> str:
    """Return the text with places replaced.

    Args:
        text: The text.
        spans: In order, and none overlaps another.
        replacement: What replaces each.
    """
    for start, end in reversed(list(spans)):
        text = text[:start] + replacement + text[end:]
    return text


def _closing_quote(text: str, opening: re.Match[str]) -> int:
    """Return where a quoted text ends. Its quotes have backslashes if it is inside another quoted text."""
    escapes, quote = len(opening[1]), opening[2]
    for closing in re.finditer(rf"(\\*){quote}", text[opening.end() :]):
        if len(closing[1]) % (2 * (escapes + 1)) == escapes:
            return opening.end() + closing.end() - 1 - escapes
    return len(text)


def _closing_bracket(text: str, start: int) -> int:
    """Return where a bracket ends, after its closing character."""
    expected = [_CLOSING[text[start]]]
    at = start + 1
    while at < len(text):
        if quote := _QUOTE.match(text, at):
            at = _closing_quote(text, quote)
            at += len(quote[0]) if at < len(text) else 0
            continue
        if text[at] in _CLOSING:
            expected.append(_CLOSING[text[at]])
        elif text[at] == expected[-1]:
            expected.pop()
            if not expected:
                return at + 1
        at += 1
    return len(text)
