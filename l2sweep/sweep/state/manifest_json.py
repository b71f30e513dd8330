"""Check the content of a manifest, which a crash may have damaged and anybody may have changed."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from l2sweep.config.sweep import SweepId

_CHECKED = ConfigDict(strict=True)
_Index = Annotated[int, Field(ge=0, le=2**31)]


@dataclass(config=_CHECKED)
class _Point:
    index: _Index
    repeat: _Index
    point_id: str
    overrides: list[str]


@dataclass(config=_CHECKED)
class _Skipped:
    point_id: str
    overrides: list[str]
    reason: str
    as_asked: bool


@dataclass(config=ConfigDict(strict=True, extra="forbid"))
class _Content:
    sweep_id: SweepId
    arguments: list[str]
    zip: list[list[str]]
    points: list[_Point]
    skipped: list[_Skipped] = Field(default_factory=list)


def checked_fields(content: bytes) -> dict[str, Any]:
    """Return the fields of a manifest of this release or an earlier one.

    Args:
        content: The content of the file, which may be anything.

    Raises:
        ValueError: It is not a manifest. The message says why.
    """
    try:
        values = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    if "left_out" in values:  # before the option on_infeasible=skip had this name
        values["skipped"] = values.pop("left_out")
    try:
        TypeAdapter(_Content).validate_json(json.dumps(values))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}") from None
    return values
