"""The releases of LMCache that the option ``release`` can name: the installed one, and one environment each.

``l2sweep envs`` makes and removes the environments.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from l2sweep.bench.versions import lmcache_version

FOLDER_VARIABLE = "L2SWEEP_ENVS_DIR"
"""Environment variable with the folder of the environments."""
RELEASE = r"[0-9]{1,4}(\.[0-9]{1,6}){1,4}((a|b|rc)[0-9]{1,4})?(\.post[0-9]{1,4})?(\.dev[0-9]{1,6})?"
"""A public version of PyPA's "Version specifiers", in its normal form. It is also the name of a folder."""
A_RELEASE = "a release of LMCache such as 0.5.3"


def environments_folder() -> Path:
    """Return the folder of the environments: ``$L2SWEEP_ENVS_DIR``, or one in the user's folder for caches.

    Source: XDG Base Directory Specification, ``XDG_CACHE_HOME``; a relative path in it is ignored.
    """
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(given).expanduser().absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "l2sweep" / "envs"


def interpreter_in(environment: Path) -> Path:
    """Return the path of the interpreter of an environment, which need not exist."""
    return environment / "bin" / "python"


def installed_release() -> str | None:
    """Return the release of LMCache that is installed beside l2sweep; None if there is none."""
    try:
        return lmcache_version()
    except PackageNotFoundError:
        return None


def interpreter_of(release: str) -> str | None:
    """Return the path of the interpreter that imports a release of LMCache; None if there is none.

    Args:
        release: The release. If it is the installed one, the interpreter is the running one.
    """
    if release == installed_release():
        return sys.executable
    interpreter = interpreter_in(environments_folder() / release)
    return str(interpreter) if os.path.lexists(interpreter) else None


def release_problem(release: str) -> str:
    """Return why a release cannot be measured here, with what to do; empty if it can.

    Args:
        release: A text that ``RELEASE`` matches.
    """
    if interpreter_of(release) is not None:
        return ""
    return f"release={release}: has no environment yet; to add one: l2sweep envs add {release}"
