"""``l2sweep night``: summarise a nightly sweep, report its problems, and remove old sweeps."""

from __future__ import annotations

import click

from l2sweep.cli.command_options import require_folder, results_dir_option
from l2sweep.cli.nightly.options import INSTEAD_OF_NIGHTS, keep_options, limit_options
from l2sweep.cli.nightly.settings import Kept, Limits
from l2sweep.errors import BenchError, RequestError, shown
from l2sweep.records.trusted_files import is_sweep_id


@click.command()
@results_dir_option
@click.option("--sweep-id", required=True, metavar="ID", help="The nightly sweep to summarise.")
@limit_options
@keep_options
def command(results_dir: str, sweep_id: str, limits: Limits, kept: Kept) -> None:
    """Print the summary of a nightly sweep, and remove old sweeps with the same name.

    The exit code is 1 if the night has a problem: a point failed or was skipped, or a control is slow,
    inexact or missing. l2sweep nightly does the same, and also tells what became slower.

    \b
    Example:
      l2sweep night --results-dir ~/l2sweep-nights --sweep-id night-20261124T023000Z-812
    """
    if not is_sweep_id(sweep_id):
        raise RequestError([f"night: --sweep-id {shown(sweep_id)}: must be the id of a sweep"])
    from l2sweep.cli.nightly.summary import NightRecords, prune_nights
    from l2sweep.records.store.place import place_of

    folder = require_folder(place_of(results_dir), "night", INSTEAD_OF_NIGHTS)

    try:
        records = NightRecords.of(folder, sweep_id)
    except (FileNotFoundError, KeyError):
        raise RequestError([f"night: --sweep-id {sweep_id}: has no records in {results_dir}"]) from None
    night = records.summary(limits.compare_nights)
    print(night.line)
    for sentence in prune_nights(records, kept):
        print(sentence)
    if problems := night.problems(limits.min_control_fraction, limits.max_control_error_percent):
        raise BenchError("; ".join(problems))
