"""Every error becomes one line and an exit code."""

from __future__ import annotations

import pytest
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException

from l2sweep.cli.explain import explain
from l2sweep.errors import BenchError, L2SweepError, RequestError


@pytest.mark.parametrize(
    ("error", "line", "exit_code"),
    [
        (RequestError(["a=1: must be 2", "b=1: must be 2"]), "a=1: must be 2; b=1: must be 2", 2),
        (BenchError("the disk is full"), "the disk is full", 1),
        (
            OverrideParseException(override="a b=c", message="LexerNoViableAltException"),
            "a b=c: must be name=value, with special characters in quotes",
            2,
        ),
        (
            MissingConfigException("not found", "adapter/nope", ["fs", "mock"]),
            "adapter=nope: must be one of fs, mock",
            2,
        ),
        (
            ConfigCompositionException("Could not override 'nmu_keys'.\nKey 'nmu_keys' is not in struct"),
            "nmu_keys: no such option; did you mean num_keys?",
            2,
        ),
        (
            ConfigCompositionException("Could not override 'memory_limit_mb'.\nKey is not in struct"),
            "memory_limit_mb: is now called memory_limit_mib",
            2,
        ),
        (
            ConfigCompositionException("Could not override 'adapter.x'.\nKey 'x' is not in struct"),
            "adapter.x: the chosen adapter has no such field (+adapter.x=... adds it to the spec)",
            2,
        ),
        (
            ConfigCompositionException("Ambiguous value for argument 'num_keys=8,32'\n1. To use"),
            "num_keys=8,32: several values need a sweep: add -m",
            2,
        ),
    ],
)
def test_an_error_is_explained(error: BaseException, line: str, exit_code: int) -> None:
    assert explain(error, ["num_keys=1"]) == (line, exit_code)


def test_an_unexpected_error_is_an_internal_one_and_says_how_to_see_more() -> None:
    line, exit_code = explain(KeyError("x"), [])
    assert line == "internal error: KeyError: 'x' (HYDRA_FULL_ERROR=1 shows where)"
    assert exit_code == 1


def test_every_error_class_has_its_exit_code() -> None:
    assert (L2SweepError.exit_code, RequestError.exit_code, BenchError.exit_code) == (1, 2, 1)
