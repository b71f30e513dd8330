"""Tests of l2sweep.analysis.history.environment."""

from __future__ import annotations

import pytest
from made_sweeps import tables
from sample_rows import Row, point_row

from l2sweep.analysis.history.environment import differences, environments

ID = "0123456789abcdef"


def changed(before: dict[str, object], after: dict[str, object]) -> tuple[str, ...]:
    return between(point_row(sweep_id="a", **before), point_row(sweep_id="b", **after))


def between(*rows: Row) -> tuple[str, ...]:
    _, points = tables([], rows)
    return differences(environments(points), (ID, None), "a", "b")


@pytest.mark.parametrize(
    ("column", "before", "after", "text"),
    [
        ("lmcache_version", "0.5.5", "0.5.6", "LMCache 0.5.5 → 0.5.6"),
        ("l2sweep_version", "0.1.0", "0.2.0", "l2sweep 0.1.0 → 0.2.0"),
        ("kernel", "Linux 6.1", "Linux 6.8", "kernel Linux 6.1 → Linux 6.8"),
        ("python_version", "3.11.7", "3.12.1", "Python 3.11.7 → 3.12.1"),
        ("torch_version", "2.12.0", "2.13.0", "torch 2.12.0 → 2.13.0"),
        ("cpu_model", "EPYC", "Xeon", "CPU EPYC → Xeon"),
        ("cpu_count", 8, 4, "number of CPUs 8 → 4"),
        ("mount_options", "rw,relatime", "rw,discard", "mount options rw,relatime → rw,discard"),
        ("block_device", "nvme0n1", "nvme1n1", "device nvme0n1 → nvme1n1"),
        (
            "config_git_commit",
            "a" * 40,
            "b" * 40 + "-dirty",
            "commit of the configuration aaaaaaaaaa → bbbbbbbbbb-dirty",
        ),
        ("fs_type", None, "xfs", "file system unknown → xfs"),
    ],
)
def test_a_change_is_named(column: str, before: object, after: object, text: str) -> None:
    assert changed({column: before}, {column: after}) == (text,)


def test_the_same_environment_has_no_differences() -> None:
    assert changed({"wall_s": 1.0}, {"wall_s": 2.0}) == ()


def test_several_values_in_one_sweep_are_all_named() -> None:
    rows = [point_row(sweep_id="a"), point_row(sweep_id="b"), point_row(sweep_id="b", kernel="Linux 6.8")]
    found = between(*rows)
    assert found == ("kernel Linux 6.1 → Linux 6.1/Linux 6.8",)


def test_a_sweep_without_the_point_has_no_differences() -> None:
    assert between(point_row(sweep_id="a")) == ()
