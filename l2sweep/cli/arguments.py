"""Read the arguments of ``status``, ``clean`` and ``night``: ``name=value``, like the options of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped, unused-ignore]

from l2sweep.config.options import checked, options_of
from l2sweep.errors import RequestError, collected, shown

Declared = TypeVar("Declared")


_HELP = {"-h", "--help", "--help-all"}


def read_arguments(
    command: str,
    declaration: type[Declared],
    arguments: Sequence[str],
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Declared:
    """Read the arguments of a command.

    Args:
        command: Name of the command, for error messages.
        declaration: The class that declares its options.
        arguments: The arguments after the name of the command.
        renamed: Names of options in earlier releases, and their names now.

    Raises:
        RequestError: With every problem of the arguments.
        SystemExit: The help was asked for, and is printed.
    """
    if set(arguments) & _HELP:
        print(_help(command, declaration))
        raise SystemExit(0)
    options = {option.name: option.default for option in options_of(declaration)}
    known = ", ".join(options)
    given: dict[str, Any] = {}
    problems: list[str] = []
    for argument in arguments:
        name, separator, _ = argument.partition("=")
        if name in renamed:
            problems.append(f"{name}: is now called {renamed[name]}")
        elif not separator or name not in options:
            problems.append(f"{shown(argument)}: must be name=value, where name is one of {known}")
        else:
            try:
                given |= OmegaConf.to_object(OmegaConf.from_dotlist([argument]))  # type: ignore[arg-type]
            except (OmegaConfBaseException, YAMLError):
                problems.append(f"{shown(argument)}: cannot be read as a YAML value")
    with collected(problems):
        read = checked(declaration, {**options, **given})
    if problems:
        raise RequestError([f"{command}: {problem}" for problem in problems])
    return read


def _help(command: str, declaration: type) -> str:
    lines = [f"python -m l2sweep {command} name=value ...", ""]
    for option in options_of(declaration):
        lines.append(f"  {option.name:26}{option.help} (default: {shown(option.default)})")
    return "\n".join(lines)
