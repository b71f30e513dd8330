"""``--help`` and ``--help-all``: the options, the config groups and the flags, without importing Hydra."""

from __future__ import annotations

import textwrap
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from l2sweep.cli.command_group import COMMANDS
from l2sweep.config.reference import help_text

_WIDTH = 110
_HEADER = """\
l2sweep measures LMCache's L2 adapters: store, lookup and load, each measured round a row of Parquet.

  l2sweep                                  measure one point with the defaults
  l2sweep -m num_keys=8,32,128             measure a sweep: each point in a process of its own
  l2sweep -m num_keys=8,32 dry_run=true    print the plan of a sweep
  l2sweep resume=latest                    continue a sweep that was stopped or killed

Commands (l2sweep COMMAND --help explains one):
{commands}

`python -m l2sweep` is the same command. An option is name=value; -m takes several values: name=1,2,3.
+adapter.FIELD=VALUE adds a field to the adapter's spec."""

_NO_GROUPS = ("gpu",)
"""Folders of the configuration that a command reads, and no run."""
_FOOTER = """\
Exit codes: 0 everything was measured; 1 something failed; 2 the request is wrong and nothing was run;
130 stopped. HYDRA_FULL_ERROR=1 shows the traceback behind an error."""


def print_help(parser: ArgumentParser, folders: Iterable[Path], *, rare: bool) -> None:
    """Print the help.

    Args:
        parser: Knows the flags.
        folders: Folders of the configuration, whose config groups are listed.
        rare: Whether rarely used options are explained as well.
    """
    commands = "\n".join(f"  {name:14}{what}" for name, what in COMMANDS.items())
    print(_HEADER.format(commands=commands))
    print(help_text(rare=rare))
    print("\nConfig groups (group=choice):")
    for group, choices in _groups(folders).items():
        line = f"  {group:14}{', '.join(choices)}"
        print(textwrap.fill(line, _WIDTH, subsequent_indent=" " * 16, break_on_hyphens=False))
    print("\nFlags:")
    for action in parser._actions:
        if action.option_strings:
            print(f"  {', '.join(action.option_strings):26}{action.help}")
    if not rare:
        print("\n--help-all explains the rarely used options as well.")
    print(f"\n{_FOOTER}")


def _groups(folders: Iterable[Path]) -> dict[str, list[str]]:
    """Return the choices of each config group: its files."""
    choices: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        for file in folder.glob("*/*.yaml"):
            if file.parent.name not in _NO_GROUPS:
                choices[file.parent.name].add(file.stem)
    return {group: sorted(names) for group, names in sorted(choices.items())}
