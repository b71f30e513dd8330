"""What came of a night's sweep, and its controls beside those of the last nights."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2sweep.analysis.attempts import attempts

if TYPE_CHECKING:
    import pandas as pd

CONTROLS = {"fio": "disk", "mock": "harness"}
"""Adapter types that are measured every night for comparison, and what each of them tells of."""
_MIB = 1 << 20


@dataclass(frozen=True)
class Control:
    """A control's throughput in one night.

    Attributes:
        name: Its adapter type.
        operation: store or load.
        mib_per_s: All bytes over all time of its measured rounds.
        of_last_nights: Tonight's over that of the last nights, point by point: the median of the ratios; None
            in the first night.
        nights: How many nights it is compared with.
    """

    name: str
    operation: str
    mib_per_s: float
    of_last_nights: float | None
    nights: int


@dataclass(frozen=True)
class Night:
    """A night in numbers.

    Attributes:
        sweep_id: Its sweep.
        date: When it began, UTC.
        measured: Points that ended well, each repeat counted.
        failed: Points that did not, in their last attempt, but for the warm ones.
        warm: Points that were to be cold and were not.
        controls: Of the controls that were measured.
        missing_controls: Those that the last nights had and this one does not.
        left_out: Why points were left out that this machine could not run, each reason once.
    """

    sweep_id: str
    date: str
    measured: int
    failed: int
    warm: int
    controls: tuple[Control, ...]
    missing_controls: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Return the night as one line of a log."""
        counts = f"{self.measured} points measured, {self.failed} failed, {self.warm} warm"
        return "; ".join([f"{self.date} {self.sweep_id}: {counts}", *map(_told, self.controls)])

    def complaints(self, least_of_last_nights: float) -> list[str]:
        """Return a sentence for each thing that is wrong.

        Args:
            least_of_last_nights: Share of its throughput of the last nights below which a control is wrong.
        """
        complaints = [f"{self.failed} points failed"] if self.failed else []
        complaints += [f"{self.warm} points were to be cold and were warm"] if self.warm else []
        complaints += [f"points were left out: {reason}" for reason in self.left_out]
        complaints += [f"the control {name} was not measured" for name in self.missing_controls]
        for control in self.controls:
            ratio = control.of_last_nights
            if ratio is not None and ratio < least_of_last_nights:
                complaints.append(
                    f"the {CONTROLS[control.name]} is slow tonight: {control.name} {control.operation} is "
                    f"{ratio:.2f} of the last {control.nights} nights, so no release is to blame for the rest"
                )
        return complaints


def night(
    points: pd.DataFrame,
    rounds: pd.DataFrame,
    sweep_id: str,
    last_nights: int = 7,
    left_out: Iterable[str] = (),
) -> Night:
    """Return what came of a night's sweep.

    Args:
        points: Of ``load_points``.
        rounds: Of ``load_rounds``.
        sweep_id: The night's.
        last_nights: With how many nights before it, of the same name, its controls are compared.
        left_out: Why points were left out that this machine could not run.

    Raises:
        KeyError: There is no row of that sweep.
    """
    tonight = points[points["sweep_id"] == sweep_id]
    if tonight.empty:
        raise KeyError(sweep_id)
    statuses = _last_statuses(tonight)
    same_name = points[points["sweep_name"] == tonight["sweep_name"].iloc[0]]
    began = same_name.groupby("sweep_id")["started_at"].min().sort_values()
    before = list(began[began < began[sweep_id]].index[-last_nights:])
    had = set(points[points["sweep_id"].isin(before)]["adapter_type"]) & set(CONTROLS)
    return Night(
        sweep_id=sweep_id,
        date=f"{tonight['started_at'].min():%Y-%m-%d %H:%M}Z",
        measured=statuses["ok"],
        failed=sum(statuses.values()) - statuses["ok"] - statuses["warm"],
        warm=statuses["warm"],
        controls=tuple(_controls(rounds, sweep_id, before)),
        missing_controls=tuple(sorted(had - set(tonight["adapter_type"]))),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _last_statuses(points: pd.DataFrame) -> Counter[str]:
    """Count how the last attempts at points ended."""
    last = attempts(points).sort_values("attempt").groupby("point_index").tail(1)
    return Counter(last["status"])


def _controls(rounds: pd.DataFrame, tonight: str, before: list[str]) -> list[Control]:
    measured = rounds[
        rounds["adapter_type"].isin(list(CONTROLS))
        & (rounds["phase"] != "lookup")
        & ~rounds["is_warmup"]
        & rounds["duration_s"].notna()
        & rounds["sweep_id"].isin([tonight, *before])
    ]
    controls = []
    for (name, operation), rows in measured.groupby(["adapter_type", "phase"]):
        rates = _rates(rows)
        now = rates.get(tonight, {})
        if not now:
            continue
        ratios = []
        compared = set()
        for point, rate in now.items():
            earlier = {sweep: rates[sweep][point] for sweep in before if point in rates.get(sweep, {})}
            compared |= set(earlier)
            if earlier and statistics.median(earlier.values()) > 0:
                ratios.append(rate / statistics.median(earlier.values()))
        own = rows[rows["sweep_id"] == tonight]
        controls.append(
            Control(
                name=str(name),
                operation=str(operation),
                mib_per_s=float(own["bytes_ok"].sum() / _MIB / own["duration_s"].sum()),
                of_last_nights=statistics.median(ratios) if ratios else None,
                nights=len(compared),
            )
        )
    return controls


def _rates(rows: pd.DataFrame) -> Mapping[str, Mapping[str, float]]:
    """Return for each sweep the throughput of each of its points, which are the same every night."""
    sums = rows.groupby(["sweep_id", "point_id"], as_index=False)[["bytes_ok", "duration_s"]].sum()
    rates: dict[str, dict[str, float]] = {}
    for row in sums.to_dict("records"):
        rates.setdefault(row["sweep_id"], {})[row["point_id"]] = row["bytes_ok"] / row["duration_s"]
    return rates


def _told(control: Control) -> str:
    text = f"{control.name} {control.operation} {control.mib_per_s:.0f} MiB/s"
    if control.of_last_nights is None:
        return f"{text} (no night before)"
    return f"{text} ({control.of_last_nights:.2f} of the last {control.nights} nights)"
