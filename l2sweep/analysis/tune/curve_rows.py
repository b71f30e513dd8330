"""The curve as rows: each setting with its throughput, its queue depth and its share of the ceiling."""

from __future__ import annotations

from typing import Any

from l2sweep.analysis.tune.ceiling import FIO, Ceiling, ceiling, depth
from l2sweep.analysis.tune.recommendation import Recommendation
from l2sweep.analysis.tune.sentences import options_in_words
from l2sweep.analysis.tune.settings import Setting


def curve_rows(recommendation: Recommendation) -> list[dict[str, Any]]:
    """Return one row for each setting that was measured, in the order of adapters, options and workloads.

    Args:
        recommendation: The recommendation.

    Returns:
        Rows whose values are None where they are not known. ``rate`` is in MiB/s, for lookups in keys/s.
        ``fio_share`` is the throughput as a share of fio with a thread for each key in flight,
        ``fio_best_share`` as a share of fio with ``fio_best_threads``, the depth with the most throughput at
        this size.
    """
    knees = [advice.use for one in recommendation.adapters for advice in one.advice if advice.knee]
    return [
        _row(one, recommendation, is_knee=any(one is knee for knee in knees))
        for one in recommendation.settings
    ]


def _row(one: Setting, recommendation: Recommendation, *, is_knee: bool) -> dict[str, Any]:
    interval = one.rate_interval
    found = "" if one.spec.adapter == FIO else ceiling(one, recommendation.settings)
    known = found if isinstance(found, Ceiling) else None
    share = known.share.interval if known else None
    return {
        "adapter_type": one.spec.adapter,
        "options": options_in_words(one.spec),
        "host": one.host,
        "path": one.spec.path,
        "lmcache_version": one.lmcache_version,
        "phase": recommendation.phase,
        "cache_state": one.cache_state,
        "data_size_kb": one.data_size_kb,
        "num_keys": one.num_keys,
        "in_flight": one.in_flight,
        "lookup_max_hit_rate": one.lookup_max_hit_rate,
        "processes": len(one.rates),
        "failed_processes": one.failed,
        "rate": one.rate if one.rates else None,
        "rate_low": interval.low if interval else None,
        "rate_high": interval.high if interval else None,
        "queue_depth": one.device.queue_depth,
        "request_bytes": one.device.request_bytes,
        "device_latency_s": one.device.latency_s,
        "device_busy_fraction": one.device.busy_fraction,
        "fio_share": known.share.value if known else None,
        "fio_share_low": share.low if share else None,
        "fio_share_high": share.high if share else None,
        "fio_best_share": known.share_of_best.value if known else None,
        "fio_best_threads": depth(known.best) if known else None,
        "is_knee": is_knee,
    }
