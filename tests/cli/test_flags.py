"""The flags of the command line."""

from __future__ import annotations

import pytest

from l2sweep.cli.flags import read_flags
from l2sweep.errors import RequestError


def test_flags_and_overrides_can_be_mixed() -> None:
    flags = read_flags(["num_keys=8", "-m", "in_flight=1,2"])
    assert flags.parsed.multirun
    assert flags.parsed.overrides == ["num_keys=8", "in_flight=1,2"]
    assert flags.given("num_keys") == "8"
    assert flags.given("rounds") is None


def test_the_last_of_several_values_counts_with_or_without_a_plus() -> None:
    assert read_flags(["isolation=auto", "+isolation=spawn"]).given("isolation") == "spawn"


@pytest.mark.parametrize("given", ["resume=latest", "resume=night-1"])
def test_a_resumed_sweep_takes_its_points_from_the_manifest(given: str) -> None:
    assert read_flags([given]).parsed.multirun
    assert not read_flags(["resume=null"]).parsed.multirun
    assert not read_flags([given, "--cfg", "job"]).parsed.multirun


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--nope"], "--nope"),
        (["--cfg", "nothing"], "--cfg"),
        (["--package", "x"], "--package: goes with --cfg only"),
        (["--resolve"], "--resolve: goes with --cfg only"),
        (["-m", "--cfg", "job"], "--cfg/-c: not allowed with argument --multirun/-m"),
        (["--experimental-rerun", "x"], "--experimental-rerun"),
    ],
)
def test_a_wrong_flag_is_named_in_one_line(arguments: list[str], named: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_flags(arguments)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "only_shows", "asks_for_help"),
    [
        (["--cfg", "job"], True, False),
        (["--info"], True, False),
        (["--hydra-help"], True, False),
        (["-sc", "query=bash"], True, False),
        (["--help"], False, True),
        (["--help-all"], False, True),
        (["-m", "num_keys=1,2"], False, False),
    ],
)
def test_what_is_only_shown_is_known_before_hydra_starts(
    arguments: list[str], only_shows: bool, asks_for_help: bool
) -> None:
    flags = read_flags(arguments)
    assert (flags.only_shows, flags.asks_for_help) == (only_shows, asks_for_help)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--num-keys", "8"], "--num-keys: no such flag; an option is given without dashes: num_keys=8"),
        (["--num_keys=8"], "--num_keys=8: no such flag; an option is given without dashes: num_keys=8"),
        (["--num-keys", "-m"], "an option is given without dashes: num_keys=..."),
        (["--num-keys", "rounds=2"], "an option is given without dashes: num_keys=..."),
        (["--cache.method", "auto"], "cache.method=auto"),
        (["--dry-run"], "dry_run=true"),
        (["--multirum"], "--multirum: no such flag; did you mean --multirun?"),
        (["--cache-method=x"], "--cache-method=x: no such flag; did you mean cache.method=...?"),
        (["--zzz"], "--zzz: no such flag; see --help"),
        (["--in-flight", "2", "--rounds=3"], "in_flight=2; --rounds=3: no such flag"),
    ],
)
def test_an_unknown_flag_gets_the_option_or_the_flag_that_may_be_meant(
    arguments: list[str], words: str
) -> None:
    with pytest.raises(RequestError) as refused:
        read_flags(arguments)
    assert words in str(refused.value)
