"""Everything of Hydra that is private: its modules below ``hydra._internal``, and a method of its loader."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import _run_hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from l2sweep.cli.flags import FULL_ERROR, Flags
from l2sweep.cli.hydra_app.engines import offer_engines
from l2sweep.config.shipped import config_folder
from l2sweep.errors import RequestError, shown

_HYDRA_BEHAVIOUR = "1.3"  # without it, Hydra warns and behaves like release 1.1


def run_hydra(flags: Flags, task: Callable[[DictConfig], None]) -> None:
    """Let Hydra compose the configuration and run what the command line asks for.

    Args:
        flags: The command line.
        task: Hydra's task function: runs a single point.

    Raises:
        Exception: Whatever goes wrong; Hydra's own one-line messages are switched off.
    """
    version.setbase(_HYDRA_BEHAVIOUR)
    GlobalHydra.instance().clear()
    offer_engines()
    flags.parsed.experimental_rerun = None  # needs the pickled configuration that l2sweep does not write
    printed = contextlib.redirect_stderr(io.StringIO()) if flags.parsed.package else contextlib.nullcontext()
    try:
        with _every_error_passed_on(), printed:
            _run_hydra(flags.parsed, flags.parser, task, str(config_folder()), "config")
    except SystemExit as ended:
        if flags.parsed.package and ended.code == 1:
            problem = f"--package={shown(flags.parsed.package)}: the configuration has no such part"
            raise RequestError([problem]) from None
        raise


def apply_overrides(overrides: Sequence[Override], config: DictConfig) -> None:
    """Change values of a composed configuration as Hydra does.

    Args:
        overrides: None of them chooses from a config group.
        config: Changed in place.
    """
    ConfigLoaderImpl._apply_overrides_to_config(list(overrides), config)


@contextmanager
def _every_error_passed_on() -> Iterator[None]:
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before
