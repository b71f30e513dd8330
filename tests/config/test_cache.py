"""How a page cache is treated: contradictions, and what is part of a point's identity."""

from __future__ import annotations

from typing import Any

import pytest

from l2sweep.config.cache import CacheConfig


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mode": "cold", "method": "command"}, "cache.command=null"),
        ({"mode": "cold", "method": "auto", "command": "true"}, "needs cache.method=command"),
        ({"method": "fadvise"}, "cache.method=fadvise: needs cache=cold"),
        ({"drop_before": ["load"]}, "cache.drop_before=load: needs cache=cold"),
    ],
)
def test_options_that_cannot_be_used_together_are_named(changes: dict[str, Any], named: str) -> None:
    (problem,) = CacheConfig(**changes).contradictions()
    assert named in problem


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "cold", "drop_before": ["lookup", "load"], "method": "auto"},
        {"mode": "cold", "method": "command", "command": "true"},
        {"store_durable": True},
    ],
)
def test_options_that_can_be_used_together_are_accepted(changes: dict[str, Any]) -> None:
    assert CacheConfig(**changes).contradictions() == []


def test_the_identity_is_empty_for_a_hot_point_and_ignores_the_method() -> None:
    assert CacheConfig().identity == {}
    cold = CacheConfig(mode="cold", drop_before=["lookup", "load"], method="auto")
    other = CacheConfig(mode="cold", drop_before=["load", "lookup"], method="drop_caches")
    assert cold.identity == other.identity
    assert cold.identity != CacheConfig(mode="cold", drop_before=["load"]).identity
    assert CacheConfig(store_durable=True).identity == {"cache": {"store_durable": True}}
