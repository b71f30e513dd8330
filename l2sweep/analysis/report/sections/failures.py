"""Section 5: the processes that failed, with their causes and the last lines of their logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from l2sweep.analysis.control import adapter_name_of_row
from l2sweep.analysis.report.contents.points import Failure
from l2sweep.analysis.tune.sentences import options_in_words
from l2sweep.analysis.tune.spec_fields import spec_fields

if TYPE_CHECKING:
    import pandas as pd

MOST_FAILURES = 100
_MOST_LOGS = 20


def failed_processes(points: pd.DataFrame) -> pd.DataFrame:
    """Return the processes of last attempts that did not end well.

    Args:
        points: Rows of ``points``.
    """
    last = points.groupby(["sweep_id", "point_index"])["attempt"].transform("max")
    return points[(points["attempt"] == last) & (points["status"] != "ok")]


def failures(failed: pd.DataFrame, read_log: Callable[[str], Sequence[str]]) -> tuple[Failure, ...]:
    """Return the first failures.

    Args:
        failed: What :func:`failed_processes` returns.
        read_log: Returns the last lines of a log.
    """
    return tuple(
        _failure(cast("dict[str, Any]", row), read_log if number < _MOST_LOGS else None)
        for number, row in enumerate(failed.head(MOST_FAILURES).to_dict("records"))
    )


def _failure(row: dict[str, Any], read_log: Callable[[str], Sequence[str]] | None) -> Failure:
    log_file = row["log_file"] if isinstance(row["log_file"], str) and row["log_file"] else None
    return Failure(
        sweep_id=row["sweep_id"],
        point_index=int(row["point_index"]),
        repeat=int(row["repeat"]),
        adapter=adapter_name_of_row(row),
        options=options_in_words(spec_fields(row["adapter_spec"])),
        num_keys=int(row["num_keys"]),
        in_flight=int(row["in_flight"]),
        data_size_kb=int(row["data_size_kb"]),
        phase=row["phase"],
        status=row["status"],
        cause=row["detail"] if isinstance(row["detail"], str) else "",
        log_file=log_file,
        last_lines=tuple(read_log(log_file)) if read_log and log_file else (),
    )
