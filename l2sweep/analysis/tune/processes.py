"""Make one row per benchmark process of the rounds that a recommendation may use."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from l2sweep.analysis.ended import COLUMNS_OF_COMPLETENESS, Row, process_of, requested_rounds
from l2sweep.analysis.tune.device import COUNTERS
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

_MIB = 1024 * 1024

TEMPERATURES: dict[str, tuple[str | None, ...]] = {
    "cold": ("cold", "bypassed"),
    "hot": ("warm", None),
    "claimed": ("claimed",),
    "uncontrolled": ("uncontrolled",),
}
"""For each temperature the values of ``cache_state``. O_DIRECT that the device confirmed is cold: the device
delivered the bytes. No state: the data are in the process, or it is a lookup that need not be cold."""

_PROCESS = ["sweep_id", "point_index", "attempt"]
_POINT = ["adapter_spec", "num_keys", "in_flight", "data_size_kb", "lookup_max_hit_rate"]
_ENVIRONMENT = ["host", "lmcache_version"]
SIDE_BY_SIDE = ("clients", "hosts")
"""The columns that tell what measured a point at the same time: clients, and the hosts that they ran on."""
ROUND_COLUMNS = (
    *(*_PROCESS, *_POINT, *_ENVIRONMENT, "phase", "is_warmup", "status", "rounds", "profile", "cache_state"),
    *(
        "trace",
        *SIDE_BY_SIDE,
        "keys_requested",
        "bytes_ok",
        "duration_s",
        "flush_s",
        "lookup_answered_by",
        *COUNTERS,
    ),
)
"""The columns of ``rounds`` that a recommendation needs."""
POINT_COLUMNS = (
    *(*_PROCESS, *_POINT, *_ENVIRONMENT, "adapter_type", "status", "cache_mode", *SIDE_BY_SIDE),
    *COLUMNS_OF_COMPLETENESS,
)
"""The columns of ``points`` that a recommendation needs."""


def processes(
    rounds: pd.DataFrame,
    phase: str,
    at: str,
    points: pd.DataFrame | None = None,
    command: str = "tune",
    *,
    with_clients: bool = False,
) -> pd.DataFrame:
    """Return one row per process that measured a phase at a temperature.

    Only the last attempt at each point counts, and no warm-up round. Processes beside which a profiler ran
    are left out, and replays of a trace, and points with several clients unless they are asked for.

    Args:
        rounds: Rows of :func:`l2sweep.load_rounds`.
        phase: store, lookup or load.
        at: A key of :data:`TEMPERATURES`. A store reads nothing, so it has no temperature.
        points: Rows of :func:`l2sweep.load_points`: processes that failed before they measured the phase are
            added, as not complete.
        command: Name of the command that the error names.
        with_clients: Whether points with several clients count, too. Their rows must have been merged
            (:func:`l2sweep.analysis.clients.merging.merged`): all clients of an attempt are one process.

    Returns:
        The columns of the point, ``clients``, ``hosts``, ``host``, ``lmcache_version``,
        ``lookup_answered_by``, ``cache_state``
        (missing if the rounds differ), ``is_complete`` (all requested rounds were measured and are ok),
        ``rate`` (MiB/s: bytes that moved / duration; for lookups keys/s), ``duration_s``, ``flush_s``,
        ``bytes_ok``, and sums of :data:`COUNTERS`, missing if that of a round is missing.

    Raises:
        RequestError: There is no such process.
    """
    of_phase = rounds[(rounds["phase"] == phase) & ~rounds["is_warmup"].astype(bool)]
    if "profile" in of_phase:
        of_phase = of_phase[of_phase["profile"].isna()]
    if "trace" in of_phase:  # its throughput is that of the trace, and not of the settings
        is_round = of_phase["trace"].isna()
        if len(of_phase) and not is_round.any():
            raise RequestError([f"{command}: replays of a trace are not compared; run a sweep of rounds"])
        of_phase = of_phase[is_round]
    of_phase, points = _counted(of_phase), None if points is None else _counted(points)
    if not with_clients:  # a depth of theirs is not that of one process
        is_one = _is_one(of_phase)
        if len(of_phase) and not is_one.any():
            raise RequestError(
                [f"{command}: points with several clients are left out; run a sweep with clients=1"]
            )
        of_phase, points = of_phase[is_one], None if points is None else points[_is_one(points)]
    if of_phase.empty:
        raise RequestError(
            [f"{command}: no {phase} was measured in these sweeps; run a sweep with this phase"]
        )
    last = of_phase.groupby(_PROCESS[:2])["attempt"].transform("max")
    of_phase = of_phase[of_phase["attempt"] == last]
    counted = of_phase.assign(
        is_ok=(of_phase["status"] == "ok") & of_phase["duration_s"].notna(),
        # A failed round may have no state. It then says nothing against that of the other rounds.
        known_state=of_phase["cache_state"].where(
            of_phase["cache_state"].notna() | (of_phase["status"] != "ok"), ""
        ),
        moved=of_phase["keys_requested"] if phase == "lookup" else of_phase["bytes_ok"] / _MIB,
    )
    grouped = counted.groupby(_PROCESS, sort=False)
    found = grouped[[*_POINT, *SIDE_BY_SIDE, *_ENVIRONMENT, "rounds"]].first()
    number = grouped.size()
    known_state = grouped["known_state"].first().fillna("")
    found["cache_state"] = known_state.where(grouped["known_state"].nunique() <= 1)
    found["is_complete"] = grouped["is_ok"].all() & (number >= _requested(found, number, phase, points))
    found["duration_s"] = grouped["duration_s"].sum()
    found["rate"] = grouped["moved"].sum() / found["duration_s"]
    found["bytes_ok"] = grouped["bytes_ok"].sum()
    found["flush_s"] = grouped["flush_s"].sum()
    for name in COUNTERS:
        known = grouped[name].count() == number
        found[name] = grouped[name].sum().where(known)
    found["phase"] = phase
    found["lookup_answered_by"] = None
    if "lookup_answered_by" in counted:  # rows that a caller kept from an earlier release lack it
        found["lookup_answered_by"] = grouped["lookup_answered_by"].first()
    every = found.reset_index()
    measured = _at_temperature(every, phase, at, command)
    return measured if points is None else _with_failures(measured, every, points, phase, at)


def _counted(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows that say how many clients and hosts they have: of those that do not, it is one."""
    return rows.assign(
        **{name: rows[name].fillna(1).astype("int64") if name in rows else 1 for name in SIDE_BY_SIDE}
    )


