"""The columns of the data sets. ``docs/records.md`` explains each of them."""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 8
"""Version 2 added flush_s, model and the state of the page cache. Version 3 renamed columns. Version 4 added
columns that tell what an adapter reported from what happened. Version 5 added why the rounds of a phase
ended, and the requests and times of the block devices per round. Version 6 added traces, service, release,
what answers a lookup, and what a point was driven through. Version 7 added what was evicted before a load,
which of several adapters loaded a key, and clients. Version 8 added hosts, the offsets of their clocks,
whether a sweep is a fleet, and the model of the device."""
_METADATA = {b"l2sweep.schema_version": str(SCHEMA_VERSION).encode()}
RENAMED_COLUMNS = {
    "create_s": "adapter_create_s",
    "resident_before": "resident_before_fraction",
    "resident_after": "resident_after_fraction",
    "resident_at_end": "resident_at_end_fraction",
    "dirty_before": "dirty_before_fraction",
    "dirty_after": "dirty_after_fraction",
}
"""Columns of ``POINTS`` whose name changed with version 3: old name to new name."""
PHASES = ("store", "lookup", "load", "mixed_store", "mixed_load")
"""The phases, in the order in which a point runs them. The last two run at the same time."""
_UTC = pa.timestamp("us", tz="UTC")

# The point of a row, in both data sets.
_IDENTITY = [
    ("sweep_id", pa.string()),
    ("sweep_name", pa.string()),
    ("point_id", pa.string()),
    ("point_index", pa.int32()),
    ("repeat", pa.int32()),
    ("attempt", pa.int32()),
    ("phase", pa.string()),
]

# The limits of rounds whose number is not fixed, and why those of each phase ended. Only in ``POINTS``.
_ROUND_LIMITS = [
    ("precision", pa.float64()),
    ("max_seconds", pa.float64()),
    ("warmup_auto", pa.bool_()),
]
_ROUNDS_ENDED = [
    (f"{phase}_{name}", column_type)
    for phase in ("store", "lookup", "load")
    for name, column_type in (
        ("rounds_ended_by", pa.string()),
        ("warmup_ended_by", pa.string()),
        ("precision_reached", pa.float64()),
    )
]

# The parameters of the point, in both data sets.
_PARAMETERS = [
    ("adapter_type", pa.string()),
    ("adapter_spec", pa.string()),
    ("model", pa.string()),
    ("num_keys", pa.int64()),
    ("in_flight", pa.int64()),
    ("data_size_kb", pa.int64()),
    ("lookup_max_hit_rate", pa.float64()),
    ("rounds", pa.int64()),
    ("warmup_rounds", pa.int64()),
    ("namespace", pa.string()),
    ("payload_namespace", pa.string()),
    ("seed", pa.int64()),
    ("profile", pa.string()),
]

# The trace that the point replays, in both data sets.
_TRACE = [
    ("trace", pa.string()),
    ("trace_speed", pa.float64()),
]

# The client of the row, and how many clients and hosts the point has, in both data sets.
_CLIENTS = [
    ("client", pa.int32()),
    ("clients", pa.int32()),
    ("hosts", pa.int32()),
]

# Whether the sweep measures each point on each of several hosts, in both data sets.
_FLEET = [("fleet", pa.bool_())]

