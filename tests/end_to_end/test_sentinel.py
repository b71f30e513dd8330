"""A server that is down or frozen has no lookup that counts, and no deletion that is believed.

With a real Redis server, whose adapter reports absent keys and successful deletions without it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import RunL2Sweep, plugin_option, wait_for
from redis_server import RedisServer, running_redis

SMALL = ("num_keys=4", "data_size_kb=64", "rounds=2", "lookup_max_hit_rate=0.0")
SHORT = ("timeout_s.store=1", "timeout_s.lookup=1", "timeout_s.load=1")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


def adapter_of(server: RedisServer) -> tuple[str, ...]:
    return ("adapter=resp", "adapter.host=127.0.0.1", f"adapter.port={server.port}")


def keys_in(server: RedisServer) -> int:
    return int(server.client.dbsize())  # type: ignore[arg-type]


def test_lookups_that_go_on_without_their_server_are_errors(
    run_l2sweep: RunL2Sweep, server: RedisServer
) -> None:
    def kill_in_a_lookup() -> None:
        wait_for(
            lambda: server.client.info("commandstats").get("cmdstat_exists", {}).get("calls", 0) > 200 or None
        )
        server.process.kill()

    run = run_l2sweep(*adapter_of(server), *SMALL, "only=lookup")
    assert run.exit_code == 0, run.out
    assert run.rounds["status"].tolist() == ["ok"] * 3
    assert keys_in(server) == 0
    killer = threading.Thread(target=kill_in_a_lookup)
    killer.start()
    run = run_l2sweep(*adapter_of(server), *SMALL, *SHORT, "only=lookup", "rounds=300", "sweep_id=killed")
    killer.join()
    assert run.exit_code == 1
    rows = run.rounds[run.rounds["sweep_id"] == "killed"]
    assert rows["status"].tolist() == ["error"] * 301
    assert not (rows["keys_per_s"] > 0).any()
    assert rows["detail"].str.contains("was found before its rounds, and not after them").all()


def test_keys_of_a_server_that_froze_are_deleted_by_the_next_run(
    run_l2sweep: RunL2Sweep, server: RedisServer
) -> None:
    def freeze_in_a_load() -> None:
        wait_for(lambda: "cmdstat_get" in server.client.info("commandstats") or None)
        server.process.send_signal(signal.SIGSTOP)

    freezer = threading.Thread(target=freeze_in_a_load)
    freezer.start()
    many = ("num_keys=8", "data_size_kb=64", "rounds=100")
    run = run_l2sweep(*adapter_of(server), *many, *SHORT, "deadline_s=8")
    freezer.join()
    assert run.exit_code == 1
    assert len(list(run.results_dir.rglob("running-*"))) == 1
    namespace = run.points["namespace"][0]
    not_proven = f"keys of namespace {namespace} may remain: their deletion is not proven; the next run tries"
    assert run.out.count(not_proven) == 1
    server.process.send_signal(signal.SIGCONT)
    assert keys_in(server) == 808
    run = run_l2sweep(*adapter_of(server), *SMALL)
    assert run.exit_code == 0, run.out
    assert f"keys of namespace {namespace}, left by an earlier run, were removed" in run.out
    assert keys_in(server) == 0
    assert list(run.results_dir.rglob("running-*")) == []


def test_keys_of_a_server_that_was_killed_are_deleted_when_it_runs_again(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    options = ("--appendonly", "yes")  # its keys outlive it
    with running_redis(tmp_path, *options) as server:

        def kill_in_a_load() -> None:
            wait_for(lambda: "cmdstat_get" in server.client.info("commandstats") or None)
            server.process.kill()

        killer = threading.Thread(target=kill_in_a_load)
        killer.start()
        many = ("num_keys=8", "data_size_kb=4", "rounds=100", "deadline_s=8")
        run = run_l2sweep(*adapter_of(server), *many, *SHORT)
        killer.join()
    assert run.exit_code == 1
    assert len(list(run.results_dir.rglob("running-*"))) == 1
    with running_redis(tmp_path, *options, port=server.port) as again:
        assert keys_in(again) == 808
        assert run_l2sweep(*adapter_of(again), *SMALL).exit_code == 0
        assert keys_in(again) == 0
    assert list(run.results_dir.rglob("running-*")) == []


def test_keys_that_an_adapter_leaves_without_an_error_are_deleted_by_the_next_run(
    run_l2sweep: RunL2Sweep, tmp_path: Path, files: Callable[[str], list[str]]
) -> None:
    adapter = plugin_option("misreporting_adapters", "BreaksItsCircuit", base_path=str(tmp_path / "kv"))
    run = run_l2sweep(adapter, *SMALL)
    assert run.exit_code == 1
    assert "key 11, the sentinel, is not found either" in run.points["detail"][0]
    assert (run.rounds["status"] == "ok").all()  # what was measured before is true
    assert len(files("kv")) == 12
    (tmp_path / "kv" / "closed").touch()
    run = run_l2sweep(adapter, *SMALL)
    assert run.exit_code == 0, run.out
    assert "left by an earlier run, were removed" in run.out
    assert files("kv") == ["kv/closed"]