def _is_one(rows: pd.DataFrame) -> pd.Series:
    return rows["clients"] == 1


def _requested(found: pd.DataFrame, number: pd.Series, phase: str, points: pd.DataFrame | None) -> pd.Series:
    """Return with how many rounds each process is complete."""
    import pandas as pd

    requested = found["rounds"].fillna(0)
    if points is None or "precision" not in points:
        return requested
    names = [*_PROCESS, *(name for name in COLUMNS_OF_COMPLETENESS if name in points)]
    auto: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for values in points.loc[points["precision"].notna(), names].itertuples(index=False, name=None):
        auto[values[: len(_PROCESS)]].append(dict(zip(names, values, strict=True)))
    needed = [
        requested_rounds(phase, own, measured) if (own := process_of(phase, auto.get(process, ()))) else fixed
        for process, measured, fixed in zip(found.index.tolist(), number, requested, strict=True)
    ]
    return pd.Series(needed, index=found.index)


def _with_failures(
    measured: pd.DataFrame, every: pd.DataFrame, points: pd.DataFrame, phase: str, at: str
) -> pd.DataFrame:
    """Add the processes that failed before a round of the phase told the state of the page cache."""
    import pandas as pd

    mode = _CACHE_MODES.get(at) if phase != "store" else None
    failed = points[points["status"].isin(_FAILED) & points["sweep_id"].isin(set(measured["sweep_id"]))]
    last = points.groupby(_PROCESS[:2])["attempt"].transform("max")
    failed = failed[failed["attempt"] == last[failed.index]]
    if mode is not None:
        failed = failed[failed["cache_mode"] == mode]
    failed = failed.drop_duplicates(_PROCESS)
    stateless = ~every["is_complete"] & every["cache_state"].fillna("").eq("")
    known = pd.MultiIndex.from_frame(pd.concat([every[~stateless], measured])[_PROCESS])
    lost = failed[~pd.MultiIndex.from_frame(failed[_PROCESS]).isin(known)]
    if lost.empty:
        return measured
    # A process that ended early does not know its LMCache: it is that of its sweep.
    versions = every.dropna(subset="lmcache_version").groupby("sweep_id")["lmcache_version"].first()
    version = lost["lmcache_version"].fillna(lost["sweep_id"].map(versions))
    lost = lost[[*_PROCESS, *_POINT, *SIDE_BY_SIDE, "host"]].assign(
        lmcache_version=version.mask(lost["adapter_type"] == "fio"), is_complete=False
    )
    return pd.concat([measured, lost], ignore_index=True)


def _at_temperature(found: pd.DataFrame, phase: str, at: str, command: str) -> pd.DataFrame:
    if phase == "store":
        return found.assign(cache_state=None)
    wanted = [state or "" for state in TEMPERATURES[at]]
    matching = found[found["cache_state"].isin(wanted)]
    if matching.empty:
        counts = found["cache_state"].fillna("mixed").replace("", "without a state").value_counts()
        others = ", ".join(f"{count} {state}" for state, count in counts.items())
        raise RequestError([f"{command}: no {phase} is {at} (processes: {others}); {_WAY_OUT[at]}"])
    return matching.assign(cache_state=matching["cache_state"].where(matching["cache_state"] != "", None))


_FAILED = ("failed", "refused", "crashed", "timeout", "memory_limit", "unreadable")
"""Values of ``status`` of a process that did not do what was asked for. ``warm`` and ``stopped`` are none."""
_CACHE_MODES = {"cold": "cold", "claimed": "cold", "hot": "hot"}
_WAY_OUT = {
    "cold": "run `l2sweep experiment=tune`, or another sweep with cache=cold, or choose another --at",
    "hot": "run a sweep with cache=hot on data that fit into memory, or choose another --at",
    "claimed": "run a sweep with cache=cold cache.method=command, or choose another --at",
    "uncontrolled": "choose another --at",
}
