"""Points are composed as Hydra composes them, and checked together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from l2sweep.cli.hydra_app.axes import Axis
from l2sweep.cli.hydra_app.compose import PointComposer
from l2sweep.cli.hydra_app.configuration import register_resolvers, require_own_hydra, without_hydra
from l2sweep.cli.hydra_app.launch import read_points
from l2sweep.config.shipped import config_folder
from l2sweep.errors import RequestError


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    register_resolvers("20261124T000000Z-0000")
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


@pytest.fixture(scope="module")
def composed(loader: ConfigLoader) -> DictConfig:
    return loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN)


@pytest.fixture
def whole(composed: DictConfig) -> DictConfig:
    """The composed configuration of a whole sweep."""
    return deepcopy(composed)


# Every kind of override of Hydra's grammar, and every kind of interpolation, alone and together.
OVERRIDES = [
    [],
    ["num_keys=8", "in_flight=2"],
    ["num_keys=8", "num_keys=9"],
    ["adapter=mock", "adapter.max_size_gb=1"],
    ["adapter=mock", "+adapter.extra=1", "num_keys=4"],
    ["+adapter.nested={a: {b: [1, two, null, true]}}", "++adapter.type=other", "++adapter.new.deep=1"],
    ["cache=cold", "cache.method=fadvise"],
    ["cache.drop_before=[load]", "cache.paths=[a,b]"],
    ["model=llama-3.1-8b", "model.tp=8"],
    ["model=qwen3-32b", "model.dtype=fp8", "data_size_kb=64"],
    ["constraints=['num_keys<3']", "zip=[[num_keys,in_flight]]"],
    ["results_dir=/elsewhere"],
    ["scratch_dir=/elsewhere", "results_dir=/other"],
    ["results_dir=${sweep_name}/x", "sweep_name=mine"],
    ["sweep_name=${adapter.type}", "adapter.base_path=${results_dir}/${seed}", "seed=5"],
    ["num_keys=${in_flight}", "in_flight=${seed}", "seed=3"],
    ["sweep_name='${adapter.${only}}'", "only=type"],
    ["sweep_name='${oc.select:${only}}'", "only=order"],
    ["sweep_name=${oc.select:order}", "order=random"],
    ["sweep_name=${oc.env:HOME}-${oc.decode:'3'}"],
    ["timeout_s={store: 5}", "timeout_s.load=${timeout_s.store}"],
    ["timeout_s.store=7", "timeout_s={store: 5}"],
    ["timeout_s.load='${.store}'", "timeout_s.store=9"],
    ["timeout_s.load='${..seed}'", "seed=9"],
    ["budget.disk_gb=1.5", "budget.minutes=null"],
    ["~num_keys"],
    ["~timeout_s.store"],
    ["~adapter.base_path"],
    ["+model.name=mine"],
    ["+brand.new=${num_keys}", "num_keys=77"],
    ["adapter=resp"],
    ["adapter=resp", "+adapter.password=${oc.env:HOME}"],
    ["adapter=fault_inject", "adapter.inner.base_path=/kv", "scratch_dir=/s"],
    ["namespace='a b, ${seed}'", 'payload_namespace="it\'s"'],
    ["sweep_name='\\${seed}'"],
    ["experiment=nightly_cold", "seed=4"],
    ["experiment=long_context", "budget.disk_gb=4", "rounds=3"],
    ["experiment=size_curve", "data_size_kb=64"],
]


def as_hydra_composes(loader: ConfigLoader, whole: DictConfig, overrides: Sequence[str]) -> dict[Any, Any]:
    config = without_hydra(loader.load_sweep_config(whole, list(overrides)))
    theirs = OmegaConf.to_container(config, resolve=True)
    assert isinstance(theirs, dict)
    return theirs


@pytest.mark.parametrize("overrides", OVERRIDES, ids=" ".join)
def test_a_point_is_composed_as_hydra_composes_it(
    loader: ConfigLoader, whole: DictConfig, overrides: list[str]
) -> None:
    ours = PointComposer(loader, whole).compose(overrides)
    theirs = as_hydra_composes(loader, whole, overrides)
    assert ours == theirs
    assert repr(sorted(ours.items(), key=str)) == repr(sorted(theirs.items(), key=str))  # 1 is not true


def test_points_that_share_values_are_composed_as_hydra_composes_each(
    loader: ConfigLoader, whole: DictConfig
) -> None:
    composer = PointComposer(loader, whole)
    random = Random(11)
    pool = [*(text for overrides in OVERRIDES for text in overrides if not text.startswith("~"))]
    compared = 0
    for _ in range(12):
        overrides = random.sample(pool, random.randint(1, 4))
        try:
            theirs = as_hydra_composes(loader, whole, overrides)
        except Exception as refused:
            with pytest.raises((type(refused), RequestError)):
                composer.compose(overrides)
        else:
            assert composer.compose(overrides) == theirs, overrides
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize(
    "overrides",
    [
        ["nmu_keys=5"],
        ["adapter.bas_path=x"],
        ["+num_keys=5"],
        ["~nope"],
        ["~num_keys=5"],
        ["num_keys=${nothing}"],
        ["num_keys=${num_keys}"],
        ["num_keys=${in_flight}", "in_flight=${num_keys}"],
        ["model=qwen3-32b", "model.tp=3"],
        ["adapter=nope"],
        ["timeout_s=5", "timeout_s.store=5"],
    ],
    ids=" ".join,
)
def test_what_hydra_refuses_is_refused_with_the_same_error(
    loader: ConfigLoader, whole: DictConfig, overrides: list[str]
) -> None:
    with pytest.raises(Exception) as theirs:
        as_hydra_composes(loader, whole, overrides)
    with pytest.raises(Exception) as ours:
        PointComposer(loader, whole).compose(overrides)
    if not isinstance(ours.value, RequestError):  # from a resolver of l2sweep: one line of Hydra's text
        assert type(ours.value) is type(theirs.value)
        assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]


def test_values_that_no_override_changes_are_computed_once(loader: ConfigLoader, whole: DictConfig) -> None:
    composer = PointComposer(loader, whole)
    first, second = composer.compose(["num_keys=8"]), composer.compose(["num_keys=9"])
    assert (first["num_keys"], second["num_keys"]) == (8, 9)
    assert first["adapter"] is second["adapter"]
    other = composer.compose(["results_dir=/x"])
    assert other["adapter"]["base_path"] == "/x/scratch"
    assert first["adapter"]["base_path"] == "results/scratch"


def test_every_wrong_point_is_reported(loader: ConfigLoader, whole: DictConfig) -> None:
    composer = PointComposer(loader, whole)
    with pytest.raises(RequestError) as refused:
        read_points(composer, [["num_keys=0"], ["num_keys=8"], ["rounds=0"]])
    assert len(refused.value.problems) == 2


def test_an_option_of_the_sweep_must_have_one_value(loader: ConfigLoader, whole: DictConfig) -> None:
    with pytest.raises(RequestError, match="repeats=1,2: must be one value"):
        read_points(PointComposer(loader, whole), [["repeats=1"], ["repeats=2"]])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("num_keys=8", ["num_keys=8"]),
        ("num_keys=8,32", ["num_keys=8", "num_keys=32"]),
        ("num_keys=8,8", ["num_keys=8", "num_keys=8"]),
        ("num_keys=range(1,4)", ["num_keys=1", "num_keys=2", "num_keys=3"]),
        ("num_keys=range(5,1,-2)", ["num_keys=5", "num_keys=3"]),
        ("adapter.x=range(0,1,0.4)", ["adapter.x=0.0", "adapter.x=0.4", "adapter.x=0.8"]),
        ("num_keys=choice(1,2)", ["num_keys=1", "num_keys=2"]),
        ("num_keys=sort(3,1,2)", ["num_keys=1", "num_keys=2", "num_keys=3"]),
        ("adapter=fs,mock", ["adapter=fs", "adapter=mock"]),
        ("cache=glob(*)", ["cache=cold", "cache=hot"]),
        ("+adapter.x=1,2", ["+adapter.x=1", "+adapter.x=2"]),
        ("++adapter.x=[1,2],{a:1}", ["++adapter.x=[1,2]", "++adapter.x={a:1}"]),
        ("sweep_name='a,b',\"it's\",null,true,1.5", None),
        ("sweep_name=a\\,b,${seed},'${seed}'", None),
        ("~adapter.x", ["~adapter.x"]),
        ("zip=[[a,b]]", ["zip=[[a,b]]"]),
    ],
)
def test_the_values_of_an_axis_are_what_hydra_parses_their_texts_to(
    loader: ConfigLoader, text: str, values: list[str] | None
) -> None:
    parser = OverridesParser.create(config_loader=loader)
    axis = Axis.of(parser.parse_overrides([text])[0])
    listed = list(axis.values())
    texts = [str(value.input_line) for value in listed]
    assert values is None or texts == values
    assert axis.size == len(listed)
    assert axis.first == listed[0]
    assert listed == parser.parse_overrides(texts)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("num_keys=range(1,10000000)", 9_999_999),
        ("num_keys=range(0,1000000000,7)", 142_857_143),
        ("num_keys=shuffle(range(0,1000000000))", 1_000_000_000),
        ("num_keys=range(0,1,1e-300)", 10**15),
    ],
)
def test_the_values_of_a_range_are_counted_without_being_listed(
    loader: ConfigLoader, text: str, size: int
) -> None:
    (override,) = OverridesParser.create(config_loader=loader).parse_overrides([text])
    axis = Axis.of(override)
    assert axis.size == size
    assert axis.first.value() == override.value().start


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("num_keys=interval(1,9)", "use a search"),
        ("num_keys=range(5,5)", "at least one value"),
        ("num_keys=range(1,5,0)", "a step that is not 0"),
        ("num_keys=range(1,inf)", "finite bounds"),
        ("num_keys=glob(*)", "at least one value"),
    ],
)
def test_values_that_cannot_be_listed_are_refused(loader: ConfigLoader, text: str, reason: str) -> None:
    (parsed,) = OverridesParser.create(config_loader=loader).parse_overrides([text])
    with pytest.raises(RequestError, match=reason):
        Axis.of(parsed)


@pytest.mark.parametrize(
    "override",
    ["hydra.output_subdir=.hydra", "hydra.run.dir=elsewhere", "hydra/launcher=basic", "hydra/sweeper=basic"],
)
def test_hydra_must_write_nothing_and_run_nothing(loader: ConfigLoader, override: str) -> None:
    require_own_hydra(loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN).hydra)
    config = loader.load_configuration("config", [override], run_mode=RunMode.MULTIRUN)
    with pytest.raises(RequestError, match=override.partition("=")[0].replace("hydra/", "hydra.")):
        require_own_hydra(config.hydra)
