"""Probe the interpreter of ``python`` or ``release``, before a benchmark process is started with it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Any

from l2sweep.errors import shown

SUPPORTED = (3, 11)
"""The oldest release of Python that runs the benchmark process: ``requires-python`` of l2sweep."""

_NEEDED = ("numpy", "torch", "lmcache")
# Also read by a release of Python that is too old. Finding a package takes 1 ms, importing torch 2 s.
_CODE = f"""
import sys
sys.path[:] = [entry for entry in sys.path if entry]
missing = []
if sys.version_info[:2] >= (3, 11):
    import importlib.util
    missing = [name for name in {_NEEDED!r} if importlib.util.find_spec(name) is None]
import json
sys.stdout.write(json.dumps(dict(version=list(sys.version_info[:3]), missing=missing)))
"""
# The packages of the launcher, which the benchmark process does not get, and what may contain credentials.
_NOT_PASSED_ON = ("PYTHONPATH", "L2_ADAPTER_JSON")
_PROBE_S = 30.0  # starting Python takes 20 ms, on a network file system that is not cached several seconds
_MOST_BYTES = 65_536


def interpreter_problems(
    pythons: Iterable[str | None], releases: Mapping[str | None, str | None] | None = None
) -> list[str]:
    """Return a sentence for each interpreter that cannot run a benchmark process.

    Args:
        pythons: Paths of interpreters; None: the one that runs, which can.
        releases: The release of LMCache for which an interpreter was chosen, by its path.
    """
    reasons = {python: why_unusable(python) for python in dict.fromkeys(pythons) if python is not None}
    problems = []
    for python, reason in reasons.items():
        if reason and (release := (releases or {}).get(python)):
            again = f"l2sweep envs remove {release} && l2sweep envs add {release}"
            problems.append(
                f"release={release}: its environment is broken ({reason}); make it again: {again}"
            )
        elif reason:
            allowed = f"Python {_dotted(SUPPORTED)} or later with {', '.join(_NEEDED)}"
            problems.append(f"python={shown(python)}: must be {allowed} ({reason})")
    return problems


def why_unusable(python: str) -> str:
    """Return why an interpreter cannot run a benchmark process; empty if it has all that is needed.

    Args:
        python: Path of the interpreter.
    """
    try:
        output = _output_of([python, "-c", _CODE])
    except TimeoutError:  # also an OSError
        return f"it did not end within {_PROBE_S:.0f} s"
    except OSError as error:
        return f"it cannot be started: {error.strerror or error}"
    try:
        found: Any = json.loads(output.decode(errors="replace").strip().splitlines()[-1])
        version, missing = tuple(map(int, found["version"])), list(map(str, found["missing"]))
    except (ValueError, LookupError, TypeError):
        return "it does not run Python code"
    if version < SUPPORTED:
        return f"it is Python {_dotted(version)}"
    return f"it cannot import {', '.join(missing)}" if missing else ""


def _output_of(command: list[str]) -> bytes:
    """Return the first part of what a program prints.

    Raises:
        OSError: It cannot be started.
        TimeoutError: It has not ended in time.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON},
    )
    assert process.stdout is not None
    output = b""
    until = time.monotonic() + _PROBE_S
    try:
        while len(output) < _MOST_BYTES:
            left_s = until - time.monotonic()
            if left_s <= 0 or not select.select([process.stdout], [], [], left_s)[0]:
                raise TimeoutError
            if not (part := os.read(process.stdout.fileno(), _MOST_BYTES)):
                break
            output += part
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
    return output


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
