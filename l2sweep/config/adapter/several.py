"""Several L2 adapters behind one storage manager: the option ``more_adapters``.

LMCache takes one ``--l2-adapter`` for each. Its default policies store each key in all of them, and load it
from the first one that has it (``DefaultStorePolicy``, ``DefaultPrefetchPolicy`` of LMCache 0.5.6).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from l2sweep.analysis.control import adapter_name
from l2sweep.bench.job import FIO, MORE_ADAPTERS, STORAGE_MANAGER, local_paths, specs_of
from l2sweep.config.adapter.kinds import ADAPTER_KINDS, REMOTE
from l2sweep.errors import RequestError, shown

_MOST = 8  # each has threads of its own


def with_more(spec: Mapping[str, Any], more: Any) -> dict[str, Any]:
    """Return a spec with the specs of further adapters in it.

    Args:
        spec: The spec of the first adapter.
        more: The option ``more_adapters``: a list of specs.

    Raises:
        RequestError: It is no list of specs, or is given as a field of the spec.
    """
    if MORE_ADAPTERS in spec:
        raise RequestError(
            [f"adapter.{MORE_ADAPTERS}: must be given as {MORE_ADAPTERS}=[...], a list of specs"]
        )
    if not more:
        return dict(spec)
    if not isinstance(more, Sequence) or isinstance(more, str):
        raise RequestError([f"{MORE_ADAPTERS}={shown(more)}: must be a list of adapter specs"])
    problems = [
        f"{MORE_ADAPTERS}={shown(one)}: must be a mapping with the type of an adapter"
        for one in more
        if not isinstance(one, Mapping) or not isinstance(one.get("type"), str) or not one["type"]
    ]
    if problems:
        raise RequestError(problems)
    return {**spec, MORE_ADAPTERS: {str(number): dict(one) for number, one in enumerate(more, start=2)}}


def named_specs(spec: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the spec of each adapter with its name in a message: ``adapter``, ``more_adapters.2``.

    Args:
        spec: A spec with ``MORE_ADAPTERS``, or without it.
    """
    names = itertools.chain(["adapter"], (f"{MORE_ADAPTERS}.{number}" for number in itertools.count(2)))
    return list(zip(names, specs_of(spec), strict=False))


def several_problems(spec: Mapping[str, Any], through: str) -> Iterator[str]:
    """Yield a sentence for each thing that several adapters cannot have.

    Args:
        spec: A spec with ``MORE_ADAPTERS``, or without it.
        through: The option with this name.
    """
    specs = specs_of(spec)
    if len(specs) == 1:
        return
    if through != STORAGE_MANAGER:
        yield f"{MORE_ADAPTERS}: needs through=storage_manager, which has several L2 adapters"
        return
    if len(specs) > _MOST:
        yield f"{MORE_ADAPTERS}: must be at most {_MOST - 1} adapters, not {len(specs) - 1}"
    for number, (name, one) in enumerate(named_specs(spec), start=1):
        if one.get("serde") is not None:
            yield f"{name}.serde: must be left out with {MORE_ADAPTERS}: one payload serves all adapters"
        if number == 1:
            continue
        kind = ADAPTER_KINDS.get(adapter_name(one), REMOTE)
        if one["type"] == FIO or kind.is_destructive:
            why = "is no adapter of LMCache" if one["type"] == FIO else "overwrites its device"
            yield f"{name}.type={one['type']}: must be the type of the first adapter only, because it {why}"
        for earlier_number, earlier in enumerate(specs[: number - 1], start=1):
            shared = set(local_paths(one)).intersection(local_paths(earlier))
            if shared or one == earlier:
                place = f"the place {shown(min(shared))}" if shared else "everything"
                yield f"{name}: must not share {place} with adapter {earlier_number}, which has every key too"
