"""``l2sweep envs``: add, list and remove environments with other releases of LMCache."""

from __future__ import annotations

import re

import click

from l2sweep.cli.command_options import format_option
from l2sweep.config.releases import A_RELEASE, RELEASE

_SAID = {
    "NEW": "added",
    "BEFORE": "was added before",
    "INSTALLED": "is installed and needs no environment",
}


def _require_releases(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(RELEASE, value):
            raise click.BadParameter(f"{value!r} must be {A_RELEASE}")
    return values


_releases = click.argument(
    "releases", nargs=-1, required=True, callback=_require_releases, metavar="RELEASE..."
)


@click.group(no_args_is_help=False)
def command() -> None:
    """Add, list and remove environments with other releases of LMCache, for the option release.

    An environment has its own LMCache and nothing else: all other packages are those that l2sweep runs with.
    Once the release is downloaded, this takes about a second. The folder is ~/.cache/l2sweep/envs, or
    $L2SWEEP_ENVS_DIR. docs/releases.md explains it.

    \b
    Examples:
      l2sweep envs add 0.5.3 0.5.7rc2
      python -m l2sweep -m release=0.5.3,0.5.6 adapter=fs,fs_native repeats=6 order=interleaved
      l2sweep compare latest --by release
    """


@command.command("add")
@_releases
def add(releases: tuple[str, ...]) -> None:
    """Add an environment for each release of LMCache. uv downloads it from the package index.

    \b
    Example:
      l2sweep envs add 0.5.3 0.5.7rc2
    """
    from l2sweep.cli.envs.create import add_environment

    for release in dict.fromkeys(releases):
        print(f"{release}: {_SAID[add_environment(release).name]}")


@command.command("list")
@format_option()
def list_(output_format: str) -> None:
    """List the installed release and the environments, and whether each can be used.

    \b
    Example:
      l2sweep envs list
    """
    from l2sweep.cli.envs.existing import environments
    from l2sweep.cli.row_output import Column, print_rows

    columns = [
        Column("release", "release", is_number=False),
        Column("state", "state", is_number=False),
        Column("size_bytes", "MB", lambda value: "-" if value is None else f"{value / 1e6:.1f}"),
        Column("path", "path", is_number=False),
    ]
    print_rows([vars(one) for one in environments()], columns, output_format)


@command.command("remove")
@_releases
def remove(releases: tuple[str, ...]) -> None:
    """Remove the environments of releases.

    \b
    Example:
      l2sweep envs remove 0.5.3
    """
    from l2sweep.cli.envs.existing import remove_environments

    remove_environments(releases)
    print(f"removed: {', '.join(dict.fromkeys(releases))}")
