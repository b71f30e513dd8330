"""Summarise a nightly sweep, and compare its controls with those of the previous nights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2sweep.analysis.attempts import attempts
from l2sweep.analysis.control import CONTROL, error_percent, with_adapter_names

if TYPE_CHECKING:
    import pandas as pd

_MIB = 1 << 20


@dataclass(frozen=True)
class Control:
    """The throughput of a control in one night.

    A control is a point that shows whether the host changed: fio measures the disk, the
    control adapter measures l2sweep.

    Attributes:
        name: Adapter type; ``control`` for the control adapter.
        control_of: What it measures: ``disk`` or ``harness``.
        phase: store or load.
        mib_per_s: Moved bytes / duration, summed over the measured rounds.
        ratio_to_last_nights: Median over the points of the throughput of this night divided by the median
            throughput of the previous nights; None if there is no previous night.
        nights: Number of previous nights in this comparison.
        error_percent: Error of the measured durations against theory; None without a theory.
    """

    name: str
    control_of: str
    phase: str
    mib_per_s: float
    ratio_to_last_nights: float | None
    nights: int
    error_percent: float | None = None


@dataclass(frozen=True)
class Night:
    """Summary of a nightly sweep.

    Attributes:
        sweep_id: Id of the sweep.
        date: Start of the sweep, in UTC.
        measured: Number of points whose last attempt is ok. Each repeat counts.
        failed: Number of points whose last attempt failed, without those that were warm.
        warm: Number of points that should have been cold but were warm.
        controls: The controls that were measured.
        missing_controls: What a control of previous nights measured (``disk``, ``harness``) and no control of
            this night did.
        skipped: Reasons why points were skipped, without duplicates.
        claimed: Number of points with a phase that a command claims to be cold, but that was not observed.
    """

    sweep_id: str
    date: str
    measured: int
    failed: int
    warm: int
    controls: tuple[Control, ...]
    missing_controls: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    claimed: int = 0

    @property
    def line(self) -> str:
        """The summary as one line for a log."""
        counts = f"{self.measured} points measured, {self.failed} failed, {self.warm} warm"
        if self.claimed:
            counts += f", {self.claimed} only claimed to be cold"
        return "; ".join([f"{self.date} {self.sweep_id}: {counts}", *map(_control_text, self.controls)])

    def problems(self, min_control_fraction: float) -> list[str]:
        """Return one sentence for each problem of the night.

        Args:
            min_control_fraction: A control whose ratio to the previous nights is below this is a problem.
        """
        problems = [f"{self.failed} points failed"] if self.failed else []
        problems += [f"{self.warm} points should be cold but were warm"] if self.warm else []
        problems += [f"points were skipped: {reason}" for reason in self.skipped]
        problems += [f"no control of the {name} was measured" for name in self.missing_controls]
        for control in self.controls:
            ratio = control.ratio_to_last_nights
            if ratio is not None and ratio < min_control_fraction:
                problems.append(
                    f"the {control.control_of} was slow: {control.name} {control.phase} reached {ratio:.2f} "
                    f"of the throughput of the last {control.nights} nights, so do not blame an LMCache "
                    "release for slow results of this night"
                )
        return problems


def night(
    points: pd.DataFrame,
    rounds: pd.DataFrame,
    sweep_id: str,
    controls: Mapping[str, str],
    last_nights: int = 7,
    skipped: Iterable[str] = (),
) -> Night:
    """Summarise a nightly sweep.

    Args:
        points: All rows of ``load_points``.
        rounds: All rows of ``load_rounds``.
        sweep_id: The sweep of the night.
        controls: Names of the controls, and what each of them measures: ``disk`` or ``harness``.
        last_nights: Number of previous sweeps with the same name to compare the controls with.
        skipped: Reasons why points were skipped.

    Raises:
        KeyError: The sweep has no row.
    """
    points, rounds = with_adapter_names(points), with_adapter_names(rounds)
    tonight = points[points["sweep_id"] == sweep_id]
    if tonight.empty:
        raise KeyError(sweep_id)
    statuses = _last_statuses(tonight)
    same_name = points[points["sweep_name"] == tonight["sweep_name"].iloc[0]]
    began = same_name.groupby("sweep_id")["started_at"].min().sort_values()
    before = list(began[began < began[sweep_id]].index[-last_nights:])
    of_earlier = _kinds(points[points["sweep_id"].isin(before)], controls)
    return Night(
        sweep_id=sweep_id,
        date=f"{tonight['started_at'].min():%Y-%m-%d %H:%M}Z",
        measured=statuses["ok"],
        failed=sum(statuses.values()) - statuses["ok"] - statuses["warm"],
        warm=statuses["warm"],
        controls=tuple(_controls(rounds, sweep_id, before, controls)),
        missing_controls=tuple(sorted(of_earlier - _kinds(tonight, controls))),
        skipped=tuple(dict.fromkeys(skipped)),
        claimed=tonight[tonight["cache_state"] == "claimed"]["point_index"].nunique(),
    )


def _kinds(points: pd.DataFrame, controls: Mapping[str, str]) -> set[str]:
    """Return what the controls among the points measure."""
    return {controls[name] for name in points["adapter_type"].unique() if name in controls}


def _last_statuses(points: pd.DataFrame) -> Counter[str]:
    """Count the statuses of the last attempts at the points."""
    last = attempts(points).sort_values("attempt").groupby("point_index").tail(1)
    return Counter(last["status"])


def _controls(
    rounds: pd.DataFrame, tonight: str, before: list[str], kinds: Mapping[str, str]
) -> list[Control]:
    measured = rounds[
        rounds["adapter_type"].isin(list(kinds))
        & (rounds["phase"] != "lookup")
        & ~rounds["is_warmup"]
        & rounds["duration_s"].notna()
        & rounds["sweep_id"].isin([tonight, *before])
    ]
    controls = []
    for (name, phase), rows in measured.groupby(["adapter_type", "phase"]):
        own = rows[rows["sweep_id"] == tonight]
        if own.empty:
            continue
        sums = rows.groupby(["point_id", "sweep_id"])[["bytes_ok", "duration_s"]].sum()
        rates = (sums["bytes_ok"] / sums["duration_s"]).unstack()  # a row per point, a column per sweep
        earlier = rates.reindex(index=own["point_id"].unique(), columns=before)
        usual = earlier.median(axis="columns")
        ratios = (rates[tonight] / usual[usual > 0]).dropna()
        controls.append(
            Control(
                name=str(name),
                control_of=kinds[str(name)],
                phase=str(phase),
                mib_per_s=float(own["bytes_ok"].sum() / _MIB / own["duration_s"].sum()),
                ratio_to_last_nights=None if ratios.empty else float(ratios.median()),
                nights=int(earlier.notna().any().sum()),
                error_percent=error_percent(own) if name == CONTROL else None,
            )
        )
    return controls


def _control_text(control: Control) -> str:
    text = f"{control.name} {control.phase} {control.mib_per_s:.0f} MiB/s"
    if control.error_percent is not None:
        text += f", {control.error_percent:.2f} % off theory"
    if control.ratio_to_last_nights is None:
        return f"{text} (no earlier night)"
    return f"{text} ({control.ratio_to_last_nights:.2f} of the last {control.nights} nights)"
