"""Ask the server of a point after a round failed, where the adapter names no cause.

A client that still waits or tries again prints nothing, and LMCache drops what a full Redis answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from l2sweep import credentials
from l2sweep.bench.adapter.references import resolve
from l2sweep.bench.messages import RoundMeasured
from l2sweep.errors import RequestError, printable
from l2sweep.process.output_errors import with_error
from l2sweep.process.report import ProcessReport
from l2sweep.sweep.checks.probe.probing import probe_problem, targets_of
from l2sweep.sweep.checks.probe.resp import RespServer

# A part of the 15 s in which a command ends after a time limit (docs/truth.md).
_TIMEOUT_S = 2.0


def add_cause(report: ProcessReport, spec: Mapping[str, Any]) -> None:
    """Add what is wrong with the server to a report with failed rounds, if it names no cause.

    A round that timed out gets what the server answers now, and a failed store whether the server was full.

    Args:
        report: The report of the process. The failed rounds and ``first_error`` get the cause.
        spec: The adapter spec, including credentials.
    """
    if report.interrupted:
        return
    timed_out = [one for one in report.rounds if one.status == "timeout"]
    stores = [one for one in report.rounds if one.phase == "store" and one.status in ("error", "partial")]
    # A request to stop is looked for again before the next point.
    with contextlib.suppress(RequestError, OSError, KeyboardInterrupt):
        if timed_out and not report.first_error:
            _add(report, timed_out, probe_problem(spec, _TIMEOUT_S))
        elif stores and not timed_out and "OOM" not in report.first_error:
            _add(report, stores, _why_full(spec))


def _why_full(spec: Mapping[str, Any]) -> str:
    resolved = resolve(spec)
    servers = [target for target in targets_of(resolved) if isinstance(target, RespServer)]
    answers = ((server.place, server.why_full(_TIMEOUT_S / len(servers))) for server in servers)
    text = "; ".join(f"{place}: {why}" for place, why in answers if why)
    return credentials.scrub(printable(text), credentials.secrets_of(resolved))


def _add(report: ProcessReport, failed: list[RoundMeasured], problem: str) -> None:
    if not problem:
        return
    cause = f"asked afterwards: {problem}"
    report.first_error = with_error(cause, report.first_error)
    report.rounds = [
        replace(one, detail=with_error(one.detail, cause)) if one in failed else one for one in report.rounds
    ]
