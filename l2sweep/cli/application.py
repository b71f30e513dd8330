"""The l2sweep command: chooses what to run, and turns every error into one line and an exit code."""

from __future__ import annotations

import difflib
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from l2sweep import credentials, interrupts
from l2sweep.errors import STOPPED, BenchError, RequestError, printable
from l2sweep.sweep.terminal.console import guarded_streams

if TYPE_CHECKING:
    from l2sweep.process.starter import ProcessStarter

_BARE_WORD = re.compile(r"[A-Za-z][\w-]*")
# Everything else is imported after the interrupts are handled: an import can take a second.


def main(arguments: Sequence[str] | None = None, starter: ProcessStarter | None = None) -> int:
    """Run a command line and return its exit code.

    Args:
        arguments: Without the program's name; None: this process's own.
        starter: Starts the benchmark processes; None: one that ends with the command.
    """
    with interrupts.handled(), guarded_streams() as output:
        try:
            exit_code = _run_explained(sys.argv[1:] if arguments is None else arguments, starter)
        except KeyboardInterrupt:
            return STOPPED if interrupts.hurried() else _say("stopped by the user", STOPPED)
        except SystemExit as ended:
            exit_code = ended.code if isinstance(ended.code, int) else 0
        output.flush()
        if output.is_product and output.is_lost and not exit_code:
            return BenchError.exit_code  # the output was what the command is for, and it is not complete
        return exit_code


def _run_explained(arguments: Sequence[str], starter: ProcessStarter | None) -> int:
    """Run a command line; an error becomes one line without credentials."""
    if instruction := os.environ.get("_L2SWEEP_COMPLETE"):  # the shell asks what could be typed next
        from l2sweep.cli.command_group import complete

        return complete(instruction)
    from l2sweep.cli.flags import FULL_ERROR
    from l2sweep.config.adapter.spec import ENVIRONMENT_VARIABLE, quote_json_override

    secrets: set[str] = set()
    for text in (*arguments, os.environ.get(ENVIRONMENT_VARIABLE, "")):
        secrets |= credentials.secrets_in_text(text)
    credentials.hide_from_process_list(secrets)  # first: other users can read the process list at any moment
    arguments = [quote_json_override(argument) for argument in arguments]
    secrets = secrets.union(*map(credentials.secrets_in_text, arguments))
    from l2sweep.cli.warned import warnings_as_lines

    wants_traceback = os.environ.get(FULL_ERROR) == "1"
    try:
        with warnings_as_lines(secrets):
            return _run(arguments, secrets, starter)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as raised:
        error: BaseException = getattr(raised, "error", raised)  # the error that a PastHydraError carries
        if wants_traceback:
            trace = "".join(traceback.format_exception(error))
            sys.stderr.write(credentials.scrub(trace, secrets))
        from l2sweep.cli.explain import explain

        line, exit_code = explain(error, arguments)
        return _say(credentials.scrub(line, secrets), exit_code)


def _run(arguments: Sequence[str], secrets: set[str], starter: ProcessStarter | None) -> int:
    if arguments and _BARE_WORD.fullmatch(arguments[0]):
        from l2sweep.cli.command_group import COMMANDS, run_command

        if arguments[0] in COMMANDS:
            return run_command(arguments, starter)
        raise RequestError([_unknown_command(arguments[0], COMMANDS)])
    from l2sweep.cli.sweep import run_sweep_command

    return run_sweep_command(arguments, secrets, starter)


def _unknown_command(word: str, commands: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(commands), n=1)
    suggestion = f"; did you mean {close[0]}?" if close else ""
    return f"{word}: must be a command ({', '.join(commands)}) or an option (name=value){suggestion}"


def _say(line: str, exit_code: int) -> int:
    print(f"l2sweep: {printable(line)}", file=sys.stderr)
    return exit_code
