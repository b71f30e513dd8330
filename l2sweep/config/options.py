"""How an option is declared, checked and described: everything else follows from its declaration.

An option is a field of a pydantic dataclass, made by :func:`option`. The error message for a wrong value,
``--help``, ``docs/options.md`` and the comments of ``conf/`` follow from the field, or a test compares them.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from l2sweep.config.renamed import RENAMED_OPTIONS
from l2sweep.errors import RequestError, collected, shown

STRICT = ConfigDict(strict=True)
"""Of every declaration: a value is not converted, so ``num_keys=true`` is wrong.

The text of a number is the exception: ``num_keys='8'`` and ``num_keys=${oc.env:KEYS}`` are numbers.
"""

MOST = 1_000_000_000
LARGEST = (1 << 63) - 1
"""The largest integer that a column of the records holds."""
MOST_ROUNDS = 1_000_000
"""A round is a row for each phase, of about 1 KB, which the launcher keeps until the point ends: 3 GB."""
MOST_IN_FLIGHT = 65_536
"""The entries of the longest queue that an NVMe device can have (NVM Express Base Specification)."""
LONGEST_S = 2_000_000
"""The longest wait that poll(2) takes, in seconds, rounded down: 2^31 ms."""

LONGEST_NAME_BYTES = 255
"""NAME_MAX of limits.h."""
LONGEST_PATH_BYTES = 3_000
"""PATH_MAX is 4,096, and l2sweep and LMCache append folders and file names."""

SECTIONS = ("The point", "How a point is run", "The page cache", "The sweep", "Where the results go")
POINT, RUN, CACHE, SWEEP, RESULTS = SECTIONS

STORED, MEASURED = "stored", "measured"

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,3})?")

Declared = TypeVar("Declared")


@dataclass(frozen=True)
class Option:
    """One option, as its declaration describes it.

    Attributes:
        name: As it is given on the command line: ``cache.method``.
        default: Its default.
        help: What it is, in one line.
        section: One of ``SECTIONS``.
        allowed: What it may be, in words that follow "must be".
        unit: Unit of its value; empty where it has none.
        is_rare: Whether only ``--help-all`` and ``docs/options.md`` explain it.
        identity: Whether it is part of what a point stores (``STORED``), only of what it measures
            (``MEASURED``), or of neither (empty).
    """

    name: str
    default: Any
    help: str
    section: str
    allowed: str
    unit: str = ""
    is_rare: bool = False
    identity: str = ""


def option(
    default: Any,
    help: str,
    *,
    section: str = "",
    allowed: str = "",
    unit: str = "",
    rare: bool = False,
    identity: str = "",
    **bounds: Any,
) -> Any:
    """Declare an option as a field of a pydantic dataclass.

    Args:
        default: Its default, as it stands in ``conf/``.
        help: What it is, in one line.
        section: One of ``SECTIONS``; empty for an option of another command than a sweep.
        allowed: What it may be, where the type and the bounds do not tell.
        unit: Unit of its value.
        rare: Whether ``--help`` leaves it out.
        identity: ``STORED``, ``MEASURED`` or empty: see :class:`Option`.
        bounds: pydantic's: ``ge``, ``gt``, ``le``.
    """
    extra: Any = {"section": section, "allowed": allowed, "unit": unit, "is_rare": rare, "identity": identity}
    return Field(default=default, description=help, json_schema_extra=extra, **bounds)


point_option = functools.partial(option, section=POINT)
run_option = functools.partial(option, section=RUN)
cache_option = functools.partial(option, section=CACHE)
sweep_option = functools.partial(option, section=SWEEP)
results_option = functools.partial(option, section=RESULTS)


Seconds = Annotated[float, Field(gt=0, le=LONGEST_S)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
CommandText = Annotated[str, Field(pattern=r"^[^\x00]+$")]


def path_problem(path: str) -> str:
    """Return why no file can have a path, whatever the file system contains; empty if one can.

    Args:
        path: The path, which need not exist.
    """
    try:
        parts = os.fsencode(path).split(b"/")
    except UnicodeEncodeError:
        return "it has a character that no file name can have"
    if not path or b"\0" in os.fsencode(path):
        return "it is empty or has a NUL byte"
    if longest := next((part for part in parts if len(part) > LONGEST_NAME_BYTES), b""):
        return f"a part of it has {len(longest)} bytes, and {LONGEST_NAME_BYTES} are allowed"
    total = len(os.fsencode(path))
    return f"it has {total} bytes, and {LONGEST_PATH_BYTES} are allowed" if total > LONGEST_PATH_BYTES else ""


def _require_path(path: str) -> str:
    if path_problem(path):
        raise ValueError("no path")
    return path


PathText = Annotated[str, AfterValidator(_require_path)]
A_PATH = f"a path, each part of at most {LONGEST_NAME_BYTES} bytes"


def options_of(declaration: type, prefix: str = "") -> Iterator[Option]:
    """Yield the options that a class declares, those of nested classes under dotted names."""
    for name, field in _fields(declaration).items():
        if is_dataclass(field.annotation):
            yield from options_of(cast(type, field.annotation), f"{prefix}{name}.")
        else:
            yield _described(f"{prefix}{name}", field)


def names_with(declaration: type, *identities: str) -> tuple[str, ...]:
    """Return the names of the options that are part of an identity."""
    return tuple(one.name for one in options_of(declaration) if one.identity in identities)


def checked(declaration: type[Declared], values: Any, name: str = "") -> Declared:
    """Return values as an instance of the class that declares them.

    Args:
        declaration: The class.
        values: A mapping from option to value.
        name: The option that holds them; empty at the top.

    Raises:
        RequestError: With a sentence for each option that is unknown or has no allowed value.
    """
    fields = _fields(declaration)
    nested, texts = _nested_fields(cast(type, declaration)), _text_fields(cast(type, declaration))
    if not isinstance(values, Mapping):
        raise RequestError([f"{name}={shown(values)}: must hold {', '.join(fields)}"])
    prefix = f"{name}." if name else ""
    problems = [
        no_such_option(f"{prefix}{key}", [prefix + one for one in fields])
        for key in set(values) - set(fields)
    ]
    given: dict[str, Any] = {}
    for key in fields:
        value = values.get(key)
        if key in nested:
            with collected(problems):
                given[key] = checked(nested[key], value, f"{prefix}{key}")
        else:
            given[key] = _as_text(value) if key in texts else _as_number(value, fields[key].annotation)
    try:
        instance = declaration(**given)
    except ValidationError as error:
        wrong = dict.fromkeys(str(one["loc"][0]) for one in error.errors())
        problems += [_sentence(f"{prefix}{key}", fields[key], values.get(key)) for key in wrong]
    if problems:
        raise RequestError(problems)
    return instance


def no_such_option(name: str, known: Iterable[str]) -> str:
    """Return a sentence for an option that does not exist, with the one that may have been meant.

    Args:
        name: The option.
        known: Every option that it could be.
    """
    if name in RENAMED_OPTIONS:
        return f"{name}: is now called {RENAMED_OPTIONS[name]}"
    close = difflib.get_close_matches(name, list(known), n=1)
    meant = f"; did you mean {close[0]}?" if close else " (--help-all lists them)"
    return f"{name}: no such option{meant}"


def _fields(declaration: type) -> dict[str, FieldInfo]:
    return cast("dict[str, FieldInfo]", declaration.__pydantic_fields__)  # type: ignore[attr-defined]


@functools.cache
def _nested_fields(declaration: type) -> dict[str, type]:
    """Return the fields that are declarations themselves."""
    annotations = {name: field.annotation for name, field in _fields(declaration).items()}
    return {
        name: cast(type, annotation) for name, annotation in annotations.items() if is_dataclass(annotation)
    }


@functools.cache
def _text_fields(declaration: type) -> frozenset[str]:
    return frozenset(name for name, field in _fields(declaration).items() if _takes_text(field.annotation))


def _takes_text(annotation: Any) -> bool:
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return _takes_text(get_args(annotation)[0])
    return annotation is str


def _as_text(value: Any) -> Any:
    """Return a whole number as text: a label such as 2024 is a number to Hydra and to YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_number(value: Any, annotation: Any) -> Any:
    """Return the text of a number as a number, where an option takes one."""
    if not isinstance(value, str) or not (kind := _number_type(annotation)):
        return value
    if kind is int:
        return int(value) if _INTEGER.fullmatch(value) else value
    return float(value) if _NUMBER.fullmatch(value) else value


