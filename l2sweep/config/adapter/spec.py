"""The adapter's spec: where it comes from, and which part of it is a point's identity."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from l2sweep import credentials
from l2sweep.bench.adapter.references import has_reference, unresolvable
from l2sweep.bench.job import PATH_FIELDS
from l2sweep.errors import RequestError, shown

ENVIRONMENT_VARIABLE = "L2_ADAPTER_JSON"

_SEPARATOR = re.compile(r"\s*(,\s*|$)")
_SCRATCH = "<scratch>"
_NO_SECRET = ("type", *PATH_FIELDS)


def choose_spec(
    group_spec: Any,
    adapter_json: Any,
    overrides: Sequence[str],
    environment: Mapping[str, str],
    scratch_dir: str,
) -> dict[str, Any]:
    """Return the spec to use: from the command line, else the environment, else the default group.

    A field below ``adapter`` that is null is left out, so that an axis over a field can be paired with
    adapters that do not have it.

    Args:
        group_spec: The mapping below ``adapter``.
        adapter_json: The option of that name: JSON text, a mapping from a YAML file, or None.
        overrides: The command line's overrides.
        environment: The process's environment.
        scratch_dir: Where the default adapter keeps its files.

    Raises:
        RequestError: The spec is not a mapping with a type, or two specs were given.
    """
    from_command_line = [key for key in map(_override_key, overrides) if key.split(".")[0] == "adapter"]
    if adapter_json is not None:
        if from_command_line:
            raise RequestError([f"adapter_json and {from_command_line[0]}: only one of them can be given"])
        return _checked("adapter_json", _parsed("adapter_json", adapter_json))
    text = environment.get(ENVIRONMENT_VARIABLE, "")
    is_default = group_spec == {"type": "fs", "base_path": scratch_dir}
    if text and is_default and not from_command_line:
        return _checked(ENVIRONMENT_VARIABLE, _parsed(ENVIRONMENT_VARIABLE, text))
    return {name: value for name, value in _checked("adapter", group_spec).items() if value is not None}


def identity(spec: Mapping[str, Any], scratch_dir: str) -> dict[str, Any]:
    """Return the part of a spec that says what is measured: no credentials, no path of the scratch folder."""

    def without_scratch(text: str) -> str:
        inside = text == scratch_dir or text.startswith(f"{scratch_dir}/")
        return _SCRATCH + text.removeprefix(scratch_dir) if inside else text

    stripped: dict[str, Any] = credentials.map_texts(credentials.strip_credentials(spec), without_scratch)
    return stripped


def reference_problems(
    config: Mapping[str, Any], spec: Mapping[str, Any], groups: Collection[str]
) -> list[str]:
    """Return a sentence for each reference to a secret that cannot be used.

    Args:
        config: The composed configuration as plain containers.
        spec: The chosen spec.
        groups: Options that hold a spec, or the text of one.
    """
    elsewhere = {name: value for name, value in config.items() if name not in groups}
    problems = [
        f"{path}: a secret can be used only in the spec of the adapter"
        for path in _paths_with_reference(elsewhere, "")
    ]
    not_there = [
        path for path in _paths_with_reference(spec, "adapter") if path.rpartition(".")[2] in _NO_SECRET
    ]
    problems += [f"{path}: must not be a secret, since l2sweep needs to know it" for path in not_there]
    return problems or unresolvable(spec)


def quote_json_override(argument: str) -> str:
    """Quote ``adapter_json={...}`` for Hydra, whose grammar has no quoted keys.

    Several JSON texts separated by commas become a sweep over them. Any other argument is returned
    unchanged.
    """
    name, separator, text = argument.partition("=")
    if name.lstrip("+") != "adapter_json" or not separator or text[:1] in ("'", '"') or text == "null":
        return argument
    from hydra.core.override_parser.types import Quote, QuotedString

    texts = _json_texts(text) or [text]
    return f"{name}={','.join(QuotedString(one, Quote.single).with_quotes() for one in texts)}"


def _json_texts(text: str) -> list[str]:
    """Return the JSON texts of a comma-separated list; an empty list where it is something else."""
    decoder = json.JSONDecoder()
    texts: list[str] = []
    position = 0
    while position < len(text):
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return []
        texts.append(text[position:end])
        separator = _SEPARATOR.match(text, end)
        if separator is None:
            return []
        position = separator.end()
    return texts


def _paths_with_reference(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _paths_with_reference(item, f"{path}.{key}" if path else str(key))
    elif has_reference(value):
        yield path


def _override_key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]


def _parsed(option: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    try:
        return json.loads(str(value))
    except (ValueError, RecursionError) as error:
        problem = f"{option}: must be a JSON object with a type, not invalid JSON ({error})"
        raise RequestError([problem]) from None


def _checked(option: str, spec: Any) -> dict[str, Any]:
    if not isinstance(spec, Mapping):
        raise RequestError([f"{option}: must be a mapping with a type, not {type(spec).__name__}"])
    if not isinstance(spec.get("type"), str) or not spec["type"]:
        problem = f"{option}.type={shown(spec.get('type'))}: must be the name of an LMCache adapter type"
        raise RequestError([problem])
    return dict(spec)
