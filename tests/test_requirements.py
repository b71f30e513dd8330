"""A missing server or right skips a test on a developer's machine, and fails it in CI."""

from __future__ import annotations

import pytest
from conftest import require


@pytest.mark.parametrize(
    ("ci", "raised"),
    [
        ("true", pytest.fail.Exception),
        ("1", pytest.fail.Exception),
        ("", pytest.skip.Exception),
        ("false", pytest.skip.Exception),
    ],
)
def test_a_missing_requirement_fails_the_test_in_ci_and_skips_it_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, raised: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    require(True, "there is none")
    with pytest.raises(raised, match="there is none"):
        require(None, "there is none")
