"""What is tried before a sweep runs: does LMCache take every spec?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from l2sweep import credentials
from l2sweep.bench.messages import Refused
from l2sweep.sweep.isolation import StartProcess
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.process import ProcessLimits

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
