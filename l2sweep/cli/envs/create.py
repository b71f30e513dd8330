"""Make an environment with a release of LMCache: uv installs it alone, beside the packages that are there."""

from __future__ import annotations

import enum
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from l2sweep.config.releases import environments_folder, installed_release, interpreter_in
from l2sweep.errors import BenchError, RequestError, shown
from l2sweep.records.trusted_files import why_untrusted

_PTH = "l2sweep_base.pth"
_STAGING = ".adding-"  # no release begins with a dot
_TIME_LIMIT_S = 600.0  # the wheel has about 10 MB; a mirror may be slow
_UNKNOWN_RELEASE = (
    "there is no version of",
    "no version of lmcache",
    "was not found in the package registry",
)


class Added(enum.Enum):
    """What was done for a release."""

    NEW = "an environment was made"
    BEFORE = "it has one"
    INSTALLED = "it needs none"


def add_environment(release: str) -> Added:
    """Make the environment of a release, unless it is there. Nothing is left of one that could not be made.

    Args:
        release: The release, in the form of ``l2sweep.config.releases.RELEASE``.

    Raises:
        RequestError: uv is not installed, there is no such release, or the folder may be changed by others.
        BenchError: uv failed.
    """
    if release == installed_release():
        return Added.INSTALLED
    folder = environments_folder()
    if os.path.lexists(folder / release):
        return Added.BEFORE
    uv = _uv()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if reason := why_untrusted(folder.stat()):
        raise RequestError([f"envs: {shown(folder)} must be a folder that only you can write to: {reason}"])
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
    try:
        _fill(uv, staging, release)
        _rename(staging, folder / release)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Added.NEW


def _fill(uv: str, environment: Path, release: str) -> None:
    """Make a virtual environment with LMCache, and let it import the packages of this interpreter.

    The packages of the environment come first in ``sys.path``, so its LMCache is the one that is imported.
    """
    interpreter = interpreter_in(environment)
    _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment)], release)
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", str(interpreter)]
    _run([*install, f"lmcache=={release}"], release)
    (packages,) = environment.glob("lib/python3*/site-packages")
    # addsitedir() also reads the .pth files there: of editable installations, and of namespace packages.
    folders = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(folders)]
    (packages / _PTH).write_text("\n".join([*lines, ""]))


def _rename(staging: Path, environment: Path) -> None:
    try:
        staging.rename(environment)
    except OSError:
        if not environment.is_dir():
            raise
        shutil.rmtree(staging, ignore_errors=True)  # another process added it just now


def _uv() -> str:
    """Return the path of uv: of the program, or of the package ``uv``.

    Raises:
        RequestError: There is neither.
    """
    if found := shutil.which("uv"):
        return found
    try:
        from uv import find_uv_bin
    except ImportError:
        reason = "envs: uv is not installed, which makes the environments: pip install 'l2sweep[envs]'"
        raise RequestError([reason]) from None
    return str(find_uv_bin())


def _run(command: list[str], release: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIME_LIMIT_S,
            env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"envs: {release}: uv did not end within {_TIME_LIMIT_S:.0f} s") from None
    except OSError as error:
        raise BenchError(f"envs: uv cannot be started: {error.strerror or error}") from error
    if not done.returncode:
        return
    said = " ".join(done.stdout.split()) or f"exit code {done.returncode}"
    if any(text in said.lower() for text in _UNKNOWN_RELEASE):
        raise RequestError(
            [f"envs: {release}: the package index has no such release of lmcache for this Python"]
        )
    raise BenchError(f"envs: {release}: uv failed: {shown(said)}")
