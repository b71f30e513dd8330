"""What is tried before anything runs: does LMCache take every spec, can every cache be dropped?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from l2sweep import credentials
from l2sweep.bench.messages import Refused
from l2sweep.config.point import PointConfig
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.starter import StartProcess
from l2sweep.sweep import fio
from l2sweep.sweep.cache.coldness import never_cold
from l2sweep.sweep.cache.drop import choose_drop
from l2sweep.sweep.plan import PlannedPoint

_LIMIT_S = 120.0


def refused_specs(points: Sequence[PlannedPoint], start: StartProcess) -> dict[int, str]:
    """Have LMCache's own configuration class read every spec, each once, in a benchmark process.

    Args:
        points: All that are to be run.
        start: How a benchmark process is started.

    Returns:
        For each point whose spec LMCache refuses its index and LMCache's reason.
    """
    reasons: dict[tuple[str, str | None], str] = {}
    refused: dict[int, str] = {}
    for planned in points:
        point = planned.config
        if point.adapter_type == fio.TYPE:
            continue
        spec = (json.dumps(point.adapter_spec, sort_keys=True), point.python)
        if spec not in reasons:
            request = replace(point.request("preflight"), phases=(), delete_after=False)
            process = start(request, ProcessLimits(_LIMIT_S, python=point.python), lambda _: None)
            problems = [message.problem for message in process.messages() if isinstance(message, Refused)]
            process.end()
            secrets = credentials.secrets_of(point.adapter_spec)
            reasons[spec] = credentials.scrub("; ".join(problems), secrets)
        if reasons[spec]:
            refused[planned.index] = reasons[spec]
    return refused


def own_problems(points: Iterable[PointConfig]) -> list[str]:
    """Return a sentence for each thing asked of fio or of the page cache that cannot be had here.

    Each way of dropping it is tried once, now and not in the middle of the night.

    Args:
        points: All that are to be run.
    """
    problems: dict[str, None] = {}
    tried: set[tuple[str, str | None, str]] = set()
    for point in points:
        if point.adapter_type == fio.TYPE:
            problems.update(dict.fromkeys(fio.spec_problems(point.adapter_spec)))
            if point.only == "lookup":
                problems["only=lookup: must be store or load with adapter=fio, which has no lookup"] = None
        cache, is_local = point.cache, bool(point.traits.paths)
        if problem := never_cold(point):
            problems[problem] = None
            continue
        if cache.store_durable and "store" in point.phases and not is_local:
            problems[
                f"cache.store_durable=true: the data of the {point.adapter_type} adapter are not on this "
                "machine, so nothing here can flush them (cache.paths says where they are)"
            ] = None
        way = (cache.method, cache.command, cache.helper)
        if not cache.is_cold or not cache.between or way in tried:
            continue
        tried.add(way)
        if problem := choose_drop(cache, is_local=is_local).unusable_because():
            problems[f"cache.method={cache.method}: cannot be used here: {problem}"] = None
    return list(problems)
