"""Each file of conf/adapter is composed by Hydra and read as a point."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ROOT
from hydra import compose, initialize_config_dir

from l2sweep.cli.hydra_app.configuration import register_resolvers, resolved
from l2sweep.config.point import PointConfig
from l2sweep.config.reading import read_point
from l2sweep.config.shipped import config_folder
from l2sweep.errors import RequestError

FILES = sorted(file.stem for file in (ROOT / "conf" / "adapter").glob("*.yaml"))
VARIANTS = {
    "fs_odirect": {"type": "fs", "use_odirect": True},
    "fs_native_4": {"type": "fs_native", "num_workers": 4},
    "fs_native_16": {"type": "fs_native", "num_workers": 16},
    "fs_native_64": {"type": "fs_native", "num_workers": 64},
    "raw_block_posix": {"type": "raw_block", "io_engine": "posix"},
    "raw_block_io_uring": {"type": "raw_block", "io_engine": "io_uring"},
    "nixl_posix_static": {"type": "nixl_store", "backend": "POSIX"},
    "nixl_posix_dynamic": {"type": "nixl_store_dynamic", "backend": "POSIX"},
}


@pytest.fixture(scope="module", autouse=True)
def _hydra() -> Iterator[None]:
    register_resolvers("20261124T000000Z-0000")
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield


def composed(*overrides: str) -> dict[str, Any]:
    return copy.deepcopy(_composed(*overrides))


@functools.cache  # most tests compose the same files
def _composed(*overrides: str) -> dict[str, Any]:
    return resolved(compose("config", list(overrides)))


def missing_in(config: dict[str, Any]) -> list[str]:
    return [name for name, value in config["adapter"].items() if value == "???"]


def point_of(name: str, *overrides: str) -> PointConfig:
    choice = f"adapter={name}"
    given = [f"adapter.{field}=/given" for field in missing_in(composed(choice))]
    given = [one.replace("/given", "1") if "_gb=" in one else one for one in given]
    return read_point(composed(choice, *given, *overrides), [choice, *given, *overrides], {})


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_a_point_once_its_missing_values_are_given(name: str) -> None:
    assert point_of(name).adapter_type


@pytest.mark.parametrize("name", FILES)
def test_a_value_that_must_be_given_is_named(name: str) -> None:
    config = composed(f"adapter={name}")
    if fields := missing_in(config):
        with pytest.raises(RequestError) as refused:
            read_point(config, [f"adapter={name}"], {})
        assert [problem.partition(" (")[0] for problem in refused.value.problems] == [
            f"adapter.{field}: no value given, and it has no default" for field in fields
        ]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_its_type_with_one_other_value(name: str) -> None:
    spec = point_of(name).adapter_spec
    assert {field: spec[field] for field in VARIANTS[name]} == VARIANTS[name]


@pytest.mark.parametrize(
    ("name", "field", "more_bytes"), [("raw_block", "slot_bytes", 4096), ("dax", "slot_bytes", 0)]
)
def test_a_slot_follows_the_size_of_a_key(name: str, field: str, more_bytes: int) -> None:
    for size_kb in (64, 1024):
        spec = point_of(name, f"data_size_kb={size_kb}").adapter_spec
        assert spec[field] == size_kb * 1024 + more_bytes


def test_a_pool_of_nixl_holds_as_many_keys_as_files() -> None:
    point = point_of("nixl_store", "data_size_kb=1024")
    amount = point.amount
    assert point.traits.capacity_keys(amount.data_size_bytes, amount.l1_align_bytes) == 256


@pytest.mark.parametrize("name", ["nixl_store", "nixl_store_dynamic", "nixl_native"])
def test_nixl_gets_only_texts(name: str) -> None:
    params = point_of(name, "data_size_kb=64").adapter_spec["backend_params"]
    assert {type(value) for value in params.values()} == {str}


def test_a_wrong_size_is_named_and_not_the_slot_that_follows_from_it() -> None:
    with pytest.raises(RequestError) as refused:
        point_of("raw_block", "data_size_kb=x")
    (problem,) = refused.value.problems
    assert problem.startswith("data_size_kb=x: must be an integer")
