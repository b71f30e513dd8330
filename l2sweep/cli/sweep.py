"""The Hydra application: measures a point or a sweep, or shows the configuration."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from l2sweep import credentials
from l2sweep.cli.flags import Flags, read_flags
from l2sweep.errors import BenchError, RequestError
from l2sweep.process.starter import ProcessStarter
from l2sweep.sweep.state.host_lock import holder

if TYPE_CHECKING:
    from l2sweep.sweep.session import SweepSession

# Hydra, pydantic and pyarrow are imported after the fork server has started, while it imports torch.


def run_sweep_command(
    arguments: Sequence[str], secrets: set[str], starter: ProcessStarter | None = None
) -> int:
    """Run the Hydra application and return its exit code.

    Args:
        arguments: The command line.
        secrets: Texts that must not be shown.
        starter: Starts the benchmark processes; None: one that ends with the command.

    Raises:
        L2SweepError: The request is wrong, or a point could not be run or recorded.
    """
    flags = read_flags(arguments)
    if _shown_without_hydra(flags):
        return 0
    with contextlib.ExitStack() as held:
        if starter is None:
            starter = held.enter_context(ProcessStarter("auto"))
        if _will_measure(flags) and not holder():
            starter.start_server()
        from l2sweep.sweep.session import SweepSession

        with SweepSession(starter) as session:
            _run_hydra(flags, secrets, session)
        _make_page(session)  # after the locks were released: the page measures nothing
        return session.exit_code


def _make_page(session: SweepSession) -> None:
    """Make the page of a sweep of several points that has ended by itself, where one is asked for."""
    sweep, manifest = session.sweep, session.manifest
    if sweep is None or manifest is None or not sweep.report or not session.has_run_to_end:
        return
    if len({entry["point_id"] for entry in manifest.points}) > 1:
        from l2sweep.cli.report.writing import write_page_of_sweep

        write_page_of_sweep(sweep)
        _upload_page(session)


def _upload_page(session: SweepSession) -> None:
    """Upload the page of a sweep whose records are in a store already."""
    upload = session.upload
    if upload is None or upload.problem:
        return
    from l2sweep.sweep.upload.pending import upload_pending

    for one in upload_pending(upload.address, lambda sweep_id: sweep_id == upload.sweep_id):
        if one.problem:
            session.note(BenchError.exit_code)
            print(one.sentence(upload.address), file=sys.stderr)


def _shown_without_hydra(flags: Flags) -> bool:
    """Print the help or the completion script where one is asked for; return whether one was."""
    if flags.asks_for_help:
        from l2sweep.cli.help import print_help
        from l2sweep.config.shipped import config_folder

        own = [Path(flags.parsed.config_dir)] if flags.parsed.config_dir else []
        print_help(flags.parser, [config_folder(), *own], rare=flags.parsed.help_all)
        return True
    if flags.parsed.shell_completion:
        from l2sweep.cli.completion import completion_script

        if script := completion_script(" ".join(flags.parsed.overrides)):
            print(script, end="")
            return True
    return False


def _run_hydra(flags: Flags, secrets: set[str], session: SweepSession) -> None:
    from l2sweep.cli.explain import is_of_a_search
    from l2sweep.cli.hydra_app.configuration import register_resolvers
    from l2sweep.cli.hydra_app.launch import launch_point
    from l2sweep.cli.hydra_app.private import run_hydra

    register_resolvers(session.new_sweep_id)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed) if flags.only_shows else contextlib.nullcontext():
            run_hydra(flags, launch_point)
    except Exception as error:
        if not is_of_a_search(error):
            raise
        text = f"hydra/sweeper: {error}"
        raise (RequestError([text]) if session.manifest is None else BenchError(text)) from error
    finally:
        if text := printed.getvalue():
            sys.stdout.write(credentials.scrub(credentials.redact_text(text), secrets))
        session.finish()


def _will_measure(flags: Flags) -> bool:
    """Whether a request, as far as its command line tells, starts processes from the fork server."""
    return (
        not flags.only_shows
        and flags.given("dry_run") != "true"
        and flags.given("isolation") != "spawn"
        and flags.given("python") in (None, "null")
        and flags.given("release") in (None, "null")
    )
