"""One line and an exit code for everything that goes wrong."""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Sequence
from typing import Any

from l2sweep.cli.flags import FULL_ERROR
from l2sweep.config.options import no_such_option
from l2sweep.config.reference import every_option
from l2sweep.errors import L2SweepError, RequestError, shown

_MOST_DIGITS = 4300
"""Python's limit for an integer in a text: ``sys.get_int_max_str_digits()``."""
_LONG_NUMBER = re.compile(rf"[0-9]{{{_MOST_DIGITS + 1}}}")


def explain(error: BaseException, arguments: Sequence[str]) -> tuple[str, int]:
    """Return one line for an error, and the exit code that it means.

    Args:
        error: The error that was raised.
        arguments: The command line, to name the option that an error of Hydra is about.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, L2SweepError):
        return str(error), error.exit_code
    is_theirs = isinstance(error, (HydraException, OmegaConfBaseException))
    is_theirs |= isinstance(error, RecursionError) and _passed_through(error, "hydra.core.override_parser")
    if is_theirs or _raised_in(error).startswith(("hydra.", "omegaconf.", "yaml.")):
        return _explain_composition(error, arguments), RequestError.exit_code
    text = _one_line(str(error))
    return f"internal error: {type(error).__name__}: {text} ({FULL_ERROR}=1 shows where)", 1


def is_of_a_search(error: Exception) -> bool:
    """Whether an error was raised by a sweeper that searches, or by its library."""
    return not isinstance(error, L2SweepError) and _raised_in(error).startswith(("optuna.", "hydra_plugins."))


def _explain_composition(error: BaseException, arguments: Sequence[str]) -> str:
    """Return one line for a configuration that Hydra could not compose."""
    from hydra.errors import MissingConfigException, OverrideParseException

    text = str(error)
    if isinstance(error, RecursionError):
        return f"{shown(max(arguments, key=len, default=''))}: is nested too deeply"
    if long_number := next(filter(_LONG_NUMBER.search, arguments), ""):
        return f"{shown(long_number)}: a number must have at most {_MOST_DIGITS} digits"
    if isinstance(error, OverrideParseException):
        return f"{shown(error.override)}: must be name=value, with special characters in quotes"
    if isinstance(error, MissingConfigException) and error.options:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={choice}: must be one of {', '.join(error.options)}"
    if unknown := re.match(r"Could not override '([^']+)'\.", text):
        return _no_such_option(unknown[1], getattr(error.__cause__, "parent_node", None))
    if ambiguous := re.match(r"Ambiguous value for argument '([^']*)'", text):
        return f"{ambiguous[1]}: several values need a sweep: add -m"
    if merged := re.match(r"Error merging override ([^=]+)=", text):
        allowed = {option.name: option.allowed for option in every_option()}
        name = merged[1].lstrip("+~")
        return (
            f"{text.removeprefix('Error merging override ')}: must be {allowed.get(name, 'of another kind')}"
        )
    line = _one_line(text)
    if key := re.search(r"full_key: (\S+)", text):
        return f"{key[1]}: {line}"
    names = [argument.partition("=")[0].lstrip("+~") for argument in arguments]
    named = any(name and name in line for name in names)
    return line if named or not arguments else f"{line} (given: {shown(' '.join(arguments))})"


def _no_such_option(name: str, siblings: Any) -> str:
    """Return a sentence for an option that does not exist.

    Args:
        name: The option.
        siblings: The node of the configuration that it should be in; None if unknown.
    """
    if name.startswith("adapter."):
        path, _, field = name.rpartition(".")
        close = difflib.get_close_matches(field, map(str, siblings or ()), n=1)
        meant = f"; did you mean {path}.{close[0]}?" if close else ""
        return f"{name}: the chosen adapter has no such field{meant} (+{name}=... adds it to the spec)"
    return no_such_option(name, [option.name for option in every_option()])


def _raised_in(error: BaseException) -> str:
    """Return the name of the module that raised an error."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")) if frames else ""


def _passed_through(error: BaseException, module: str) -> bool:
    """Whether an error was raised in a module, or below it."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(str(frame.f_globals.get("__name__", "")).startswith(module) for frame in frames)


def _one_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return "; ".join(line for line in lines if line and not line.startswith(("full_key:", "object_type=")))
