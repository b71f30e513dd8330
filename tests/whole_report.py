"""Reports with made numbers: the page is tested without measuring anything."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from l2sweep.analysis.report.contents.compared import Compared, LevelChange, Nights, NightSeries, RatioRow
from l2sweep.analysis.report.contents.curves import Curve, HeatMap, MeasuredSetting, Throughput
from l2sweep.analysis.report.contents.overview import RunAgain, Scope, Verdict
from l2sweep.analysis.report.contents.points import Failure, PointRow
from l2sweep.analysis.report.contents.report import Report
from l2sweep.analysis.report.contents.restore import BreakEvenCurve, BreakEvenPoint, Restore, RestoreTime
from l2sweep.analysis.report.contents.scaling import Scaling, ScalingCurve, ScalingPoint
from l2sweep.analysis.report.contents.timing import DepthLatency, Drift, DriftSeries, Latency, LatencyCurve
from l2sweep.analysis.report.contents.trust import (
    CacheStateCount,
    Check,
    EnvironmentValue,
    HarnessFloor,
    Trust,
    Verified,
)

BEGAN = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
SIZES_KB = (256, 1024, 4096, 16384)
KEYS = (8, 32, 128)
DEPTHS = (1, 4, 16)
TEMPERATURES = ("cold", "hot")
HOSTILE = (
    "</script><script>window.attacked = 1</script>\"'&<b>\u202e\u05e2\u05d1\u05e8\u05d9\u05ea" + "x" * 200
)


def empty_report() -> Report:
    """Return a report of which nothing was measured."""
    return Report(
        title="nightly, 2026-11-24",
        made_at=BEGAN + timedelta(hours=1),
        l2sweep_version="1.2.3",
        verdict=Verdict("No recommendation: nothing was measured.", (), None, ()),
        scope=Scope(
            sweep_ids=("20261124T023000Z-cef0",),
            sweep_names=(),
            base_ids=(),
            began=None,
            ended=None,
            wall_s=0.0,
            points=0,
            processes=0,
            rounds=0,
            adapters=(),
            controls=(),
            phases=(),
            cache_states=(),
            data_sizes_kb=(),
            num_keys=(),
            in_flight=(),
            models=(),
            hosts=(),
            devices=(),
            releases=(),
            l2sweep_versions=(),
            where=None,
        ),
        trust=Trust((), (), Verified(0, 0, 0, 0, 0, 0, 0), (), None),
        throughput=Throughput((), (), (), ("No throughput was measured.",)),
        latency=Latency((), 0, "", (), ("No submit latency was measured.",)),
        drift=Drift((), (), "", "No round was measured."),
        scaling=Scaling(()),
        compared=None,
        nights=None,
        restore=Restore((), (), ("No cold load was measured.",)),
        points=(),
        failures=(),
        all_failures=0,
        environment=(),
        run_again=(),
        warnings=(),
    )


def full_report(adapters: tuple[str, ...] = ("fs", "fs_native"), *, label: str = "") -> Report:
    """Return a report in which every section has something.

    Args:
        adapters: Adapters, of which each has the 72 settings of the grid.
        label: A text that stands wherever a text of a user does.
    """
    draw = random.Random(1)
    settings = [
        _setting(adapter, temperature, size, keys, depth, draw, label)
        for adapter, temperature, size, keys, depth in itertools.product(
            adapters, TEMPERATURES, SIZES_KB, KEYS, DEPTHS
        )
    ]
    points = tuple(_point(one, draw) for one in settings)
    return replace(
        empty_report(),
        title=f"nightly, 2026-11-24{label}",
        verdict=Verdict(
            sentence="Use fs_native with num_workers=8 for cold loads: 1,610 MiB/s, 91% of the disk.",
            reasons=(
                "fs_native (LMCache 0.5.6, /mnt/nvme/kv, bench-01):",
                "  Use num_workers=8: the best of 4 in each of 12 workloads.",
                "  In brackets: 95% intervals by bootstrap over processes.",
            ),
            compared="Slower than the base: fs load takes 12% longer (9% to 15%) in 3 of 24 points.",
            caveats=("2 of 720 processes failed; their settings are not recommended.",),
        ),
        scope=_scope(adapters, label),
        trust=_trust(),
        throughput=_throughput(settings),
        latency=_latency(settings, draw),
        drift=_drift(adapters, draw),
        scaling=_scaling(adapters, label),
        compared=_compared(adapters, draw, label),
        nights=_nights(draw),
        restore=_restore(adapters),
        points=points,
        failures=(_failure(label), replace(_failure(label), last_lines=(), cause="")),
        all_failures=2,
        environment=(
            EnvironmentValue("kernel", ("6.1.0-26-amd64",), ("6.1.0-25-amd64",)),
            EnvironmentValue("lmcache", ("0.5.6",)),
            EnvironmentValue("cpu", (f"AMD EPYC 9354P{label}",)),
        ),
        run_again=(
            RunAgain(
                "20261124T023000Z-cef0",
                f"python -m l2sweep experiment=nightly_cold name=nightly{label}",
                "The password of adapter.password was left out.",
            ),
        ),
        warnings=("One file of rounds cannot be read: rounds/x.parquet.",),
    )


def _rate(adapter: str, temperature: str, size_kb: int, keys: int, depth: int) -> float:
    ceiling = 1800.0 if temperature == "cold" else 5200.0
    speed = 0.9 if adapter.endswith("native") else 0.6
    small = size_kb / (size_kb + 600.0)
    return ceiling * speed * small * (1 - 0.75 ** (keys * depth / 4))


def _setting(
    adapter: str, temperature: str, size_kb: int, keys: int, depth: int, draw: random.Random, label: str
) -> MeasuredSetting:
    rate = _rate(adapter, temperature, size_kb, keys, depth) * draw.uniform(0.97, 1.03)
    cold = temperature == "cold"
    fio = 1750.0 * size_kb / (size_kb + 200.0) * (1 - 0.6 ** (keys * depth / 4)) if cold else None
    best = 1750.0 * size_kb / (size_kb + 200.0) if cold else None
    share = None if fio is None else rate / fio
    return MeasuredSetting(
        adapter=adapter,
        options=f"num_workers=8{label}",
        is_control=False,
        host="bench-01",
        path="/mnt/nvme/kv",
        release="0.5.6",
        phase="load",
        temperature="cold" if cold else "hot",
        cache_state="cold" if cold else "warm",
        data_size_kb=size_kb,
        num_keys=keys,
        in_flight=depth,
        lookup_max_hit_rate=None,
        processes=5,
        failed_processes=0,
        rate=rate,
        rate_low=rate * 0.94,
        rate_high=rate * 1.05,
        fio_rate=fio,
        fio_best_rate=best,
        fio_share=share,
        fio_share_low=None if share is None else share * 0.93,
        fio_share_high=None if share is None else share * 1.06,
        fio_best_share=None if best is None else rate / best,
        limit="device" if cold else None,
        queue_depth=min(keys * depth, 24) * draw.uniform(0.7, 0.9) if cold else None,
        why_no_queue_depth="" if cold else "the device read nothing",
        device_latency_s=None,
        device_busy_fraction=None,
        request_bytes=None,
        is_knee=depth == 4,
        is_recommended=adapter == "fs_native" and (size_kb, keys, depth) == (4096, 32, 4),
    )


def _throughput(settings: list[MeasuredSetting]) -> Throughput:
    fields = {"data_size_kb": SIZES_KB, "in_flight": DEPTHS, "num_keys": KEYS}
    curves, maps = [], []
    groups: dict[tuple[str, str | None], list[int]] = {}
    for position, one in enumerate(settings):
        groups.setdefault((one.adapter, one.temperature), []).append(position)
    for (adapter, temperature), positions in groups.items():
        for over in fields:
            others = [name for name in fields if name != over]
            for values in itertools.product(*(fields[name] for name in others)):
                own = [
                    at for at in positions if [getattr(settings[at], name) for name in others] == list(values)
                ]
                label = " ".join(f"{name}={value}" for name, value in zip(others, values, strict=True))
                knee = own[1] if temperature == "cold" else None
                curves.append(
                    Curve(over, "load", temperature, adapter, False, label, tuple(own), (), knee)  # type: ignore[arg-type]
                )
        for size in SIZES_KB:
            cells = tuple(at for at in positions if settings[at].data_size_kb == size)
            maps.append(
                HeatMap(adapter, "load", temperature, f"data_size_kb={size}", "in_flight", "num_keys", cells)  # type: ignore[arg-type]
            )
    return Throughput(tuple(settings), tuple(curves), tuple(maps), ("No store was measured.",))


def _point(one: MeasuredSetting, draw: random.Random) -> PointRow:
    assert one.rate is not None
    median_s = one.num_keys * one.in_flight * one.data_size_kb / 1024 / one.rate
    return PointRow(
        point_id=f"{draw.getrandbits(48):012x}",
        release=None,
        adapter=one.adapter,
        is_control=one.is_control,
        options=one.options,
        path=one.path,
        model=None,
        num_keys=one.num_keys,
        in_flight=one.in_flight,
        data_size_kb=one.data_size_kb,
        lookup_max_hit_rate=None,
        phase=one.phase,
        cache_state=one.cache_state,
        profile=None,
        lookup_answered_by=None,
        trace=None,
        fleet_host=None,
        processes=5,
        measured_processes=5,
        failed_processes=0,
        rounds=25,
        ok_rounds=25,
        timed_out_rounds=0,
        failed_rounds=0,
        median_s=median_s,
        median_low_s=None,
        median_high_s=None,
        p50_s=median_s,
        p95_s=median_s * 1.2,
        p99_s=median_s * 1.4,
        submit_p50_s=median_s * 0.9,
        submit_p95_s=median_s * 1.3,
        submit_p99_s=median_s * 1.7,
        mib_per_s=one.rate,
        durable_mib_per_s=None,
        keys_per_s=one.rate * 1024 / one.data_size_kb,
        actual_hit_rate=None,
        false_hits=None,
        false_misses=None,
        mismatched_keys=0,
        status="ok" if draw.random() > 0.02 else "1 of 5 processes: timeout",
        rounds_ended=None,
        lower_bounds=("submit_p99_s",) if one.in_flight == 16 else (),
    )


def _scope(adapters: tuple[str, ...], label: str) -> Scope:
    return Scope(
        sweep_ids=("20261124T023000Z-cef0",),
        sweep_names=(f"nightly{label}",),
        base_ids=("20261123T023000Z-aa01", "20261122T023000Z-bb02"),
        began=BEGAN,
        ended=BEGAN + timedelta(minutes=47),
        wall_s=2710.0,
        points=144,
        processes=720,
        rounds=3600,
        adapters=adapters,
        controls=("fio", "mock"),
        phases=("store", "lookup", "load"),
        cache_states=("cold", "warm"),
        data_sizes_kb=SIZES_KB,
        num_keys=KEYS,
        in_flight=DEPTHS,
        models=(),
        hosts=("bench-01",),
        devices=(f"nvme0n1 (ext4){label}",),
        releases=("0.5.6",),
        l2sweep_versions=("1.2.3",),
        where=None,
    )


def _trust() -> Trust:
    return Trust(
        checks=(
            Check(
                "coldness", "Coldness", "good", "All 360 cold loads were proven cold: no page was resident."
            ),
            Check(
                "verification",
                "Verification",
                "good",
                "Words of each page of all 92,160 loaded keys were right.",
            ),
            Check("failures", "Failures", "bad", "2 of 720 processes failed.", ("fs load timed out twice.",)),
            Check(
                "controls", "Controls", "good", "fio reads 1,750 MiB/s; the harness adds 0.05 ms to a round."
            ),
            Check("drift", "Drift", "warning", "Loads became 3% slower while a process ran (p = 0.01)."),
            Check("environment", "Environment", "unknown", "The environment of the base was not recorded."),
        ),
        cache_states=(CacheStateCount("load", "cold", 360, 1800), CacheStateCount("load", "warm", 360, 1800)),
        verified=Verified(92160, 0, 92160, 0, 92160, 0, 0),
        floor=(HarnessFloor("mock", "load", 32, 1, 256, 0.00005, 0.00004, 0.00006),),
        control_error_percent=1.2,
    )


def _latency(settings: list[MeasuredSetting], draw: random.Random) -> Latency:
    curves, by_depth = [], []
    for position, one in enumerate(settings):
        if one.data_size_kb == 4096 and one.num_keys == 32:
            middle = one.num_keys * 4 / one.rate if one.rate else 1.0
            latencies = sorted(middle * draw.lognormvariate(0.0, 0.25) for _ in range(100))
            share = tuple((rank + 1) / 100 for rank in range(100))
            curves.append(
                LatencyCurve(
                    *(one.adapter, False, f"in_flight={one.in_flight}", "load", one.cache_state),
                    *(4096, 32, one.in_flight, 100, 0, tuple(latencies), share),
                )
            )
        if one.in_flight == DEPTHS[0] and one.num_keys == 32:
            positions = tuple(range(position, position + len(DEPTHS)))
            label = f"data_size_kb={one.data_size_kb}"
            by_depth.append(DepthLatency(one.adapter, False, label, "load", one.cache_state, positions))
    choice = f"Shown: {len(curves)} of {len(settings)} points."
    return Latency(tuple(curves), len(settings), choice, tuple(by_depth), ())


def _drift(adapters: tuple[str, ...], draw: random.Random) -> Drift:
    series = [
        DriftSeries(
            *(adapter, False, "load", state),
            tuple(float(second * 12) for second in range(200)),
            tuple(draw.lognormvariate(0.0002 * second, 0.06) for second in range(200)),
            900,
        )
        for adapter in adapters
        for state in ("cold", "warm")
    ]
    return Drift(tuple(series), (), f"Shown: {len(series) * 200} of {len(series) * 900} rounds.", "")


def _scaling(adapters: tuple[str, ...], label: str) -> Scaling:
    curves = []
    for adapter in adapters:
        points = []
        for clients in (1, 2, 4, 8):
            rate = 300.0 * clients / (1 + clients / 4)
            several = clients > 1
            points.append(
                ScalingPoint(
                    clients=clients,
                    hosts=1,
                    processes=5,
                    failed_processes=0,
                    rate=rate,
                    rate_low=rate * 0.95,
                    rate_high=rate * 1.04,
                    all_active_rate=rate * 1.08 if several else None,
                    sum_of_client_rates=rate * 1.1 if several else None,
                    client_fairness=1 - clients / 20 if several else None,
                    start_skew_s=0.0004 * clients if several else None,
                    skewed_rounds=clients if several else None,
                    client_rounds=25 if several else None,
                    ideal_rate=240.0 * clients,
                    client_scaling=rate / 240.0,
                    client_scaling_low=rate / 250.0,
                    client_scaling_high=rate / 230.0,
                )
            )
        sentence = f"Load of {adapter}, cold: throughput stops growing at 4 clients.{label}"
        curves.append(ScalingCurve("load", "cold", adapter, False, label, tuple(points), 4, 4, 8, sentence))
    return Scaling(tuple(curves))


def _compared(adapters: tuple[str, ...], draw: random.Random, label: str) -> Compared:
    rows = []
    for adapter in adapters:
        for size in (None, *SIZES_KB):
            ratio = draw.lognormvariate(0.03, 0.06)
            verdict = "slower" if ratio > 1.05 else "faster" if ratio < 0.95 else "same"
            verdict = "inconclusive" if size == SIZES_KB[0] else verdict
            rows.append(
                RatioRow(
                    name=f"{adapter} load cold{'' if size is None else f' at {size} KiB'}{label}",
                    settings="" if size is None else f"data_size_kb={size} in_flight=4",
                    adapter=adapter,
                    phase="load",
                    cache_state="cold",
                    is_total=size is None,
                    is_control=False,
                    points=4 if size is None else 1,
                    ratio=ratio,
                    low=ratio * 0.96,
                    high=ratio * 1.05,
                    q=0.01,
                    verdict=verdict,
                    reason="the processes differ too much" if verdict == "inconclusive" else "",
                    base_s=None,
                    candidate_s=None,
                )
            )
    return Compared(
        headline="slower: 3 of 8 points.",
        verdict="slower",
        host_changes=(),
        threshold=0.05,
        rows=tuple(rows),
        all_points=8,
        new_failures=("fs load at 256 KiB timed out.",),
        notes=(),
    )


def _nights(draw: random.Random) -> Nights:
    began = tuple((BEGAN - timedelta(days=20 - night)).isoformat() for night in range(20))
    change = LevelChange(12, began[12][:10], 0.050, 0.056, 12.0, ("kernel 6.1.0-25-amd64 to 6.1.0-26-amd64",))
    series = []
    for size in (1024, 4096):
        base_s = 0.05 * size / 1024
        values = [base_s * (1.12 if night >= 12 else 1.0) * draw.uniform(0.985, 1.015) for night in range(20)]
        of_size = replace(change, before_s=base_s, after_s=base_s * 1.12)
        series.append(
            NightSeries(
                *(f"fs load cold at {size} KiB", f"id{size}", "fs", False, "load", "cold"),
                (*values[:5], None, *values[6:]),
                (of_size,),
            )
        )
    ids = tuple(f"night-{night}" for night in range(20))
    return Nights(ids, began, tuple(series), 8, 2, "")


def _restore(adapters: tuple[str, ...]) -> Restore:
    times = []
    for model, token_bytes in (("llama-3.1-8b", 131072), ("llama-3.1-70b", 327680), ("deepseek-v3", 70272)):
        for adapter, tokens in itertools.product(adapters, (8192, 32768, 131072)):
            load_s = tokens * token_bytes / 2**20 / (1500 if adapter == "fs_native" else 1000)
            measured = (model, adapter) != ("deepseek-v3", "fs")
            times.append(
                RestoreTime(
                    *(model, adapter, "num_workers=8", "cold", tokens, tokens * token_bytes),
                    *((load_s, load_s * 0.95, load_s * 1.06, 1000.0) if measured else (None,) * 4),
                    "measured" if measured else "not measured: the size was not in the grid",
                )
            )
    points = tuple(
        BreakEvenPoint(
            tokens,
            0.1 + tokens / 12000,
            0.09 + tokens / 12500,
            0.12 + tokens / 11000,
            tokens / 10000,
            tokens**1.1 / 10000,
            "measured",
        )
        for tokens in (1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
    )
    curve = BreakEvenCurve(
        *("llama-3.1-8b", "h100-sxm", adapters[0], "num_workers=8", "cold"),
        sentence="Loading is faster from about 10,000 tokens on, if the GPU reaches 40% of its peak.",
        assumption="Assumed: 30% to 60% of 989 TFLOP/s.",
        points=points,
    )
    return Restore(tuple(times), (curve,), ("No store of 8 MiB was measured.",))


def _failure(label: str) -> Failure:
    return Failure(
        sweep_id="20261124T023000Z-cef0",
        point_index=7,
        repeat=1,
        adapter="fs",
        options=f"num_workers=8{label}",
        num_keys=128,
        in_flight=16,
        data_size_kb=16384,
        phase="load",
        status="timeout",
        cause=f"round 3 did not end within 60 s{label}",
        log_file="sweeps/20261124T023000Z-cef0/point-0007-1.log",
        last_lines=("load round 2: 1.2 s", f"load round 3 ...{label}"),
    )
