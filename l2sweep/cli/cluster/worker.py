"""``l2sweep worker``: take part in a sweep that several hosts measure."""

from __future__ import annotations

import os

import click

from l2sweep.cli.command_group import CommandContext
from l2sweep.cli.command_options import NumberRange
from l2sweep.cluster.membership import MOST_HOSTS


@click.command()
@click.option("--rendezvous", metavar="HOST:PORT", help="Where rank 0 listens, at an address of its host.")
@click.option(
    "--rank",
    type=click.IntRange(0, MOST_HOSTS - 1),
    help="Number of this host, from 0.",
)
@click.option("--size", type=click.IntRange(1, MOST_HOSTS), help="Number of hosts.")
@click.option("--token-file", metavar="FILE", help="File with the token; without it, L2SWEEP_TOKEN has it.")
@click.option(
    "--wait",
    "wait_s",
    type=NumberRange(min=0, min_open=True, max=86_400),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to try to join, at the start and after the launcher was lost.",
)
@click.option(
    "--once", is_flag=True, hidden=True, help="End when the launcher is lost: it starts another one."
)
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(
    context: CommandContext,
    rendezvous: str | None,
    rank: int | None,
    size: int | None,
    token_file: str | None,
    wait_s: float,
    once: bool,
    overrides: tuple[str, ...],
) -> int:
    """Take part in a sweep that several hosts measure.

    Run the same command on each host. Rank 0 runs the sweep that OVERRIDES describe, as `python -m l2sweep
    OVERRIDES` does, and measures on its host as well. The others measure for it, and end with it. Rank, size
    and rendezvous may also come from torchrun, Slurm or Kubernetes: see docs/hosts.md.

    \b
    Examples:
      export L2SWEEP_TOKEN=$(openssl rand -hex 16)      # the same on all hosts
      l2sweep worker --rendezvous node1:29500 --rank 0 --size 2 -- -m hosts=2 clients=1,2,4 adapter=s3
      l2sweep worker --rendezvous node1:29500 --rank 1 --size 2
      srun -N 4 l2sweep worker -- -m hosts=4 adapter=fs
    """
    from l2sweep.cluster.membership import membership
    from l2sweep.cluster.token import VARIABLE, secret_token

    member = membership(rendezvous=rendezvous, rank=rank, size=size, environment=os.environ)
    token = secret_token(os.environ, token_file)
    if member.rank == 0 and overrides:
        from l2sweep import credentials
        from l2sweep.cli.sweep import run_sweep_command

        os.environ[VARIABLE] = token  # for the launcher, which benchmark processes do not inherit
        cluster = [f"cluster.rendezvous='{member.rendezvous}'", f"cluster.size={member.size}"]
        secrets = set().union(*map(credentials.secrets_in_text, overrides))
        return run_sweep_command([*overrides, *cluster], secrets, context.starter)
    from l2sweep.cluster.worker import WorkerLimits, serve
    from l2sweep.errors import printable
    from l2sweep.process.starter import ProcessStarter

    with ProcessStarter("auto") as starter:
        starter.start_server()
        serve(
            member,
            token,
            starter,
            WorkerLimits(wait_s, joins_again=not once),
            lambda line: print(printable(line), flush=True),
        )
    return 0
