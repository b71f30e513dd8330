"""Summarise a nightly sweep, and compare its controls with those of the previous nights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from l2sweep.analysis.attempts import attempts
from l2sweep.analysis.clients.merging import first_clients, merged
from l2sweep.analysis.control import CONTROL, error_percent, with_adapter_names
from l2sweep.analysis.ended import requested_phases
from l2sweep.analysis.statistics import summarise_point

if TYPE_CHECKING:
    import pandas as pd

_MIB = 1 << 20
_NO_BLAME = "do not blame an LMCache release for slow results of this night"


@dataclass(frozen=True)
class Control:
    """The throughput of a control in one night.

    A control is a point that shows whether the host changed: fio measures the disk, the
    control adapter measures l2sweep.

    Attributes:
        name: Adapter type; ``control`` for the control adapter.
        control_of: What it measures: ``disk`` or ``harness``.
        phase: store or load.
        mib_per_s: Moved bytes / duration, summed over the measured rounds; None if no round was measured.
        ratio_to_last_nights: Median over the points of the throughput of this night divided by the median
            throughput of the previous nights; None if there is no previous night.
        nights: Number of previous nights in this comparison.
        error_percent: Error of the measured durations against theory; None without a theory.
        state: ``ok``, or how many of its points are not ok in this phase, and how they ended.
    """

    name: str
    control_of: str
    phase: str
    mib_per_s: float | None
    ratio_to_last_nights: float | None
    nights: int
    error_percent: float | None = None
    state: str = "ok"


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
            this night did, although one was requested.
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

    def problems(
        self,
        min_control_fraction: float,
        max_control_error_percent: float | None = None,
        reported: Collection[str] = (),
    ) -> list[str]:
        """Return one sentence for each problem of the night.

        Args:
            min_control_fraction: A control whose ratio to the previous nights is below this is a problem.
            max_control_error_percent: A control whose error against theory is above this is a problem; None:
                no limit.
            reported: Controls that are reported as slow elsewhere, such as ``fio load``.
        """
        problems = [f"{self.failed} points failed"] if self.failed else []
        problems += [f"{self.warm} points should be cold but were warm"] if self.warm else []
        problems += [f"points were skipped: {reason}" for reason in self.skipped]
        problems += [f"no control of the {name} was measured" for name in self.missing_controls]
        for control in self.controls:
            ratio = control.ratio_to_last_nights
            is_reported = f"{control.name} {control.phase}" in reported
            if ratio is not None and ratio < min_control_fraction and not is_reported:
                problems.append(
                    f"the {control.control_of} was slow: {control.name} {control.phase} reached {ratio:.2f} "
                    f"of the throughput of the last {control.nights} nights, so {_NO_BLAME}"
                )
            error, limit = control.error_percent, max_control_error_percent
            if error is not None and limit is not None and error > limit:
                problems.append(
                    f"the {control.control_of} was inexact: {control.name} {control.phase} was {error:.2f} % "
                    f"off theory, more than max_control_error_percent={limit}, so {_NO_BLAME}"
                )
        return problems


def night(
    points: pd.DataFrame,
    rounds: pd.DataFrame,
    sweep_id: str,
    controls: Mapping[str, str],
    last_nights: int = 7,
    skipped: Iterable[str] = (),
    requested: Collection[str] | None = None,
) -> Night:
    """Summarise a nightly sweep.

    Args:
        points: All rows of ``load_points``.
        rounds: All rows of ``load_rounds``.
        sweep_id: The sweep of the night.
        controls: Names of the controls, and what each of them measures: ``disk`` or ``harness``.
        last_nights: Number of previous sweeps with the same name to compare the controls with.
        skipped: Reasons why points were skipped.
        requested: Names of the adapters that the night should measure. A control that was left out on purpose
            is not missing. None: not known, so every control of the previous nights should be measured.

    Raises:
        KeyError: The sweep has no row.
    """
    points, rounds = first_clients(points), merged(rounds)
    points, rounds = with_adapter_names(points), with_adapter_names(rounds)
    tonight = points[points["sweep_id"] == sweep_id]
    if tonight.empty:
        raise KeyError(sweep_id)
    statuses = _last_statuses(tonight)
    same_name = points[points["sweep_name"] == tonight["sweep_name"].iloc[0]]
    began = same_name.groupby("sweep_id")["started_at"].min().sort_values()
    before = list(began[began < began[sweep_id]].index[-last_nights:])
    expected = _kinds(points[points["sweep_id"].isin(before)], controls)
    if requested is not None:
        asked = {controls[name] for name in requested if name in controls}
        expected &= asked | _kinds(tonight, controls)
    of_tonight = list(_controls(rounds, sweep_id, before, controls, _states(tonight, rounds, controls)))
    measured = {control.control_of for control in of_tonight if control.mib_per_s is not None}
    return Night(
        sweep_id=sweep_id,
        date=f"{tonight['started_at'].min():%Y-%m-%d %H:%M}Z",
        measured=statuses["ok"],
        failed=sum(statuses.values()) - statuses["ok"] - statuses["warm"],
        warm=statuses["warm"],
        controls=tuple(of_tonight),
        missing_controls=tuple(sorted(expected - (_kinds(tonight, controls) & measured))),
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


def _states(
    points: pd.DataFrame, rounds: pd.DataFrame, controls: Mapping[str, str]
) -> dict[tuple[str, str], str]:
    """Return the state of each control by its name and phase, from the last attempts at its points.

    Args:
        points: The rows of the night.
        rounds: All rounds.
        controls: Names of the controls.
    """
    of_sweep = rounds[rounds["sweep_id"].isin(points["sweep_id"])]
    statuses: dict[tuple[str, str], list[str]] = {}
    own = points[points["adapter_type"].isin(list(controls))]
    for (name, index), all_attempts in own.groupby(["adapter_type", "point_index"]):
        attempt = all_attempts["attempt"].max()
        processes = all_attempts[all_attempts["attempt"] == attempt]
        measured = of_sweep[(of_sweep["point_index"] == index) & (of_sweep["attempt"] == attempt)]
        measured = measured[measured["adapter_type"] == name]
        rows = (measured.to_dict("records"), processes.to_dict("records"))
        for summary in summarise_point(requested_phases(rows[1][0]), *rows):
            if summary.phase != "lookup":
                statuses.setdefault((str(name), summary.phase), []).append(summary.status)
    return {key: _state(of_points) for key, of_points in statuses.items()}


def _state(statuses: list[str]) -> str:
    bad = [status for status in statuses if status != "ok"]
    reasons = " and ".join(dict.fromkeys(bad))
    return f"{len(bad)} of {len(statuses)} points not ok: {reasons}" if bad else "ok"


def _controls(
    rounds: pd.DataFrame,
    tonight: str,
    before: list[str],
    kinds: Mapping[str, str],
    states: Mapping[tuple[str, str], str],
) -> Iterator[Control]:
    measured = rounds[
        rounds["adapter_type"].isin(list(kinds))
        & (rounds["phase"] != "lookup")
        & ~rounds["is_warmup"]
        & rounds["duration_s"].notna()
        & (rounds["trace"].isna() if "trace" in rounds else True)
        & rounds["sweep_id"].isin([tonight, *before])
    ]
    own = measured[measured["sweep_id"] == tonight]
    for name, phase in sorted({*zip(own["adapter_type"], own["phase"], strict=True), *states}):
        state = states.get((name, phase), "ok")
        rows = measured[(measured["adapter_type"] == name) & (measured["phase"] == phase)]
        yield _control(rows, tonight, before, Control(name, kinds[name], phase, None, None, 0, state=state))


def _control(rows: pd.DataFrame, tonight: str, before: list[str], control: Control) -> Control:
    """Return a control with the numbers of its measured rounds."""
    own = rows[rows["sweep_id"] == tonight]
    if own.empty:
        return control
    sums = rows.groupby(["point_id", "sweep_id"])[["bytes_ok", "duration_s"]].sum()
    rates = (sums["bytes_ok"] / sums["duration_s"]).unstack()  # a row per point, a column per sweep
    earlier = rates.reindex(index=own["point_id"].unique(), columns=before)
    usual = earlier.median(axis="columns")
    ratios = (rates[tonight] / usual[usual > 0]).dropna()
    return replace(
        control,
        mib_per_s=float(own["bytes_ok"].sum() / _MIB / own["duration_s"].sum()),
        ratio_to_last_nights=None if ratios.empty else float(ratios.median()),
        nights=int(earlier.notna().any().sum()),
        error_percent=error_percent(own) if control.name == CONTROL else None,
    )


def _control_text(control: Control) -> str:
    state = "" if control.state == "ok" else f", {control.state}"
    if control.mib_per_s is None:
        return f"{control.name} {control.phase} not measured{state}"
    text = f"{control.name} {control.phase} {control.mib_per_s:.0f} MiB/s"
    if control.error_percent is not None:
        text += f", {control.error_percent:.2f} % off theory"
    if control.ratio_to_last_nights is None:
        return f"{text} (no earlier night){state}"
    return f"{text} ({control.ratio_to_last_nights:.2f} of the last {control.nights} nights){state}"
