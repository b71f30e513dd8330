"""References to secrets in an adapter spec: where the value of a secret is, instead of the value itself.

``${secret:NAME}`` is the environment variable ``NAME``; ``${secret_file:/PATH}`` is the content of a file
without one line break at its end. The launcher passes a reference on as text. The benchmark process replaces
it by the value.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l2sweep.errors import RequestError, shown

# Hydra escapes braces and colons in the overrides of a point: $\{secret\:NAME\}. The path of a file may
# contain an interpolation, which OmegaConf resolves first: ${secret_file:${oc.env:HOME}/redis}.
REFERENCE = re.compile(
    r"\$\\*\{\s*(secret|secret_file)\s*\\*:((?:[^{}\\]|\\(?!\})|\$\\*\{(?:[^{}\\]|\\(?!\}))*\\*\})*)\\*\}"
)
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_MOST_BYTES = 65536  # a private key has a few KiB; more is the wrong file


def has_reference(value: Any) -> bool:
    """Return whether a value contains a reference at any depth."""
    if isinstance(value, Mapping):
        return any(map(has_reference, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(has_reference, value))
    return isinstance(value, str) and REFERENCE.search(value) is not None


def resolve(spec: Mapping[str, Any], option: str = "adapter") -> dict[str, Any]:
    """Return a copy of a spec with every reference replaced by the value of its secret.

    Args:
        spec: An adapter spec.
        option: Name of the spec in a message.

    Raises:
        RequestError: Secrets cannot be read. The message contains no value of a secret.
    """
    problems: list[str] = []
    resolved: dict[str, Any] = _replaced(spec, option, problems)
    if problems:
        raise RequestError(problems)
    return resolved


def unresolvable(spec: Mapping[str, Any], option: str = "adapter") -> list[str]:
    """Return a sentence for each reference whose secret cannot be read. It contains no value of a secret.

    Args:
        spec: An adapter spec.
        option: Name of the spec in a message.
    """
    problems: list[str] = []
    _replaced(spec, option, problems)
    return problems


def values_of(text: str) -> set[str]:
    """Return the secrets that the references in a text refer to, as far as they can be read.

    Args:
        text: Any text.
    """
    values = set()
    for match in REFERENCE.finditer(text):
        try:
            values.add(read_secret(match))
        except ValueError:  # reported by unresolvable()
            continue
    return values


def read_secret(reference: re.Match[str]) -> str:
    """Return the value of a secret, which is not empty.

    Args:
        reference: A match of ``REFERENCE``.

    Raises:
        ValueError: It cannot be read. The message says why.
    """
    name = reference[2].strip().strip("\"'")
    if reference[1] == "secret_file":
        return _read_file(name)
    if not _VARIABLE.fullmatch(name):
        raise ValueError("must be ${secret:NAME} with the name of an environment variable")
    if not (value := os.environ.get(name, "")):
        raise ValueError(f"the environment variable {name} is not set or is empty")
    return value


def _read_file(path: str) -> str:
    if not Path(path).is_absolute():
        raise ValueError("must be ${secret_file:/PATH} with an absolute path")
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError(f"{path} is not a regular file")
            content = file.read(_MOST_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text in UTF-8") from None
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{path} has more than {_MOST_BYTES} bytes")
    if not (value := re.sub(r"\r?\n\Z", "", text)):
        raise ValueError(f"{path} is empty")
    return value


def _replaced(value: Any, path: str, problems: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(item, f"{path}.{key}", problems) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(item, f"{path}.{index}", problems) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def secret(reference: re.Match[str]) -> str:
        try:
            return read_secret(reference)
        except ValueError as error:
            problems.append(f"{path}={shown(reference[0])}: {error}")
            return ""

    return REFERENCE.sub(secret, value)
