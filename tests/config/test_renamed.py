"""Overrides of an earlier release, as they are given today."""

from __future__ import annotations

import pytest
from shipped import configuration

from l2sweep.config.options import options_of
from l2sweep.config.point_options import PointOptions
from l2sweep.config.reading import read_sweep
from l2sweep.config.renamed import RENAMED_OPTIONS, current_override


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("memory_limit_mb=900", "memory_limit_mib=900"),
        ("cache.between=[load]", "cache.drop_before=[load]"),
        ("cache.max_resident=0.5", "cache.max_resident_fraction=0.5"),
        ("on_infeasible=prune", "on_infeasible=skip"),
        ("on_infeasible=fail", "on_infeasible=fail"),
        ("++memory_limit_mb=1", "++memory_limit_mib=1"),
        ("num_keys=8,32", "num_keys=8,32"),
        ("+adapter.x=between=1", "+adapter.x=between=1"),
        ("~adapter.x", "~adapter.x"),
    ],
)
def test_an_old_override_is_translated(then: str, now: str) -> None:
    assert current_override(then) == now


def test_every_new_name_is_an_option() -> None:
    assert set(RENAMED_OPTIONS.values()) <= {one.name for one in options_of(PointOptions)}
    assert read_sweep(configuration(on_infeasible="skip")).on_infeasible == "skip"
