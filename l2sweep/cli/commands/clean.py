"""``l2sweep clean``: remove the keys of runs that died, also those with ``keep_data=true``."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from l2sweep.cli.command_group import CommandContext
from l2sweep.cli.command_options import results_dir_option
from l2sweep.config.adapter.spec import ENVIRONMENT_VARIABLE, choose_spec
from l2sweep.errors import RequestError, collected, printable, shown
from l2sweep.process.starter import ProcessStarter
from l2sweep.records.store.address import local_folder
from l2sweep.records.trusted_files import is_sweep_id
from l2sweep.sweep.checks.foreign_folders import require_own_folders
from l2sweep.sweep.checks.interpreter import interpreter_problems
from l2sweep.sweep.state.host_lock import host_lock
from l2sweep.sweep.state.leftovers import leftovers, remove_leftovers
from l2sweep.sweep.terminal.console import make_console


@click.command()
@results_dir_option
@click.option("--sweep-id", metavar="ID", help="Only the keys of this sweep. Default: of all sweeps.")
@click.option(
    "--adapter-json",
    metavar="JSON",
    help="The adapter's spec, if it has credentials or is a plugin. Also $L2_ADAPTER_JSON.",
)
@click.option(
    "--python", metavar="PATH", help="The interpreter of the run that died, if it was not this one."
)
@click.pass_obj
def command(
    context: CommandContext,
    results_dir: str,
    sweep_id: str | None,
    adapter_json: str | None,
    python: str | None,
) -> int:
    """Remove the keys of runs that died, also those with keep_data=true. The exit code is 1 if keys are left.

    \b
    Examples:
      l2sweep clean --results-dir results
      l2sweep clean --sweep-id 20261124T202015Z-3af8
    """
    results_dir = str(local_folder(results_dir))  # journals stay on the machine that ran the sweep
    if not (Path(results_dir) / "sweeps").is_dir():
        raise RequestError([f"clean: --results-dir {shown(results_dir)}: contains no sweep"])
    if sweep_id is not None and not _is_sweep_of(results_dir, sweep_id):
        raise RequestError(
            [f"clean: --sweep-id {shown(sweep_id)}: must be the id of a sweep in {shown(results_dir)}"]
        )
    if unusable := interpreter_problems([python]):
        raise RequestError([f"clean: --{problem.replace('python=', 'python ', 1)}" for problem in unusable])
    require_own_folders(results_dir)
    specs = _specs(adapter_json)
    console = make_console(quiet=False)
    with contextlib.ExitStack() as held:
        held.enter_context(host_lock("fail", "clean"))
        starter = context.starter or held.enter_context(ProcessStarter("auto"))
        sentences = remove_leftovers(
            results_dir,
            starter.start,
            specs,
            (None, python),
            remove_kept=True,
            sweep_id=sweep_id,
        )
    for sentence in sentences or ["no keys of runs that died were found"]:
        console.print(Text(printable(sentence)), soft_wrap=True)
    left, _ = leftovers(results_dir)
    return int(any(sweep_id in (None, file.parent.name) for file in left))


def _is_sweep_of(results_dir: str, sweep_id: str) -> bool:
    return is_sweep_id(sweep_id) and (Path(results_dir) / "sweeps" / sweep_id).is_dir()


def _specs(adapter_json: str | None) -> list[dict[str, Any]]:
    text = adapter_json or os.environ.get(ENVIRONMENT_VARIABLE)
    if not text:
        return []
    problems: list[str] = []
    with collected(problems):
        return [choose_spec(None, text, (), {}, "")]
    raise RequestError([f"clean: {problem}" for problem in problems])
