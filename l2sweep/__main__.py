"""``python -m l2sweep``: the Hydra application, with one clear line for everything that goes wrong."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from l2sweep import __version__, adapter_spec, credentials, interrupts
from l2sweep.errors import STOPPED, L2SweepError, RequestError
from l2sweep.options import printable

if TYPE_CHECKING:
    from omegaconf import DictConfig

_FULL_ERROR = "HYDRA_FULL_ERROR"


def main() -> NoReturn:
    """Run what the command line asks for and leave with its exit code."""
    try:
        interrupts.heed(functools.partial(_leave, "stopped by the user", STOPPED))
        _main()
    except KeyboardInterrupt:
        _leave("stopped by the user", STOPPED)


def _main() -> NoReturn:
    secrets: set[str] = set()
    for text in (*sys.argv[1:], os.environ.get(adapter_spec.ENVIRONMENT_VARIABLE, "")):
        secrets |= credentials.secrets_in_text(text)
    credentials.hide_from_process_list(secrets)  # first of all: others may look at any moment
    arguments = [adapter_spec.quote_json_override(argument) for argument in sys.argv[1:]]
    secrets = secrets.union(*map(credentials.secrets_in_text, arguments))
    wants_traceback = os.environ.get(_FULL_ERROR) == "1"
    try:
        if arguments[:1] == ["status"]:
            _status(arguments[1:])
        elif arguments[:1] == ["night"]:
            _night(arguments[1:])
        else:
            _run(arguments, secrets)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as raised:
        error: BaseException = getattr(raised, "error", raised)  # what a PastHydraError carries
        if wants_traceback:
            trace = "".join(traceback.format_exception(error))
            sys.stderr.write(credentials.scrub(trace, secrets))
        line, exit_code = _explain(error, arguments)
        _leave(credentials.scrub(line, secrets), exit_code)
    sys.exit(0)


def _run(arguments: Sequence[str], secrets: set[str]) -> None:
    from l2sweep.sweep.isolation import begin_early

    begin_early(arguments)
    from hydra import version
    from hydra._internal.utils import _run_hydra

    from l2sweep.hydra_app import PastHydraError, config_folder, register_resolvers, run_single
    from l2sweep.sweep.ongoing import this_sweep

    def task(config: DictConfig) -> None:
        try:
            run_single(config)
        except Exception as error:
            raise PastHydraError(error) from error

    parser = _parser()
    parsed = parser.parse_intermixed_args(arguments)
    if any(argument.startswith("resume=") for argument in arguments) and "resume=null" not in arguments:
        parsed.multirun = True  # only sweeps can be resumed
    if parsed.experimental_rerun:
        raise RequestError(
            [f"--experimental-rerun={parsed.experimental_rerun}: not supported; give the options again"]
        )
    if parsed.package and not parsed.cfg:
        raise RequestError(["--package: goes with --cfg only"])
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
    if exit_code := this_sweep().exit_code:
        raise SystemExit(exit_code)


def _status(arguments: Sequence[str]) -> None:
    from l2sweep.sweep.output import make_console
    from l2sweep.sweep.status import print_status

    if len(arguments) > 1:
        raise RequestError([f"status: takes one folder, not {' '.join(arguments)}"])
    print_status(make_console(quiet=False), *(arguments or ["results"]))


def _night(arguments: Sequence[str]) -> None:
    from l2sweep.night_command import print_night, read_night_request

    print_night(read_night_request(arguments))


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


def _explain(error: BaseException, arguments: Sequence[str]) -> tuple[str, int]:
    """Return one line for an error, and the exit code that it means."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, L2SweepError):
        return str(error), error.exit_code
    is_theirs = isinstance(error, (HydraException, OmegaConfBaseException))
    if is_theirs or _raised_in(error).startswith(("hydra.", "omegaconf.", "yaml.")):
        return _explain_composition(error, arguments), RequestError.exit_code
    text = _one_line(str(error))
    if _raised_in(error).startswith(("optuna.", "hydra_plugins.")):
        from l2sweep.sweep.ongoing import this_sweep

        return f"hydra/sweeper: {text}", 1 if this_sweep().has_begun else RequestError.exit_code
    return f"internal error: {type(error).__name__}: {text} ({_FULL_ERROR}=1 shows where)", 1


def _explain_composition(error: BaseException, arguments: Sequence[str]) -> str:
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
    line = _one_line(text)
    if key := re.search(r"full_key: (\S+)", text):
        return f"{key[1]}: {line}"
    names = [argument.partition("=")[0].lstrip("+~") for argument in arguments]
    named = any(name and name in line for name in names)
    return line if named or not arguments else f"{line} (given: {' '.join(arguments)})"


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
    print(f"l2sweep: {printable(line)}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
