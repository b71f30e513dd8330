"""One service while it runs: started under its watcher, awaited, and stopped."""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from l2sweep import credentials
from l2sweep.errors import RequestError, printable, shown
from l2sweep.interrupts import interruptible
from l2sweep.records.trusted_files import UntrustedFileError
from l2sweep.services import watcher
from l2sweep.services.folders import ServerFolder
from l2sweep.services.ports import free_ports
from l2sweep.services.service import Service

ProbeSpec = Callable[[Mapping[str, Any]], str]
"""Returns why the server in an adapter spec cannot be used; empty if it can."""

_READY_S = 60.0  # Redis takes 0.1 s, moto 3 s, SeaweedFS 4 to 9 s on two busy processors (measured)
_BETWEEN_S = 0.05
_STOP_S = 20.0  # the data of a long sweep are removed in this time
_TRIES = 3  # another process may take a port before the server does
_LONGEST_LOG_BYTES = 256 << 10


class _EndedError(Exception):
    """The server ended before it was ready. The text is the end of its log."""


class RunningService:
    """A service that runs.

    Args:
        kind: Which service.
        below: The folder in which it gets a folder of its own.
        adapter_type: Type of an adapter that will use it.
        probe: Says whether that adapter can.

    Raises:
        RequestError: It cannot be started, or is not ready in time. Nothing of it is left.
        KeyboardInterrupt: The user asked to stop. Nothing of it is left.
    """

    def __init__(self, kind: type[Service], below: Path, adapter_type: str, probe: ProbeSpec) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self._start(kind, below)
            except UntrustedFileError as error:
                problem = (
                    f"scratch_dir must be a folder that nobody else can replace: {shown(str(error.path))}"
                )
                raise RequestError([f"service={kind.name}: {problem}: {error.reason}"]) from None
            except OSError as error:
                problem = f"cannot be started: {error.strerror or error}"
                raise RequestError([f"service={kind.name}: {problem}"]) from error
            try:
                self._wait_until_ready(adapter_type, probe)
                return
            except _EndedError as ended:
                self.stop()
                if not left:
                    raise RequestError([f"service={kind.name}: {ended}"]) from None
            except BaseException:
                self.stop()
                raise

    def spec_fields(self, adapter_type: str) -> Mapping[str, Any]:
        """Return the fields of an adapter spec that make it use this server, including credentials.

        Args:
            adapter_type: Type of the adapter.
        """
        return self._service.spec_fields(adapter_type)

    def log(self) -> str:
        """Return the end of the output of the server, without credentials."""
        try:
            with self._folder.log.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _LONGEST_LOG_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return credentials.scrub(text, self._secrets)

    def stop(self) -> None:
        """End the server and remove its folder. Do nothing at the second call."""
        if self._watcher.stdin is None or self._watcher.stdin.closed:
            return
        self._watcher.stdin.close()
        try:
            self._watcher.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._watcher.kill()  # and the kernel kills the server
            self._watcher.wait()
            watcher.remove(self._folder.path)
        assert self._watcher.stdout is not None
        self._watcher.stdout.close()

    def _start(self, kind: type[Service], below: Path) -> None:
        self._folder = ServerFolder.make(below)
        try:
            self._service = kind(self._folder, free_ports(kind.num_ports), secrets.token_hex(16))
            self._folder.write_private(watcher.OUTSIDE, "\n".join(self._service.files_outside()))
            self._watcher = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", watcher.__file__),
                    *(str(self._folder.path), *self._service.command()),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[self._folder.lock.fileno()],  # held as long as the watcher lives
                start_new_session=True,
                cwd="/",
                env=_environment(self._folder),
            )
        except BaseException:
            watcher.remove(self._folder.path)
            raise
        finally:
            self._folder.lock.close()

    def _wait_until_ready(self, adapter_type: str, probe: ProbeSpec) -> None:
        spec = {"type": adapter_type, **self.spec_fields(adapter_type)}
        self._secrets = {self._service.secret, *credentials.secrets_of(spec)}
        give_up_s = time.monotonic() + _READY_S
        while problem := self._why_not_ready(spec, probe):
            if self._has_ended():
                raise _EndedError(f"{self._service.program} ended before it was ready{self._last_line()}")
            if time.monotonic() > give_up_s:
                clean = credentials.scrub(problem, self._secrets)
                problem = f"{self._service.program} was not ready within {_READY_S:.0f} s: {printable(clean)}"
                raise RequestError([f"service={self._service.name}: {problem}"])
            with interruptible():
                time.sleep(_BETWEEN_S)

    def _why_not_ready(self, spec: Mapping[str, Any], probe: ProbeSpec) -> str:
        try:
            self._service.set_up()
        except OSError as error:
            return str(error)
        return probe(spec)

    def _has_ended(self) -> bool:
        assert self._watcher.stdout is not None
        return bool(select.select([self._watcher.stdout], [], [], 0)[0])

    def _last_line(self) -> str:
        lines = [line.strip() for line in self.log().splitlines() if line.strip()]
        return f": {printable(lines[-1])}" if lines else ""


def _environment(folder: ServerFolder) -> dict[str, str]:
    """Return the environment of a server: no settings and no credentials of the user."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return {**kept, "HOME": str(folder.data), "TMPDIR": str(folder.data)}
