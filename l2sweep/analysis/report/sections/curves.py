"""Section 3: curves over a field of the workload, and heat maps over two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.report.contents.curves import Curve, HeatMap, Temperature
from l2sweep.analysis.tune.knee import curves, knee_of
from l2sweep.analysis.tune.settings import WORKLOAD, Setting, option_names, varying

_AXES = ("in_flight", "data_size_kb", "num_keys")
"""The fields of a heat map, in the order in which they become columns and rows."""


@dataclass(frozen=True)
class PlacedSetting:
    """A setting with its position among all settings of a report.

    Attributes:
        position: Its position.
        phase: store, lookup or load.
        temperature: State of the page cache, as in the report.
        setting: The setting.
    """

    position: int
    phase: str
    temperature: str | None
    setting: Setting


def curves_of(placed: Sequence[PlacedSetting]) -> tuple[list[Curve], set[int]]:
    """Return the curves over each field of the workload, and the positions of the knees over the depth.

    Args:
        placed: All settings.
    """
    found: list[Curve] = []
    knees: set[int] = set()
    for own in _families(placed):
        position = {id(one.setting): one.position for one in own}
        among = [one.setting for one in own if one.setting.rates]
        for over in WORKLOAD:
            groups = [curve for curve in curves(among, over) if len(curve) > 1]
            if not groups:
                groups = _with_derived_fields(among, over)
            for curve in groups:
                ordered = sorted(curve, key=lambda one: int(one.value(over)))
                also = varying([name for name in WORKLOAD if name != over], ordered)
                adapter = ordered[0].spec.adapter
                knee = None if also or adapter in CONTROLS else knee_of(ordered, over)
                if knee is not None and over == "in_flight":
                    knees.add(position[id(knee.at)])
                found.append(
                    Curve(
                        over=over,
                        phase=own[0].phase,
                        temperature=cast("Temperature | None", own[0].temperature),
                        adapter=adapter,
                        is_control=adapter in CONTROLS,
                        label=group_label(ordered[0], groups, (over, *also)),
                        settings=tuple(position[id(one)] for one in ordered),
                        also_varies=tuple(also),
                        knee=None if knee is None else position[id(knee.at)],
                    )
                )
    return found, knees


def heat_maps_of(placed: Sequence[PlacedSetting]) -> list[HeatMap]:
    """Return the heat maps of adapters, each over the two fields of the workload that vary.

    A third field that varies has a map for each of its values, unless it follows from the other two.

    Args:
        placed: All settings.
    """
    found: list[HeatMap] = []
    for own in _families(placed):
        among = [one.setting for one in own if one.setting.rates and one.setting.spec.adapter not in CONTROLS]
        position = {id(one.setting): one.position for one in own}
        axes = varying(_AXES, among)
        if len(axes) < 2:
            continue
        x, y, *third = axes
        groups = _alike(among)
        is_unique = all(
            len({(one.value(x), one.value(y)) for one in group}) == len(group) for group in groups
        )
        if third and not is_unique:
            groups = _alike(among, third[0])
        maps = [group for group in groups if len(varying([x, y], group)) == 2]
        for group in maps:
            found.append(
                HeatMap(
                    adapter=group[0].spec.adapter,
                    phase=own[0].phase,
                    temperature=cast("Temperature | None", own[0].temperature),
                    label=group_label(group[0], maps, (x, y, *(third if is_unique else ()))),
                    x=x,
                    y=y,
                    settings=tuple(position[id(one)] for one in group),
                )
            )
    return found


def _families(placed: Sequence[PlacedSetting]) -> list[list[PlacedSetting]]:
    """Return the settings by phase, temperature and adapter."""
    return _grouped(placed, lambda one: (one.phase, one.temperature, one.setting.spec.adapter))


def _with_derived_fields(among: Sequence[Setting], over: str) -> list[list[Setting]]:
    """Return curves along which another field varies, because a request derived it from this one.

    An example is ``num_keys`` of the nightly sweep, which follows from the size. A curve needs one setting
    for each value.
    """
    for kept in WORKLOAD:
        groups = [group for group in _alike(among, kept) if len(group) > 1] if kept != over else []
        if groups and all(len({one.value(over) for one in group}) == len(group) for group in groups):
            return groups
    return []


def _alike(among: Sequence[Setting], *fields: str) -> list[list[Setting]]:
    """Return settings with the same place, options and hit rate, and the same values of some fields."""
    return _grouped(
        among,
        lambda one: (one.place, one.spec, one.lookup_max_hit_rate, *(one.value(name) for name in fields)),
    )


def group_label(one: Setting, groups: Sequence[Sequence[Setting]], without: Sequence[str] = ()) -> str:
    """Return in what a group differs from the others, such as ``num_workers=4 in_flight=8``.

    Args:
        one: A setting of the group.
        groups: All groups.
        without: Fields that differ within a group.
    """
    firsts = [group[0] for group in groups]
    names = [name for name in (*option_names(firsts), *WORKLOAD, "hosts") if name not in without]
    parts = [f"{name.removeprefix('adapter.')}={_text(one.value(name))}" for name in varying(names, firsts)]
    if len({first.lookup_max_hit_rate for first in firsts}) > 1:
        parts.append(f"lookup_max_hit_rate={_text(one.lookup_max_hit_rate)}")
    for name, values in (
        ("path", {first.spec.path for first in firsts}),
        ("host", {first.host for first in firsts}),
        ("LMCache", {first.lmcache_version for first in firsts}),
        ("answered by", {first.lookup_answered_by for first in firsts}),
    ):
        if len(values) > 1:
            own = {
                "path": one.spec.path,
                "host": one.host,
                "LMCache": one.lmcache_version,
                "answered by": one.lookup_answered_by,
            }
            parts.append(f"{name} {own[name] or '-'}")
    return " ".join(parts)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _grouped(items: Sequence[Any], key: Any) -> list[list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for one in items:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())
