"""Points are composed as Hydra composes them, and checked together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from l2sweep.cli.hydra_app.compose import PointComposer
from l2sweep.cli.hydra_app.configuration import register_resolvers, require_own_hydra
from l2sweep.cli.hydra_app.launch import _values, read_points
from l2sweep.config.shipped import config_folder
from l2sweep.errors import RequestError


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    register_resolvers("20261124T000000Z-0000")
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


@pytest.fixture
def whole(loader: ConfigLoader) -> DictConfig:
    """The composed configuration of a whole sweep."""
    return loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN)


@pytest.mark.parametrize(
    "overrides",
    [
        ["num_keys=8", "in_flight=2"],
        ["adapter=mock", "adapter.max_size_gb=1"],
        ["adapter=mock", "+adapter.extra=1", "num_keys=4"],
        ["cache=cold", "cache.method=fadvise"],
        ["model=llama-3.1-8b", "model.tp=8"],
        ["constraints=['num_keys<3']", "zip=[[num_keys,in_flight]]"],
    ],
)
def test_a_point_is_composed_as_hydra_composes_it(
    loader: ConfigLoader, whole: DictConfig, overrides: list[str]
) -> None:
    theirs = loader.load_sweep_config(whole, overrides)
    ours = PointComposer(loader, whole).compose(overrides)
    expected = OmegaConf.to_container(theirs, resolve=True)
    assert isinstance(expected, dict)
    del expected["hydra"]
    assert OmegaConf.to_container(ours, resolve=True) == expected


def test_points_share_nothing_that_can_be_changed(loader: ConfigLoader, whole: DictConfig) -> None:
    composer = PointComposer(loader, whole)
    first, second = composer.compose(["num_keys=8"]), composer.compose(["num_keys=9"])
    assert (first.num_keys, second.num_keys) == (8, 9)
    assert first.timeout_s is not second.timeout_s


def test_every_wrong_point_is_reported(loader: ConfigLoader, whole: DictConfig) -> None:
    composer = PointComposer(loader, whole)
    with pytest.raises(RequestError) as refused:
        read_points(composer, [["num_keys=0"], ["num_keys=8"], ["rounds=0"]])
    assert len(refused.value.problems) == 2


def test_an_option_of_the_sweep_must_have_one_value(loader: ConfigLoader, whole: DictConfig) -> None:
    with pytest.raises(RequestError, match="repeats=1,2: must be one value"):
        read_points(PointComposer(loader, whole), [["repeats=1"], ["repeats=2"]])


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("num_keys=8", ["num_keys=8"]),
        ("num_keys=8,32", ["num_keys=8", "num_keys=32"]),
        ("num_keys=range(1,4)", ["num_keys=1", "num_keys=2", "num_keys=3"]),
        ("adapter=fs,mock", ["adapter=fs", "adapter=mock"]),
        ("+adapter.x=1,2", ["+adapter.x=1", "+adapter.x=2"]),
        ("~adapter.x", ["~adapter.x"]),
        ("zip=[[a,b]]", ["zip=[[a,b]]"]),
    ],
)
def test_the_values_of_an_override_are_listed(loader: ConfigLoader, override: str, values: list[str]) -> None:
    (parsed,) = OverridesParser.create(config_loader=loader).parse_overrides([override])
    assert [value.rstrip("=") for value in _values(parsed)] == values


def test_an_interval_cannot_be_listed(loader: ConfigLoader) -> None:
    (parsed,) = OverridesParser.create(config_loader=loader).parse_overrides(["num_keys=interval(1,9)"])
    with pytest.raises(RequestError, match="use a search"):
        _values(parsed)


@pytest.mark.parametrize(
    "override",
    ["hydra.output_subdir=.hydra", "hydra.run.dir=elsewhere", "hydra/launcher=basic", "hydra/sweeper=basic"],
)
def test_hydra_must_write_nothing_and_run_nothing(loader: ConfigLoader, override: str) -> None:
    require_own_hydra(loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN).hydra)
    config = loader.load_configuration("config", [override], run_mode=RunMode.MULTIRUN)
    with pytest.raises(RequestError, match=override.partition("=")[0].replace("hydra/", "hydra.")):
        require_own_hydra(config.hydra)
