"""Section 2: what the controls show: the floor of the harness, and the ceiling of the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from l2sweep.analysis.compare.headline import counted, listed
from l2sweep.analysis.control import CONTROL, CONTROLS, error_percent, with_adapter_names
from l2sweep.analysis.report.contents.curves import Throughput
from l2sweep.analysis.report.contents.points import PointRow
from l2sweep.analysis.report.contents.trust import Check, CheckState, HarnessFloor
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.tune.ceiling import FIO, NEAR

_MOST_ERROR_PERCENT = 1.0
"""As the default of ``l2sweep nightly --max-control-error-percent``."""


def harness_floor(points: Sequence[PointRow]) -> tuple[HarnessFloor, ...]:
    """Return what the controls of the harness measured.

    Args:
        points: The rows of all points.
    """
    return tuple(
        HarnessFloor(
            adapter=row.adapter,
            phase=row.phase,
            num_keys=row.num_keys,
            in_flight=row.in_flight,
            data_size_kb=row.data_size_kb,
            median_s=row.median_s,
            median_low_s=row.median_low_s,
            median_high_s=row.median_high_s,
        )
        for row in points
        if CONTROLS.get(row.adapter) == "harness" and row.median_s is not None
    )


def control_error(measured: Measured) -> float | None:
    """Return the error of the control adapter against its theory, in percent; None if it was not measured.

    Args:
        measured: The rows.
    """
    rounds = measured.grouped.runs.rounds
    is_timed = rounds.known("duration_s") & rounds.equal("status", "ok")
    rows = measured.rounds_of(np.asarray(is_timed))
    own = with_adapter_names(rows)
    own = own[own["adapter_type"] == CONTROL]
    return error_percent(own) if len(own) else None


def controls(
    points: Sequence[PointRow],
    throughput: Throughput,
    floor: Sequence[HarnessFloor],
    error: float | None,
    host_changes: Sequence[str],
) -> Check:
    """Answer what the controls show.

    Args:
        points: The rows of all points.
        throughput: The settings.
        floor: What :func:`harness_floor` returns.
        error: What :func:`control_error` returns.
        host_changes: How the controls moved against the base, in words.
    """
    parts, details = [], []
    state: CheckState = "good"
    if error is not None:
        parts.append(f"control is {error:.2f}% off its theory, the error of the harness")
        state = "warning" if error > _MOST_ERROR_PERCENT else state
    if mocks := [one.median_s for one in floor if one.adapter != CONTROL]:
        parts.append(
            f"a round over mock, which keeps its data in memory, takes {_ms(min(mocks))} to {_ms(max(mocks))}"
        )
    shortest = min(
        (row.median_s for row in points if row.median_s is not None and not row.is_control), default=None
    )
    if floor and shortest is not None:
        details.append(f"The shortest median round of an adapter takes {_ms(shortest)}.")
    has_fio = any(row.adapter == FIO for row in points)
    placed = [one for one in throughput.settings if not one.is_control and one.phase != "lookup" and one.rate]
    beside = sum(one.fio_rate is not None for one in placed)
    if has_fio:
        parts.append(
            f"fio measured the device beside {beside} of {counted(len(placed), 'setting')} of adapters that "
            "store or load"
        )
        if above := _above_the_ceiling(throughput):
            parts.append(above)
            state = "warning"
    else:
        details.append("fio was not measured, so what limits an adapter is not known.")
    if not parts:
        sentence = "No control was measured: add mock or control for the harness, and fio for the device."
        return Check("controls", "Controls", "unknown", sentence)
    if not floor:
        details.append("No control of the harness was measured.")
    if host_changes:
        parts.append(f"against the base the host changed: {listed([*host_changes])}")
        state = "warning"
    sentence = "; ".join(parts)
    return Check("controls", "Controls", state, f"{sentence[:1].upper()}{sentence[1:]}.", tuple(details))


def _above_the_ceiling(throughput: Throughput) -> str:
    """Return a clause if adapters are faster than fio at every depth: then fio is no ceiling there."""
    above = [
        one for one in throughput.settings if one.fio_best_share is not None and one.fio_best_share > 1 / NEAR
    ]
    where = counted(len(above), "setting")
    return f"at {where} fio is slower than the adapter at every depth and no ceiling" if above else ""


def _ms(duration_s: float) -> str:
    milliseconds = 1000 * duration_s
    return f"{milliseconds:.3g} ms" if milliseconds < 1000 else f"{duration_s:.3g} s"
