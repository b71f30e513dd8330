"""The flags of the command line; everything else on it is an option, ``name=value``."""

from __future__ import annotations

import difflib
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from l2sweep import __version__
from l2sweep.errors import RequestError, shown

FULL_ERROR = "HYDRA_FULL_ERROR"
"""Environment variable: with the value 1 the traceback behind an error is printed."""

_COMPLETION_HELP = 'install=bash prints a script: eval "$(l2sweep -sc install=bash)"'


class _OneLineParser(ArgumentParser):
    """Raises what is wrong as a RequestError."""

    def error(self, message: str) -> NoReturn:
        raise RequestError([f"{message}; see --help"])


@dataclass(frozen=True)
class Flags:
    """A command line.

    Attributes:
        parser: The parser that read it, which Hydra's own help asks for.
        parsed: Its flags, under the names that Hydra gives them, and its overrides.
    """

    parser: ArgumentParser
    parsed: Namespace

    @property
    def only_shows(self) -> bool:
        """Whether it asks for something to be printed, and not for a run."""
        parsed = self.parsed
        return bool(parsed.hydra_help or parsed.cfg or parsed.info or parsed.shell_completion)

    @property
    def asks_for_help(self) -> bool:
        """Whether it asks for the help of l2sweep."""
        return bool(self.parsed.help or self.parsed.help_all)

    def given(self, name: str) -> str | None:
        """Return the value of an option as it is given here; None where it is not."""
        for override in reversed(self.parsed.overrides):
            key, separator, value = override.partition("=")
            if separator and key.lstrip("+") == name:
                return str(value)
        return None


def read_flags(arguments: Sequence[str]) -> Flags:
    """Read a command line.

    Args:
        arguments: Without the program's name.

    Raises:
        RequestError: A flag is unknown, or cannot be used with the others.
    """
    parser = _parser()
    parsed, unknown = parser.parse_known_intermixed_args(arguments)
    if unknown:
        dashed = [text for text in unknown if text.startswith("-")] or unknown
        raise RequestError([_unknown_flag(parser, text, arguments) for text in dashed])
    flags = Flags(parser, parsed)
    if flags.given("resume") not in (None, "null") and not flags.only_shows:
        parsed.multirun = True  # the points come from the manifest of the sweep
    for name in ("package", "resolve"):
        if getattr(parsed, name) and not parsed.cfg:
            raise RequestError([f"--{name}: goes with --cfg only"])
    return flags


def _unknown_flag(parser: ArgumentParser, given: str, arguments: Sequence[str]) -> str:
    """Return a sentence for an argument that is no flag, with the option or the flag that may be meant."""
    from l2sweep.config.reference import every_option  # imports pydantic, which a run does later

    dashed, separator, value = given.partition("=")
    name = dashed.lstrip("-").replace("-", "_")
    options = {option.name: option.default for option in every_option()}
    if name in options:
        following = arguments[arguments.index(given) + 1 :] if given in arguments else []
        if not separator and following and not following[0].startswith("-") and "=" not in following[0]:
            value = following[0]
        value = shown(value) or ("true" if options[name] is False else "...")
        return f"{shown(given)}: no such flag; an option is given without dashes: {name}={value}"
    flags = [text for action in parser._actions for text in action.option_strings if len(text) > 2]
    meant = difflib.get_close_matches(dashed, flags, n=1, cutoff=0.75)
    meant += [f"{one}=..." for one in difflib.get_close_matches(name, list(options), n=1, cutoff=0.75)]
    if meant:
        return f"{shown(given)}: no such flag; did you mean {meant[0]}?"
    return f"{shown(given)}: no such flag; see --help"


def _parser() -> ArgumentParser:
    parser = _OneLineParser(prog="l2sweep", add_help=False)
    add = parser.add_argument
    add("overrides", nargs="*", help="options: name=value")
    add("--help", "-h", action="store_true", help="explain the options")
    add("--help-all", action="store_true", help="explain all options, including rarely used ones")
    add("--version", action="version", version=f"l2sweep {__version__}", help="print the version")
    one_of = parser.add_mutually_exclusive_group().add_argument
    one_of("--multirun", "-m", action="store_true", help="run a sweep: every combination of the given values")
    one_of("--run", "-r", action="store_true", help="run a single point, which is the default")
    add("--config-dir", "-cd", help="a folder with your own experiments and other config groups")
    add("--config-path", "-cp", help="a folder to use instead of the configuration that l2sweep ships")
    add("--config-name", "-cn", help="a file to use instead of config.yaml")
    one_of("--cfg", "-c", choices=["job", "hydra", "all"], help="print the composed configuration")
    add("--resolve", action="store_true", help="with --cfg: resolve interpolations")
    add("--package", "-p", help="with --cfg: print this part only")
    one_of(
        *("--info", "-i"),
        nargs="?",
        const="all",
        choices=["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"],
        help="print how Hydra finds the configuration",
    )
    one_of("--shell-completion", "-sc", action="store_true", help=_COMPLETION_HELP)
    add("--hydra-help", action="store_true", help="explain Hydra's own flags")
    return parser
