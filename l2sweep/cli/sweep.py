"""The Hydra application: measures a point or a sweep, or shows the configuration."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence

from l2sweep import credentials
from l2sweep.cli.flags import Flags, read_flags
from l2sweep.errors import BenchError, RequestError
from l2sweep.process.starter import ProcessStarter
from l2sweep.sweep.host_lock import holder
from l2sweep.sweep.session import SweepSession, open_session


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
    with open_session(starter) as session:
        if _will_measure(flags) and not holder():
            session.starter.start_server()  # it imports torch and LMCache while Hydra composes
        _run_hydra(flags, secrets, session)
        return session.exit_code


def _run_hydra(flags: Flags, secrets: set[str], session: SweepSession) -> None:
    from l2sweep.cli.explain import is_of_a_search
    from l2sweep.cli.hydra_app.configuration import register_resolvers
    from l2sweep.cli.hydra_app.launch import launch_point
    from l2sweep.cli.hydra_app.private import run_hydra

    register_resolvers(session.new_sweep_id)
    shown = io.StringIO()
    try:
        with contextlib.redirect_stdout(shown) if flags.only_shows else contextlib.nullcontext():
            run_hydra(flags, launch_point)
    except Exception as error:
        if not is_of_a_search(error):
            raise
        text = f"hydra/sweeper: {error}"
        raise (RequestError([text]) if session.manifest is None else BenchError(text)) from error
    finally:
        text = shown.getvalue()
        sys.stdout.write(credentials.scrub(text, secrets | credentials.secrets_in_text(text)))
        session.finish()


def _will_measure(flags: Flags) -> bool:
    """Whether a request, as far as its command line tells, starts processes from the fork server."""
    return (
        not flags.only_shows
        and flags.given("dry_run") != "true"
        and flags.given("isolation") != "spawn"
        and flags.given("python") in (None, "null")
    )
