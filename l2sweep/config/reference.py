"""The options in words, from their declarations: for ``--help``, ``conf/``, README and ``docs/options.md``.

``make reference`` writes the files anew; a test compares them with the declarations.
"""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from l2sweep.bench.job import MORE_ADAPTERS
from l2sweep.config.cache import CacheConfig
from l2sweep.config.options import CACHE, POINT, SECTIONS, SWEEP, Option, options_of
from l2sweep.config.point_options import PointOptions
from l2sweep.config.sweep import SweepConfig

_HELP_COLUMN = 34
_YAML_COLUMN = 28
_WIDTH = 110
_GROUP = "a choice of the config group"


_CONSTRAINTS = """\
## Constraints

A constraint is a condition in the syntax of Python. It consists of:

- numbers, from -10^30 to 10^30; texts; `True`, `False`, `None`; lists and tuples of them
- options of a point by their names; a dot reaches further: `adapter.type`, `cache.mode`, `timeout_s.store`
- `+ - * / // % **` and signs, for numbers only; an exponent is at most 64, and no result is above 10^30
- `< <= > >=` for numbers only; `== !=` for everything; `in` and `not in` for lists, texts and names of fields
- `and`, `or`, `not`, and parentheses

Nothing else is allowed: no calls, subscripts, bit operations, comprehensions or f-strings. A constraint has
at most 2,000 characters and 400 operators, names and values, nested at most 40 levels deep. If it cannot be
computed, as in a division by zero, the request is refused. The message names the constraint and the point.
"""

# Options that choose a file of conf/, or hold a spec. adapter_json and more_adapters have no group.
GROUP_OPTIONS = (
    Option("adapter", "fs", "the storage to measure; its fields go to LMCache unchanged", POINT, _GROUP),
    Option(
        "adapter_json",
        None,
        "the whole adapter spec as JSON, for any type that LMCache knows; also $L2_ADAPTER_JSON",
        POINT,
        "a JSON object with a type, or null",
    ),
    Option(
        MORE_ADAPTERS,
        [],
        "the specs of further L2 adapters behind one storage manager, in the order in which a load asks them",
        POINT,
        "a list of adapter specs: [{type: fs, base_path: /mnt/b}]",
    ),
    Option("model", None, "sets data_size_kb to the size of a chunk of this model's KV cache", POINT, _GROUP),
    Option("cache", "hot", "cold: drop the page cache between the phases, and prove it", CACHE, _GROUP),
    Option("experiment", None, "a whole sweep, such as nightly_cold", SWEEP, _GROUP),
)


def every_option() -> list[Option]:
    """Return every option in the order in which it is explained: by section, as declared."""
    declared = [*GROUP_OPTIONS, *options_of(PointOptions), *options_of(SweepConfig)]
    return sorted(declared, key=lambda option: SECTIONS.index(option.section))


def help_text(*, rare: bool) -> str:
    """Return the options as text, grouped by section.

    Args:
        rare: Whether rarely used options are included.
    """
    lines: list[str] = []
    for section, options in _by_section(every_option() if rare else frequent_options()):
        lines += ["", f"{section}:", *(line for one in options for line in _help_lines(one))]
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
    for section, options in _by_section(every_option()):
        parts += [f"## {section}\n", markdown_table(options)]
    return "\n".join([*parts, _CONSTRAINTS])


def config_yaml_options() -> str:
    """Return the options of ``conf/config.yaml``, each with its default and its help as a comment."""
    lines: list[str] = []
    own = [one for one in every_option() if one.allowed != _GROUP and not one.name.startswith("cache.")]
    for section, options in _by_section(own):
        lines += [f"# {section} ".ljust(100, "-"), *_yaml_lines(options), ""]
    return "\n".join(lines)


def cache_yaml_options() -> str:
    """Return the options of ``conf/cache/hot.yaml``."""
    return "\n".join(_yaml_lines(options_of(CacheConfig))) + "\n"


def _by_section(options: Iterable[Option]) -> Iterator[tuple[str, Iterator[Option]]]:
    return itertools.groupby(options, key=lambda option: option.section)


def _help_lines(option: Option) -> list[str]:
    name = f"  {option.name}={_plain(option.default)}"
    text = _with_unit(option) + (f" ({option.allowed})" if _says_more(option) else "")
    indent = " " * _HELP_COLUMN
    if len(name) >= _HELP_COLUMN:
        return [name, *textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)]
    first = name.ljust(_HELP_COLUMN)
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=indent)


def _yaml_lines(options: Iterable[Option]) -> Iterator[str]:
    holder = ""
    for option in options:
        above, _, name = option.name.rpartition(".")
        if above != holder and above:
            yield f"{above}:"
        holder = above
        indent = "  " if above else ""
        setting = f"{indent}{name}: {_yaml(option.default)}"
        comment = _with_unit(option)
        if _says_more(option):
            comment = f"{option.allowed.removeprefix('one of ').replace(', ', ' | ')}: {comment}"
        line = f"{setting.ljust(_YAML_COLUMN - 1)} # {comment}"
        if len(line) <= _WIDTH:
            yield line
        else:
            yield from (f"{indent}# {part}" for part in textwrap.wrap(comment, _WIDTH - 4))
            yield setting


def _says_more(option: Option) -> bool:
    """Whether the choices are worth listing after the help."""
    if not option.allowed.startswith("one of "):
        return False
    choices = option.allowed.removeprefix("one of ").removesuffix(", or null").split(", ")
    return len(choices) <= 8 and not all(choice in option.help for choice in choices)  # 8 fit into a line


def _with_unit(option: Option) -> str:
    return f"{option.help} ({option.unit})" if option.unit else option.help


def _default(option: Option) -> str:
    if isinstance(option.default, str) and option.default.startswith("${l2sweep_new"):
        return "given"
    return f"`{_plain(option.default)}`"


def _plain(value: Any) -> str:
    if isinstance(value, str):
        if value.startswith("${l2sweep_new"):
            return "..."
        return value.replace("${l2sweep_local_folder:${results_dir}}", "RESULTS_DIR")
    return _yaml(value)


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
