"""``l2sweep doctor``: examine one adapter, and name the cause if it does not work."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import click

from l2sweep.cli.command_group import CommandContext
from l2sweep.cli.commands.doctor.arguments import override_problems
from l2sweep.errors import RequestError, printable

if TYPE_CHECKING:
    from l2sweep.sweep.doctor.steps import Diagnosis, Step

# Hydra and pydantic are imported after the fork server has started, while it imports torch.


@click.command()
@click.option("--config-dir", metavar="FOLDER", help="Folder with your own adapters and other config groups.")
@click.option(
    *("--format", "output_format"),
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the result is printed.",
)
@click.argument("overrides", nargs=-1, metavar="[NAME=VALUE ...]")
@click.pass_obj
def command(
    context: CommandContext, config_dir: str | None, output_format: str, overrides: tuple[str, ...]
) -> int:
    """Examine one adapter with 4 keys, and name the cause if it does not work.

    The arguments are options of a point: adapter=NAME, adapter.FIELD=VALUE, adapter_json=..., data_size_kb=N.
    The server is asked first. Then a process stores, finds and loads the keys and checks every byte, another
    process finds and deletes them, and a lookup proves that they are gone. Nothing is recorded.

    Exit codes: 0 everything that can be checked works, 1 something failed, 2 a wrong request and nothing was
    run, 130 stopped.

    \b
    Examples:
      l2sweep doctor
      l2sweep doctor adapter=fs_native +adapter.use_odirect=true adapter.base_path=/mnt/nvme/kv
      l2sweep doctor adapter=resp adapter.host=127.0.0.1 +adapter.password='${secret:REDIS_PASSWORD}'
    """
    if problems := override_problems(overrides):
        raise RequestError(problems)
    from l2sweep.process.starter import ProcessStarter
    from l2sweep.sweep.state.host_lock import holder, host_lock

    with contextlib.ExitStack() as held:
        starter = context.starter or held.enter_context(ProcessStarter("auto"))
        if not holder():
            starter.start_server()
        from l2sweep.cli.flags import read_flags
        from l2sweep.cli.hydra_app.launch import composed_point
        from l2sweep.sweep.doctor.examination import examine, small_point
        from l2sweep.sweep.doctor.request import point_problems
        from l2sweep.sweep.doctor.service import served

        flags = read_flags([*([] if config_dir is None else [f"--config-dir={config_dir}"]), *overrides])
        sweep, point = composed_point(flags)
        point = small_point(point)
        if problems := point_problems(sweep, point):
            raise RequestError(problems)
        starter.isolation = sweep.isolation
        held.enter_context(host_lock(sweep.lock, "doctor"))
        point = held.enter_context(served(point, sweep.scratch_dir))
        diagnosis = examine(point, starter.start, _print_step if output_format == "text" else lambda _: None)
    print(_as_json(diagnosis) if output_format == "json" else printable(diagnosis.verdict))
    return diagnosis.exit_code


def _print_step(step: Step) -> None:
    """Print a step as soon as it is known: one that hangs takes its time limit."""
    print(printable(f"{step.name + ':':27}{step.outcome:13}{step.seen}"), flush=True)


def _as_json(diagnosis: Diagnosis) -> str:
    values = {
        "adapter": diagnosis.adapter,
        "steps": [
            {"name": step.name, "outcome": step.outcome, "seen": step.seen} for step in diagnosis.steps
        ],
        "verdict": diagnosis.verdict,
        "exit_code": diagnosis.exit_code,
    }
    return json.dumps(values, indent=2, ensure_ascii=False)
