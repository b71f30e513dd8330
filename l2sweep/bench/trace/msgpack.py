"""Read MessagePack with the standard library alone: the launcher reads a trace without LMCache.

The format is https://github.com/msgpack/msgpack/blob/master/spec.md. Extension types do not occur in traces
of LMCache, and are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_DEEPEST = 32


def decode(data: bytes) -> Any:
    """Return the value of a text in MessagePack.

    Args:
        data: The whole text.

    Raises:
        ValueError: It is not MessagePack, has an extension type, or is nested too deeply.
    """
    reader = _Reader(data)
    try:
        value = reader.value(_DEEPEST)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise ValueError("it is not MessagePack") from error
    if reader.at != len(data):
        raise ValueError(f"{len(data) - reader.at} bytes follow its value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int) -> Any:
        """Return the next value."""
        if not depth:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
        kind = self._data[self.at]
        self.at += 1
        if kind < 0x80:
            return kind
        if kind >= 0xE0:
            return kind - 0x100
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        if kind < 0xC0:
            size = kind & (0x1F if kind >= 0xA0 else 0x0F)
            small: Sequence[Callable[[int, int], Any]] = (self._map, self._list, self._text, self._text)
            return small[(kind >> 4) - 8](size, depth)
        sized: dict[int, tuple[str, Callable[[int, int], Any]]] = {
            0xC4: (">B", self._bytes),
            0xC5: (">H", self._bytes),
            0xC6: (">I", self._bytes),
            0xD9: (">B", self._text),
            0xDA: (">H", self._text),
            0xDB: (">I", self._text),
            0xDC: (">H", self._list),
            0xDD: (">I", self._list),
            0xDE: (">H", self._map),
            0xDF: (">I", self._map),
        }
        if kind not in sized:
            raise ValueError(f"it has the type {kind:#04x}, which is not supported")
        size_format, read = sized[kind]
        return read(self._number(size_format), depth)

    def _number(self, number_format: str) -> Any:
        (number,) = struct.unpack_from(number_format, self._data, self.at)
        self.at += struct.calcsize(number_format)
        return number

    def _bytes(self, size: int, depth: int) -> bytes:
        taken = self._data[self.at : self.at + size]
        if len(taken) < size:
            raise IndexError
        self.at += size
        return taken

    def _text(self, size: int, depth: int) -> str:
        return self._bytes(size, depth).decode()

    def _list(self, size: int, depth: int) -> list[Any]:
        return [self.value(depth - 1) for _ in range(size)]

    def _map(self, size: int, depth: int) -> dict[Any, Any]:
        return {self.value(depth - 1): self.value(depth - 1) for _ in range(size)}
