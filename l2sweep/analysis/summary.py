"""Summarise rounds: one row for each point and phase over its repeats, or for any other grouping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from l2sweep.analysis.clients.aggregates import NEEDED
from l2sweep.analysis.clients.merging import CLIENT_COLUMNS, first_clients, merged
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.rounds.auto_rounds import COLUMNS_OF_AUTO_ROUNDS
from l2sweep.analysis.rounds.group_summary import summarise_groups
from l2sweep.analysis.rounds.table import RoundTable

if TYPE_CHECKING:
    import pandas as pd

BY = ("point_id", "release")
"""The default grouping: each point and phase over its repeats, for each release of LMCache that was asked
for. Rows of earlier versions have no column ``release``."""
PARAMETERS = ("adapter_type", "model", "num_keys", "in_flight", "data_size_kb", "lookup_max_hit_rate")
"""Columns that follow from ``point_id``, and describe it to a reader."""
NEEDED_ROUNDS = (
    *("sweep_id", "point_index", "attempt", "phase", "is_warmup", "status", "duration_s"),
    *("keys_requested", "keys_expected", "keys_ok", "bytes_ok", "cache_state"),
)
"""The columns of ``rounds`` without which there is no summary."""
COLUMNS_OF_ROUNDS = (
    *NEEDED_ROUNDS,
    *(*BY, "repeat", "round", "adapter_spec", *PARAMETERS, "profile", "started_at", "elapsed_s"),
    *("submit_latency_s", "submit_unfinished_s", "flush_s", "false_hits", "false_misses", "mismatched_keys"),
    *("evicted_keys", "lookup_answered_by", "trace", "trace_speed", "second", FLEET_HOST),
    *NEEDED,
)
"""The columns of ``rounds`` that a full summary reads."""
COLUMNS_OF_POINTS = (
    *("sweep_id", "point_id", "point_index", "repeat", "attempt", "phase", "status", "rounds", "only"),
    *("release", "adapter_spec", *PARAMETERS, "profile", "warmup_rounds", "seed", "cache_mode"),
    *("trace", "trace_speed", "through", "concurrent", FLEET_HOST, *CLIENT_COLUMNS),
    *COLUMNS_OF_AUTO_ROUNDS,
)
"""The columns of ``points`` that a full summary reads."""


def summarize(
    rounds: pd.DataFrame, by: str | Sequence[str] | None = None, *, points: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Summarise measured rounds, one row for each group.

    The unit of a sample is a process: one attempt at a point. The rounds of a process are not independent.
    Only the last attempt at a point counts. Warm-up rounds never count. The clients of a point are one
    process: a round runs from the first start to the last end, unless ``by`` names ``client``.

    The columns after those of the group:

    - ``processes``: number of processes that ran the phase. ``measured_processes``: those with a duration.
      ``failed_processes``: those whose phase is not ``ok``.
    - ``rounds``, ``ok_rounds``, ``timed_out_rounds``, ``failed_rounds``: numbers of measured rounds. A failed
      round is one that is not ``ok``.
    - ``median_s``: median over the processes of the median duration of their rounds. ``median_low_s`` and
      ``median_high_s``: its 95% interval (``l2sweep.analysis.rounds.median_interval``), from 6 processes on.
      ``median_min_s`` and ``median_max_s``: the fastest and the slowest process.
    - ``p50_s``, ``p95_s``, ``p99_s``: percentiles of the durations of all rounds, if there are enough.
      Of a trace, whose rows are seconds, these and the medians are those of the submits.
    - ``submit_p50_s``, ``submit_p95_s``, ``submit_p99_s``: percentiles of the submit latencies.
    - ``mib_per_s``: moved bytes / duration, summed over all rounds that have a duration. ``keys_per_s``:
      answered keys / duration. With ``_elapsed``: over elapsed time, which includes rounds that timed out.
      With ``_min`` and ``_max``: of the slowest and the fastest process. ``durable_mib_per_s``: with flushes.
    - ``actual_hit_rate``, ``false_hits``, ``false_misses``: of lookups. ``mismatched_keys``: loaded keys with
      wrong bytes. ``evicted_keys``: keys that LMCache evicted before their load.
    - ``rounds_ended``: with ``rounds=auto`` or ``warmup_rounds=auto``, why the rounds ended, see
      ``docs/rounds.md``. It is known only with ``points``.
    - ``status``: ``ok``, or what failed, as in the table of a sweep.
    - ``lower_bounds``: the names of those columns, separated by spaces, whose true value may be larger,
      because a round or submit timed out.

    Args:
        rounds: Rows of ``load_rounds``, in their order.
        by: Columns that have the same value in a group. ``phase``, ``cache_state``, ``profile``,
            ``lookup_answered_by``, ``trace`` and ``fleet_host`` are never pooled: they separate groups even
            if they are not named. The state is that of all rounds of a process, joined by ``/`` if they
            differ. None: ``point_id``, and the parameters of the point become columns of the result.
        points: Rows of ``load_points``. With them, a phase that has no measured round and a process that
            ended badly are counted as well.

    Returns:
        The groups, in the order of their first rounds. A number that cannot be computed is missing.

    Raises:
        KeyError: A column is missing.
    """
    import pandas as pd

    fields = [name for name in rounds.columns if name.startswith("adapter.")] if by is None else []
    described = (*PARAMETERS, *fields) if by is None else ()
    columns = _default_by(rounds) if by is None else (by,) if isinstance(by, str) else tuple(by)
    missing = [name for name in (*columns, *NEEDED_ROUNDS) if name not in rounds.columns]
    if missing:
        raise KeyError(f"rounds has no column {', '.join(dict.fromkeys(missing))}")
    if "client" not in columns:
        rounds, points = merged(rounds), None if points is None else first_clients(points)
    processes = [] if points is None else processes_of(points)
    return pd.DataFrame(summarise_groups(RoundTable.of(rounds), columns, described, processes))


def _default_by(rounds: pd.DataFrame) -> tuple[str, ...]:
    has_releases = "release" in rounds.columns and bool(rounds["release"].notna().any())
    return BY if has_releases else BY[:1]


def processes_of(points: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Return rows of ``points`` as mappings, with the columns that a summary needs.

    Args:
        points: Rows of ``load_points``.
    """
    fields = [name for name in points.columns if name.startswith("adapter.")]
    names = [name for name in COLUMNS_OF_POINTS if name in points.columns]
    columns = {name: points[name].tolist() for name in (*names, *fields)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
