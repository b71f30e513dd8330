"""Judge a night: what failed, what is slower, since when, and whether it is the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sweep.analysis.attempts import attempts
from l2sweep.analysis.compare.headline import total_name, with_interval
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.control import CONTROLS, with_adapter_names
from l2sweep.analysis.history.changes import PointHistory
from l2sweep.analysis.history.tonight import SlowerPoint, recent_rise, slower_points
from l2sweep.cli.nightly.settings import Limits
from l2sweep.cli.nightly.summary import NightRecords
from l2sweep.errors import RequestError

_NO_BLAME = "do not blame an LMCache release for slow results of this night"


@dataclass(frozen=True)
class Verdict:
    """The verdict on a night.

    Attributes:
        lines: The summary of the night and of the comparison, for the log.
        problems: One sentence for each problem; empty on a quiet night.
        slower: What became slower.
        environment: What differs in the environment from the last nights, such as ``LMCache 0.5.5 → 0.5.6``.
        failed: The points that were not measured, as rows with the names of the columns of ``points``.
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]
    slower: tuple[SlowerPoint, ...] = ()
    environment: tuple[str, ...] = ()
    failed: tuple[Mapping[str, Any], ...] = ()


def judge(records: NightRecords, limits: Limits) -> Verdict:
    """Judge a night.

    Args:
        records: The records of the night and of those before it.
        limits: What is a problem.
    """
    night = records.summary(limits.compare_nights)
    lines = [night.line]
    result = None
    try:
        result = records.comparison(limits.compare_nights)
    except RequestError as error:
        lines.append(str(error))
    series = records.histories()
    compared = result.points if result else ()
    slower = slower_points(compared, series, limits.compare_nights, CONTROLS)
    host = _host_changes(result, series, limits.compare_nights)
    problems = night.problems(
        limits.min_control_fraction,
        limits.max_control_error_percent,
        reported=[" ".join(change.split()[:2]) for change in host],
    )
    if host:
        problems.append(f"the host changed: {', '.join(host)}; {_NO_BLAME}")
    if slower:
        count = f"{len(slower)} point{'s are' if len(slower) > 1 else ' is'}"
        problems.append(f"{count} slower than in the last {limits.compare_nights} nights")
    if result:
        lines.append(result.headline)
        slower_totals = [total for total in result.totals if total.verdict == "slower"]
        problems += [f"{total_name(total)} {with_interval(total)}" for total in slower_totals]
    differences = result.environment if result else ()
    return Verdict(
        lines=tuple(lines),
        problems=tuple(problems),
        slower=tuple(slower),
        environment=tuple(f"{one.name} {one.base} → {one.candidate}" for one in differences),
        failed=tuple(_failed(records)),
    )


def _host_changes(
    result: ComparisonResult | None, series: Sequence[PointHistory], compare_nights: int
) -> list[str]:
    """Return how the controls became slower, such as ``fio load takes 12% longer``.

    A control that became faster explains no slow result.
    """
    found = [change for change in (result.host_changes if result else ()) if change.endswith("longer")]
    for history in series:
        rise = recent_rise(history, compare_nights)
        name = f"{history.point.adapter} {history.point.phase}"
        if rise and history.point.adapter in CONTROLS and not any(text.startswith(name) for text in found):
            found.append(f"{name} takes {rise.percent:.0f}% longer since {rise.since_date}")
    return found


def _failed(records: NightRecords) -> list[Mapping[str, Any]]:
    """Return the first process that is not ok of each point whose last attempt is not."""
    own = with_adapter_names(records.points)
    ended = attempts(own).sort_values("attempt").groupby("point_index").tail(1)
    bad = ended[ended["status"] != "ok"][["point_index", "attempt"]]
    rows = own[own["status"] != "ok"].merge(bad).drop_duplicates("point_index")
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