@functools.cache
def _number_type(annotation: Any) -> type | None:
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return _number_type(get_args(annotation)[0])
    return annotation if annotation in (int, float) else None


def _described(name: str, field: FieldInfo) -> Option:
    described = Option(name, field.default, field.description or "", **cast("Any", field.json_schema_extra))
    if described.allowed:
        return described
    return replace(described, allowed=_allowed(field.annotation, field.metadata))


def _sentence(name: str, field: FieldInfo, value: Any) -> str:
    return f"{name}={shown(value)}: must be {_described(name, field).allowed}"


def _allowed(annotation: Any, metadata: list[Any]) -> str:
    """Say in words what a type and its bounds allow."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        bounds = [bound for one in more if isinstance(one, FieldInfo) for bound in one.metadata]
        return _allowed(inner, [*metadata, *bounds])
    if get_origin(annotation) in (Union, types.UnionType):
        inner, *others = (one for one in get_args(annotation) if one is not type(None))
        texts = [text for one in others for text in get_args(one)]
        if type(None) in get_args(annotation):
            texts.append("null")
        return ", or ".join([_allowed(inner, metadata), *texts])
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(get_args(annotation))}"
    if annotation is bool:
        return "true or false"
    least = next((bound.ge for bound in metadata if hasattr(bound, "ge")), None)
    most = next((bound.le for bound in metadata if hasattr(bound, "le")), None)
    above = next((bound.gt for bound in metadata if hasattr(bound, "gt")), None)
    kind = {int: "an integer", float: "a number"}[annotation]
    if above is not None:
        return f"{kind} above {above}" + ("" if most is None else f", at most {most}")
    return f"{kind} from {least} to {most}"
