"""Ask the emulator of Bigtable whether it speaks HTTP/2, on which its protocol is built: RFC 9113, 3.4."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_VARIABLE = "BIGTABLE_EMULATOR_HOST"  # Google's client library uses it
_EMPTY_SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _EMPTY_SETTINGS
_SETTINGS_TYPE, _HEADER_BYTES = 4, 9


@dataclass(frozen=True)
class BigtableEmulator:
    """An emulator of Bigtable.

    Attributes:
        host: Its host.
        port: Its port.
    """

    host: str
    port: int

    @property
    def place(self) -> str:
        """Host and port, for a message."""
        return f"{self.host}:{self.port}"

    def problem(self, timeout_s: float) -> str:
        """Return why the emulator cannot be used; empty if it answers. No table is read.

        Args:
            timeout_s: Time limit in seconds for each wait.

        Raises:
            OSError: The emulator cannot be reached, or does not answer in time.
        """
        with socket.create_connection((self.host, self.port), timeout_s) as connection:
            connection.sendall(_PREFACE)
            header = b""
            while len(header) < _HEADER_BYTES and (received := connection.recv(_HEADER_BYTES - len(header))):
                header += received
        is_settings = len(header) == _HEADER_BYTES and header[3] == _SETTINGS_TYPE
        return "" if is_settings else "what answers is no emulator of Bigtable: it does not speak HTTP/2"


def bigtable_emulators(spec: Mapping[str, Any]) -> list[BigtableEmulator]:
    """Return the emulator that a spec of the type bigtable uses; none where it uses Google's service.

    Args:
        spec: The spec. The emulator is named by an environment variable.
    """
    host, separator, port = os.environ.get(_VARIABLE, "").rpartition(":")
    return [BigtableEmulator(host, int(port))] if separator and host and port.isdigit() else []
