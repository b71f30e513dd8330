"""``l2sweep doctor``, as a user runs it, on real adapters of LMCache."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, RunL2Sweep, plugin_option
from redis_server import redis_with_password

SECRET = "xyzzy-hunter22"


def outcomes(run: Run) -> dict[str, str]:
    """Return the outcome of each step, from the output as JSON."""
    return {step["name"]: step["outcome"] for step in json.loads(run.out)["steps"]}


def test_a_healthy_folder_is_ok_in_every_step_and_nothing_is_left(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep("doctor", "adapter=fs_native", "+adapter.use_odirect=true")
    lines = run.out.splitlines()
    assert run.exit_code == 0, run.out + run.err
    assert lines[-1].startswith("ok: fs_native works: ")
    assert [line.partition(":")[0] for line in lines[1:-1]] == [
        *("store", "lookup", "load", "O_DIRECT", "lookup by another process", "delete"),
    ]
    assert all(line[27:].startswith("ok ") for line in lines[1:-1]), run.out
    assert list(tmp_path.iterdir()) == []


def test_a_server_is_ok_and_a_wrong_password_is_the_cause_without_being_shown(
    run_l2sweep: RunL2Sweep, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with redis_with_password(tmp_path_factory.mktemp("redis"), SECRET) as port:
        spec = ("adapter=resp", "adapter.host=127.0.0.1", f"adapter.port={port}")
        run = run_l2sweep("doctor", *spec, f"+adapter.password={SECRET}", "--format", "json")
        assert run.exit_code == 0, run.out + run.err
        assert outcomes(run)["lookup by another process"] == "ok"
        wrong = run_l2sweep("doctor", *spec, f"+adapter.password={SECRET}-no")
    assert wrong.exit_code == 1, wrong.out
    assert "WRONGPASS" in wrong.out.splitlines()[-1]
    assert SECRET not in run.out + run.err + wrong.out + wrong.err
    assert list(tmp_path.iterdir()) == []


def test_buffered_io_in_the_place_of_o_direct_is_named(run_l2sweep: RunL2Sweep) -> None:
    size = ("data_size_kb=6", "l1_align_bytes=512")
    run = run_l2sweep("doctor", "adapter=fs_native", "+adapter.use_odirect=true", *size)
    assert run.exit_code == 1, run.out
    assert run.out.splitlines()[-1].startswith(
        "failed: fs_native: O_DIRECT: not in force, the I/O is buffered (the adapter falls back to it: "
        "data_size_kb=6 is no multiple of the block of the file system)"
    )


def test_failed_writes_are_named_with_their_cause(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    params = {"base_path": str(tmp_path / "kv"), "use_odirect": True}
    run = run_l2sweep("doctor", plugin_option("faulty_adapters", "FailingDirectWrites", **params))
    assert run.exit_code == 1, run.out
    assert "store: 0 of 4 keys stored" in run.out.splitlines()[-1]
    assert "OSError: [Errno 22] Invalid argument" in run.out.splitlines()[-1]
    visible = run_l2sweep("doctor", faulty("VisibleFailedStore"), "--format", "json")
    assert visible.exit_code == 1, visible.out
    assert (outcomes(visible)["store"], outcomes(visible)["lookup"]) == ("failed", "failed")
    assert "keys whose store failed stay visible" in visible.out
    assert not (tmp_path / "kv").exists()


def test_a_wrong_request_is_one_line_and_nothing_runs(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    for arguments, words in (
        (["adapter=fs", "num_keys=8"], "num_keys=8: cannot be given"),
        (["adapter=fs,resp"], "adapter=fs,resp: must be one value"),
        (["adapter=resp"], "adapter.host: no value given"),
        (["+adapter.use_odirect=perhaps"], "use_odirect must be a boolean"),
        (["data_size_kb=6"], "must be a multiple of l1_align_bytes=4096"),
    ):
        run = run_l2sweep("doctor", *arguments)
        assert (run.exit_code, run.out) == (2, run.out), arguments
        assert words in run.err
        assert run.err.count("\n") == 1, run.err
    assert list(tmp_path.iterdir()) == []
