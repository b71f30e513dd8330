"""Section 2: can it be trusted? All answers, and those about keys, failures, drift and environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from l2sweep.analysis.compare.headline import counted
from l2sweep.analysis.report.contents.curves import Throughput
from l2sweep.analysis.report.contents.timing import Drift, PhaseDrift
from l2sweep.analysis.report.contents.trust import Check, CheckState, EnvironmentValue, Trust, Verified
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections.trust.caches import cache_states, coldness
from l2sweep.analysis.report.sections.trust.controls import control_error, controls, harness_floor
from l2sweep.analysis.rounds.sums import Sums
from l2sweep.analysis.rounds.totals import Totals

if TYPE_CHECKING:
    import pandas as pd

_DRIFT_LEVEL = 0.01
"""p-value below which a drift is told: one of three phases without drift is told in 3% of the reports."""
_LEAST_DRIFT = 0.05
"""A smaller change is not told, as ``compare`` tells none."""
_MACHINE = (
    *("LMCache", "l2sweep", "torch", "Python", "kernel", "host", "CPU", "number of CPUs"),
    "commit of the configuration",
)
"""What should not differ between the processes of a report. The rest may differ between adapters."""


def trust(
    measured: Measured,
    drift: Drift,
    throughput: Throughput,
    environment: Sequence[EnvironmentValue],
    failed: pd.DataFrame,
) -> Trust:
    """Return the answers to the questions whether the numbers can be trusted.

    Args:
        measured: The rows.
        drift: The drift.
        throughput: The settings.
        environment: The environment.
        failed: The processes that did not end well.
    """
    states = cache_states(measured)
    verified = _verified(measured)
    floor = harness_floor(measured.points)
    error = control_error(measured)
    host_changes = measured.source.compared.host_changes if measured.source.compared else ()
    return Trust(
        checks=(
            coldness(measured, states),
            _verification(verified),
            _failures(measured, failed),
            controls(measured.points, throughput, floor, error, host_changes),
            _drift(drift, [row.rounds_ended for row in measured.points if row.rounds_ended]),
            _environment(environment, has_base=measured.source.compared is not None),
        ),
        cache_states=states,
        verified=verified,
        floor=floor,
        control_error_percent=error,
    )


def _verified(measured: Measured) -> Verified:
    rounds = measured.grouped.runs.rounds
    is_control = np.zeros(len(measured.grouped.groups), dtype=np.bool_)
    for place, group in enumerate(measured.group_of_point):
        is_control[group] = measured.points[place].is_control
    of_adapters = rounds.where(~is_control[measured.grouped.group_of_round])
    is_lookup = of_adapters.equal("phase", "lookup")
    is_load = of_adapters.equal("phase", "load") | of_adapters.equal("phase", "mixed_load")
    # Group 0: stores, 1: loads, 2: lookups.
    totals = Totals.of(Sums.of(of_adapters, is_load * 1 + is_lookup * 2, 3))
    loads, lookups = totals.of_group(1), totals.of_group(2)
    return Verified(
        loaded_keys=int(loads["total_ok"] or 0),
        verified_keys=int(loads["verified_keys"] or 0),
        sampled_keys=int(loads["sampled_keys"] or 0),
        mismatched_keys=int(loads["mismatched_keys"] or 0),
        looked_up_keys=int(lookups["total_keys"] or 0),
        false_hits=int(lookups["false_hits"] or 0),
        false_misses=int(lookups["false_misses"] or 0),
    )


def _verification(found: Verified) -> Check:
    if not found.loaded_keys and not found.looked_up_keys:
        sentence = "No adapter loaded or looked up a key, so there was nothing to check."
        return Check("verification", "Verification", "unknown", sentence)
    parts = []
    state: CheckState = "good"
    if found.loaded_keys:
        wrong = f"{found.mismatched_keys:,}" if found.mismatched_keys else "none"
        if found.verified_keys >= found.loaded_keys:
            how = f"All {found.loaded_keys:,} loaded keys were compared byte by byte"
        elif found.verified_keys or found.sampled_keys:
            sampled = max(found.sampled_keys - found.verified_keys, 0)
            how = (
                f"Of {found.loaded_keys:,} loaded keys, {found.verified_keys:,} were compared byte by byte, "
                f"and {sampled:,} in two words of each 4 KiB page"
            )
        else:
            how, state = f"None of {found.loaded_keys:,} loaded keys was compared", "warning"
        parts.append(how if state == "warning" else f"{how}; {wrong} had wrong bytes")
    if found.looked_up_keys:
        parts.append(
            f"{found.looked_up_keys:,} lookups of keys: {found.false_hits:,} found a key that was not stored "
            f"and {found.false_misses:,} missed one that was"
        )
    if found.mismatched_keys or found.false_hits or found.false_misses:
        state = "bad"
    return Check("verification", "Verification", state, ". ".join(parts) + ".")


def _failures(measured: Measured, failed: pd.DataFrame) -> Check:
    rounds = sum(row.rounds for row in measured.points)
    bad = sum(row.failed_rounds for row in measured.points)
    number = counted(len(measured.source.points), "process", "es")
    if not len(failed) and not bad:
        sentence = f"None of {number} failed, and all {rounds:,} measured rounds are ok."
        return Check("failures", "Failures", "good", sentence)
    statuses = Counter(failed["status"])
    details = []
    if timeouts := sum(row.timed_out_rounds for row in measured.points):
        details.append(f"{counted(timeouts, 'round')} timed out.")
    details.append("A setting of which a process failed is not recommended; section 5 has the causes.")
    ended = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    sentence = (
        f"{len(failed)} of {number} did not end well{f' ({ended})' if ended else ''}, and {bad:,} of "
        f"{rounds:,} measured rounds are not ok."
    )
    only_stopped = set(statuses) <= {"stopped"} and not bad
    return Check("failures", "Failures", "warning" if only_stopped else "bad", sentence, tuple(details))


def _drift(drift: Drift, rounds_ended: Sequence[str]) -> Check:
    unsteady = sum("still drifted" in text for text in rounds_ended)
    details = []
    if unsteady:
        details.append(f"At {counted(unsteady, 'point')}, durations still drifted after the warm-up rounds.")
    if not drift.phases:
        sentence = "Not measured: no process of an adapter has 4 rounds or more in a phase."
        return Check("drift", "Drift", "warning" if unsteady else "unknown", sentence, tuple(details))
    loud = [one for one in drift.phases if _is_drift(one)]
    text = ", ".join(map(_drift_text, drift.phases))
    untested = [one.phase for one in drift.phases if one.p is None]
    if untested:
        details.append(f"Fewer than 6 processes ran {', '.join(untested)}: that is too few for a test.")
    start = "Durations drifted" if loud else "No drift was found"
    sentence = f"{start}: from the first to the last half of the rounds of a process, {text}."
    state: CheckState = (
        "warning" if loud or unsteady else "unknown" if len(untested) == len(drift.phases) else "good"
    )
    return Check("drift", "Drift", state, sentence, tuple(details))


def _is_drift(one: PhaseDrift) -> bool:
    return one.p is not None and one.p < _DRIFT_LEVEL and abs(one.median_ratio - 1) >= _LEAST_DRIFT


def _drift_text(one: PhaseDrift) -> str:
    p = "" if one.p is None else f", p={one.p:.2g}"
    number = counted(one.processes, "process", "es")
    return f"the duration of a {one.phase} changed by {100 * (one.median_ratio - 1):+.1f}% ({number}{p})"


def _environment(environment: Sequence[EnvironmentValue], *, has_base: bool) -> Check:
    within = [one for one in environment if one.name in _MACHINE and len(one.values) > 1]
    against = [one for one in environment if one.base_values]
    details = [f"{one.name}: {', '.join(one.values)}." for one in within]
    details += [
        f"{one.name}: {', '.join(one.base_values)} in the base, {', '.join(one.values) or '-'} now."
        for one in against
    ]
    parts = []
    if within:
        parts.append(f"Properties that differ among the processes: {', '.join(one.name for one in within)}")
    else:
        parts.append("All processes ran with the same software on the same machine, as far as it is recorded")
    if against:
        parts.append(f"Properties that differ from the base: {', '.join(one.name for one in against)}")
    elif has_base:
        parts.append("The base ran in the same environment")
    state: CheckState = "warning" if within or against else "good"
    return Check("environment", "Environment", state, ". ".join(parts) + ".", tuple(details))
