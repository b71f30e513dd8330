"""Tests of l2sweep.cli.nightly.settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.cli.nightly.settings import NightlySettings, require_overrides
from l2sweep.errors import RequestError


def test_the_sweep_gets_the_settings_and_then_the_overrides() -> None:
    settings = NightlySettings(Path("/nights"), experiment="mine", overrides=("repeats=5",), lock="wait")
    assert settings.sweep_arguments("night-1") == [
        *("experiment=mine", "sweep_name=nightly", "sweep_id=night-1", "lock=wait", "quiet=true"),
        *("results_dir=/nights", "scratch_dir=/nights/scratch", "repeats=5"),
    ]


def test_a_scratch_folder_of_its_own_is_used() -> None:
    settings = NightlySettings(Path("/nights"), Path("/mnt/nvme"))
    assert "scratch_dir=/mnt/nvme" in settings.sweep_arguments("night-1")


def test_a_config_folder_is_passed_on() -> None:
    settings = NightlySettings(Path("/nights"), config_dir=Path("/conf"))
    assert settings.sweep_arguments("night-1")[0] == "--config-dir=/conf"


@pytest.mark.parametrize(
    "overrides", [(), ("repeats=5", "+a=1", "~b", "hydra.sweeper.params.adapter='fs,fio'")]
)
def test_options_of_the_sweep_are_accepted(overrides: tuple[str, ...]) -> None:
    require_overrides(overrides)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("repeats", "nightly: repeats: must be an option of the sweep, as name=value"),
        ("-m", "nightly: -m: must be an option of the sweep, as name=value"),
        ("sweep_id=mine", "nightly: sweep_id=mine: cannot be given, because a night sets it"),
        ("++quiet=false", "nightly: ++quiet=false: cannot be given, because a night sets it"),
        ("keep_nights=3", "nightly: keep_nights=3: is given as --keep-nights"),
    ],
)
def test_other_arguments_are_refused(override: str, problem: str) -> None:
    with pytest.raises(RequestError) as raised:
        require_overrides(("rounds=2", override))
    assert str(raised.value) == problem
