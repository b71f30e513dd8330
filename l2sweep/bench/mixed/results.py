"""Report the rounds of ``mixed_store`` and ``mixed_load``, and say why a point failed in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from l2sweep.bench.job import MIXED_PHASES
from l2sweep.bench.messages import Message, PhaseEnded, PhaseStarted, RoundMeasured
from l2sweep.bench.workload import Workload


def report_mixed(
    mixed: Mapping[str, Sequence[RoundMeasured]],
    workload: Workload,
    problem_of_store: str,
    report: Callable[[Message], None],
) -> list[str]:
    """Report both phases. ``mixed_store`` has been reported as started.

    Args:
        mixed: The rounds of each.
        workload: The workload of the point.
        problem_of_store: Why no round of ``mixed_store`` counts; empty if they count.
        report: Called with each message.

    Returns:
        One line for each reason why the point failed.
    """
    stores, _ = MIXED_PHASES
    failures: list[str] = []
    for name, measured in mixed.items():
        if name != stores:
            report(PhaseStarted(name))
        for one in measured:
            report(one)
        problem = problem_of_store if name == stores else ""
        failures += [*_failures(name, measured, workload), *filter(None, [problem])]
        report(PhaseEnded(name, problem=problem))
    return failures


def _failures(name: str, measured: Sequence[RoundMeasured], workload: Workload) -> list[str]:
    """Return one line that says why rounds of a mixed phase failed or are missing; none if all are ok."""
    failed = [one for one in measured if not one.is_warmup and one.status != "ok"]
    if failed:
        return [f"{name}: {len(failed)} of {workload.rounds} rounds failed: {failed[0].detail}"]
    missing = workload.total_rounds - len(measured)
    if not missing:
        return []
    return [
        f"{name}: {missing} of {workload.total_rounds} rounds are missing, because the other side was in "
        "flight for less than half of them, or ended (larger rounds help: num_keys, in_flight)"
    ]
