"""Print a comparison for another program: all of it as JSON, its points as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from l2sweep.analysis.compare.result import ComparisonResult, PointComparison, records
from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.cli.row_output import Column, json_text, print_rows


def as_mapping(result: ComparisonResult) -> dict[str, Any]:
    """Return the whole comparison as a mapping, for JSON."""
    return {
        "headline": result.headline,
        "verdict": result.verdict,
        "exit_code": result.exit_code(),
        "host_changed": result.host_changed,
        "host_changes": result.host_changes,
        "threshold": result.threshold,
        "level": result.level,
        "base": result.base,
        "candidate": result.candidate,
        "environment": [asdict(one) for one in result.environment],
        "totals": records(result.totals),
        "points": records(result.points),
        "control_totals": records(result.control_totals),
        "controls": records(result.controls),
        "new_failures": [asdict(one) for one in result.new_failures],
        "failures": [asdict(one) for one in result.failures],
        "only_base": [asdict(one) for one in result.only_base],
        "only_candidate": [asdict(one) for one in result.only_candidate],
    }


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    print(json_text(value))


def print_csv(results: Sequence[tuple[Mapping[str, str], ComparisonResult]]) -> None:
    """Print one row for each point and phase, controls last.

    Args:
        results: The comparisons, each with the columns that its rows begin with.
    """
    rows = [
        {**first, **row} for first, result in results for row in records([*result.points, *result.controls])
    ]
    names = [field.name for field in (*fields(Point), *fields(PointComparison)) if field.name != "point"]
    names = list(rows[0]) if rows else names
    print_rows(rows, [Column(name, name) for name in names], "csv")
