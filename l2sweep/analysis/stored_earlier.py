"""Find what earlier store phases left under other options, for a phase that found nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# The options from which the keys and bytes of a point follow, besides the adapter spec.
_OPTIONS = ("num_keys", "in_flight", "data_size_kb", "rounds", "warmup_rounds", "seed")
_OWN_NAMESPACE = "l2sweep-"  # begins every namespace that l2sweep chose itself
_MOST = 3  # lines


def stored_earlier(points: pd.DataFrame, wanted: Mapping[str, Any]) -> list[str]:
    """Return a line for each group of options under which the same adapter stored keys earlier.

    Args:
        points: Rows of the data set ``points``, in the order in which they were run.
        wanted: The row of a point that found nothing.

    Returns:
        At most three lines. Those with the fewest different options come first, then the latest.
    """
    stored = points[
        (points["only"] == "store")
        & (points["status"] == "ok")
        & (points["adapter_spec"] == wanted["adapter_spec"])
    ]
    lines: dict[str, int] = {}
    for row in reversed(stored.to_dict("records")):
        names = [name for name in _OPTIONS if row[name] != wanted[name]]
        if not str(row["namespace"]).startswith(_OWN_NAMESPACE) or not names:
            names.append("namespace")
        lines.setdefault(_line(row, wanted, names), len(names))
    return sorted(lines, key=lambda line: lines[line])[:_MOST]


def _line(row: Mapping[str, Any], wanted: Mapping[str, Any], names: list[str]) -> str:
    if row["namespace"] == wanted["namespace"]:
        return f"stored earlier with the same options, by sweep {row['sweep_id']}: the keys are gone"
    theirs, ours = (", ".join(f"{name}={one[name]}" for name in names) for one in (row, wanted))
    return f"stored earlier: {theirs} (this point: {ours})"
