"""Real servers that freeze, die, start again, are full, or refuse the secret, for each adapter with a server.

Whatever happens: the rows are true, the cause is in the detail, the secret is in no file and no output, the
command ends within 15 s of the last time limit, and after the recovery the next run leaves no key.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
import pytest
from conftest import ROOT, Run, RunL2Sweep
from real_servers import RealRedis, RealSeaweed, RealServer, running

from l2sweep.bench.messages import Message, RoundMeasured
from l2sweep.sweep.terminal.point_view import PointView

SMALL = ("num_keys=4", "in_flight=1", "data_size_kb=16", "warmup_rounds=0", "skip_verify=false")
SHORT = ("timeout_s.store=1", "timeout_s.lookup=1", "timeout_s.load=1")
MOST_AFTER_TIMEOUT_S = 15.0  # as docs/truth.md promises
ADAPTERS = ("resp", "valkey", "s3")
# SeaweedFS looks for room before it refuses an object: that may take longer than a second on a busy machine.
WHEN_FULL = {
    "resp": (*SHORT, "rounds=20"),
    "valkey": (*SHORT, "rounds=20"),
    "s3": ("timeout_s.store=20", *SHORT[1:], "rounds=3"),
}
FAULTS = ["freeze", "kill", "restart", "full", "wrong secret"]
# The load phase must take longer than it takes to see its first round: a round of Redis takes 1 ms.
ROUNDS = {"resp": "rounds=500", "valkey": "rounds=500", "s3": "rounds=20"}


# Each test has a server of its own: one that a failed test left frozen or with keys would fail the next ones.
@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with running(RealRedis(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with running(RealSeaweed(tmp_path_factory.mktemp("seaweed"))) as server:
        yield server


@pytest.fixture
def server(adapter: str, request: pytest.FixtureRequest) -> RealServer:
    """The server of an adapter."""
    found: RealServer = request.getfixturevalue("seaweed" if adapter == "s3" else "redis_server")
    return found


@dataclass
class AtFirstRound:
    """Calls a function once, when the first round of a phase has been reported.

    Attributes:
        phase: The phase.
        strike: The function.
        struck_at_s: When it had returned, in seconds since the epoch; None: it was not called.
    """

    phase: str
    strike: Callable[[], None]
    struck_at_s: float | None = None

    def __call__(self, message: Message) -> None:
        is_its_round = isinstance(message, RoundMeasured) and message.phase == self.phase
        if is_its_round and self.struck_at_s is None:
            self.strike()
            self.struck_at_s = time.time()


@pytest.fixture
def run_with_fault(
    run_l2sweep: RunL2Sweep, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Run, float]]:
    """Run l2sweep, let the server fail at the first round of a phase, and return when the run had ended."""

    def run(fault: AtFirstRound, *arguments: str) -> tuple[Run, float]:
        show = PointView.message

        def message(view: PointView, message: Message) -> None:
            fault(message)
            show(view, message)

        with monkeypatch.context() as patch:
            patch.setattr(PointView, "message", message)
            done = run_l2sweep(*arguments)
        assert fault.struck_at_s is not None, done.out + done.err
        return done, time.time()

    return run


def adapter_option(server: RealServer, adapter: str, secret: str | None = None) -> str:
    text = json.dumps(server.spec(adapter))
    return "adapter_json=" + (text if secret is None else text.replace(server.secret, secret))


def last_timeout_s(rounds: pd.DataFrame) -> float | None:
    """Return when the last round that timed out reached its limit, in seconds since the epoch."""
    late = rounds[rounds["status"] == "timeout"]
    if not len(late):
        return None
    return float((late["started_at"].map(lambda at: at.timestamp()) + late["elapsed_s"]).max())


def check_rows(rounds: pd.DataFrame) -> None:
    """Check that what did not move is not counted."""
    ok = rounds[rounds["status"] == "ok"]
    assert (ok["keys_ok"] == ok["keys_expected"]).all()
    assert ok["duration_s"].notna().all()
    loads = ok[ok["phase"] == "load"]
    assert (loads["verified_keys"] == loads["keys_requested"]).all()
    moved = ok[ok["phase"] != "lookup"]
    assert (moved["bytes_ok"] == moved["bytes_requested"]).all()
    others = rounds[rounds["status"] != "ok"]
    assert others["detail"].str.len().gt(0).all()
    assert not others["keys_ok"].where(others["keys_expected"] > 0).ge(others["keys_expected"]).any()
    assert rounds.loc[rounds["status"] == "timeout", "duration_s"].isna().all()


def check_secret(server: RealServer, *runs: Run) -> None:
    """Check that the secret is in no file of the results, and in no output."""
    secret = server.secret
    for run in runs:
        assert secret not in run.out + run.err
        for file in run.results_dir.rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes(), file


def check_next_run_leaves_nothing(
    run_l2sweep: RunL2Sweep, server: RealServer, adapter: str, *failed: Run
) -> None:
    """Check that the keys that a failed run left are gone after a run that is ok."""
    run = run_l2sweep(adapter_option(server, adapter), *SMALL, "rounds=1", "sweep_id=recovered")
    assert run.exit_code == 0, run.out + run.err
    assert server.count() == 0
    assert list(run.results_dir.rglob("running-*")) == []
    check_secret(server, run, *failed)


CAUSES = {
    ("freeze", "resp"): "asked afterwards: 127.0.0.1:[0-9]+: no answer within 2 s",
    ("freeze", "valkey"): "timed out",
    ("freeze", "s3"): "asked afterwards: 127.0.0.1:[0-9]+: no answer within 2 s",
    ("kill", "resp"): "socket|connect",
    ("kill", "valkey"): "onnect|timed out",  # on a busy machine, its own time limit may pass first
    ("kill", "s3"): "CONNECTION_REFUSED|127.0.0.1:[0-9]+: connection refused",
    ("restart", "resp"): "socket|connect",
    ("restart", "valkey"): "onnect|timed out",
    ("restart", "s3"): "did not complete in time|SOCKET|CONNECTION",  # it tries again, and may find it
    ("full", "resp"): r"asked afterwards: 127.0.0.1:[0-9]+: .* refused [0-9]+ commands \(OOM\)",
    ("full", "valkey"): "OOM",
    ("full", "s3"): "S3 PUT failed",
    ("wrong", "resp"): "WRONGPASS",
    ("wrong", "valkey"): "WRONGPASS|uthenticat",
    ("wrong", "s3"): "S3 PUT failed",
}


def test_the_document_lists_these_faults() -> None:
    requests = json.loads((ROOT / "docs/adapters_seen.json").read_text())["requests"]
    tested = {name.split()[0]: found["faults"] for name, found in requests.items() if "faults" in found}
    assert tested == dict.fromkeys(ADAPTERS, FAULTS)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("fault", FAULTS[:3])
def test_a_server_that_fails_during_a_load_leaves_true_rows_and_no_key_after_the_next_run(
    run_l2sweep: RunL2Sweep,
    run_with_fault: Callable[..., tuple[Run, float]],
    server: RealServer,
    adapter: str,
    fault: str,
) -> None:
    def restart() -> None:
        server.kill()
        server.start()

    strike = AtFirstRound("load", {"freeze": server.freeze, "kill": server.kill, "restart": restart}[fault])
    run, ended_at_s = run_with_fault(strike, adapter_option(server, adapter), *SMALL, *SHORT, ROUNDS[adapter])
    if fault == "freeze":
        server.thaw()
    elif fault == "kill":
        server.start()
    check_rows(run.rounds)
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert loads["status"].iloc[0] == "ok"
    if (fault, adapter) == ("restart", "valkey") and (loads["status"] == "ok").all():
        # It reconnects: where the server is back before a time limit, nothing has failed.
        assert run.exit_code == 0, run.out + run.err
        check_next_run_leaves_nothing(run_l2sweep, server, adapter, run)
        return
    assert run.exit_code == 1, run.out + run.err
    failed = loads[loads["status"] != "ok"]
    # On a busy machine the first one may only have reached its time limit.
    details = "\n".join([*failed["detail"], run.points["detail"][0]])
    assert re.search(CAUSES[fault, adapter], details), details
    assert ended_at_s - (last_timeout_s(run.rounds) or strike.struck_at_s) < MOST_AFTER_TIMEOUT_S
    if fault != "restart":
        unproven = f"keys of namespace {run.points['namespace'][0]} may remain: their deletion is not proven"
        assert run.out.count(unproven) == 1
        assert len(list(run.results_dir.rglob("running-*"))) == 1
    check_next_run_leaves_nothing(run_l2sweep, server, adapter, run)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_full_server_has_true_rows_and_no_key_after_the_next_run(
    run_l2sweep: RunL2Sweep, server: RealServer, adapter: str
) -> None:
    server.fill()
    try:
        option = adapter_option(server, adapter)
        run = run_l2sweep(option, *SMALL, *WHEN_FULL[adapter], "data_size_kb=64")
        ended_at_s = time.time()
    finally:
        server.drain()
    assert run.exit_code == 1, run.out + run.err
    check_rows(run.rounds)
    if (limit_s := last_timeout_s(run.rounds)) is not None:
        assert ended_at_s - limit_s < MOST_AFTER_TIMEOUT_S
    assert re.search(CAUSES["full", adapter], run.points["detail"][0]), run.points["detail"][0]
    check_next_run_leaves_nothing(run_l2sweep, server, adapter, run)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_wrong_secret_is_refused_by_the_probe_or_named_in_rows_without_the_secret(
    run_l2sweep: RunL2Sweep, server: RealServer, adapter: str
) -> None:
    wrong = server.secret[::-1]
    option = adapter_option(server, adapter, wrong)
    refused = run_l2sweep(option, *SMALL)
    assert refused.exit_code == 2
    assert re.search("refuses the (password|credentials)", refused.err)
    assert not refused.results_dir.exists() or not list(refused.results_dir.rglob("*.parquet"))
    run = run_l2sweep(option, *SMALL, *SHORT, "rounds=2", "probe=false")
    ended_at_s = time.time()
    assert run.exit_code == 1, run.out + run.err
    assert re.search(CAUSES["wrong", adapter], run.points["detail"][0]), run.points["detail"][0]
    assert run.points["status"][0] == "failed"
    if adapter != "valkey":  # which cannot be created, so that no round runs
        check_rows(run.rounds)
        assert not run.rounds["status"].eq("ok").any()
        assert ended_at_s - (last_timeout_s(run.rounds) or ended_at_s) < MOST_AFTER_TIMEOUT_S
    check_next_run_leaves_nothing(run_l2sweep, server, adapter, refused, run)
    assert wrong not in refused.out + refused.err + run.out + run.err
    for file in run.results_dir.rglob("*"):
        assert not file.is_file() or wrong.encode() not in file.read_bytes(), file


def test_the_server_counts_the_lookups_of_s3_or_the_rows_say_that_the_client_answered_them(
    run_l2sweep: RunL2Sweep, seaweed: RealServer
) -> None:
    assert isinstance(seaweed, RealSeaweed)
    shape = (*SMALL, "rounds=3", "lookup_max_hit_rate=1")
    # Cold, the lookups are in a process of their own.
    cold = ("cache=cold", "cache.method=command", "cache.command=/bin/true")
    for changes, answered_by in (((), "client_cache"), (cold, "server")):
        before = seaweed.found_heads()
        run = run_l2sweep(adapter_option(seaweed, "s3"), *shape, *changes, f"sweep_id={answered_by}")
        asked = seaweed.found_heads() - before
        assert run.exit_code == 0, run.out + run.err
        rows = run.rounds[(run.rounds["sweep_id"] == answered_by) & (run.rounds["phase"] == "lookup")]
        assert set(rows["lookup_answered_by"]) == {answered_by}
        assert rows["keys_ok"].sum() == 12
        assert (asked >= 12) == (answered_by == "server"), asked
