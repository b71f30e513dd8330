"""The rules of an adapter's interface, and the sentences that name a broken one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_job import fs_spec

from l2sweep.bench.adapter.contract import (
    AdapterTaskIds,
    ContractError,
    TaskIds,
    in_one_line,
    raised_rule,
    reported_key_bytes,
    shortfall,
)


class UnprintableError(Exception):
    """An error whose text cannot be made."""

    def __str__(self) -> str:
        raise ValueError("no text")


def test_each_task_id_may_be_used_once() -> None:
    ids = TaskIds()
    assert [ids.problem(task_id) for task_id in (0, 1, -5, 2**70)] == ["", "", "", ""]
    assert ids.problem(1) == "task id 1 was used before"


def test_a_task_id_may_be_used_once_for_each_verb() -> None:
    ids = AdapterTaskIds()
    assert [ids.of(verb).problem(7) for verb in ("store", "lookup", "load")] == ["", "", ""]
    assert ids.of("lookup").problem(7) == "task id 7 was used before"


@pytest.mark.parametrize("task_id", [True, None, 1.0, "1", [1]])
def test_a_task_id_must_be_an_int(task_id: object) -> None:
    assert TaskIds().problem(task_id) == f"the task id has type {type(task_id).__name__}, not int"


def test_a_result_that_is_not_waited_for_is_a_second_one_or_of_an_unknown_task() -> None:
    ids = TaskIds()
    ids.problem(3)
    assert ids.unexpected(3) == "a second result for task 3"
    assert ids.unexpected(4) == "a result for task 4, which was never submitted"
    assert ids.unexpected(10**5000) == "a result for task (int object), which was never submitted"


def test_an_exception_is_named_with_the_call_that_raised_it() -> None:
    assert (
        raised_rule("submit_load_task", OSError("no\nspace")) == r"submit_load_task raised OSError: no\nspace"
    )
    assert raised_rule("delete", ValueError()) == "delete raised ValueError"
    unprintable = raised_rule("delete", UnprintableError())
    assert unprintable == "delete raised UnprintableError: (UnprintableError object)"
    assert raised_rule("delete", ContractError("a rule")) == "a rule"


def test_a_line_names_three_different_sentences_at_most() -> None:
    assert in_one_line([]) == ""
    assert in_one_line(["a", "b", "a"]) == "a; b"
    assert in_one_line("abcdabcde") == "a; b; c; and 2 more"


@pytest.mark.parametrize(
    ("moved", "requested", "amount"),
    [
        (3 * 2**20, 16 * 2**20, "3 of 16 MiB"),
        (2**20 + 2**10, 2 * 2**20, "1025 of 2048 KiB"),
        (1, 4096, "1 of 4096 bytes"),
    ],
)
def test_a_shortfall_says_how_much_was_moved(moved: int, requested: int, amount: str) -> None:
    assert shortfall(moved, requested) == f"LMCache reports success with {amount} moved"


def test_without_a_shortfall_nothing_is_said() -> None:
    assert shortfall(4096, 4096) == ""


def test_a_slot_is_known_through_the_adapter_that_injects_faults(
    open_adapter: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    device = tmp_path / "dax"
    device.write_bytes(bytes(2**21))
    dax = {"type": "dax", "device_path": str(device), "max_dax_size_gb": 2**-9, "slot_bytes": 8192}
    assert reported_key_bytes(open_adapter({"type": "fault_inject", "rate": 0.0, "inner": dax}), 4096) == 8192
    assert reported_key_bytes(open_adapter(fs_spec(tmp_path)), 4096) == 4096