ROUNDS = pa.schema(
    [
        *_IDENTITY,
        ("round", pa.int32()),
        ("is_warmup", pa.bool_()),
        ("status", pa.string()),
        ("detail", pa.string()),
        *_PARAMETERS,
        ("started_at", _UTC),
        ("duration_s", pa.float64()),
        ("keys_requested", pa.int64()),
        ("keys_expected", pa.int64()),
        ("keys_ok", pa.int64()),
        ("bytes_requested", pa.int64()),
        ("bytes_ok", pa.int64()),
        ("submit_latency_s", pa.list_(pa.float64())),
        ("submit_unfinished_s", pa.list_(pa.float64())),
        ("verified_keys", pa.int64()),
        ("sampled_keys", pa.int64()),
        ("mismatched_keys", pa.int64()),
        ("false_hits", pa.int64()),
        ("false_misses", pa.int64()),
        ("cpu_user_s", pa.float64()),
        ("cpu_sys_s", pa.float64()),
        ("device_read_bytes", pa.int64()),
        ("device_write_bytes", pa.int64()),
        ("flush_s", pa.float64()),
        ("elapsed_s", pa.float64()),
        ("block_device_read_bytes", pa.int64()),
        ("block_device_write_bytes", pa.int64()),
        ("block_device_reads", pa.int64()),
        ("block_device_writes", pa.int64()),
        ("block_device_flushes", pa.int64()),
        ("block_device_read_time_s", pa.float64()),
        ("block_device_write_time_s", pa.float64()),
        ("block_device_queue_s", pa.float64()),
        ("block_device_busy_s", pa.float64()),
        ("dirty_after_flush_bytes", pa.int64()),
        ("resident_at_start_fraction", pa.float64()),
        ("cache_state", pa.string()),
        ("host", pa.string()),
        ("lmcache_version", pa.string()),
        *_TRACE,
        ("second", pa.int32()),
        ("late_s", pa.list_(pa.float64())),
        ("through", pa.string()),
        ("stored_bytes", pa.int64()),
        ("concurrent", pa.bool_()),
        ("beside_fraction", pa.float64()),
        ("release", pa.string()),
        ("lookup_answered_by", pa.string()),
        ("evicted_keys", pa.int64()),
        ("loaded_from", pa.list_(pa.int64())),
        *_CLIENTS,
        ("start_skew_s", pa.float64()),
        ("submit_started_s", pa.list_(pa.float64())),
        ("clock_offset_s", pa.float64()),
        ("clock_error_s", pa.float64()),
        *_FLEET,
    ],
    metadata=_METADATA,
)

POINTS = pa.schema(
    [
        *_IDENTITY,
        ("status", pa.string()),
        ("exit_code", pa.int32()),
        ("signal", pa.int32()),
        ("detail", pa.string()),
        *_PARAMETERS,
        *_ROUND_LIMITS,
        *_ROUNDS_ENDED,
        ("skip_verify", pa.bool_()),
        ("only", pa.string()),
        ("l1_align_bytes", pa.int64()),
        ("l1_use_hugepages", pa.bool_()),
        ("keep_data", pa.bool_()),
        ("keys_left", pa.int64()),
        ("isolation", pa.string()),
        ("started_at", _UTC),
        ("wall_s", pa.float64()),
        ("adapter_create_s", pa.float64()),
        ("peak_rss_bytes", pa.int64()),
        ("log_file", pa.string()),
        ("overrides", pa.list_(pa.string())),
        ("host", pa.string()),
        ("l2sweep_version", pa.string()),
        ("lmcache_version", pa.string()),
        ("torch_version", pa.string()),
        ("python_version", pa.string()),
        ("kernel", pa.string()),
        ("cpu_model", pa.string()),
        ("cpu_count", pa.int32()),
        ("memory_bytes", pa.int64()),
        ("fs_type", pa.string()),
        ("mount_point", pa.string()),
        ("mount_options", pa.string()),
        ("block_device", pa.string()),
        ("effective_odirect", pa.bool_()),
        ("cache_mode", pa.string()),
        ("cache_method", pa.string()),
        ("cache_state", pa.string()),
        ("resident_before_fraction", pa.float64()),
        ("resident_after_fraction", pa.float64()),
        ("resident_at_end_fraction", pa.float64()),
        ("dirty_before_fraction", pa.float64()),
        ("dirty_after_fraction", pa.float64()),
        ("drop_s", pa.float64()),
        ("device_read_fraction", pa.float64()),
        ("block_device_read_bytes", pa.int64()),
        ("config_git_commit", pa.string()),
        *_TRACE,
        ("service", pa.string()),
        ("through", pa.string()),
        ("serde_tolerance", pa.float64()),
        ("concurrent", pa.bool_()),
        ("release", pa.string()),
        ("lookup_answered_by", pa.string()),
        *_CLIENTS,
        ("block_device_model", pa.string()),
        *_FLEET,
    ],
    metadata=_METADATA,
)
