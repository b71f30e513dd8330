"""Check ``adapter_params`` of plugin adapters, which LMCache reads only when it creates the adapter."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

_PARAMS = "adapter_params"


def params_problems(spec: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each plugin adapter of a spec whose configuration class refuses its fields.

    A plugin that cannot be imported, or has no configuration class, is not checked: creating it shows what is
    wrong.

    Args:
        spec: A spec that LMCache accepts.
    """
    return [problem for path, plugin in _plugins(spec, "adapter") if (problem := _problem(path, plugin))]


def _plugins(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the spec of each plugin adapter with its dotted name."""
    if spec.get("type") == "plugin":
        yield path, spec
        return
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _plugins(value, f"{path}.{name}")


def _problem(path: str, spec: Mapping[str, Any]) -> str:
    from lmcache.v1.distributed.l2_adapters import plugin_l2_adapter as lmcache_plugin

    resolve = getattr(lmcache_plugin, "_resolve_config_class", None)  # releases before 0.5 may lack it
    try:
        module = importlib.import_module(str(spec["module_path"]))
        adapter_class = getattr(module, str(spec["class_name"]))
        config = lmcache_plugin.PluginL2AdapterConfig.from_dict(dict(spec))
        config_class = resolve(module, config, adapter_class) if resolve else None
    except Exception:
        return ""
    if config_class is None:
        return ""
    try:
        config_class.from_dict(config.adapter_params)
    except (ValueError, TypeError, KeyError) as error:
        text = f"missing {error}" if isinstance(error, KeyError) else str(error)
        return f"{path}.{text}" if text.startswith(f"{_PARAMS}.") else f"{path}.{_PARAMS}: {text}"
    return ""
