"""Tests of l2sweep.cli.arguments."""

from __future__ import annotations

import pytest

from l2sweep.cli.arguments import read_arguments
from l2sweep.cli.night import NightOptions
from l2sweep.cli.status import StatusOptions
from l2sweep.errors import RequestError

SWEEP = "sweep_id=night-1"
KNOWN = (
    "results_dir, sweep_id, keep_nights, keep_gb, last_nights, min_control_fraction, "
    "max_control_error_percent, check"
)


def read(*arguments: str) -> NightOptions:
    return read_arguments("night", NightOptions, arguments, {"least": "min_control_fraction"})


def problems_of(*arguments: str) -> tuple[str, ...]:
    with pytest.raises(RequestError) as raised:
        read(*arguments)
    return raised.value.problems


def test_options_have_defaults() -> None:
    assert read(SWEEP) == NightOptions(sweep_id="night-1")
    assert read_arguments("status", StatusOptions, []) == StatusOptions(results_dir="results")


def test_values_have_the_type_of_their_option() -> None:
    options = read(SWEEP, "keep_nights=3", "keep_gb=20", "min_control_fraction=0.25", "check=true")
    assert (options.keep_nights, options.keep_gb) == (3, 20.0)
    assert (options.min_control_fraction, options.check) == (0.25, True)


def test_null_is_no_value() -> None:
    assert read(SWEEP, "keep_gb=null").keep_gb is None


@pytest.mark.parametrize("text", ["/data/a b", "a=b", "2024", "x[0]", "~/nights", "it's"])
def test_a_path_is_read_unchanged(text: str) -> None:
    assert read(SWEEP, f"results_dir={text}").results_dir == text


def test_the_last_value_of_an_option_is_used() -> None:
    assert read(SWEEP, "keep_nights=3", "keep_nights=4").keep_nights == 4


@pytest.mark.parametrize(
    "argument", ["elsewhere", "--halp", "unknown=1", "results_dir.x=1", "=1", "a[=1", ""]
)
def test_an_unknown_option_is_refused_with_the_known_ones(argument: str) -> None:
    assert problems_of(SWEEP, argument) == (
        f"night: {argument}: must be name=value, where name is one of {KNOWN}",
    )


def test_a_renamed_option_is_refused_with_its_new_name() -> None:
    assert problems_of(SWEEP, "least=0.5") == ("night: least: is now called min_control_fraction",)


@pytest.mark.parametrize(
    "argument", ["results_dir=[", "keep_gb={1", "results_dir=*a", "results_dir=${{", "keep_gb='"]
)
def test_text_that_is_not_yaml_is_refused(argument: str) -> None:
    assert problems_of(SWEEP, argument) == (f"night: {argument}: cannot be read as a YAML value",)


@pytest.mark.parametrize(
    "argument",
    ["keep_nights=1", "keep_nights=2.5", "keep_gb=0", "min_control_fraction=1.5", "check=1", "results_dir="],
)
def test_a_value_that_is_not_allowed_is_refused(argument: str) -> None:
    (problem,) = problems_of(SWEEP, argument)
    name = argument.partition("=")[0]
    assert problem.startswith(f"night: {name}=")
    assert "must be" in problem


def test_every_problem_is_named() -> None:
    assert len(problems_of("elsewhere", "keep_nights=1", "keep_gb=0")) == 4  # sweep_id is missing, too


@pytest.mark.parametrize("flag", ["-h", "--help", "--help-all"])
def test_the_help_of_a_command_names_its_options(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read(flag)
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("python -m l2sweep night name=value ...\n")
    assert all(f"  {name} " in out for name in KNOWN.split(", "))
