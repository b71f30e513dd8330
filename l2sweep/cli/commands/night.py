"""``l2sweep night``: summarise a nightly sweep, report its problems, and remove old sweeps."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from l2sweep.cli.command_options import results_dir_option
from l2sweep.errors import BenchError, RequestError, UnreadableRecordsWarning, shown
from l2sweep.records.trusted_files import is_sweep_id


@click.command()
@results_dir_option
@click.option("--sweep-id", required=True, metavar="ID", help="The nightly sweep to summarise.")
@click.option(
    "--keep-nights",
    default=60,
    show_default=True,
    type=click.IntRange(min=2),
    help="Number of sweeps with its name to keep. Older ones are removed.",
)
@click.option(
    "--keep-gb",
    type=click.FloatRange(min=0, min_open=True),
    help="Largest total size of the kept sweeps, in 10^9 bytes. Default: no limit.",
)
@click.option(
    "--last-nights",
    default=7,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of previous nights to compare the controls with.",
)
@click.option(
    "--min-control-fraction",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="A control is too slow below this share of its throughput in the previous nights.",
)
@click.option(
    "--max-control-error-percent",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="The control adapter is too inexact above this error against theory. inf: no limit.",
)
@click.option("--check", is_flag=True, help="Only check the options.")
def command(
    results_dir: str,
    sweep_id: str,
    keep_nights: int,
    keep_gb: float | None,
    last_nights: int,
    min_control_fraction: float,
    max_control_error_percent: float,
    check: bool,
) -> None:
    """Print the summary of a nightly sweep, and remove old sweeps with the same name.

    The exit code is 1 if the night has a problem: a point failed or was skipped, or a control is slow,
    inexact or missing.

    \b
    Example:
      l2sweep night --results-dir ~/l2sweep-nights --sweep-id night-20261124T023000Z-812
    """
    if not is_sweep_id(sweep_id):
        raise RequestError([f"night: --sweep-id {shown(sweep_id)}: must be the id of a sweep"])
    if check:
        return
    from l2sweep.analysis.nights import night
    from l2sweep.config.adapter.traits import CONTROLS
    from l2sweep.records.pruning import prune
    from l2sweep.records.reader import load_points, load_rounds
    from l2sweep.records.storage.stored_sweep import why_never_removed

    try:
        points = load_points(results_dir)
        rounds = load_rounds(results_dir)
        reasons = _reasons_skipped(results_dir, sweep_id)
        found = night(points, rounds, sweep_id, CONTROLS, last_nights, reasons)
    except (FileNotFoundError, KeyError):
        raise RequestError([f"night: --sweep-id {sweep_id}: has no records in {results_dir}"]) from None
    print(found.line)
    name = points.loc[points["sweep_id"] == sweep_id, "sweep_name"].iloc[0]
    for sweep_id in points.loc[points["sweep_name"] == name, "sweep_id"].unique():
        if reason := why_never_removed(Path(results_dir), sweep_id):
            print(f"sweep_id={shown(sweep_id)} is never removed: {reason}")
    if removed := prune(Path(results_dir), str(name), keep_nights, keep_gb):
        print(f"removed {len(removed)} old sweeps: {', '.join(removed)}")
    if problems := found.problems(min_control_fraction, max_control_error_percent):
        raise BenchError("; ".join(problems))


def _reasons_skipped(results_dir: str, sweep_id: str) -> list[str]:
    """Return why points were skipped, without skips by request or because a program is not installed."""
    from l2sweep.config.adapter.traits import ADAPTER_KINDS
    from l2sweep.sweep.checks.feasibility import not_installed
    from l2sweep.sweep.state.manifest import UnreadableManifestError, manifest_files, read_manifest

    expected = {not_installed(kind.needs_program) for kind in ADAPTER_KINDS.values()}
    files = manifest_files(results_dir, sweep_id)
    if not files:  # in earlier releases, a single point had no manifest
        return []
    try:
        skipped = read_manifest(files[0], results_dir).skipped
    except UnreadableManifestError as error:
        warnings.warn(f"why points were skipped is unknown: {error}", UnreadableRecordsWarning, stacklevel=2)
        return []
    return [point["reason"] for point in skipped if not point["as_asked"] and point["reason"] not in expected]
