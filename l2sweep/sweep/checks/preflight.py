"""Check before anything runs that each file, spec, page cache and server can be used on this host."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from l2sweep import credentials
from l2sweep.bench.adapter.references import resolve
from l2sweep.bench.job import PHASES, specs_of
from l2sweep.bench.messages import Accepted, Finished, Message, Refused
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError, shown
from l2sweep.process.starter import StartProcess
from l2sweep.process.supervisor import UNRECORDED_DEADLINE_S, run_unrecorded
from l2sweep.sweep.cache.coldness import why_never_cold, why_never_durable
from l2sweep.sweep.cache.drop import choose_drop
from l2sweep.sweep.checks.interpreter import interpreter_problems
from l2sweep.sweep.checks.overwrite_guard import overwrite_problems
from l2sweep.sweep.checks.probe.probing import probe_problem, targets_of
from l2sweep.sweep.plan import PlannedPoint


def require_usable(points: Sequence[PlannedPoint], sweep: SweepConfig, start: StartProcess) -> None:
    """Check the points on this host before one of them runs.

    If LMCache refuses only some of the specs, their points run and are recorded as refused, unless
    ``on_infeasible=fail``.

    Args:
        points: Points to run.
        sweep: The options of the sweep.
        start: Starts a benchmark process.

    Raises:
        RequestError: A device or file would be overwritten, an option cannot be used on this machine,
            LMCache refuses specs, or a server cannot be used.
    """
    configs = [planned.config for planned in points]
    releases = {point.python: point.release for point in configs}
    if unusable := interpreter_problems(releases, releases):
        raise RequestError(unusable)
    problems = [*overwrite_problems(configs, sweep.results_dir), *option_problems(configs)]
    if sweep.probe and (unusable := unusable_servers(configs)):
        raise RequestError([*problems, *unusable])  # before waiting for the imports of the first process
    refused = refused_specs(points, start)
    if without_profiler := profiler_problems(refused):
        problems += without_profiler
    elif refused and (len(refused) == len(points) or sweep.on_infeasible == "fail"):
        problems += dict.fromkeys(refused.values())
    if problems:
        raise RequestError(problems)


def refused_specs(points: Sequence[PlannedPoint], start: StartProcess) -> dict[int, str]:
    """Let LMCache read each distinct spec once, in a benchmark process.

    The deadline of the point limits this process as well. If LMCache has not read the spec by then, the spec
    is not refused: the point runs, and its row says what happened.

    Args:
        points: Points to run.
        start: Starts a benchmark process.

    Returns:
        The reason of LMCache by the index of the point, for each point whose spec LMCache refuses.

    Raises:
        RequestError: Another interpreter cannot import its LMCache.
    """
    reasons: dict[tuple[str | None, ...], str] = {}
    refused: dict[int, str] = {}
    for planned in points:
        point = planned.config
        profiler = (point.profiler, point.profile_scripts_dir)
        spec = (json.dumps(point.adapter_spec, sort_keys=True), point.python, point.through, *profiler)
        if spec not in reasons:
            job = replace(point.job("preflight"), phases=(), delete_after=False)
            deadline_s = min(point.process_deadline_s, UNRECORDED_DEADLINE_S)
            messages = run_unrecorded(start, job, point.python, deadline_s=deadline_s)
            problems = [message.problem for message in messages if isinstance(message, Refused)]
            _require_answer(point, messages)
            secrets = credentials.secrets_of(point.adapter_spec)
            reasons[spec] = credentials.scrub("; ".join(problems), secrets)
        if reasons[spec]:
            refused[planned.index] = reasons[spec]
    return refused


def _require_answer(point: PointConfig, messages: Sequence[Message]) -> None:
    """Check that the process of another interpreter read the spec: else its LMCache cannot be imported.

    Raises:
        RequestError: It did not.
    """
    if point.python is None or any(isinstance(message, (Accepted, Refused)) for message in messages):
        return
    details = [message.detail for message in messages if isinstance(message, Finished)]
    reason = next(filter(None, details), "its process ended without an answer")
    name = f"python={shown(point.python)}" if point.release is None else f"release={point.release}"
    raise RequestError([f"{name}: its LMCache cannot be used: {shown(reason)}"])


def profiler_problems(refused: Mapping[int, str]) -> list[str]:
    """Return the reasons why a profiler cannot be used, of those that :func:`refused_specs` returned."""
    return [reason for reason in dict.fromkeys(refused.values()) if reason.startswith("profile")]


def option_problems(points: Iterable[PointConfig]) -> list[str]:
    """Return a sentence for each option that cannot work with the adapter or on this machine.

    Each method to drop the page cache is tested once, so that it does not fail in the middle of a sweep.

    Args:
        points: Points to run.
    """
    problems: dict[str, None] = {}
    tested: set[tuple[str, str | None, str]] = set()
    for point in points:
        kind = point.traits.kind
        if point.only is not None and point.only not in kind.phases:
            problems[
                f"only={point.only}: must be {' or '.join(kind.phases)} with adapter={point.adapter_type}, "
                f"which has no {point.only}"
            ] = None
        if point.is_trace and kind.phases != PHASES:
            problems[
                f"workload=trace: must be rounds with adapter={point.adapter_type}, which has no lookup"
            ] = None
        cache, is_local = point.cache, bool(point.traits.cached_paths)
        if problem := why_never_cold(point):
            problems[problem] = None
            continue
        if cache.store_durable and "store" in point.phases and not is_local:
            problems[
                f"cache.store_durable=true: the data of the {point.adapter_type} adapter are not on this "
                "machine, so they cannot be flushed from here (if they are, set cache.paths)"
            ] = None
        if problem := why_never_durable(point):
            problems[problem] = None
        method = (cache.method, cache.command, cache.helper)
        if not cache.is_cold or not cache.drop_before or method in tested:
            continue
        tested.add(method)
        if problem := choose_drop(cache, is_local=is_local).why_unusable():
            problems[f"cache.method={cache.method}: cannot be used here: {problem}"] = None
    return list(problems)


def unusable_servers(points: Iterable[PointConfig]) -> list[str]:
    """Ask each server and place once, and return a sentence for each that cannot be used.

    Args:
        points: Points to run. A server that l2sweep has started was asked when it started.

    Raises:
        KeyboardInterrupt: The user asked to stop.
    """
    problems: dict[tuple[object, ...], str] = {}
    for point in points:
        targets = targets_of(resolve(point.adapter_spec))
        if point.service or targets in problems:
            continue
        problem = probe_problem(point.adapter_spec)
        types = "+".join(str(one["type"]) for one in specs_of(point.adapter_spec))
        what = f"adapter={types}: cannot be used: {problem} (probe=false leaves out this check)"
        problems[targets] = what if problem else ""
    return list(dict.fromkeys(filter(None, problems.values())))
