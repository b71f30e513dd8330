"""The list of hosts of a Slurm job."""

from __future__ import annotations

import pytest

from l2sweep.cluster.slurm_hosts import expand_hosts
from l2sweep.errors import RequestError


@pytest.mark.parametrize(
    ("expression", "hosts"),
    [
        ("node7", ["node7"]),
        ("a,b-2,c.example.org", ["a", "b-2", "c.example.org"]),
        ("node[1-3]", ["node1", "node2", "node3"]),
        ("node[08-11]", ["node08", "node09", "node10", "node11"]),
        ("node[3,1-2],login", ["node3", "node1", "node2", "login"]),
        ("node[2,10]-ib", ["node2-ib", "node10-ib"]),
        ("r[1-2]n[0,5]", ["r1n0", "r1n5", "r2n0", "r2n5"]),
        ("a[1-2],b[1-2]", ["a1", "a2", "b1", "b2"]),
        ("[1-2]", ["1", "2"]),
    ],
)
def test_a_list_of_hosts_is_expanded_in_its_order(expression: str, hosts: list[str]) -> None:
    assert expand_hosts(expression) == hosts


@pytest.mark.parametrize(
    "expression",
    [
        "",
        ",",
        "a,,b",
        "a[",
        "a]",
        "a[]",
        "a[1-]",
        "a[x]",
        "a[2-1]",
        "a[1-2",
        "a[[1-2]]",
        "a b",
        "a[1--2]",
        "(null)",
    ],
)
def test_what_is_no_list_of_hosts_is_refused(expression: str) -> None:
    with pytest.raises(RequestError, match="must be a list of hosts such as"):
        expand_hosts(expression)


@pytest.mark.parametrize("expression", ["a[1-999999999]", "a[1-1000]b[1-1000]", "a[1-60000],b[1-60000]"])
def test_a_list_of_very_many_hosts_is_refused_before_it_is_made(expression: str) -> None:
    with pytest.raises(RequestError, match="must be"):
        expand_hosts(expression)
