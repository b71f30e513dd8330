"""The commands beside a run: found, explained, and refused with one line."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from l2sweep import interrupts
from l2sweep.cli.application import main
from l2sweep.cli.command_group import COMMANDS, command_named, run_command
from l2sweep.errors import RequestError


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: l2sweep {name} ")
    assert "Example" in out
    assert f"l2sweep {name}" in out.partition("Example")[2]


def numbers() -> Iterator[tuple[str, click.Parameter]]:
    """Yield each option of a command that takes a number, with the name of the command."""
    for name in COMMANDS:
        for parameter in command_named(name).params:
            if isinstance(parameter.type, (click.types.IntParamType, click.types.FloatParamType)):
                yield name, parameter


@pytest.mark.parametrize("value", ["nan", "-1", "-inf", "1e999x", "", "0x", "one"])
@pytest.mark.parametrize(("name", "parameter"), list(numbers()), ids=str)
def test_a_value_that_is_no_number_in_range_is_refused(
    name: str, parameter: click.Parameter, value: str
) -> None:
    with pytest.raises(click.BadParameter) as refused:
        parameter.type.convert(value, parameter, None)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_of_a_command_is_explained(name: str) -> None:
    for parameter in command_named(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_commands_are_listed_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, what in COMMANDS.items():
        assert f"  {name} " in out
        assert what in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["status", "--result-dir", "x"],
            "status: --result-dir: no such option; did you mean --results-dir?",
        ),
        (["status", "results_dir=x"], "given with dashes: --results-dir x"),
        (["list", "name=x"], "given with dashes: --name x"),
        (["remove", "a", "yes=true"], "given with dashes: --yes$"),
        (["night"], "night: --sweep-id: must be given"),
        (["night", "--sweep-id=x", "--keep-nights=1"], "night: --keep-nights: 1 is not in the range x>=2"),
        (["status", "--results-dir="], "status: --results-dir: '' must be a path"),
        (["status", "x"], r"status: got unexpected extra argument \(x\); see --help"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_it(arguments: list[str], line: str) -> None:
    with pytest.raises(RequestError, match=line) as refused:
        run_command(arguments)
    assert "\n" not in str(refused.value)


def test_an_unknown_command_is_told_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats"]) == 2
    assert "did you mean status?" in capsys.readouterr().err


def test_a_command_that_the_user_stopped_ends_as_one_that_was_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop() -> None:
        raise interrupts.StopRequested

    monkeypatch.setattr(command_named("list"), "callback", lambda **_: stop())
    with pytest.raises(KeyboardInterrupt):
        run_command(["list"])
    assert main(["list"]) == 130
