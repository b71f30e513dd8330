"""The fio benchmark without fio: its command, its spec, its durations, and its judgement."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_job import KEY_BYTES, NAMESPACE, small_job, small_workload

from l2sweep.bench.benchmarks import fio
from l2sweep.bench.benchmarks.fio import FioBenchmark, elapsed_s, spec_problems
from l2sweep.bench.block_devices import DeviceCounters
from l2sweep.bench.messages import AdapterCreated, Finished, Message, PhaseEnded, PhaseStarted, RoundMeasured
from l2sweep.errors import RequestError

ROUND_BYTES = 4 * KEY_BYTES
Fio = Callable[[list[str]], subprocess.CompletedProcess[str]]


def spec(folder: Path, **changes: Any) -> dict[str, Any]:
    return {"type": "fio", "base_path": str(folder), **changes}


def benchmark(
    folder: Path, report: Callable[[Message], None] = lambda message: None, **changes: Any
) -> FioBenchmark:
    return FioBenchmark(
        small_job(spec(folder), **{"phases": ("store", "load"), "delete_after": False, **changes}), report
    )


def options(command: list[str]) -> dict[str, str]:
    assert command[0] == "fio"
    return {name: value for name, _, value in (part[2:].partition("=") for part in command[1:])}


def test_a_store_is_a_write_of_all_keys_with_a_thread_and_a_file_per_key(tmp_path: Path) -> None:
    found = options(benchmark(tmp_path).command("store", 2, "/logs/round"))
    assert found["rw"] == "write"
    assert found["bs"] == str(KEY_BYTES)
    assert found["numjobs"] == "4"
    assert found["size"] == str(KEY_BYTES)
    assert found["directory"] == "."  # it runs in its folder
    assert found["filename_format"] == f"{NAMESPACE}@2.$jobnum"
    assert found["allow_file_create"] == "1"
    assert found["write_lat_log"] == "/logs/round"


def test_a_load_reads_the_files_of_the_store_and_creates_none(tmp_path: Path) -> None:
    store = options(benchmark(tmp_path).command("store", 2, "/logs/round"))
    load = options(benchmark(tmp_path).command("load", 2, "/logs/round"))
    assert (load["rw"], load["allow_file_create"]) == ("read", "0")
    for name in ("directory", "filename_format", "bs", "size", "numjobs"):
        assert load[name] == store[name]
    assert load["invalidate"] == "0"


@pytest.mark.parametrize(("use_odirect", "direct"), [(True, "1"), (False, "0")])
def test_o_direct_is_passed_on(tmp_path: Path, use_odirect: bool, direct: str) -> None:
    job = small_job(spec(tmp_path, use_odirect=use_odirect), phases=("store",))
    command = FioBenchmark(job, print).command("store", 0, "x")
    assert options(command)["direct"] == direct


@pytest.mark.parametrize(
    ("num_keys", "in_flight", "threads"), [(1, 1, 1), (8, 8, 64), (32, 8, 64), (67, 1, 1), (33, 4, 44)]
)
def test_threads_share_the_keys_evenly(tmp_path: Path, num_keys: int, in_flight: int, threads: int) -> None:
    workload = small_workload(num_keys=num_keys, in_flight=in_flight)
    found = options(FioBenchmark(small_job(spec(tmp_path), workload), print).command("store", 0, "x"))
    assert int(found["numjobs"]) == threads
    assert int(found["size"]) * threads == workload.round_bytes


@pytest.mark.parametrize(("num_workers", "threads"), [(1, 1), (4, 4), (5, 4), (32, 32), (64, 32), (None, 32)])
def test_num_workers_limits_the_threads(tmp_path: Path, num_workers: int | None, threads: int) -> None:
    job = small_job(spec(tmp_path, num_workers=num_workers), small_workload(num_keys=8, in_flight=4))
    assert options(FioBenchmark(job, print).command("load", 0, "x"))["numjobs"] == str(threads)


def test_a_namespace_with_a_slash_is_one_folder(replace_fio: Callable[[Fio], None], tmp_path: Path) -> None:
    replace_fio(moved(ROUND_BYTES))
    run_job(tmp_path, namespace="org/model", phases=("store",))
    assert [path.name for path in tmp_path.iterdir()] == ["fio-org-SEP-model"]


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"use_odirect": True}, []),
        ({"direct": True}, ["adapter.direct: the fio adapter does not read this field"]),
        ({"use_odirect": "yes"}, ["adapter.use_odirect=yes: must be true or false"]),
        ({"num_workers": None}, []),
        ({"num_workers": 64}, []),
        ({"num_workers": 65}, ["adapter.num_workers=65: must be null or a whole number from 1 to 64"]),
        ({"num_workers": 0}, ["adapter.num_workers=0: must be null or"]),
        ({"num_workers": True}, ["adapter.num_workers=true: must be null or"]),
        ({"base_path": ""}, ["adapter.base_path=: must be a folder"]),
        ({"base_path": 7}, ["adapter.base_path=7: must be a folder"]),
        ({"base_path": None}, ["adapter.base_path=null: must be a folder"]),
        ({"a": 1, "use_odirect": 1}, ["adapter.a: the fio", "adapter.use_odirect=1: must be"]),
    ],
    ids=str,
)
def test_a_wrong_spec_is_refused_with_all_its_problems(changes: dict[str, Any], problems: list[str]) -> None:
    found = spec_problems({"type": "fio", "base_path": "/mnt/nvme", **changes})
    assert len(found) == len(problems)
    assert all(one.startswith(start) for one, start in zip(found, problems, strict=True))


def test_a_wrong_spec_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(RequestError):
        FioBenchmark(small_job(spec(tmp_path, direct=True)), print)
    assert list(tmp_path.iterdir()) == []


def test_neither_lmcache_nor_torch_is_measured(tmp_path: Path) -> None:
    accepted = benchmark(tmp_path).accepted()
    assert (accepted.lmcache_version, accepted.torch_version) == (None, None)


def test_the_duration_is_from_the_first_start_to_the_last_end(tmp_path: Path) -> None:
    logs = {"a": "1000, 4000000, 0, 4096, 0\n1010, 9000000, 0, 4096, 0\n", "b": "1020, 2500000, 0, 4096, 0\n"}
    for name, text in logs.items():
        (tmp_path / name).write_text(text)
    # Starts are 996, 1001 and 1017.5 ms; ends are rounded down to 1000, 1010 and 1020 ms.
    assert elapsed_s(tmp_path.iterdir()) == pytest.approx((1020 + 1 - 996) / 1000)


def test_without_any_io_there_is_no_duration(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    assert elapsed_s(tmp_path.iterdir()) is None
    assert elapsed_s([]) is None


@pytest.fixture
def replace_fio(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fio], None]:
    """Call a function in place of fio."""

    def replace(function: Fio) -> None:
        def run(command: list[str], cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
            return function([f"--directory={cwd}" if part == "--directory=." else part for part in command])

        monkeypatch.setattr(fio.subprocess, "run", run)

    return replace


def moved(num_bytes: int) -> Fio:
    """Return a fio that moves some bytes in 1 ms, and writes the files of its threads."""

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        found = options(command)
        Path(found["write_lat_log"]).parent.joinpath("round_lat.1.log").write_text("1000, 500000, 0, 1, 0\n")
        for thread in range(int(found["numjobs"])):
            name = found["filename_format"].replace("$jobnum", str(thread))
            (Path(found["directory"]) / name).write_bytes(bytes(num_bytes // int(found["numjobs"])))
        side = found["rw"]
        jobs = [{side: {"io_bytes": num_bytes // 2}}, {side: {"io_bytes": num_bytes - num_bytes // 2}}]
        return subprocess.CompletedProcess(command, 0, f"fio: a warning\n{json.dumps({'jobs': jobs})}", "")

    return run


def run_job(folder: Path, **changes: Any) -> tuple[Finished, list[Message]]:
    reported: list[Message] = []
    return benchmark(folder, reported.append, **changes).run(), reported


def rounds(messages: list[Message]) -> list[RoundMeasured]:
    return [message for message in messages if isinstance(message, RoundMeasured)]


def test_a_point_reports_each_step_and_removes_its_files(
    replace_fio: Callable[[Fio], None], tmp_path: Path
) -> None:
    replace_fio(moved(ROUND_BYTES))
    finished, messages = run_job(tmp_path, delete_after=True)
    phase = [PhaseStarted, RoundMeasured, RoundMeasured, RoundMeasured, PhaseEnded]
    assert [type(message) for message in messages] == [AdapterCreated, *phase, *phase]
    for one in rounds(messages):
        assert (one.status, one.detail, one.duration_s) == ("ok", "", 0.0015)
        assert (one.keys_ok, one.bytes_ok) == (4, ROUND_BYTES)
    assert [one.is_warmup for one in rounds(messages)] == [True, False, False] * 2
    assert (finished.exit_code, finished.detail, finished.keys_removed) == (0, "", True)
    assert list(tmp_path.iterdir()) == []


def test_only_the_files_of_the_point_are_removed(replace_fio: Callable[[Fio], None], tmp_path: Path) -> None:
    replace_fio(moved(ROUND_BYTES))
    (tmp_path / f"fio-{NAMESPACE}").mkdir()
    other = tmp_path / f"fio-{NAMESPACE}" / "other"
    other.write_bytes(b"x")
    finished, _ = run_job(tmp_path, delete_after=True)
    assert not finished.keys_removed
    assert list((tmp_path / f"fio-{NAMESPACE}").iterdir()) == [other]


def test_a_round_that_moves_too_few_bytes_is_partial_and_fails_the_point(
    replace_fio: Callable[[Fio], None], tmp_path: Path
) -> None:
    replace_fio(moved(ROUND_BYTES - 1))
    finished, messages = run_job(tmp_path, phases=("load",))
    assert {one.status for one in rounds(messages)} == {"partial"}
    assert {one.keys_ok for one in rounds(messages)} == {3}
    assert finished.exit_code == 1
    assert finished.detail == "load: 2 of 2 rounds failed: 16383 of 16384 bytes moved"


@pytest.mark.parametrize(
    ("exit_code", "output", "errors", "detail"),
    [
        (1, "", "fio: first\nfio: no space left\n", "fio ended with exit code 1: fio: no space left"),
        (0, "no JSON", "", "fio ended with exit code 0: no JSON"),
        (0, '{"jobs": []}', "", 'fio ended with exit code 0: {"jobs": []}'),
        (7, "", "", "fio ended with exit code 7"),
    ],
)
def test_a_run_without_a_complete_result_is_an_error(
    replace_fio: Callable[[Fio], None],
    tmp_path: Path,
    exit_code: int,
    output: str,
    errors: str,
    detail: str,
) -> None:
    replace_fio(lambda command: subprocess.CompletedProcess(command, exit_code, output, errors))
    finished, messages = run_job(tmp_path, phases=("store",))
    for one in rounds(messages):
        assert (one.status, one.detail, one.duration_s, one.bytes_ok) == ("error", detail, None, 0)
    assert finished.detail == f"store: 2 of 2 rounds failed: {detail}"


def test_a_run_that_moves_all_bytes_but_fails_is_an_error(
    replace_fio: Callable[[Fio], None], tmp_path: Path
) -> None:
    def fail(command: list[str]) -> subprocess.CompletedProcess[str]:
        done = moved(ROUND_BYTES)(command)
        return subprocess.CompletedProcess(command, 1, done.stdout, "fio: verify failed")

    replace_fio(fail)
    _, messages = run_job(tmp_path, phases=("load",))
    for one in rounds(messages):
        assert (one.status, one.duration_s, one.bytes_ok) == ("error", None, 0)
        assert one.detail == "fio ended with exit code 1: fio: verify failed"


def test_a_run_that_takes_too_long_is_an_error(replace_fio: Callable[[Fio], None], tmp_path: Path) -> None:
    def time_out(command: list[str]) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, 10)

    replace_fio(time_out)
    _, messages = run_job(tmp_path, phases=("store",))
    assert {(one.status, one.detail) for one in rounds(messages)} == {
        ("error", "fio took more than 10 s"),
    }


def test_without_fio_the_point_fails_with_the_reason(
    replace_fio: Callable[[Fio], None], tmp_path: Path
) -> None:
    def missing(command: list[str]) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError(2, "No such file or directory", "fio")

    replace_fio(missing)
    finished, _ = run_job(tmp_path, phases=("store",))
    assert finished.exit_code == 1
    assert finished.detail == "fio: [Errno 2] No such file or directory: 'fio'"


def test_a_load_that_should_be_cold_and_is_warm_is_not_run(
    replace_fio: Callable[[Fio], None], tmp_path: Path
) -> None:
    replace_fio(moved(ROUND_BYTES))
    cold = {"cache_paths": (str(tmp_path),), "max_resident_fraction": 0.5}
    finished, messages = run_job(tmp_path, **cold)
    assert [one.phase for one in rounds(messages)] == ["store"] * 3
    assert finished.detail.startswith("load: not run, because 100.0% of its pages are in the page cache")


def test_a_store_is_flushed_outside_its_duration(replace_fio: Callable[[Fio], None], tmp_path: Path) -> None:
    replace_fio(moved(ROUND_BYTES))
    _, messages = run_job(tmp_path, flush_paths=(str(tmp_path),))
    assert [one.flush_s is not None for one in rounds(messages)] == [True] * 3 + [False] * 3


def test_a_store_whose_files_are_missing_after_the_flush_is_not_durable(
    replace_fio: Callable[[Fio], None], tmp_path: Path
) -> None:
    def delete(command: list[str]) -> subprocess.CompletedProcess[str]:
        done = moved(ROUND_BYTES)(command)
        for path in Path(options(command)["directory"]).iterdir():
            path.unlink()
        return done

    replace_fio(delete)
    finished, messages = run_job(tmp_path, flush_paths=(str(tmp_path),), phases=("store",))
    assert [(one.status, one.flush_s) for one in rounds(messages)] == [("error", None)] * 3
    assert (
        f"not durable: the files have 0 bytes after the flush, {2 * ROUND_BYTES} were stored"
        in finished.detail
    )


def test_each_round_has_the_counters_of_the_block_devices(
    replace_fio: Callable[[Fio], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = iter(DeviceCounters(10 * number, 100 * number) for number in range(1, 100))
    monkeypatch.setattr(DeviceCounters, "of", lambda devices: next(sums))
    replace_fio(moved(ROUND_BYTES))
    _, messages = run_job(tmp_path, block_devices=("vda",))
    counted = [(one.block_device_read_bytes, one.block_device_write_bytes) for one in rounds(messages)]
    assert counted == [(10, 100)] * 6
