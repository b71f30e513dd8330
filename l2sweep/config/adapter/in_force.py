"""Which fields of an adapter spec are in force on the path that a point takes.

LMCache reads some fields for every type (``parse_args_to_l2_adapters_config``), but only its storage manager
applies them. A point that gives a field without effect would be recorded as something that it is not, so it
is refused. Found in the source of LMCache 0.5.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from l2sweep.bench.data.serde_tolerance import stated_tolerance
from l2sweep.bench.job import FIO, STORAGE_MANAGER, specs_of
from l2sweep.config.adapter.several import named_specs, several_problems
from l2sweep.errors import shown

# Fields that StorageManager applies to the outermost spec: _build_l2_adapter, _should_enable_l2_eviction.
_OF_STORAGE_MANAGER = ("serde", "eviction", "shared", "affinity_tag")
_WITHOUT_EFFECT: dict[str, Any] = {"shared": False, "affinity_tag": "_default", "persist_enabled": True}
"""Values that are what LMCache does without the field."""
_PERSISTS_BY_CHOICE = ("nixl_store_dynamic", "raw_block")
"""Types that read ``persist_enabled``; raw_block refuses false."""
_COUNTS_CAPACITY = (
    *("fs_native", "native_plugin", "resp", "valkey", "s3", "bigtable"),
    *("aerospike", "hfbucket", "nixl_native"),
)
"""Types whose ``max_capacity_gb`` only tells the eviction of the storage manager when to start."""
_NO_CAPACITY = ("fs",)
"""Types without a capacity, for which ``_should_enable_l2_eviction`` only logs that nothing is evicted."""
_BY_CAPACITY = ("LRU", "ARC")
"""Policies of eviction that start at a share of the capacity."""
_BY_QUOTA = "IsolatedLRU"
"""The policy that starts at a quota. l2sweep sets none, so it evicts every key (``QuotaManager``)."""


def path_problems(
    spec: Mapping[str, Any], through: str, serde_tolerance: float | None, *, concurrent: bool = False
) -> list[str]:
    """Return a sentence for each field of a spec that has no effect, and each that this path cannot measure.

    Args:
        spec: An adapter spec.
        through: The option with this name.
        serde_tolerance: The option with this name.
        concurrent: The option with this name.
    """
    is_managed = through == STORAGE_MANAGER
    if is_managed and spec.get("type") == FIO:
        return ["through=storage_manager: must be adapter with adapter=fio, which is no adapter of LMCache"]
    if concurrent and spec.get("type") == FIO:
        return ["concurrent=true: must be false with adapter=fio, which runs its phases itself"]
    problems = list(several_problems(spec, through))
    for name, one in named_specs(spec):
        problems += _without_effect(one, name, is_managed=is_managed, is_outermost=True)
    serde = spec.get("serde")
    if serde_tolerance is not None and (serde is None or not is_managed):
        problems.append(
            f"serde_tolerance={serde_tolerance}: needs through=storage_manager and a serde in the spec"
        )
    if is_managed and isinstance(serde, Mapping):
        problems += _serde_problems(serde, serde_tolerance)
    return problems


def is_evicting(spec: Mapping[str, Any], through: str) -> bool:
    """Return whether LMCache may evict keys of a point, so that it may store more than fits on purpose.

    Args:
        spec: The adapter spec.
        through: The option with this name.
    """
    policies = {_policy(one) for one in specs_of(spec)}
    return through == STORAGE_MANAGER and bool(policies.intersection((*_BY_CAPACITY, _BY_QUOTA)))


def _policy(spec: Mapping[str, Any]) -> Any:
    eviction = spec.get("eviction")
    return eviction.get("eviction_policy") if isinstance(eviction, Mapping) else None


def _without_effect(
    spec: Mapping[str, Any], path: str, *, is_managed: bool, is_outermost: bool
) -> Iterator[str]:
    adapter_type = str(spec.get("type"))
    for name in _OF_STORAGE_MANAGER:
        value = spec.get(name)
        if value is None or value == _WITHOUT_EFFECT.get(name):
            continue
        if not is_managed:
            yield (
                f"{path}.{name}: must be left out: LMCache's storage manager applies it, an adapter alone "
                "does not (through=storage_manager)"
            )
        elif not is_outermost:
            yield f"{path}.{name}: must be left out: LMCache applies it only to the outermost adapter"
        elif name == "affinity_tag":
            yield f"{path}.affinity_tag={shown(value)}: must be _default, the tag of the only L1"
    if spec.get("persist_enabled", True) is not True and adapter_type not in _PERSISTS_BY_CHOICE:
        yield f"{path}.persist_enabled: must be left out: LMCache's {adapter_type} adapter does not use it"
    yield from _capacity_problems(spec, path, adapter_type, is_evicting=is_managed and is_outermost)
    for name, value in spec.items():
        if name != "serde" and isinstance(value, Mapping) and "type" in value:
            yield from _without_effect(value, f"{path}.{name}", is_managed=is_managed, is_outermost=False)


def _capacity_problems(
    spec: Mapping[str, Any], path: str, adapter_type: str, *, is_evicting: bool
) -> Iterator[str]:
    capacity, policy = spec.get("max_capacity_gb"), _policy(spec)
    if capacity and adapter_type in _COUNTS_CAPACITY and not (is_evicting and policy in _BY_CAPACITY):
        yield (
            f"{path}.max_capacity_gb: must be left out: without through=storage_manager and an eviction "
            f"policy of {' or '.join(_BY_CAPACITY)}, LMCache lets the data grow beyond it"
        )
    if is_evicting and policy in _BY_CAPACITY:
        if adapter_type in _NO_CAPACITY:
            yield f"{path}.eviction: must be left out: the {adapter_type} adapter of LMCache has no capacity"
        elif adapter_type in _COUNTS_CAPACITY and not capacity:
            yield f"{path}.eviction: needs {path}.max_capacity_gb, else LMCache evicts nothing"


def _serde_problems(serde: Mapping[str, Any], given: float | None) -> list[str]:
    name = serde.get("type")
    if name == "turboquant":
        return ["adapter.serde.type=turboquant: needs a CUDA device, and tensors of layers and heads"]
    if stated_tolerance(serde) is None and given is None:
        return [f"adapter.serde.type={shown(name)}: l2sweep does not know its error; give serde_tolerance"]
    if stated_tolerance(serde) == 0 and given is not None:
        return [f"serde_tolerance={given}: must be null with {name}, which changes no bit"]
    return []
