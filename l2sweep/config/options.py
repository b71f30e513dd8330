"""The options: what each may be, and one clear sentence for each value that is not allowed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sweep.analysis.objective import OBJECTIVES
from l2sweep.bench.request import PHASES
from l2sweep.config.cache import contradictions

ISOLATIONS = ("auto", "forkserver", "spawn")
LOCKS = ("fail", "wait", "off")
ORDERS = ("grid", "random", "interleaved")
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "fp8": 1, "int8": 1}
CACHE_METHODS = ("auto", "drop_caches", "helper", "fadvise", "command", "none")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LARGEST = (1 << 63) - 1  # that a column of the records holds
_LONGEST_S = 2_000_000  # that poll(2) can wait for
_LONGEST_SHOWN = 200
_MISSING = "???"  # OmegaConf's mark of a value that must be given


@dataclass(frozen=True)
class Rule:
    """What an option may be.

    Attributes:
        allowed: In words, to follow "must be".
        accepts: Whether a value is allowed.
    """

    allowed: str
    accepts: Callable[[Any], bool]


def _integer(minimum: int, maximum: int = 1_000_000_000) -> Rule:
    return Rule(
        f"an integer from {minimum} to {maximum}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _is_lists_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(_is_texts(item) and len(item) > 1 for item in value)


def _is_executable(value: Any) -> bool:
    return isinstance(value, str) and shutil.which(value) is not None


def _choice(names: Sequence[str]) -> Rule:
    return Rule(f"one of {', '.join(names)}", lambda value: value in names)


def _matching(pattern: str, allowed: str) -> Rule:
    expression = re.compile(pattern)
    return Rule(allowed, lambda value: isinstance(value, str) and expression.fullmatch(value) is not None)


def _optional(rule: Rule) -> Rule:
    return Rule(f"{rule.allowed}, or null", lambda value: value is None or rule.accepts(value))


_SWITCH = Rule("true or false", lambda value: isinstance(value, bool))
_SECONDS = Rule(
    f"a number above 0, at most {_LONGEST_S}", lambda value: _is_number(value) and 0 < value <= _LONGEST_S
)
_TEXT = Rule(
    "a text of 1 to 200 printable characters",
    lambda value: isinstance(value, str) and value.isprintable() and 1 <= len(value) <= 200,
)
_PATH = _matching(r"[^\x00]+", "a path")

_SWEEP_ID = _matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "1 to 100 letters, digits, '.', '_' and '-', the first no sign"
)

POINT_RULES: dict[str, Rule] = {
    "num_keys": _integer(1),
    "in_flight": _integer(1),
    "data_size_kb": _integer(1),
    "rounds": _integer(1),
    "warmup_rounds": _integer(0),
    "lookup_max_hit_rate": Rule("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    "skip_verify": _SWITCH,
    "only": _optional(_choice(PHASES)),
    "l1_align_bytes": _integer(1),
    "l1_use_hugepages": _SWITCH,
    "seed": _integer(0, _LARGEST),
    "namespace": _optional(
        _matching(r"[^@\s\x00-\x1f]{1,128}", "a text of 1 to 128 characters without @ and white space")
    ),
    "keep_data": _SWITCH,
    "deadline_s": _optional(_SECONDS),
    "lmcache_log_level": _choice(LOG_LEVELS),
    "allow_destructive": _SWITCH,
    "memory_limit_mb": _optional(_integer(1)),
    "python": _optional(Rule("an interpreter that can be run", _is_executable)),
}
SWEEP_RULES: dict[str, Rule] = {
    "quiet": _SWITCH,
    "results_dir": _PATH,
    "sweep_name": _TEXT,
    "sweep_id": _SWEEP_ID,
    "scratch_dir": _PATH,
    "isolation": _choice(ISOLATIONS),
    "constraints": Rule("a list of texts such as 'num_keys * in_flight <= 256'", _is_texts),
    "zip": Rule("a list of lists of option names, such as [[num_keys,in_flight]]", _is_lists_of_texts),
    "repeats": _integer(1, 1_000_000),
    "order": _choice(ORDERS),
    "order_seed": _integer(0, _LARGEST),
    "on_infeasible": _choice(("prune", "fail")),
    "on_failure": _choice(("continue", "stop")),
    "dry_run": _SWITCH,
    "resume": _optional(_SWEEP_ID),
    "retry_failed": _SWITCH,
    "lock": _choice(LOCKS),
    "objective": _choice(OBJECTIVES),
}
CACHE_RULES: dict[str, Rule] = {
    "mode": _choice(("hot", "cold")),
    "between": Rule(
        "a list of lookup and load",
        lambda value: isinstance(value, list) and all(item in ("lookup", "load") for item in value),
    ),
    "method": _choice(CACHE_METHODS),
    "command": _optional(_matching(r"[^\x00]+", "a shell command")),
    "command_timeout_s": _SECONDS,
    "helper": _PATH,
    "max_resident": Rule("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    "store_durable": _SWITCH,
    "paths": _optional(
        Rule("a list of paths", lambda value: _is_texts(value) and len(value) > 0),
    ),
}
BUDGET_RULES: dict[str, Rule] = {
    "minutes": _optional(Rule("a number above 0", lambda value: _is_number(value) and value > 0)),
    "disk_gb": _optional(Rule("a number above 0", lambda value: _is_number(value) and value > 0)),
}
MODEL_RULES: dict[str, Rule] = {
    "tp": _integer(1, 1_000_000),
    "chunk_tokens": _integer(1, 1_000_000),
    "dtype": _choice(tuple(DTYPE_BYTES)),
}
_TIMEOUT_RULES = dict.fromkeys(PHASES, _SECONDS)
# Options that hold options.
_NESTED = {"timeout_s": _TIMEOUT_RULES, "cache": CACHE_RULES, "budget": BUDGET_RULES}
_GROUPS_ALONE = ("adapter", "adapter_json", "model")


def sweep_problems(config: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each option of a sweep that has no allowed value."""
    return [*broken_rules(config, SWEEP_RULES), *_nested_problems(config, "budget")]


