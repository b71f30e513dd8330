"""The releases of LMCache and torch."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from l2sweep.bench import versions


def test_the_versions_are_those_of_the_installed_packages() -> None:
    assert versions.lmcache_version() == version("lmcache")
    assert versions.torch_version() == version("torch")


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("0.5.6", (0, 5, 6)),
        ("0.5.7rc2", (0, 5, 7)),
        ("0.5.3rc1", (0, 5, 3)),
        ("0.5.10.dev3+g1a2b3c", (0, 5, 10)),
        ("0.6", (0, 6)),
    ],
)
def test_a_release_is_compared_by_its_numbers(
    text: str, release: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "lmcache_version", lambda: text)
    assert versions.lmcache_release() == release
