"""``python -m l2sweep``: the Hydra application, with one clear line for everything that goes wrong."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from l2sweep import __version__, adapter_spec, credentials
from l2sweep.errors import L2SweepError, RequestError

if TYPE_CHECKING:
    from omegaconf import DictConfig

_FULL_ERROR = "HYDRA_FULL_ERROR"
_STOPPED = 130


def main() -> NoReturn:
    """Run what the command line asks for and leave with its exit code."""
    arguments = [adapter_spec.quote_json_override(argument) for argument in sys.argv[1:]]
    secrets: set[str] = set()
    for text in (*arguments, os.environ.get(adapter_spec.ENVIRONMENT_VARIABLE, "")):
        secrets |= credentials.secrets_in_text(text)
    credentials.hide_from_process_list(secrets)
    wants_traceback = os.environ.get(_FULL_ERROR) == "1"
    try:
        _run(arguments, secrets)
    except SystemExit:
        raise
    except KeyboardInterrupt:
        _leave("stopped by the user", _STOPPED)
    except BaseException as raised:
        error = raised.error if isinstance(raised, _PastHydraError) else raised
        if wants_traceback:
            traceback.print_exception(error)
        line, exit_code = _explain(error)
        _leave(credentials.scrub(line, secrets | credentials.secrets_in_text(line)), exit_code)
    sys.exit(0)


class _PastHydraError(BaseException):
    """Carries an error of a single run past Hydra, which would print the overrides before passing it on."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _run(arguments: Sequence[str], secrets: set[str]) -> None:
    from hydra import version
    from hydra._internal.utils import _run_hydra

    from l2sweep.hydra_app import config_folder, register_resolvers, run_single

    def task(config: DictConfig) -> None:
        try:
            run_single(config)
        except Exception as error:
            raise _PastHydraError(error) from error

    parser = _parser()
    parsed = parser.parse_args(arguments)
    os.environ[_FULL_ERROR] = "1"  # Hydra passes every error on; what a person sees of it is ours to say
    version.setbase("1.3")
    register_resolvers()
    shown = io.StringIO()
    shows = parsed.help or parsed.hydra_help or parsed.cfg or parsed.info
    try:
        with contextlib.redirect_stdout(shown) if shows else contextlib.nullcontext():
            _run_hydra(parsed, parser, task, str(config_folder()), "config")
    finally:
        text = shown.getvalue()
        sys.stdout.write(credentials.scrub(text, secrets | credentials.secrets_in_text(text)))


def _parser() -> ArgumentParser:
    from hydra._internal.utils import get_args_parser

    class OneLineParser(ArgumentParser):
        """Says what is wrong in one line, as the rest of l2sweep does."""

        def error(self, message: str) -> NoReturn:
            raise RequestError([f"{message}; see --help"])

    parser = get_args_parser()
    parser.__class__ = OneLineParser
    parser.prog = "l2sweep"
    for action in parser._actions:
        if "--version" in action.option_strings:
            action.version = f"l2sweep {__version__}"  # type: ignore[attr-defined]
    return parser


def _explain(error: BaseException) -> tuple[str, int]:
    """Return one line for an error, and the exit code that it means."""
    if isinstance(error, L2SweepError):
        return str(error), error.exit_code
    if _raised_in(error).startswith(("hydra.", "omegaconf.")):
        return _explain_composition(error), RequestError.exit_code
    text = _one_line(str(error))
    return f"internal error: {type(error).__name__}: {text} ({_FULL_ERROR}=1 shows where)", 1


def _explain_composition(error: BaseException) -> str:
    """Say in l2sweep's words what Hydra could not make a configuration of."""
    from hydra.errors import MissingConfigException, OverrideParseException

    text = str(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be read; an option is name=value, a text with signs in it is quoted"
    if isinstance(error, MissingConfigException) and error.options:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={choice}: no such choice; there are {', '.join(error.options)}"
    if unknown := re.match(r"Could not override '([^']+)'\.", text):
        return f"{unknown[1]}: no such option (--help lists them; +{unknown[1]}=... adds a field)"
    if ambiguous := re.match(r"Ambiguous value for argument '([^']*)'", text):
        return f"{ambiguous[1]}: several values need a sweep: add -m"
    return _one_line(text)


def _raised_in(error: BaseException) -> str:
    """Return the name of the module that raised an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__", "")) if trace is not None else ""


def _one_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return "; ".join(line for line in lines if line and not line.startswith(("full_key:", "object_type=")))


def _leave(line: str, exit_code: int) -> NoReturn:
    print(f"l2sweep: {line}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
