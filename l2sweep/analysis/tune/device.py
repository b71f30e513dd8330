"""What the counters of the lowest block devices say about one or several rounds.

The definitions are those of iostat(1): ``aqu-sz``, ``rareq-sz``, ``r_await`` and ``%util``. Each is missing
where the counters are too coarse for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_MIN_REQUESTS = 10
"""One request of another process that is counted by mistake is then at most 10% of them."""
_MIN_TIME_S = 0.02
"""The kernel prints these times in whole milliseconds: a difference of 20 ms is off by less than 5%."""
_MIN_BUSY_DURATION_S = 0.2
"""The kernel counts busy time in ticks of up to 10 ms (HZ=100): of 200 ms, one tick is 5%."""

DERIVED_COLUMNS = (
    "block_device_queue_depth",
    "block_device_request_bytes",
    "block_device_latency_s",
    "block_device_busy_fraction",
)


def device_columns(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return what follows from the counters of block devices.

    The rows may be rounds, or sums over rounds of the columns that are read here.

    - ``block_device_queue_depth``: mean number of requests that are at the device, from their start to their
      completion. It is the sum of their times divided by the duration: Little's law, L = lambda * W (Little,
      "A Proof for the Queuing Formula L = lambda W", Operations Research 9, 1961). Time in which the device
      is idle counts as 0.
    - ``block_device_request_bytes``: mean size of a request.
    - ``block_device_latency_s``: mean time from the start of a request to its completion.
    - ``block_device_busy_fraction``: part of the duration in which the busiest device had a request. A device
      that serves requests in parallel can do more although it is busy all the time.

    For loads and lookups the read requests count, for stores the write requests. The duration of a round with
    a flush includes the flush. The counters include what other processes do.

    Args:
        rounds: Rows with ``phase``, ``duration_s``, ``flush_s`` and the counters.

    Returns:
        A frame with :data:`DERIVED_COLUMNS` and the index of ``rounds``. A value is missing without counters,
        without a duration, with fewer than 10 requests, or where a clock of the kernel is too coarse: below
        20 ms of summed time, and for ``block_device_busy_fraction`` below 200 ms of duration.
    """
    is_store = rounds["phase"] == "store"

    def counter(of_reads: str, of_writes: str) -> pd.Series:
        return rounds[of_reads].mask(is_store, rounds[of_writes]).astype("float64")

    requests = counter("block_device_reads", "block_device_writes")
    moved = counter("block_device_read_bytes", "block_device_write_bytes")
    time_s = counter("block_device_read_time_s", "block_device_write_time_s")
    duration_s = rounds["duration_s"] + rounds["flush_s"].where(is_store, 0.0).fillna(0.0)
    has_requests = (requests >= _MIN_REQUESTS) & (duration_s > 0)
    is_timed = has_requests & (time_s >= _MIN_TIME_S)
    is_long = has_requests & (duration_s >= _MIN_BUSY_DURATION_S)
    return rounds[[]].assign(
        block_device_queue_depth=(time_s / duration_s).where(is_timed),
        block_device_request_bytes=(moved / requests).where(has_requests),
        block_device_latency_s=(time_s / requests).where(is_timed),
        block_device_busy_fraction=(rounds["block_device_busy_s"] / duration_s).where(is_long),
    )
