"""The commands beside a run, such as ``l2sweep summary``: found, completed, and run by click.

The module of a command is imported when the command is used. So each command answers at once, whatever the
others import.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click.shell_completion import shell_complete

from l2sweep.errors import BenchError, RequestError, shown

if TYPE_CHECKING:
    from l2sweep.process.starter import ProcessStarter

COMMANDS = {
    "summary": "print the table of results of recorded sweeps",
    "compare": "tell whether a sweep is slower than others",
    "doctor": "examine one adapter with a few keys, and name the cause if it does not work",
    "tune": "recommend settings, and say whether the device or LMCache limits them",
    "breakeven": "tell from which prompt length on loading is faster than computing",
    "report": "write a page about sweeps, with its figures and its data",
    "fleet": "tell which hosts of a fleet are slow, and how their environment differs",
    "history": "show since when a point is slower or faster, and what changed there",
    "adapters": "list the adapter types of LMCache: usable or what is missing, and what is known of each",
    "envs": "add, list and remove environments with other releases of LMCache",
    "list": "list the recorded sweeps: name, date, points, adapters, size, verdict",
    "status": "list the sweeps of a results folder, and show which one is running",
    "compact": "replace the files of old sweeps by one file in each data set",
    "remove": "remove sweeps with their records, logs and plan",
    "clean": "remove the keys that runs left when they died",
    "worker": "take part in a sweep that several hosts measure",
    "upload": "upload what sweeps left on this machine, because their store was away",
    "nightly": "run the nightly sweep, and print what is a problem",
    "night": "summarise a nightly sweep, and remove old nights",
}
"""Name of each command, and what it does."""
_ELSEWHERE = {"envs": "l2sweep.cli.envs.command", "worker": "l2sweep.cli.cluster.worker"}
"""Modules of commands outside the folder ``commands``."""
COMPLETION_VARIABLE = "_L2SWEEP_COMPLETE"
"""Environment variable with which the shell asks click for completions: ``bash_complete``."""


@dataclass(frozen=True)
class CommandContext:
    """What a command gets from the application.

    Attributes:
        starter: Starts the benchmark processes; None: one that ends with the command.
    """

    starter: ProcessStarter | None = None


def command_named(name: str) -> click.Command:
    """Import a command.

    Args:
        name: A name in ``COMMANDS``.
    """
    module = importlib.import_module(_ELSEWHERE.get(name, f"l2sweep.cli.commands.{name}"))
    command: click.Command = module.command
    return command


class _Commands(click.Group):
    """The group of all commands. It imports the module of a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return command_named(cmd_name)


_GROUP = _Commands("l2sweep")


def run_command(arguments: Sequence[str], starter: ProcessStarter | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: The command line; the first argument is a name in ``COMMANDS``.
        starter: Starts the benchmark processes; None: one that ends with the command.

    Raises:
        RequestError: An argument is wrong.
        L2SweepError: The command failed.
        KeyboardInterrupt: The user asked to stop.
    """
    from l2sweep.records.reading.without_pandas import keep_pandas_out

    name = arguments[0]
    keep_pandas_out()
    try:
        exit_code = _GROUP.main(
            list(arguments), prog_name="l2sweep", standalone_mode=False, obj=CommandContext(starter)
        )
    except click.UsageError as error:
        raise RequestError([f"{name}: {_explained(error, arguments)}"]) from error
    except click.Abort as aborted:
        if isinstance(aborted.__cause__, KeyboardInterrupt):  # click replaces it
            raise KeyboardInterrupt from None
        # A question was answered with Ctrl-C, or standard input has ended.
        raise BenchError(f"{name}: not confirmed") from None
    return int(exit_code or 0)


def complete(instruction: str) -> int:
    """Answer the shell's request for a completion and return the exit code.

    Args:
        instruction: Value of the variable ``COMPLETION_VARIABLE``.
    """
    return shell_complete(_GROUP, {}, "l2sweep", COMPLETION_VARIABLE, instruction)


def _explained(error: click.UsageError, arguments: Sequence[str]) -> str:
    """Return one line that names the option, its value and what is allowed."""
    text = error.format_message().strip().rstrip(".")
    if isinstance(error, click.NoSuchOption):
        meant = f"; did you mean {' or '.join(error.possibilities)}?" if error.possibilities else ""
        return f"{shown(error.option_name)}: no such option{meant}; see --help"
    if isinstance(error, click.BadParameter) and error.param is not None:
        option = max(error.param.opts, key=len)
        place = option if option.startswith("-") else error.param.human_readable_name
        if isinstance(error, click.MissingParameter):
            return f"{place}: must be given; see --help"
        return f"{place}: {shown(error.message.strip().rstrip('.'))}"
    if error.ctx is not None and (hint := _as_option(error.ctx.command, arguments)):
        return hint
    return f"{shown(text[:1].lower() + text[1:])}; see --help"


def _as_option(command: click.Command, arguments: Sequence[str]) -> str:
    """Return a hint for ``name=value``, which is how a run takes its options; empty where none is given."""
    options = {max(param.opts, key=len): param for param in command.params if isinstance(param, click.Option)}
    for argument in arguments[1:]:
        name, separator, value = argument.partition("=")
        if not separator or name.startswith("-"):
            continue
        close = difflib.get_close_matches(f"--{name.replace('_', '-')}", options, n=1)
        if close:
            is_flag = getattr(options[close[0]], "is_flag", False)
            example = close[0] if is_flag else f"{close[0]} {shown(value)}"
            return f"{shown(argument)}: an option of a command is given with dashes: {example}"
    return ""
