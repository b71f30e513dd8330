"""The adapter's spec as a user gave it: where it comes from, and what of it is the point's identity."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from l2sweep import credentials
from l2sweep.config.options import shown

ENVIRONMENT_VARIABLE = "L2_ADAPTER_JSON"

_SEPARATOR = re.compile(r"\s*(,\s*|$)")
_SCRATCH = "<scratch>"
_PATH_FIELDS = ("base_path", "device_path", "file_path")


class SpecError(ValueError):
    """A spec that cannot be used, in one sentence that names the option."""


def choose_spec(
    group_spec: Any,
    adapter_json: Any,
    overrides: Sequence[str],
    environment: Mapping[str, str],
    scratch_dir: str,
) -> dict[str, Any]:
    """Return the spec that counts: command line, then environment, then the default group.

    Args:
        group_spec: What stands under ``adapter``.
        adapter_json: The option of that name: JSON text, a mapping (from a YAML file), or None.
        overrides: The command line's overrides.
        environment: The process's environment.
        scratch_dir: Where the default adapter keeps its files.

    Raises:
        SpecError: The spec is not a JSON object with a type, or two were given.
    """
    from_command_line = [key for key in map(_override_key, overrides) if key.split(".")[0] == "adapter"]
    if adapter_json is not None:
        if from_command_line:
            raise SpecError(
                f"adapter_json and {from_command_line[0]}: only one of them can give the adapter's spec"
            )
        return _checked("adapter_json", _parsed("adapter_json", adapter_json))
    text = environment.get(ENVIRONMENT_VARIABLE, "")
    is_default = group_spec == {"type": "fs", "base_path": scratch_dir}
    if text and is_default and not from_command_line:
        return _checked(ENVIRONMENT_VARIABLE, _parsed(ENVIRONMENT_VARIABLE, text))
    return _checked("adapter", group_spec)


def identity(spec: Mapping[str, Any], scratch_dir: str) -> dict[str, Any]:
    """Return what of a spec says what is measured: no credentials, and not where the scratch folder is."""
    stripped: dict[str, Any] = _replace_scratch(credentials.without(spec), scratch_dir)
    return stripped


def adapter_types(spec: Mapping[str, Any]) -> list[str]:
    """Return the adapter's type, and those of specs within its own."""
    inside = [name for value in spec.values() if isinstance(value, Mapping) for name in adapter_types(value)]
    return [str(spec["type"]), *inside] if "type" in spec else inside


def storage_path(spec: Mapping[str, Any]) -> str | None:
    """Return the local path that an adapter keeps its data in, where its spec names one."""
    for name in _PATH_FIELDS:
        if isinstance(spec.get(name), str):
            return str(spec[name])
    for value in spec.values():
        if isinstance(value, Mapping) and (path := storage_path(value)):
            return path
    return None


def quote_json_override(argument: str) -> str:
    """Make ``adapter_json={...}`` from a shell readable for Hydra, whose grammar has no quoted keys.

    Several JSON texts with commas between them become a sweep over them. Any other argument is returned
    as it is.
    """
    name, separator, text = argument.partition("=")
    if name.lstrip("+") != "adapter_json" or not separator or text[:1] in ("'", '"') or text == "null":
        return argument
    from hydra.core.override_parser.types import Quote, QuotedString

    texts = _json_texts(text) or [text]
    return f"{name}={','.join(QuotedString(one, Quote.single).with_quotes() for one in texts)}"


def _json_texts(text: str) -> list[str]:
    """Return the JSON texts in a text that holds nothing but them, with commas between; else none."""
    decoder = json.JSONDecoder()
    texts: list[str] = []
    position = 0
    while position < len(text):
        try:
            _, end = decoder.raw_decode(text, position)
        except ValueError:
            return []
        texts.append(text[position:end])
        separator = _SEPARATOR.match(text, end)
        if separator is None:
            return []
        position = separator.end()
    return texts


def _override_key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]


def _parsed(option: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    try:
        return json.loads(str(value))
    except ValueError as error:
        raise SpecError(f"{option}: not valid JSON ({error}); a JSON object with a type is needed") from None


def _checked(option: str, spec: Any) -> dict[str, Any]:
    if not isinstance(spec, Mapping):
        raise SpecError(f"{option}: {type(spec).__name__} is not a spec; a mapping with a type is needed")
    if not isinstance(spec.get("type"), str) or not spec["type"]:
        raise SpecError(
            f"{option}.type={shown(spec.get('type'))}: must be the name of an LMCache adapter type"
        )
    if path := _path_of_field(spec, "serde", option):
        raise SpecError(
            f"{path}: LMCache's storage manager applies it, an adapter alone does not, so it would "
            "not be measured; leave it out"
        )
    return dict(spec)


def _path_of_field(value: Any, name: str, path: str) -> str:
    """Return where below ``path`` a field of this name is given; empty where it is not."""
    if not isinstance(value, Mapping):
        return ""
    if value.get(name) is not None:
        return f"{path}.{name}"
    return next(
        filter(None, (_path_of_field(item, name, f"{path}.{key}") for key, item in value.items())), ""
    )


def _replace_scratch(value: Any, scratch_dir: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _replace_scratch(item, scratch_dir) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_scratch(item, scratch_dir) for item in value]
    if isinstance(value, str) and (value == scratch_dir or value.startswith(f"{scratch_dir}/")):
        return _SCRATCH + value[len(scratch_dir) :]
    return value
