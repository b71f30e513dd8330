"""A password reaches only the server: with a real Redis server that requires one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RunL2Sweep, children, command_line, l2sweep_environment
from redis_server import redis_with_password

SECRET = "xyzzy-hunter22"
SMALL = ("num_keys=4", "data_size_kb=64")


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start a Redis server that requires a password."""
    with redis_with_password(tmp_path_factory.mktemp("redis"), SECRET) as port:
        yield port


def spec(port: int) -> str:
    """Return the spec of the adapter as JSON."""
    fields = {"type": "resp", "host": "127.0.0.1", "port": port, "num_workers": 8, "password": SECRET}
    return json.dumps(fields)


def seen_in(folder: Path) -> list[str]:
    """Return the files that contain the secret."""
    return [
        str(path) for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def test_a_server_with_a_password_is_measured_and_no_file_or_output_has_the_password(
    run_l2sweep: RunL2Sweep, redis_port: int, tmp_path: Path
) -> None:
    options = ("adapter=resp", "adapter.host=127.0.0.1", f"adapter.port={redis_port}")
    run = run_l2sweep(*options, f"+adapter.password={SECRET}", "skip_verify=false", *SMALL)
    assert run.exit_code == 0, run.out
    assert SECRET not in run.out + run.err
    sweep = run_l2sweep(
        "-m", f"adapter_json={spec(redis_port)}", "in_flight=1,2", "skip_verify=false", *SMALL
    )
    assert sweep.exit_code == 0, sweep.out
    assert SECRET not in sweep.out + sweep.err
    assert seen_in(tmp_path) == []
    assert json.loads(run.points["adapter_spec"][0])["password"] == "***"
    assert "+adapter.password=***" in list(run.points["overrides"][0])
    assert run.points["point_id"][0] == run.points["point_id"][1]  # in both ways to give the spec


def test_a_wrong_password_is_not_shown_either(
    run_l2sweep: RunL2Sweep, redis_port: int, tmp_path: Path
) -> None:
    wrong = spec(redis_port).replace(SECRET, f"{SECRET}-no")
    limits = ("deadline_s=4", "keep_data=true", "probe=false")
    run = run_l2sweep("lmcache_log_level=DEBUG", *limits, *SMALL, L2_ADAPTER_JSON=wrong)
    assert run.exit_code == 1
    assert SECRET not in run.out + run.err
    assert seen_in(tmp_path) == []


def test_the_output_of_hydra_has_no_password(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    own = tmp_path / "own" / "adapter"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(f"type: resp\nhost: h\nport: 1\npassword: {SECRET}\n")
    for arguments in (["--cfg", "job"], ["--info", "all"], ["--help"], ["-m", "num_keys=0"]):
        run = run_l2sweep("--config-dir", str(tmp_path / "own"), "adapter=mine", *arguments)
        assert SECRET not in run.out + run.err, arguments
        line = run_l2sweep("adapter=resp", "adapter.host=h", f"+adapter.password={SECRET}", *arguments)
        assert SECRET not in line.out + line.err, arguments


def test_the_process_list_shows_no_password(redis_port: int, tmp_path: Path) -> None:
    seen: list[str] = []
    done = threading.Event()

    command = [sys.executable, "-m", "l2sweep", f"adapter_json={spec(redis_port)}", *SMALL]
    environment = l2sweep_environment(tmp_path)
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)

    def watch() -> None:
        while not done.is_set():
            benches = [pid for pid in children(process.pid) if "l2sweep.bench" in command_line(pid)]
            if benches:  # before that the launcher may still be importing
                seen.extend(command_line(pid) for pid in [process.pid, *benches])
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert process.wait(timeout=120) == 0
    finally:
        done.set()
        watcher.join()
    assert any("l2sweep adapter_json=" in text for text in seen)
    assert not [text for text in seen if SECRET in text]
