"""Everything that a spec names is asked, for a limited time, and no secret is in the answer."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from line_server import line_server

from l2sweep.services.ports import free_ports
from l2sweep.sweep.checks.probe import probe_problem
from l2sweep.sweep.checks.probe.bigtable import BigtableEmulator, bigtable_emulators
from l2sweep.sweep.checks.probe.local_place import device_size_bytes, local_places
from l2sweep.sweep.checks.probe.probing import ask_all, cause, targets_of

PONG = b"+PONG\r\n"


def resp(port: int, **fields: str) -> dict[str, object]:
    return {"type": "resp", "host": "127.0.0.1", "port": port, **fields}


def test_a_server_that_answers_has_no_problem() -> None:
    with line_server(lambda _: PONG) as port:
        assert probe_problem(resp(port)) == ""


def test_a_server_that_is_down_is_named_with_its_host_and_the_cause() -> None:
    (port,) = free_ports(1)
    assert probe_problem(resp(port)) == f"127.0.0.1:{port}: connection refused"


def test_a_server_that_never_answers_is_waited_for_a_limited_time() -> None:
    with line_server(lambda _: b"") as port:
        assert probe_problem(resp(port), timeout_s=0.2) == f"127.0.0.1:{port}: no answer within 0.2 s"


def test_what_blocks_without_a_time_limit_is_not_waited_for() -> None:
    ended = []

    class Blocked:
        place = "somewhere"

        def problem(self, timeout_s: float) -> str:
            threading.Event().wait(5)
            ended.append(self)
            return ""

    blocked = Blocked()
    assert ask_all([blocked], 0.1) == {blocked: "somewhere: no answer within 0.1 s"}
    assert ended == []


def test_all_servers_of_a_spec_are_asked_inside_other_specs_as_well() -> None:
    nodes = {"type": "valkey", "startup_nodes": "a:1,b:2"}
    both = targets_of(
        {"type": "fault_inject", "inner": nodes, "other": {"type": "resp", "host": "c", "port": 3}}
    )
    assert [target.place for target in both] == ["a:1", "b:2", "c:3"]
    (port,) = free_ports(1)
    with line_server(lambda _: PONG) as up:
        nodes["startup_nodes"] = f"127.0.0.1:{up},127.0.0.1:{port}"
        assert probe_problem(nodes) == f"127.0.0.1:{port}: connection refused"


def test_a_secret_in_the_environment_is_sent_and_is_not_in_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("L2SWEEP_TEST_SECRET", "hunter22")
    received = []

    def answer(sent: bytes) -> bytes:
        received.append(sent)
        return b"-WRONGPASS not " + sent.split(b"\r\n")[-2] + b"\r\n"

    with line_server(answer) as port:
        problem = probe_problem(resp(port, password="${secret:L2SWEEP_TEST_SECRET}"))
    assert b"hunter22" in received[0]
    assert problem == f"127.0.0.1:{port}: the server refuses the password (WRONGPASS not ***)"


def test_the_causes_are_in_words() -> None:
    assert cause(socket.gaierror(-2, "Name or service not known"), 5) == "the host name cannot be resolved"
    assert cause(OSError(113, "No route to host"), 5) == "No route to host"
    assert cause(TimeoutError(), 5) == "no answer within 5 s"


def test_a_type_that_is_not_known_is_not_asked() -> None:
    assert probe_problem({"type": "mooncake_store", "host": "nowhere"}) == ""


def test_a_folder_that_can_be_made_has_no_problem_and_a_file_in_its_place_has(tmp_path: Path) -> None:
    assert probe_problem({"type": "fs", "base_path": str(tmp_path / "new" / "kv")}) == ""
    (tmp_path / "file").write_text("")
    assert probe_problem({"type": "fs", "base_path": str(tmp_path / "file")}).endswith("it is not a folder")
    assert not (tmp_path / "new").exists()


def test_a_device_is_a_place_and_a_regular_file_has_no_size_of_a_device(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (place,) = local_places({"type": "raw_block", "device_path": str(tmp_path / "file")})
    assert (place.is_one_file, place.problem(5)) == (True, "")
    assert device_size_bytes(str(tmp_path / "file")) is None
    assert device_size_bytes(str(tmp_path / "none")) is None


def test_bigtable_is_asked_only_where_an_emulator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BIGTABLE_EMULATOR_HOST", raising=False)
    assert bigtable_emulators({"type": "bigtable"}) == []
    monkeypatch.setenv("BIGTABLE_EMULATOR_HOST", "127.0.0.1:8086")
    assert bigtable_emulators({"type": "bigtable"}) == [BigtableEmulator("127.0.0.1", 8086)]
    with line_server(lambda _: bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])) as port:
        assert BigtableEmulator("127.0.0.1", port).problem(5) == ""
    with line_server(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "does not speak HTTP/2" in BigtableEmulator("127.0.0.1", port).problem(5)
