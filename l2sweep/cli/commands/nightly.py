"""``l2sweep nightly``: run the nightly sweep, and report what is a problem."""

from __future__ import annotations

from pathlib import Path

import click

from l2sweep.cli.nightly.options import INSTEAD_OF_NIGHTS, keep_options, limit_options
from l2sweep.cli.nightly.settings import Kept, Limits, NightlySettings, require_overrides
from l2sweep.errors import RequestError
from l2sweep.records.store.address import is_url


@click.command()
@click.option(
    "--results-dir",
    default="~/l2sweep-nights",
    show_default=True,
    metavar="FOLDER",
    help="Folder of the records and of the log of all nights.",
)
@click.option(
    "--scratch-dir",
    metavar="FOLDER",
    help="Folder on the disk to measure. Default: in the folder of the records.",
)
@click.option(
    "--experiment",
    default="nightly_cold",
    show_default=True,
    metavar="NAME",
    help="The experiment to run: a file in conf/experiment.",
)
@click.option(
    "--config-dir",
    metavar="FOLDER",
    help="Folder with your own experiments, adapters and other config groups.",
)
@click.option(
    "--lock",
    type=click.Choice(["fail", "wait", "off"]),
    default="fail",
    show_default=True,
    help="What to do while another sweep runs on this host.",
)
@limit_options
@keep_options
@click.option("--dry-run", is_flag=True, help="Print what would be run. Run and remove nothing.")
@click.argument("overrides", nargs=-1, metavar="[-- NAME=VALUE ...]")
def command(
    results_dir: str,
    scratch_dir: str | None,
    experiment: str,
    config_dir: str | None,
    lock: str,
    limits: Limits,
    kept: Kept,
    dry_run: bool,
    overrides: tuple[str, ...],
) -> int:
    """Run the nightly sweep once, and compare it with the nights before.

    Prints nothing if there is no problem, so cron and systemd send mail only about problems: a point failed
    or became slower, the host changed, or a control is missing. All results are in nightly.log in the folder
    of the records. More options of the sweep follow after --.

    Exit codes: 0 no problem, 1 a problem, 2 a wrong request and nothing was run, 130 stopped.

    \b
    Examples:
      l2sweep nightly --scratch-dir /mnt/nvme/l2sweep
      l2sweep nightly --dry-run -- budget.minutes=90 repeats=5
    """
    require_overrides(overrides)
    if is_url(results_dir):
        raise RequestError([f"nightly: --results-dir: must be a local folder: {INSTEAD_OF_NIGHTS}"])
    settings = NightlySettings(
        results_dir=_absolute(results_dir),
        scratch_dir=_absolute(scratch_dir) if scratch_dir else None,
        experiment=experiment,
        config_dir=_absolute(config_dir) if config_dir else None,
        overrides=overrides,
        lock=lock,
        limits=limits,
        kept=kept,
    )
    from l2sweep.cli.nightly import run

    return run.dry_run(settings) if dry_run else run.run_nightly(settings)


def _absolute(folder: str) -> Path:
    return Path(folder).expanduser().absolute()
