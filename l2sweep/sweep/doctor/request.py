"""What is wrong with a request for an examination, before anything runs."""

from __future__ import annotations

from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.checks.feasibility import why_infeasible
from l2sweep.sweep.checks.interpreter import interpreter_problems
from l2sweep.sweep.checks.overwrite_guard import overwrite_problems
from l2sweep.sweep.checks.storage_places import place_problems


def point_problems(sweep: SweepConfig, point: PointConfig) -> list[str]:
    """Return a sentence for each reason why a point cannot be examined.

    Args:
        sweep: Names the folder of the results, which lists the files that l2sweep may overwrite.
        point: The point to run.
    """
    if "lookup" not in point.phases:
        return [f"adapter={point.adapter_type}: must be an adapter of LMCache, which has a lookup"]
    problems = [*place_problems([point]), *interpreter_problems([point.python])]
    problems += overwrite_problems([point], sweep.results_dir)
    if reason := why_infeasible(point):
        problems.append(f"doctor: the point {reason}")
    return problems
