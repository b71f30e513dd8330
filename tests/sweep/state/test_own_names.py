"""The names that only l2sweep gives."""

from __future__ import annotations

import pytest
from shipped import point

from l2sweep.sweep.state.own_names import is_file_of, parts_of_namespace, run_label

NAMESPACE = "l2sweep-15f19f25e78030ea-v2-killed-2-1-4d8531"


@pytest.mark.parametrize("sweep_id", ["20261124T020000Z-1a2b", "a", "night.2-3-4"])
def test_the_namespace_of_a_full_run_is_known(sweep_id: str) -> None:
    namespace = point().job(run_label(sweep_id, 12, 3, "0a0a0a")).namespace
    assert parts_of_namespace(namespace) == (sweep_id, 12, 3, "0a0a0a")


@pytest.mark.parametrize(
    "namespace",
    [
        "",
        "bench-model",
        "l2sweep-15f19f25e78030ea",
        "l2sweep-15f19f25e78030ea-killed",
        "l2sweep-15f19f25e78030ea-../x-2-1-4d8531",
        "l2sweep-15f19f25e78030ea-a/b-2-1-4d8531",
        f"{NAMESPACE}\n",
        f"x{NAMESPACE}",
        f"{NAMESPACE}*",
        "l2sweep-*-v2-killed-2-1-4d8531",
        "l2sweep-15f19f25e78030ea-v2-killed-2-1-4D8531",
        "l2sweep-15f19f25e78030ea-v2-killed-2-1-4d85",
    ],
)
def test_no_other_namespace_is_taken_for_one(namespace: str) -> None:
    assert parts_of_namespace(namespace) is None


def test_the_namespace_with_only_is_not_that_of_a_full_run() -> None:
    assert parts_of_namespace(point(only="store").job(run_label("a", 1, 1, "0a0a0a")).namespace) is None


@pytest.mark.parametrize(
    "end", ["@0x00000001@0@ab.data", "@0x00000001@0@ab.tmp", "@0x1@0@ab.data.tmp.0f", "@1@ab.data", "@1@0@ab"]
)
def test_files_of_keys_are_known(end: str) -> None:
    assert is_file_of(f"{NAMESPACE}{end}", NAMESPACE)


@pytest.mark.parametrize(
    "name",
    [
        NAMESPACE,
        f"{NAMESPACE}@",
        f"{NAMESPACE}@0x1@0@ab.txt",
        f"{NAMESPACE}@letter.data",
        f"other-{NAMESPACE}@0x1@0@ab.data",
        f"{NAMESPACE}2@0x1@0@ab.data",
        f"{NAMESPACE}@0x1@0@ab.data\n",
        f"{NAMESPACE}@0x1@0@ab.data.bak",
        "l2sweep-15f19f25e78030eaXv2-killed-2-1-4d8531@0x1@0@ab.data",
    ],
)
def test_files_of_others_are_not(name: str) -> None:
    assert not is_file_of(name, NAMESPACE)


def test_the_namespace_of_a_client_belongs_to_the_journal_of_the_client() -> None:
    job = point(clients=2).job(run_label("a", 12, 3, "0a0a0a")).of_client(1)
    assert parts_of_namespace(job.namespace) == ("a", 12, 3, "0a0a0a-c001")
    assert parts_of_namespace(f"{NAMESPACE}-c01") is None
