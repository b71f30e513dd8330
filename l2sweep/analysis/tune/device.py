"""What the counters of the lowest block devices say about one or several rounds.

The definitions are those of iostat(1): ``aqu-sz``, ``rareq-sz``, ``r_await`` and ``%util``. Each is missing
where the counters are too coarse for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MIN_REQUESTS = 10
"""One request of another process that is counted by mistake is then at most 10% of them."""
_MIN_TIME_S = 0.02
"""The kernel prints these times in whole milliseconds: a difference of 20 ms is off by less than 5%."""
_MIN_BUSY_DURATION_S = 0.2
"""The kernel counts busy time in ticks of up to 10 ms (HZ=100): of 200 ms, one tick is 5%."""

COUNTERS = (
    *("block_device_reads", "block_device_writes", "block_device_read_bytes", "block_device_write_bytes"),
    *("block_device_read_time_s", "block_device_write_time_s", "block_device_busy_s"),
)
"""The counters that are read here."""
DERIVED_COLUMNS = (
    "block_device_queue_depth",
    "block_device_request_bytes",
    "block_device_latency_s",
    "block_device_busy_fraction",
)


def derived_of(is_store: NDArray[np.bool_], values: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return what follows from the counters of block devices.

    The values may be those of rounds, or sums over rounds.

    - ``block_device_queue_depth``: mean number of requests that are at the device, from their start to their
      completion. It is the sum of their times divided by the duration: Little's law, L = lambda * W (Little,
      "A Proof for the Queuing Formula L = lambda W", Operations Research 9, 1961). Time in which the device
      is idle counts as 0.
    - ``block_device_request_bytes``: mean size of a request.
    - ``block_device_latency_s``: mean time from the start of a request to its completion.
    - ``block_device_busy_fraction``: part of the duration in which the busiest device had a request. A device
      that serves requests in parallel can do more although it is busy all the time.

    For loads and lookups the read requests count, for stores the write requests. The duration of a store with
    a flush includes the flush. The counters include what other processes do.

    Args:
        is_store: Which rows are stores.
        values: ``duration_s``, ``flush_s`` and :data:`COUNTERS`; NaN where one is missing.

    Returns:
        An array for each of :data:`DERIVED_COLUMNS`. A value is NaN without counters, without a duration,
        with fewer than 10 requests, or where a clock of the kernel is too coarse: below 20 ms of summed time,
        and for ``block_device_busy_fraction`` below 200 ms of duration.
    """

    def counter(of_reads: str, of_writes: str) -> Floats:
        return np.where(is_store, values[of_writes], values[of_reads])

    requests = counter("block_device_reads", "block_device_writes")
    moved = counter("block_device_read_bytes", "block_device_write_bytes")
    time_s = counter("block_device_read_time_s", "block_device_write_time_s")
    duration_s = values["duration_s"] + np.where(is_store, np.nan_to_num(values["flush_s"]), 0.0)
    has_requests = (requests >= _MIN_REQUESTS) & (duration_s > 0)
    is_timed = has_requests & (time_s >= _MIN_TIME_S)
    is_long = has_requests & (duration_s >= _MIN_BUSY_DURATION_S)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (
            np.where(is_timed, time_s / duration_s, np.nan),
            np.where(has_requests, moved / requests, np.nan),
            np.where(is_timed, time_s / requests, np.nan),
            np.where(is_long, values["block_device_busy_s"] / duration_s, np.nan),
        )
    return dict(zip(DERIVED_COLUMNS, found, strict=True))


_LEAST_MOVED_FRACTION = 0.9
"""As in ``l2sweep/sweep/cache/coldness.py``: some file systems store the tail of a file elsewhere."""
_MOST_MOVED_FRACTION = 1.25
"""Metadata and read-ahead are a few percent of the bytes of keys; beyond this, others used the device."""


@dataclass(frozen=True)
class DeviceUse:
    """What the block devices did while a setting was measured. None: not known.

    Attributes:
        queue_depth: Mean number of requests at the device.
        request_bytes: Mean size of a request.
        latency_s: Mean time of a request at the device.
        busy_fraction: Part of the time in which the busiest device had a request.
        why_unknown: Why the queue depth is not known; empty if it is.
    """

    queue_depth: float | None = None
    request_bytes: float | None = None
    latency_s: float | None = None
    busy_fraction: float | None = None
    why_unknown: str = "no process was complete"


def device_use(phase: str, sums: Mapping[str, float]) -> DeviceUse:
    """Return what the block devices did in rounds that are summed up.

    Args:
        phase: store, lookup or load.
        sums: Sums over the rounds of ``duration_s``, ``flush_s``, ``bytes_ok`` and the counters, NaN where
            that of a round is not known.
    """
    moved = sums["block_device_write_bytes" if phase == "store" else "block_device_read_bytes"]
    requests = sums["block_device_writes" if phase == "store" else "block_device_reads"]
    if moved != moved:
        return DeviceUse(why_unknown="the path has no block device whose counters are known")
    if requests != requests:
        return DeviceUse(why_unknown="the rounds were recorded before schema version 5")
    if phase != "lookup" and sums["bytes_ok"]:
        fraction = moved / sums["bytes_ok"]
        verb = "wrote" if phase == "store" else "read"
        if fraction < _LEAST_MOVED_FRACTION:
            return DeviceUse(why_unknown=f"the device {verb} only {fraction:.0%} of the bytes meanwhile")
        if fraction > _MOST_MOVED_FRACTION:
            others = "other processes used it" if phase == "store" else "other processes, or read-ahead"
            return DeviceUse(why_unknown=f"the device {verb} {fraction:.2f} times the bytes: {others}")
    values = {name: np.array([value]) for name, value in sums.items()}
    found = derived_of(np.array([phase == "store"]), values)
    depth, size, latency_s, busy = (
        None if np.isnan(found[name][0]) else float(found[name][0]) for name in DERIVED_COLUMNS
    )
    why = "" if depth is not None else "the counters are too coarse for so few or so short requests"
    return DeviceUse(depth, size, latency_s, busy, why)
