"""The report as JSON: the names are those of the dataclasses."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import datetime
from typing import Any

from l2sweep.analysis.report.contents.report import Report

VERSION = 1
"""Of the names: a name that is removed or gets another meaning raises it."""


def report_mapping(report: Report) -> dict[str, Any]:
    """Return a report as plain containers, texts and numbers.

    Args:
        report: The report.

    Returns:
        The fields of the report, after ``version``. Times are texts in ISO 8601; what is missing is None.
    """
    return {"version": VERSION, **_plain(asdict(report))}


def to_json(report: Report) -> str:
    """Return a report as a JSON document, with missing numbers as null.

    Args:
        report: The report.
    """
    return json.dumps(report_mapping(report), indent=1, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value
