"""The options in words, from their declarations: for ``--help``, ``conf/``, README and ``docs/options.md``.

``make reference`` writes the files anew; a test compares them with the declarations.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from l2sweep.config.cache import CacheConfig
from l2sweep.config.options import CACHE, POINT, SECTIONS, Option, options_of
from l2sweep.config.point import PointOptions
from l2sweep.config.sweep import SweepConfig

_HELP_COLUMN = 34
_YAML_COLUMN = 28
_WIDTH = 110
_GROUP = "a choice of the config group"


def _group(name: str, default: Any, help: str, section: str, *, allowed: str = _GROUP) -> Option:
    return Option(name, default, help, "", allowed, section, is_rare=False, identity="")


# Options that choose a file of conf/, or stand for one. adapter_json is the only one without a group.
GROUP_OPTIONS = (
    _group("adapter", "fs", "the storage to measure; its fields go to LMCache unchanged", POINT),
    _group(
        "adapter_json",
        None,
        "the whole adapter spec as JSON, for any type that LMCache knows; also $L2_ADAPTER_JSON",
        POINT,
        allowed="a JSON object with a type, or null",
    ),
    _group("model", None, "sets data_size_kb to the size of a chunk of this model's KV cache", POINT),
    _group("cache", "hot", "cold: drop the page cache between the phases, and prove it", CACHE),
    _group("experiment", None, "a whole sweep, such as nightly_cold", SECTIONS[3]),
)


def every_option() -> list[Option]:
    """Return every option in the order in which it is explained: by section, as declared."""
    declared = [*GROUP_OPTIONS, *options_of(PointOptions), *options_of(SweepConfig)]
    return [option for section in SECTIONS for option in declared if option.section == section]


def help_text(*, rare: bool) -> str:
    """Return the options as text, grouped by section.

    Args:
        rare: Whether rarely used options are included.
    """
    lines: list[str] = []
    for section in SECTIONS:
        shown = [one for one in every_option() if one.section == section and (rare or not one.is_rare)]
        if shown:
            lines += ["", f"{section}:", *(line for one in shown for line in _help_lines(one))]
    return "\n".join(lines)


def markdown_table(options: Iterable[Option]) -> str:
    """Return a table of options in Markdown."""
    rows = [
        f"| `{one.name}` | {_default(one)} | {_with_unit(one)}"
        + (f". Allowed: {one.allowed}" if _says_more(one) else "")
        + " |"
        for one in options
    ]
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def frequent_options() -> list[Option]:
    """Return the options that README and ``--help`` explain."""
    return [one for one in every_option() if not one.is_rare]


def options_page() -> str:
    """Return ``docs/options.md``."""
    parts = [
        "# Options\n",
        "Every option is given as `name=value`, on the command line or in a YAML file. Names and defaults\n"
        "are those of `lmcache bench l2`, except `l1_align_bytes`. This page is generated from the\n"
        "declarations in `l2sweep/config` (`make reference`); `l2sweep --help-all` prints the same.\n",
    ]
    for section in SECTIONS:
        parts.append(f"## {section}\n")
        parts.append(markdown_table(one for one in every_option() if one.section == section))
    return "\n".join(parts)


def config_yaml_options() -> str:
    """Return the options of ``conf/config.yaml``, each with its default and its help as a comment."""
    lines: list[str] = []
    for section in SECTIONS:
        declared = [*GROUP_OPTIONS[1:2], *options_of(PointOptions), *options_of(SweepConfig)]
        own = [one for one in declared if one.section == section and not one.name.startswith("cache.")]
        if own:
            lines += [f"# {section} ".ljust(100, "-"), *_yaml_lines(own), ""]
    return "\n".join(lines)


def cache_yaml_options() -> str:
    """Return the options of ``conf/cache/hot.yaml``."""
    return "\n".join(_yaml_lines(list(options_of(CacheConfig)))) + "\n"


def _help_lines(option: Option) -> list[str]:
    name = f"  {option.name}={_plain(option.default)}"
    allowed = f" ({option.allowed})" if _says_more(option) else ""
    wrapped = textwrap.wrap(_with_unit(option) + allowed, _WIDTH - _HELP_COLUMN)
    if len(name) >= _HELP_COLUMN:
        return [name, *(" " * _HELP_COLUMN + line for line in wrapped)]
    return [name.ljust(_HELP_COLUMN) + wrapped[0], *(" " * _HELP_COLUMN + line for line in wrapped[1:])]


def _yaml_lines(options: Sequence[Option]) -> Iterator[str]:
    holder = ""
    for option in options:
        above, _, name = option.name.rpartition(".")
        if above != holder and above:
            yield f"{above}:"
        holder = above
        indent = "  " if above else ""
        setting = f"{indent}{name}: {_yaml(option.default)}"
        comment = _with_unit(option)
        if option.allowed.startswith("one of ") and not _names_choices(option):
            comment = f"{option.allowed.removeprefix('one of ').replace(', ', ' | ')}: {comment}"
        line = f"{setting.ljust(_YAML_COLUMN - 1)} # {comment}"
        if len(line) <= _WIDTH:
            yield line
        else:
            yield from (f"{indent}# {part}" for part in textwrap.wrap(comment, _WIDTH - 4))
            yield setting


def _says_more(option: Option) -> bool:
    """Whether the choices are worth listing after the help."""
    return option.allowed.startswith("one of ") and not _names_choices(option)


def _names_choices(option: Option) -> bool:
    choices = option.allowed.removeprefix("one of ").removesuffix(", or null").split(", ")
    return len(choices) > 8 or all(choice in option.help for choice in choices)  # 8 fit into a line


def _with_unit(option: Option) -> str:
    return f"{option.help} ({option.unit})" if option.unit else option.help


def _default(option: Option) -> str:
    if isinstance(option.default, str) and option.default.startswith("${l2sweep"):
        return "given"
    return f"`{_plain(option.default)}`"


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return "..." if value.startswith("${l2sweep") else value.replace("${results_dir}", "RESULTS_DIR")
    return _yaml(value)


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
