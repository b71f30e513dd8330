"""What every service is: a program, its ports, its secret, and how it becomes the server of an adapter."""

from __future__ import annotations

import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from l2sweep.errors import RequestError
from l2sweep.services.folders import ServerFolder


class Service(ABC):
    """A server on the loopback interface that keeps nothing.

    Args:
        folder: Its folder.
        ports: As many free ports as ``num_ports`` says.
        secret: A random text for its password or secret key. No other process has seen it.

    Attributes:
        name: As in the option ``service``.
        program: Name of its program.
        install: How to install the program, for a message.
        num_ports: How many ports it listens on.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    install: ClassVar[str]
    num_ports: ClassVar[int] = 1

    def __init__(self, folder: ServerFolder, ports: tuple[int, ...], secret: str) -> None:
        self.folder = folder
        self.ports = ports
        self.secret = secret

    @classmethod
    def find_program(cls) -> str:
        """Return the path of the program, on the PATH or beside the running interpreter.

        Raises:
            RequestError: It is not installed.
        """
        beside = Path(sys.executable).parent  # a virtual environment that is not activated is not on the PATH
        found = shutil.which(cls.program) or shutil.which(cls.program, path=str(beside))
        if found is None:
            problem = f"needs {cls.program}, which is not installed: {cls.install}"
            raise RequestError([f"service={cls.name}: {problem}; or name a server of your own"])
        return found

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that starts it, after writing the files that it reads.

        It contains no secret, because every user can read it.

        Raises:
            RequestError: Its program is not installed.
            OSError: A file cannot be written.
        """

    def files_outside(self) -> list[str]:
        """Return the paths of the sockets that it makes outside of its folder. They are removed with it."""
        return []

    @abstractmethod
    def spec_fields(self, adapter_type: str) -> Mapping[str, Any]:
        """Return the fields of an adapter spec that make it use this server.

        Args:
            adapter_type: Type of the adapter.
        """

    def set_up(self) -> None:  # noqa: B027 - most services need nothing
        """Create what an adapter expects to exist. Called again until it succeeds.

        Raises:
            OSError: The server does not answer yet, or refuses.
        """
