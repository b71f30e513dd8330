"""Find credentials in a text by their form: userinfo of URLs, tokens, keys, and options of shell commands."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from l2sweep.credentials.names import PASSWORD_FLAGS, USER_FLAGS, is_credential_name
from l2sweep.credentials.spans import Span, value_span

# A "/" in a password is not valid in a URL, but occurs. What looks like host:port/path@... is no userinfo,
# unless a host with a port follows the "@".
_USERINFO = re.compile(r"(?<=://)[^/\s\"']+(?=@)")
_USERINFO_WITH_SLASH = re.compile(
    r"(?<=://)[^/\s\"':@]*:(?:(?!\d+\\*(?:/|$))|(?=\S*@[\w.-]+:\d))(?:(?!://)[^\s\"'])*(?=@)"
)
_SCHEME = re.compile(r"\bBearer[\s+]+([^\s\"',;}\]]{6,})|\bBasic[\s+]+([A-Za-z0-9+/_-]{6,}={0,2})")
_KNOWN_FORMS = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # JSON Web Token: RFC 7519
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS access key id
    r"|\b(?:hf|ghp|gho|ghs|glpat|xox[abp])[_-][A-Za-z0-9]{20,}"  # Hugging Face, GitHub, GitLab, Slack
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_FLAG = re.compile(r"""(?<![\w-])(--?[A-Za-z][\w-]*)(\\?\s+|=|\\*["']?\s*,\s*)""")
_GLUED_USER = re.compile(r"(?<![\w-])-u([^\s\"'=:-][^\s\"':]*:)(?=[^\s/])")
_GLUED_PASSWORD = re.compile(r"\b(?:mysql|mariadb)\w*\b[^|;&\n]*?(?<!\S)-p([^\s\"']+)")
_SHELL_VARIABLE = re.compile(r"""[\s"'\\]*\$\{?[A-Za-z_]\w*\}?[\s"'\\]*""")
_ENDS_IN_VARIABLE = re.compile(r"""[^$]*:\$\{?[A-Za-z_]\w*\}?[\s"'\\]*""")


def userinfo_spans(text: str) -> Iterator[Span]:
    """Yield the userinfo of each URL, without the ``@``.

    Args:
        text: Any text, its references masked.
    """
    for pattern in (_USERINFO, _USERINFO_WITH_SLASH):
        yield from (found.span() for found in pattern.finditer(text) if not _names_only_a_user(found[0]))


def form_spans(text: str) -> Iterator[Span]:
    """Yield what has the form of a token or key, whatever its name is.

    Args:
        text: Any text.
    """
    for found in _SCHEME.finditer(text):
        group = 1 if found[1] else 2
        if group == 1 or ":" in decoded_base64(found[2]):
            yield found.span(group)
    yield from (found.span() for found in _KNOWN_FORMS.finditer(text))


def command_spans(text: str) -> Iterator[Span]:
    """Yield the passwords in a shell command: ``curl -u user:password``, ``--token x``, ``redis-cli -a x``.

    Args:
        text: Any text.
    """
    for found in _FLAG.finditer(text):
        start, end = value_span(text, found.end(), "=")
        value = text[start:end].rstrip("\\")
        end = start + len(value)
        flag, name = found[1], found[1].lstrip("-")
        if not value or _SHELL_VARIABLE.fullmatch(value):
            continue
        if flag in USER_FLAGS:
            if ":" in value and not _ENDS_IN_VARIABLE.fullmatch(value) and not value.startswith("/"):
                yield start + value.index(":") + 1, end
        elif flag in PASSWORD_FLAGS:
            if _takes_password(flag, value, text[: found.start()]):
                yield start, end
        elif (
            len(name) > 1
            and is_credential_name(name)
            and not name.endswith("-stdin")
            and (found[2] == "=" or not value.startswith("-"))
        ):
            yield start, end
    for found in _GLUED_USER.finditer(text):
        start, end = value_span(text, found.end(), "=")
        if not _SHELL_VARIABLE.fullmatch(text[start:end]):
            yield start, end
    yield from (found.span(1) for found in _GLUED_PASSWORD.finditer(text))


def decoded_base64(text: str) -> str:
    """Return the text that base64 encodes; empty if it is none."""
    try:
        padded = text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4)
        return base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def is_shell_variable(value: str) -> bool:
    """Whether a value in a shell command is a variable such as ``$NAME``, which the shell replaces."""
    return _SHELL_VARIABLE.fullmatch(value) is not None


def _takes_password(flag: str, value: str, before: str) -> bool:
    """Whether ``-p`` or ``-a`` is followed by a password, and not by a port, a path or another option."""
    command = re.split(r"[|;&\n]", before)[-1]
    if flag == "-a":
        return re.search(r"(redis|valkey|keydb)-cli", command) is not None
    if re.search(r"sshpass\b", command) is not None:
        return True
    is_port = re.fullmatch(r"\d{1,5}(:\d{1,5}|/\w+)?", value) is not None
    return not is_port and not value.startswith(("/", ".", "-", "~"))


def _names_only_a_user(userinfo: str) -> bool:
    return not userinfo.strip("*")
