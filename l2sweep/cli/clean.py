"""``python -m l2sweep clean``: remove the keys of runs that died, also those with ``keep_data=true``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass
from rich.text import Text

from l2sweep.cli.arguments import read_arguments
from l2sweep.config.adapter.spec import ENVIRONMENT_VARIABLE, choose_spec
from l2sweep.config.options import STRICT, PathText, option
from l2sweep.config.sweep import SWEEP_ID, SweepId
from l2sweep.errors import RequestError, collected, printable, shown
from l2sweep.process.starter import ProcessStarter
from l2sweep.sweep.checks.foreign_folders import require_own_folders
from l2sweep.sweep.checks.interpreter import interpreter_problems
from l2sweep.sweep.state.host_lock import host_lock
from l2sweep.sweep.state.leftovers import leftovers, remove_leftovers
from l2sweep.sweep.terminal.console import make_console


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CleanOptions:
    """The options of ``clean``."""

    results_dir: PathText = option("results", "folder of the records", allowed="a path")
    sweep_id: SweepId | None = option(
        None, "only the keys of this sweep; null: of all sweeps", allowed=f"{SWEEP_ID}, or null"
    )
    adapter_json: PathText | None = option(
        None,
        "the adapter's spec, if it has credentials or is a plugin; or in L2_ADAPTER_JSON",
        allowed="a JSON object with a type, or null",
    )
    python: PathText | None = option(
        None, "the interpreter of the run that died, if it was not this one", allowed="a path, or null"
    )


def run_clean(arguments: Sequence[str], starter: ProcessStarter | None = None) -> int:
    """Remove the keys of runs that died, and print a sentence for each of them.

    Args:
        arguments: The arguments after ``clean``.
        starter: Starts the benchmark processes; None: one that ends with the command.

    Returns:
        0 if nothing is left, otherwise 1.

    Raises:
        RequestError: An argument is wrong.
        HostBusyError: A sweep runs on this host.
    """
    options = read_arguments("clean", CleanOptions, arguments)
    if not (Path(options.results_dir) / "sweeps").is_dir():
        raise RequestError([f"clean: results_dir={shown(options.results_dir)}: contains no sweep"])
    sweep_id = options.sweep_id
    if sweep_id is not None and not (Path(options.results_dir) / "sweeps" / sweep_id).is_dir():
        known = f"the id of a sweep in {shown(options.results_dir)}, or null"
        raise RequestError([f"clean: sweep_id={sweep_id}: must be {known}"])
    if unusable := interpreter_problems([options.python]):
        raise RequestError([f"clean: {problem}" for problem in unusable])
    require_own_folders(options.results_dir)
    specs = _specs(options)
    console = make_console(quiet=False)
    with contextlib.ExitStack() as held:
        held.enter_context(host_lock("fail", "clean"))
        if starter is None:
            starter = held.enter_context(ProcessStarter("auto"))
        sentences = remove_leftovers(
            options.results_dir,
            starter.start,
            specs,
            (None, options.python),
            remove_kept=True,
            sweep_id=sweep_id,
        )
    for sentence in sentences or ["no keys of runs that died were found"]:
        console.print(Text(printable(sentence)), soft_wrap=True)
    left, _ = leftovers(options.results_dir)
    return int(any(sweep_id in (None, file.parent.name) for file in left))


def _specs(options: CleanOptions) -> list[dict[str, Any]]:
    text = options.adapter_json or os.environ.get(ENVIRONMENT_VARIABLE)
    if not text:
        return []
    problems: list[str] = []
    with collected(problems):
        return [choose_spec(None, text, (), {}, "")]
    raise RequestError([f"clean: {problem}" for problem in problems])
