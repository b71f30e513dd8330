"""Describe the adapter types of the installed LMCache: what they need, and the fields of their specs."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lmcache.v1.distributed import l2_adapters
from lmcache.v1.distributed.l2_adapters.config import L2AdapterConfigBase, get_l2_adapter_config_class

from l2sweep.bench.messages import AdapterDescribed

_REGISTERED = re.compile(r"^register_l2_adapter_type\(\s*[\"']([\w-]+)[\"']", re.MULTILINE)
# A field in the help of a class: "- name (type, default X): text". Some name two: "- set_name / set (str)".
_FIELD = re.compile(r"- (?P<names>\w+(?: / \w+)*)(?: \((?P<brackets>[^()]*)\))?:? ?(?P<text>.*)", re.DOTALL)
_DEFAULT = re.compile(r"\bdefaults? (?:to )?(?P<value>[^\s,;)]+)")
_NOT_A_TYPE = ("required", "optional")


def described(needed: Mapping[str, Sequence[str]], *, and_others: bool) -> Iterator[AdapterDescribed]:
    """Yield a description of each adapter type, by name.

    Args:
        needed: Adapter types, and the modules that each of them needs besides its own. LMCache imports some
            of them only when an adapter is created.
        and_others: Whether types of LMCache that are not among them are described as well.
    """
    modules = dict(_modules())
    for name in sorted({*needed, *modules} if and_others else needed):
        if name in modules:
            yield _described(name, modules[name], needed.get(name, ()))


def _modules() -> Iterator[tuple[str, str]]:
    """Yield each adapter type and its module. The module is only read: importing it may fail."""
    for found in pkgutil.iter_modules(l2_adapters.__path__):
        module = f"{l2_adapters.__name__}.{found.name}"
        spec = importlib.util.find_spec(module)
        if found.name.endswith("_l2_adapter") and spec is not None and spec.origin:
            for name in _REGISTERED.findall(Path(spec.origin).read_text(encoding="utf-8")):
                yield name, module


def _described(name: str, module: str, needed: Sequence[str]) -> AdapterDescribed:
    try:
        # LMCache's own loader continues with other modules, and reports the error of the last one.
        importlib.import_module(module)
    except ImportError as error:
        return AdapterDescribed(name, _one_line(error), error.name or "", [])
    except Exception as error:
        return AdapterDescribed(name, f"{type(error).__name__}: {_one_line(error)}", "", [])
    missing = next((one for one in needed if not _exists(one)), "")
    problem = f"No module named {missing!r}" if missing else ""
    return AdapterDescribed(name, problem, missing, fields_of(get_l2_adapter_config_class(name)))


def fields_of(config_class: type[L2AdapterConfigBase]) -> list[dict[str, Any]]:
    """Return the fields of a spec, from the help of LMCache's configuration class and from its constructor.

    Args:
        config_class: The configuration class of an adapter type.
    """
    parameters = inspect.signature(config_class).parameters
    found: dict[str, dict[str, Any]] = {}
    for line in re.split(r"\n(?=- )", config_class.help()):
        # What follows an empty line is no field: an example, or variables of the environment.
        match = _FIELD.match(line.partition("\n\n")[0])
        if match is None:
            continue
        for name in match["names"].split(" / "):
            if not name.isupper():
                found[name] = _field(name, match["brackets"] or "", match["text"], parameters.get(name))
    return list(found.values())


def _field(name: str, brackets: str, text: str, parameter: inspect.Parameter | None) -> dict[str, Any]:
    type_name = re.split(r", (?=default|required|optional)", brackets)[0]
    said = f"{brackets} {text}"
    default: Any = None
    if parameter is not None and parameter.default is not inspect.Parameter.empty:
        default = parameter.default
    elif (match := _DEFAULT.search(said)) is not None:
        default = match["value"].strip("'\"")
    if parameter is not None and parameter.annotation is not inspect.Parameter.empty:
        type_name = inspect.formatannotation(parameter.annotation).strip("'\"")
    is_plain = default is None or isinstance(default, (bool, int, float, str))
    has_no_default = parameter is not None and parameter.default is inspect.Parameter.empty
    return {
        "name": name,
        "type": "" if type_name in _NOT_A_TYPE else type_name,
        "default": default if is_plain else str(default),
        "is_required": default is None and (has_no_default or "required" in said.split(";")[0]),
        "help": " ".join(text.split()),
    }


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a package above it does not exist, or cannot be imported
        return False


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
