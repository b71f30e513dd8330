"""The arguments of ``l2sweep doctor``: options of a point, except those that an examination sets itself."""

from __future__ import annotations

from collections.abc import Sequence

from l2sweep.errors import shown

_SET_BY_DOCTOR = (
    *("num_keys", "in_flight", "rounds", "warmup_rounds", "lookup_max_hit_rate", "skip_verify", "only"),
    *("namespace", "keep_data", "profile", "cache", "resume", "dry_run", "repeats"),
)
_OF_SWEEPS = (
    "experiment",
    "workload",
    "trace",
    "trace_speed",
    "through",
    "concurrent",
    "more_adapters",
    "report_format",
    "report_file",
)


def override_problems(overrides: Sequence[str]) -> list[str]:
    """Return a sentence for each argument that is no option, or an option that an examination sets itself.

    Args:
        overrides: The arguments of the command.
    """
    problems = []
    for override in overrides:
        given, separator, _ = override.partition("=")
        name = given.lstrip("+~")
        if given.startswith("-") or not (separator or given.startswith("~")):
            problems.append(f"{shown(override)}: must be an option of a point, as name=value")
        elif name in _SET_BY_DOCTOR or (name.startswith("cache.") and name != "cache.paths"):
            problems.append(f"{shown(override)}: cannot be given, because doctor sets it: 4 keys, one round")
        elif name in _OF_SWEEPS:
            problems.append(
                f"{shown(override)}: cannot be given: doctor examines an adapter alone, not a sweep"
            )
    return [f"doctor: {problem}" for problem in problems]
