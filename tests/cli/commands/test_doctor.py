"""The arguments of ``l2sweep doctor``."""

from __future__ import annotations

import pytest

from l2sweep.cli.commands.doctor.arguments import override_problems


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("num_keys=8", "doctor: num_keys=8: cannot be given, because doctor sets it: 4 keys, one round"),
        ("cache=cold", "doctor: cache=cold: cannot be given"),
        ("cache.mode=cold", "doctor: cache.mode=cold: cannot be given"),
        ("-m", "doctor: -m: must be an option of a point, as name=value"),
        ("fs", "doctor: fs: must be an option of a point, as name=value"),
    ],
)
def test_an_argument_that_doctor_does_not_take_is_named(override: str, problem: str) -> None:
    (found,) = override_problems(["adapter=fs", "+adapter.use_odirect=true", "cache.paths=[/mnt]", override])
    assert found.startswith(problem)


def test_options_of_a_point_are_taken() -> None:
    assert override_problems(["adapter=fs", "data_size_kb=64", "~adapter.x", "lock=off"]) == []