def point_problems(config: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each option of a point that is unknown or has no allowed value.

    The adapter's spec is not looked into.
    """
    known = {*POINT_RULES, *SWEEP_RULES, *_NESTED, *_GROUPS_ALONE}
    return [
        *(f"{name}: no such option" for name in sorted(set(config) - known)),
        *broken_rules(config, POINT_RULES),
        *_nested_problems(config, "timeout_s"),
        *(_nested_problems(config, "cache") or contradictions(config["cache"])),
        *_alignment_problems(config),
    ]


def missing_values(value: Any, name: str) -> list[str]:
    """Return a sentence for each value below ``name`` that must be given and is not."""
    if isinstance(value, Mapping):
        return [problem for key, item in value.items() for problem in missing_values(item, f"{name}.{key}")]
    return [f"{name}: no value given, and it has no default"] if value == _MISSING else []


def broken_rules(config: Mapping[str, Any], rules: Mapping[str, Rule]) -> list[str]:
    """Return a sentence for each option that has no allowed value."""
    return [
        f"{name}={shown(config.get(name))}: must be {rule.allowed}"
        for name, rule in rules.items()
        if not rule.accepts(config.get(name))
    ]


def _nested_problems(config: Mapping[str, Any], name: str) -> list[str]:
    rules, values = _NESTED[name], config.get(name)
    if not isinstance(values, Mapping):
        return [f"{name}={shown(values)}: must hold {', '.join(rules)}"]
    problems = [f"{name}.{key}: no such option" for key in values if key not in rules]
    return problems + [f"{name}.{problem}" for problem in broken_rules(values, rules)]


def _alignment_problems(config: Mapping[str, Any]) -> list[str]:
    size, align = config.get("data_size_kb"), config.get("l1_align_bytes")
    both_valid = POINT_RULES["data_size_kb"].accepts(size) and POINT_RULES["l1_align_bytes"].accepts(align)
    if not both_valid or size * 1024 % align == 0:  # type: ignore[operator]
        return []
    return [f"data_size_kb={size}: {size} KiB must be a multiple of l1_align_bytes={align}"]


def shown(value: Any) -> str:
    """Return a value as a user gave it, in one line that a terminal can take."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[:_LONGEST_SHOWN]}..."
    return printable(text)


def printable(text: str) -> str:
    """Return a text with its line breaks and control characters escaped."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
