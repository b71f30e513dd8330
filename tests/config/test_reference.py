"""The documents, the shipped defaults and the help follow from the declarations."""

from __future__ import annotations

import importlib.util
from dataclasses import fields
from types import ModuleType

import pytest
import yaml
from conftest import ROOT

from l2sweep.bench.workload import Workload
from l2sweep.config.cache import CacheConfig
from l2sweep.config.options import SECTIONS, options_of
from l2sweep.config.point_options import PointOptions
from l2sweep.config.reference import every_option, frequent_options, help_text
from l2sweep.config.sweep import SweepConfig


@pytest.fixture(scope="module")
def write_reference() -> ModuleType:
    """The script behind ``make reference``."""
    spec = importlib.util.spec_from_file_location("write_reference", ROOT / "scripts" / "write_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "file", ["conf/config.yaml", "conf/cache/hot.yaml", "README.md", "docs/options.md", "docs/adapters.md"]
)
def test_a_generated_file_is_up_to_date(write_reference: ModuleType, file: str) -> None:
    assert (ROOT / file).read_text() == write_reference.files()[ROOT / file]


def test_the_shipped_defaults_are_the_declared_ones() -> None:
    shipped = yaml.safe_load((ROOT / "conf" / "config.yaml").read_text())
    shipped["cache"] = yaml.safe_load((ROOT / "conf" / "cache" / "hot.yaml").read_text())
    declared = [*options_of(PointOptions), *options_of(SweepConfig)]
    for option in declared:
        value = shipped
        for part in option.name.split("."):
            value = value[part]
        assert value == option.default, option.name
    top = {option.name.partition(".")[0] for option in declared}
    assert set(shipped) - {"defaults", "hydra", "adapter_json", "more_adapters"} == top


def test_a_workload_is_made_of_declared_options() -> None:
    declared = {field.name: field.type for field in fields(PointOptions)}  # type: ignore[arg-type]
    limits = set(PointOptions().round_limits)  # follow from the options of rounds
    for field in fields(Workload):
        if field.name in limits:
            continue
        assert field.name in declared
        if field.name != "lookup_max_hit_rate":  # a Fraction is a float with bounds
            assert declared[field.name] == field.type


def test_every_option_is_explained_in_one_section() -> None:
    names = [option.name for option in every_option()]
    assert len(names) == len(set(names))
    for option in every_option():
        assert option.help, option.name
        assert option.section in SECTIONS
        assert not option.help.endswith("."), option.name


def test_help_explains_frequent_options_and_help_all_the_others() -> None:
    short, long = help_text(rare=False), help_text(rare=True)
    for option in every_option():
        assert f"  {option.name}=" in long
        assert (f"  {option.name}=" in short) is not option.is_rare
    assert max(map(len, long.splitlines())) <= 110
    assert len(frequent_options()) < len(every_option())


def test_the_cache_options_are_those_of_the_group() -> None:
    hot = yaml.safe_load((ROOT / "conf" / "cache" / "hot.yaml").read_text())
    assert list(hot) == [option.name for option in options_of(CacheConfig)]
