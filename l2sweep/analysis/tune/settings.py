"""Settings: the processes that measured the same adapter, options and workload, with their throughput."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l2sweep.analysis.tune.bootstrap import Interval, interval, resampled_medians
from l2sweep.analysis.tune.device import COUNTERS, DeviceUse, device_use
from l2sweep.analysis.tune.processes import SIDE_BY_SIDE, processes
from l2sweep.analysis.tune.spec_fields import SpecFields, spec_fields

if TYPE_CHECKING:
    import pandas as pd

WORKLOAD = ("data_size_kb", "num_keys", "in_flight")
"""The columns of the workload by which settings differ, in the order in which they are shown."""
CLIENTS = "clients"
"""What a scaling curve varies over."""
_PROCESS = ["sweep_id", "point_index", "attempt"]
_SUMS = ("duration_s", "flush_s", "bytes_ok", *COUNTERS)


@dataclass(frozen=True)
class Setting:
    """One adapter with its options and a workload, as it was measured.

    Attributes:
        spec: What its adapter spec says.
        host: Host name.
        lmcache_version: Release of LMCache; None for fio.
        data_size_kb: Size of a key.
        num_keys: Keys of a submit.
        in_flight: Submits in flight.
        lookup_max_hit_rate: For lookups the share of the keys that were stored; None for other phases.
        cache_state: State of the page cache; None if there is none, or the processes differ.
        rates: Throughput of each complete process: MiB/s; for lookups keys/s.
        failed: Number of processes that did not complete.
        device: What the block devices did, over all complete processes.
        lookup_answered_by: What answered the lookups; None for other phases, and if it is unknown.
        clients: Clients on all hosts together, which are one process.
        hosts: Hosts that measured it together.
        processes: ``sweep_id``, ``point_index`` and ``attempt`` of each complete process, as ``rates``.
    """

    spec: SpecFields
    host: str
    lmcache_version: str | None
    data_size_kb: int
    num_keys: int
    in_flight: int
    lookup_max_hit_rate: float | None
    cache_state: str | None
    rates: tuple[float, ...]
    failed: int
    device: DeviceUse = field(default_factory=DeviceUse)
    lookup_answered_by: str | None = None
    clients: int = 1
    hosts: int = 1
    processes: tuple[tuple[Any, ...], ...] = ()

    @property
    def rate(self) -> float:
        """Median throughput of the processes."""
        return statistics.median(self.rates)

    @functools.cached_property
    def rate_interval(self) -> Interval | None:
        """Interval of the median; None if there are too few processes."""
        medians = resampled_medians([self.rates])
        return None if medians is None else interval(medians[:, 0])

    @property
    def is_candidate(self) -> bool:
        """Whether it may be recommended: it was measured, and no process failed."""
        return bool(self.rates) and not self.failed

    @property
    def keys_in_flight(self) -> int:
        """Keys that are in flight together."""
        return self.num_keys * self.in_flight

    @property
    def workload(self) -> tuple[Any, ...]:
        """What is moved, and how much of it at once."""
        return (self.data_size_kb, self.num_keys, self.in_flight, self.lookup_max_hit_rate)

    @property
    def place(self) -> tuple[Any, ...]:
        """What must be equal for settings to be compared: adapter, LMCache, host, path, and for lookups what
        answered them.
        """
        return (self.spec.adapter, self.lmcache_version, self.host, self.spec.path, self.lookup_answered_by)

    @property
    def place_on_any_host(self) -> tuple[Any, ...]:
        """The place without the host: of a point that several hosts measured together: the first one."""
        return (self.spec.adapter, self.lmcache_version, self.spec.path, self.lookup_answered_by)

    def value(self, name: str) -> Any:
        """Return a field of the workload, or an option of the adapter; None if it does not have it.

        Args:
            name: A name of :data:`WORKLOAD`, ``clients`` or ``hosts``, or ``adapter.`` and the name of an
                option.
        """
        if name in (*WORKLOAD, *SIDE_BY_SIDE):
            return getattr(self, name)
        return dict(self.spec.options).get(name.removeprefix("adapter."))


def settings(
    rounds: pd.DataFrame,
    phase: str,
    at: str,
    points: pd.DataFrame | None = None,
    command: str = "tune",
    *,
    with_clients: bool = False,
) -> list[Setting]:
    """Return the settings that were measured, in the order of their adapters, options and workloads.

    Args:
        rounds: Rows of :func:`l2sweep.load_rounds`.
        phase: store, lookup or load.
        at: A temperature, a key of :data:`l2sweep.analysis.tune.processes.TEMPERATURES`.
        points: Rows of :func:`l2sweep.load_points`; None: only processes with rounds are known.
        command: Name of the command that the error names.
        with_clients: Whether points with several clients count, as in
            :func:`l2sweep.analysis.tune.processes.processes`.

    Raises:
        RequestError: Nothing was measured.
    """
    measured = processes(rounds, phase, at, points, command, with_clients=with_clients)
    if phase != "lookup":
        measured = measured.assign(lookup_max_hit_rate=None)
    keys = ["adapter_spec", "host", "lmcache_version", *WORKLOAD, *SIDE_BY_SIDE, "lookup_max_hit_rate"]
    # A process that ended before its first lookup joins those of which the answer is known.
    answered_by = measured.groupby(keys, dropna=False, sort=False)["lookup_answered_by"].transform("first")
    measured = measured.assign(lookup_answered_by=measured["lookup_answered_by"].fillna(answered_by))
    keys.append("lookup_answered_by")
    found = [
        _setting(dict(zip(keys, values, strict=True)), group, phase)
        for values, group in measured.groupby(keys, dropna=False, sort=False)
    ]
    return sorted(found, key=_order)


def _setting(keys: dict[str, Any], group: pd.DataFrame, phase: str) -> Setting:
    complete = group[group["is_complete"]]
    states = {state if isinstance(state, str) else None for state in complete["cache_state"]}
    sums = {name: float(complete[name].sum(skipna=False)) for name in _SUMS}
    hit_rate, version = keys["lookup_max_hit_rate"], keys["lmcache_version"]
    answered_by = keys["lookup_answered_by"]
    return Setting(
        spec=spec_fields(keys["adapter_spec"]),
        host=str(keys["host"]),
        lmcache_version=version if isinstance(version, str) else None,
        data_size_kb=int(keys["data_size_kb"]),
        num_keys=int(keys["num_keys"]),
        in_flight=int(keys["in_flight"]),
        lookup_max_hit_rate=float(hit_rate) if isinstance(hit_rate, float) and hit_rate == hit_rate else None,
        cache_state=states.pop() if len(states) == 1 else None,
        rates=tuple(complete["rate"].tolist()),
        failed=len(group) - len(complete),
        device=device_use(phase, sums) if len(complete) else DeviceUse(),
        lookup_answered_by=answered_by if isinstance(answered_by, str) else None,
        clients=int(keys["clients"]),
        hosts=int(keys["hosts"]),
        processes=tuple(complete[_PROCESS].itertuples(index=False, name=None)),
    )


def varying(names: Sequence[str], among: Sequence[Setting]) -> list[str]:
    """Return the names whose values differ among settings."""
    return [name for name in names if len({one.value(name) for one in among}) > 1]


def option_names(among: Sequence[Setting]) -> list[str]:
    """Return ``adapter.`` and the name of each option that any of the settings has."""
    return [f"adapter.{name}" for name in sorted({name for one in among for name, _ in one.spec.options})]


def _order(one: Setting) -> tuple[Any, ...]:
    options = tuple((name, isinstance(value, str), value) for name, value in one.spec.options)
    place = tuple(str(part or "") for part in one.place)
    return (
        place,
        [(name, is_text, str(value) if is_text else float(value)) for name, is_text, value in options],
        one.data_size_kb,
        one.num_keys,
        one.in_flight,
        one.lookup_max_hit_rate or 0.0,
        one.clients,
        one.hosts,
    )
