"""``python -m l2sweep night``: summarise a nightly sweep, report its problems, and remove old sweeps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from l2sweep.cli.arguments import read_arguments
from l2sweep.config.options import A_PATH, MOST, STRICT, Fraction, PathText, option
from l2sweep.config.sweep import SWEEP_ID, SweepId
from l2sweep.errors import BenchError, RequestError, UnreadableRecordsWarning, shown

_RENAMED = {"least": "min_control_fraction"}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NightOptions:
    """The options of ``night``."""

    results_dir: PathText = option("results", "folder of the records", allowed=A_PATH)
    sweep_id: SweepId = option(None, "the nightly sweep to summarise", allowed=SWEEP_ID)
    keep_nights: int = option(
        60, "number of sweeps with its name to keep; older ones are removed", ge=2, le=MOST
    )
    keep_gb: Annotated[float, Field(gt=0, le=MOST)] | None = option(
        None, "largest total size of the kept sweeps; null: no limit", unit="10^9 bytes"
    )
    last_nights: int = option(7, "number of previous nights to compare the controls with", ge=1, le=MOST)
    min_control_fraction: Fraction = option(
        0.5, "a control is too slow below this share of its throughput in the previous nights"
    )
    max_control_error_percent: Annotated[float, Field(gt=0, le=MOST)] | None = option(
        1.0,
        "the control adapter is too inexact above this error against theory; null: no limit",
        unit="percent",
    )
    check: bool = option(False, "true: only check the options")


def run_night(arguments: Sequence[str]) -> None:
    """Print the summary of a nightly sweep, and remove old sweeps with the same name.

    Args:
        arguments: The arguments after ``night``.

    Raises:
        RequestError: An argument is wrong, or the sweep has no records.
        BenchError: The night has a problem: a point failed or was skipped, or a control is slow, inexact or
            missing.
    """
    options = read_arguments("night", NightOptions, arguments, _RENAMED)
    if options.check:
        return
    from l2sweep.analysis.control import CONTROLS
    from l2sweep.analysis.nights import night
    from l2sweep.records.pruning import prune, why_never_removed
    from l2sweep.records.reader import load_points, load_rounds

    try:
        points = load_points(options.results_dir)
        rounds = load_rounds(options.results_dir)
        reasons = _reasons_skipped(options)
        found = night(points, rounds, options.sweep_id, CONTROLS, options.last_nights, reasons)
    except (FileNotFoundError, KeyError):
        raise RequestError(
            [f"night: sweep_id={options.sweep_id}: has no records in {options.results_dir}"]
        ) from None
    print(found.line)
    name = points.loc[points["sweep_id"] == options.sweep_id, "sweep_name"].iloc[0]
    for sweep_id in points.loc[points["sweep_name"] == name, "sweep_id"].unique():
        if reason := why_never_removed(Path(options.results_dir), sweep_id):
            print(f"sweep_id={shown(sweep_id)} is never removed: {reason}")
    if removed := prune(Path(options.results_dir), str(name), options.keep_nights, options.keep_gb):
        print(f"removed {len(removed)} old sweeps: {', '.join(removed)}")
    if problems := found.problems(options.min_control_fraction, options.max_control_error_percent):
        raise BenchError("; ".join(problems))


def _reasons_skipped(options: NightOptions) -> list[str]:
    """Return why points were skipped, without skips by request or because a program is not installed."""
    from l2sweep.config.adapter.traits import ADAPTER_KINDS
    from l2sweep.sweep.checks.feasibility import not_installed
    from l2sweep.sweep.state.manifest import UnreadableManifestError, manifest_files, read_manifest

    expected = {not_installed(kind.needs_program) for kind in ADAPTER_KINDS.values()}
    files = manifest_files(options.results_dir, options.sweep_id)
    if not files:  # in earlier releases, a single point had no manifest
        return []
    try:
        skipped = read_manifest(files[0], options.results_dir).skipped
    except UnreadableManifestError as error:
        warnings.warn(f"why points were skipped is unknown: {error}", UnreadableRecordsWarning, stacklevel=2)
        return []
    return [point["reason"] for point in skipped if not point["as_asked"] and point["reason"] not in expected]
