"""A server that is down or frozen has no lookup that counts, and no deletion that is believed.

With a real Redis server, whose adapter reports absent keys and successful deletions without it.
"""

from __future__ import annotations

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
