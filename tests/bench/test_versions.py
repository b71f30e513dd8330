"""The releases of LMCache and torch."""

from __future__ import annotations

from importlib.metadata import version

from l2sweep.bench import versions


def test_the_versions_are_those_of_the_installed_packages() -> None:
    assert versions.lmcache_version() == version("lmcache")
    assert versions.torch_version() == version("torch")
