"""Every option that takes a number, with every kind of value: it is right, or one sentence refuses it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pytest
from conftest import ROOT
from shipped import configuration

from l2sweep.config.options import LONGEST_S, Option, options_of
from l2sweep.config.point import PointConfig
from l2sweep.config.point_options import PointOptions
from l2sweep.config.reading import read_request
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError, collected, shown
from l2sweep.sweep.checks.feasibility import Needs
from l2sweep.sweep.session import SweepSession

VALUES = [
    0,
    -1,
    10**18,
    1e18,
    10**30,
    math.inf,
    -math.inf,
    math.nan,
    "some text",
    "",
    None,
    [],
    [1],
    {},
    True,
]


def takes_number(option: Option) -> bool:
    return option.allowed.startswith(("a number", "an integer"))


OF_A_SWEEP = [
    option for kind in (PointOptions, SweepConfig) for option in options_of(kind) if takes_number(option)
]
NEEDS_AUTO = {"rounds": "auto", "warmup_rounds": "auto"}
PLUGIN = {"type": "plugin", "module_path": "m", "class_name": "C"}
OF_AUTO = ("precision", "max_rounds", "max_seconds", "max_warmup_rounds")


def bounds(option: Option) -> tuple[int, int, bool]:
    """Return the least and the largest value in the description, and whether the least is excluded."""
    words = option.allowed.replace(",", "").split()
    if "from" in words:
        return int(words[words.index("from") + 1]), int(words[words.index("to") + 1]), False
    return int(words[words.index("above") + 1]), int(words[words.index("most") + 1]), True


def is_allowed(option: Option, value: Any) -> bool:
    if value is None:
        return option.allowed.endswith("or null")
    if isinstance(value, bool) or not isinstance(value, int if "integer" in option.allowed else int | float):
        return False
    least, most, excluded = bounds(option)
    return least < value <= most if excluded else least <= value <= most


def with_value(option: Option, value: Any) -> dict[str, Any]:
    config = configuration()
    if option.name.startswith("adapter_traits."):
        config["adapter"] = PLUGIN
    *above, name = option.name.split(".")
    (config[above[0]] if above else config)[name] = value
    if name in OF_AUTO:
        config |= NEEDS_AUTO
    if name == "serde_tolerance":
        config["through"] = "storage_manager"
        config["adapter"]["serde"] = {"type": "fp8"}
    if name == "trace_speed":
        config |= {"workload": "trace", "trace": str(ROOT / "tests" / "traces" / "conversations.jsonl")}
    return config


def use(sweep: SweepConfig, point: PointConfig) -> None:
    """Compute everything that the launcher computes from a point's numbers."""
    assert 0 < point.process_deadline_s <= LONGEST_S
    assert Needs.of(point).memory_bytes > 0
    assert point.job("label").to_json()
    assert len(point.point_id) == 16
    assert asdict(sweep)
    session = SweepSession(None)  # type: ignore[arg-type]
    assert session.is_over_budget(sweep.budget.minutes) in (True, False)


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("option", OF_A_SWEEP, ids=lambda option: option.name)
def test_a_number_of_a_sweep_is_right_or_refused_in_one_sentence(option: Option, value: Any) -> None:
    config = with_value(option, value)
    if is_allowed(option, value):
        use(*read_request(config, [], {}))
        return
    with pytest.raises(RequestError) as refused:
        read_request(config, [], {})
    assert f"{option.name}={shown(value)}: must be {option.allowed}" in refused.value.problems


@pytest.mark.parametrize("option", OF_A_SWEEP, ids=lambda option: option.name)
def test_the_least_and_the_largest_number_can_be_used(option: Option) -> None:
    least, most, excluded = bounds(option)
    as_declared = int if "integer" in option.allowed else float
    for value in (least if not excluded else least + 1e-9, most):
        problems: list[str] = []
        with collected(problems):
            use(*read_request(with_value(option, as_declared(value)), [], {}))
        # data_size_kb must be a multiple of l1_align_bytes, and a trace must come to its end
        assert all("multiple" in problem or "in less than" in problem for problem in problems)


@pytest.mark.parametrize(("others", "changes"), [(OF_AUTO, {}), ((), NEEDS_AUTO)], ids=["number", "auto"])
def test_all_at_their_largest_values_do_not_overflow(
    others: tuple[str, ...], changes: dict[str, Any]
) -> None:
    config = configuration(adapter=PLUGIN)
    aligned = ("l1_align_bytes", "adapter_traits.alignment_bytes")
    for option in OF_A_SWEEP:
        if option.name not in (*aligned, "deadline_s", "serde_tolerance", "trace_speed", *others):
            *above, name = option.name.split(".")
            (config[above[0]] if above else config)[name] = bounds(option)[1]
    config |= changes
    if changes:  # its rounds start together, so their number is fixed
        config["clients"] = config["hosts"] = 1
    else:
        config["hosts"] = 3  # at most 1,000 clients together
    use(*read_request(config, [], {}))


@pytest.mark.parametrize(("text", "number"), [("8", 8), ("+8", 8), ("008", 8)])
def test_the_text_of_an_integer_is_that_integer(text: str, number: int) -> None:
    _, point = read_request(configuration(num_keys=text), [], {})
    assert point.num_keys == number
    assert isinstance(point.num_keys, int)


@pytest.mark.parametrize(("text", "number"), [("0.5", 0.5), (".5", 0.5), ("1", 1.0), ("5e-1", 0.5)])
def test_the_text_of_a_number_is_that_number(text: str, number: float) -> None:
    assert read_request(configuration(lookup_max_hit_rate=text), [], {})[1].lookup_max_hit_rate == number


@pytest.mark.parametrize(
    "text", ["8.0", "1e3", "0x8", "8 ", "eight", "", "\u0663", "1_000", "true", "9" * 5000, "null"]
)
def test_any_other_text_is_no_integer(text: str) -> None:
    with pytest.raises(RequestError, match=r"num_keys=.*: must be an integer from 1 to"):
        read_request(configuration(num_keys=text), [], {})


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "-", ".", "1e", "1.5.2"])
def test_any_other_text_is_no_number(text: str) -> None:
    with pytest.raises(RequestError, match=r"lookup_max_hit_rate=.*: must be a number from 0 to 1"):
        read_request(configuration(lookup_max_hit_rate=text), [], {})
