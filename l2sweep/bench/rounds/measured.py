"""What a benchmark process reports of one round, and which columns the data set ``rounds`` has of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RoundMeasured:
    """The result of one round.

    Attributes:
        phase: store, lookup or load.
        round: Number of the round. Counted from 1; warm-up rounds come first.
        is_warmup: Whether this is a warm-up round, which is part of no result.
        status: ``ok`` (all expected keys), ``partial`` (some of them), ``error`` (none of them, or the
            adapter failed, or the round was not run), ``timeout``.
        detail: Why the status is not ok, and the first error of the adapter during the round, else its first
            warning; empty if there is none.
        started_at_s: Seconds since the epoch, just before the first submit; None if the round was not run.
        duration_s: Time from the first submit to the last completion; None if a submit did not complete, or
            the adapter broke a rule of its interface.
        keys_requested: Number of keys in all submits.
        keys_expected: Number of keys that must be moved or found.
        keys_ok: Number of keys that were moved or found.
        bytes_requested: Payload of ``keys_requested``; 0 for lookups.
        bytes_ok: Bytes that were moved, without those of checked keys with wrong bytes.
        submit_latency_s: For each submit that completed in time, the time from the submit to its completion.
            Submits that completed before their bytes were there are left out.
        submit_unfinished_s: For each submit that did not complete in time, the time that it was waited for.
            Its latency is at least that.
        verified_keys: Number of loaded keys of which every byte was checked.
        sampled_keys: Number of loaded keys of which a few words were checked.
        mismatched_keys: Number of checked or sampled keys with wrong bytes, or in a submit that completed
            before its bytes were there.
        false_hits: Lookups: keys that were found but never stored. None for other phases, and in a namespace
            that others may have filled.
        false_misses: Lookups: keys that were stored but not found. None for other phases, and without a store
            phase of the point.
        cpu_user_s: User time of all threads of the process during the round.
        cpu_sys_s: System time of all threads of the process during the round.
        device_read_bytes: Bytes that the kernel read from storage for the process during the round; None if
            the kernel does not report them.
        device_write_bytes: Bytes that the process caused to be written to storage during the round; None if
            the kernel does not report them.
        flush_s: Time to flush to the device after the round; None if nothing was flushed.
        elapsed_s: Time from the first submit to the last completion, or to the time limit if a submit did not
            complete; None if the round was not run.
        block_device_read_bytes: Bytes that all processes read from the point's lowest block devices during
            the round; None if there are none, or the kernel does not report them.
        block_device_write_bytes: The same for writes, including those of the flush after the round.
        block_device_reads: Read requests that these devices completed during the round; None as above.
        block_device_writes: Write requests, including those of the flush after the round.
        block_device_flushes: Flush requests; None also if the kernel does not count them.
        block_device_read_time_s: Time from the start to the completion of each read request, summed.
        block_device_write_time_s: The same for write requests.
        block_device_queue_s: The same for all requests, flushes and discards included.
        block_device_busy_s: Time in which the busiest of these devices had at least one request.
        dirty_after_flush_bytes: Bytes of the point's files that were still not on the device after the flush;
            None if nothing was flushed, or the kernel does not report them.
        resident_at_start_fraction: Fraction of the pages of the files of this round's keys that were in the
            page cache just before the first submit, 0 to 1. None if the round need not be cold, its keys have
            no files of their own, or the kernel does not report the pages.
        stored_bytes: Bytes that L2 reports for the stored keys of a store round, which a serde makes fewer
            than ``bytes_ok``. None for other phases, and without a storage manager.
        evicted_keys: Keys that a load round did not move because LMCache had evicted them, or a key before
            them in their submit, at which a prefetch ends. Such a round has no duration, and such a submit no
            latency. None for other phases, and without a storage manager.
        loaded_from: Keys that a load round moved from each L2 adapter, in their order. Empty for other
            phases, and if there is only one adapter.
        beside_fraction: Mixed phases: share of the round in which the other side was in flight, 0 to 1.
        second: In a trace, the number of the second since its replay began, from 0, in which what is counted
            here completed; the row is that second, and no round. None for a round.
        late_s: In a trace, for each value of ``submit_latency_s``, the time from the moment at which the
            submit was due to the submit. Their sum is the latency from that moment. Empty for a round.
        submit_started_s: With several clients, for each value of ``submit_latency_s``, the time from the
            start of the round to the submit. Empty with one client.
        clock_offset_s: With several hosts, what to add to a time of this host to have that of the host of
            client 0, as estimated at the start of the phase. None with one host.
        clock_error_s: Largest error of ``clock_offset_s`` when it was estimated. None with one host.
    """

    phase: str
    round: int
    is_warmup: bool
    status: str
    detail: str
    started_at_s: float | None
    duration_s: float | None
    keys_requested: int
    keys_expected: int
    keys_ok: int
    bytes_requested: int
    bytes_ok: int
    submit_latency_s: list[float]
    verified_keys: int
    mismatched_keys: int
    cpu_user_s: float
    cpu_sys_s: float
    device_read_bytes: int | None
    device_write_bytes: int | None
    flush_s: float | None = None
    submit_unfinished_s: list[float] = field(default_factory=list)
    sampled_keys: int = 0
    false_hits: int | None = None
    false_misses: int | None = None
    elapsed_s: float | None = None
    block_device_read_bytes: int | None = None
    block_device_write_bytes: int | None = None
    block_device_reads: int | None = None
    block_device_writes: int | None = None
    block_device_flushes: int | None = None
    block_device_read_time_s: float | None = None
    block_device_write_time_s: float | None = None
    block_device_queue_s: float | None = None
    block_device_busy_s: float | None = None
    dirty_after_flush_bytes: int | None = None
    resident_at_start_fraction: float | None = None
    stored_bytes: int | None = None
    evicted_keys: int | None = None
    loaded_from: list[int] = field(default_factory=list)
    beside_fraction: float | None = None
    second: int | None = None
    late_s: list[float] = field(default_factory=list)
    submit_started_s: list[float] = field(default_factory=list)
    clock_offset_s: float | None = None
    clock_error_s: float | None = None
