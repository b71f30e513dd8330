"""Composes the points of a sweep quickly, and exactly as Hydra does.

Hydra composes every job from its files, which takes 0.1 s. Points that choose the same config groups differ
only in values, and Hydra applies values last: one composition from files serves all of these points.

The value of a top-level option follows from the overrides of this option, and of the options that its
interpolations refer to. So Hydra and OmegaConf compute it once for each combination of these overrides,
in a configuration of these options alone. Points that differ in ``seed`` share everything but ``seed``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from l2sweep.cli.hydra_app.configuration import resolved, without_hydra
from l2sweep.cli.hydra_app.private import apply_overrides

# The values of an option that many points vary are used once each. The others are few.
_KEPT_VALUES = 2_000
_ABSENT = object()

_REFERENCE = re.compile(r"\$\{\.*[\w.]+\}")
# These resolvers return values. Others, such as oc.select, can take the name of an option.
_CALL = re.compile(r"\$\{(l2sweep_\w+|secret|secret_file|oc\.env|oc\.decode|now):[^${}]*\}")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class _Composed:
    """What Hydra composed from files for one choice of config groups.

    Attributes:
        config: Without its ``hydra`` node.
        raw: The same as plain containers, with interpolations.
        references: For each option with an interpolation, the options that it may refer to; None: any.
    """

    config: DictConfig
    raw: Mapping[str, Any]
    references: Mapping[str, frozenset[str] | None]


class PointComposer:
    """Composes points of one sweep.

    Args:
        config_loader: Hydra's config loader.
        config: The composed configuration of the whole sweep.
    """

    def __init__(self, config_loader: ConfigLoader, config: DictConfig) -> None:
        self._parser = OverridesParser.create(config_loader=config_loader)
        self._loader = config_loader
        self._config = config
        self._parsed: dict[str, Override] = {}
        self._choices_of = functools.cache(config_loader.get_group_options)
        self._composed = functools.cache(self._compose_from_files)
        self._plan = functools.cache(self._affected)
        self._value = functools.lru_cache(maxsize=_KEPT_VALUES)(self._compute)

    def take_parsed(self, overrides: Iterable[Override]) -> None:
        """Take overrides that are parsed already, so that 20,000 values of an option are not parsed again.

        Args:
            overrides: Each has one value, and its text as its ``input_line``.
        """
        self._parsed.update((str(override.input_line), override) for override in overrides)

    def compose(self, overrides: Sequence[str]) -> dict[str, Any]:
        """Return a point's configuration as plain containers, interpolations resolved, without ``hydra``.

        Points share the containers inside: they must not be changed.

        Args:
            overrides: The point's overrides, none with several values.

        Raises:
            RequestError: An interpolation cannot be resolved, because an option has no allowed value.
        """
        choices: list[str] = []
        values: list[str] = []
        for text in overrides:
            (choices if self._is_choice(self._parse(text)) else values).append(text)
        chosen = tuple(choices)
        shape = tuple((self._top_level(text), self._refers_to(text)) for text in values)
        unchanged, affected = self._plan(chosen, shape)
        point = dict(unchanged)
        for name, positions in affected:
            value = self._value(chosen, name, tuple(values[position] for position in positions))
            if value is not _ABSENT:
                point[name] = value
        return point

    def _parse(self, text: str) -> Override:
        if text not in self._parsed:
            (self._parsed[text],) = self._parser.parse_overrides([text])
        return self._parsed[text]

    def _is_choice(self, override: Override) -> bool:
        """Whether an override chooses from a config group, which is composed from files."""
        return override.package is not None or bool(self._choices_of(override.key_or_group))

    def _top_level(self, text: str) -> str:
        return str(self._parse(text).key_or_group).partition(".")[0]

    def _refers_to(self, text: str) -> frozenset[str] | None:
        return _references(self._parse(text).value()) if "${" in text else frozenset()

    def _compose_from_files(self, choices: tuple[str, ...]) -> _Composed:
        config = without_hydra(self._loader.load_sweep_config(self._config, list(choices)))
        raw: Any = OmegaConf.to_container(config)
        return _Composed(config, raw, {name: _references(value) for name, value in raw.items()})

    def _affected(
        self, choices: tuple[str, ...], shape: tuple[tuple[str, frozenset[str] | None], ...]
    ) -> tuple[dict[str, Any], list[tuple[str, list[int]]]]:
        """Return the options that a point's overrides do not affect, and the positions of those that affect
        each other option.

        Args:
            choices: The overrides that choose from a config group.
            shape: For each other override the top-level option that it sets, and the options that its value
                refers to; None: any.
        """
        names = list(dict.fromkeys([*(name for name, _ in shape), *self._composed(choices).raw]))
        unchanged: dict[str, Any] = {}
        affected = []
        for name in names:
            needed = self._needed_by(choices, name, shape)
            if positions := [position for position, (set_one, _) in enumerate(shape) if set_one in needed]:
                affected.append((name, positions))
            else:
                unchanged[name] = self._value(choices, name, ())
        return unchanged, affected

    def _needed_by(
        self, choices: tuple[str, ...], name: str, shape: Sequence[tuple[str, frozenset[str] | None]]
    ) -> set[str]:
        """Return the top-level options that the value of one of them can depend on, itself included."""
        composed = self._composed(choices)
        every = {*composed.raw, *(set_one for set_one, _ in shape)}
        needed, new = {name}, {name}
        while new:
            references = [composed.references.get(one, frozenset()) for one in new]
            references += [referred for set_one, referred in shape if set_one in new]
            if None in references:
                return every
            new = {one for some in references if some for one in some if one in every} - needed
            needed |= new
        return needed

    def _compute(self, choices: tuple[str, ...], name: str, overrides: tuple[str, ...]) -> Any:
        """Return the value of a top-level option as a plain container."""
        composed = self._composed(choices)
        parsed = [self._parse(text) for text in overrides]
        shape = [(self._top_level(text), self._refers_to(text)) for text in overrides]
        needed = self._needed_by(choices, name, shape)
        config = OmegaConf.create({one: composed.raw[one] for one in composed.raw if one in needed})
        OmegaConf.copy_cache(from_config=composed.config, to_config=config)
        OmegaConf.set_struct(config, True)
        apply_overrides(parsed, config)
        return resolved(config).get(name, _ABSENT)


def _references(value: Any) -> frozenset[str] | None:
    """Return the words in the interpolations of a value: the options that they refer to are among them.

    None where an interpolation computes a name or calls an unknown resolver: it can refer to any option.
    """
    texts = [text for text in _texts(value) if "${" in text]
    words: set[str] = set()
    for text in texts:
        rest, found = text, 1
        while found:  # from the inside to the outside; \0 takes the place of what was resolved
            words.update(_WORD.findall(rest))
            rest, references = _REFERENCE.subn("\0", rest)
            rest, calls = _CALL.subn("\0", rest)
            found = references + calls
        if "${" in rest:
            return None
    return frozenset(words)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
