"""Section 3, throughput: settings, curves over a workload, and heat maps.

Curves and heat maps refer to settings by their position in :attr:`Throughput.settings`, so that each number
is there once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Temperature = Literal["cold", "hot", "claimed", "uncontrolled"]


@dataclass(frozen=True)
class MeasuredSetting:
    """The throughput of an adapter with its options and a workload, in one phase and temperature.

    Attributes:
        adapter: Name of the adapter; ``control`` for the control adapter.
        options: Options of the adapter in words, such as ``num_workers=4``; ``defaults`` if there are none.
        is_control: Whether it is a control (``fio``, ``control``, ``mock``), which is never recommended.
        host: Host name.
        path: Folder or device of its data; None if it names none.
        release: Release of LMCache; None for fio.
        phase: store, lookup or load.
        temperature: ``cold`` (with O_DIRECT that was confirmed), ``hot``, ``claimed`` or ``uncontrolled``;
            None for a store, which has none.
        cache_state: The recorded state of the page cache; None if there is none, or the processes differ.
        data_size_kb: Size of a key, in KiB.
        num_keys: Keys of a submit.
        in_flight: Submits in flight.
        lookup_max_hit_rate: Share of the looked up keys that were stored; None for other phases.
        processes: Number of complete processes: the sample.
        failed_processes: Number of processes that did not complete.
        rate: Median throughput of the complete processes: MiB/s, for lookups keys/s; None if there is none.
        rate_low: Lower end of its 95% interval; None with fewer than 3 processes.
        rate_high: Upper end.
        fio_rate: Throughput of fio with a thread for each key in flight, in MiB/s; None if it was not
            measured in the same place, size and state of the page cache.
        fio_best_rate: Throughput of fio at the depth that was the fastest at this size, in MiB/s.
        fio_share: ``rate`` as a share of ``fio_rate``.
        fio_share_low: Lower end of its 95% interval.
        fio_share_high: Upper end.
        fio_best_share: ``rate`` as a share of ``fio_best_rate``.
        limit: What limits it: ``device``, ``depth``, ``lmcache`` or ``unknown``; None without fio,
            and for hot settings, which memory limits.
        queue_depth: Mean number of requests at the device; None if it is not known.
        why_no_queue_depth: Why it is not known; empty if it is.
        device_latency_s: Mean time of a request at the device; None if it is not known.
        device_busy_fraction: Part of the time in which the busiest device had a request.
        request_bytes: Mean size of a request at the device.
        is_knee: Whether it is the knee of a curve of the recommendation.
        is_recommended: Whether the verdict recommends it.
    """

    adapter: str
    options: str
    is_control: bool
    host: str
    path: str | None
    release: str | None
    phase: str
    temperature: Temperature | None
    cache_state: str | None
    data_size_kb: int
    num_keys: int
    in_flight: int
    lookup_max_hit_rate: float | None
    processes: int
    failed_processes: int
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    fio_rate: float | None
    fio_best_rate: float | None
    fio_share: float | None
    fio_share_low: float | None
    fio_share_high: float | None
    fio_best_share: float | None
    limit: str | None
    queue_depth: float | None
    why_no_queue_depth: str
    device_latency_s: float | None
    device_busy_fraction: float | None
    request_bytes: float | None
    is_knee: bool
    is_recommended: bool

    @property
    def unit(self) -> str:
        """Unit of ``rate``: ``keys/s`` for lookups, else ``MiB/s``."""
        return "keys/s" if self.phase == "lookup" else "MiB/s"


@dataclass(frozen=True)
class Curve:
    """Settings along one field of the workload.

    Attributes:
        over: The field: ``data_size_kb``, ``in_flight`` or ``num_keys``.
        phase: store, lookup or load.
        temperature: As in :class:`MeasuredSetting`.
        adapter: Name of the adapter.
        is_control: Whether it is a control.
        label: What the curve has in common and others of its adapter, phase and temperature have not, such as
            ``num_workers=4 in_flight=8``; empty if there is no other.
        settings: Positions of the settings, in ascending order of the field. At least two, all with a rate.
        also_varies: Other fields of the workload that differ along the curve: such a curve has no knee. Empty
            if only its own field differs.
        knee: Position of the knee: the smallest setting whose throughput is within 5% of the best; None for a
            control, and if a process failed at all but one of them.
    """

    over: str
    phase: str
    temperature: Temperature | None
    adapter: str
    is_control: bool
    label: str
    settings: tuple[int, ...]
    also_varies: tuple[str, ...]
    knee: int | None


@dataclass(frozen=True)
class HeatMap:
    """The throughput of an adapter over two fields of the workload.

    Attributes:
        adapter: Name of the adapter.
        phase: store, lookup or load.
        temperature: As in :class:`MeasuredSetting`.
        label: As in :class:`Curve`, of the options and of the third field.
        x: The field of the columns: ``in_flight``, ``num_keys`` or ``data_size_kb``.
        y: The field of the rows.
        settings: Positions of the settings, one for each cell that was measured.
    """

    adapter: str
    phase: str
    temperature: Temperature | None
    label: str
    x: str
    y: str
    settings: tuple[int, ...]


@dataclass(frozen=True)
class Throughput:
    """Throughput against the workload.

    Attributes:
        settings: All settings of all phases and temperatures. Replays of a trace have none.
        curves: The curves.
        heat_maps: The heat maps of adapters; none where a field has one value.
        not_measured: Sentences that say which figures are missing and why. A figure without data must not be
            drawn.
    """

    settings: tuple[MeasuredSetting, ...]
    curves: tuple[Curve, ...]
    heat_maps: tuple[HeatMap, ...]
    not_measured: tuple[str, ...]
