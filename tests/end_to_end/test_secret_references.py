"""Secrets by reference: with a real Redis server, and with an adapter that prints its password."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from conftest import ROOT, Run, RunL2Sweep, plugin_option, start_l2sweep, wait_for
from record_files import split
from redis_server import redis_with_password

from l2sweep.records.storage.layout import record_path

SECRET = "pA/ss w&rd-hunter22"
REFERENCE = "${secret:L2SWEEP_TEST_REDIS}"
SMALL = ("num_keys=4", "data_size_kb=64", "rounds=1")


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start a Redis server that requires a password."""
    with redis_with_password(tmp_path_factory.mktemp("redis"), SECRET) as port:
        yield port


def require_unseen(run: Run, folder: Path, *secrets: str) -> None:
    """Check that the secret is in no output and no file but its own."""
    for secret in secrets or (SECRET,):
        assert secret not in run.out + run.err
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != "secret.txt"]
        assert [str(path) for path in files if secret.encode() in path.read_bytes()] == []


def test_a_point_is_measured_with_a_password_from_the_environment(
    run_l2sweep_process: RunL2Sweep, redis_port: int, tmp_path: Path
) -> None:
    options = ("adapter=resp", "adapter.host=127.0.0.1", f"adapter.port={redis_port}")
    run = run_l2sweep_process(
        *options, f"+adapter.password={REFERENCE}", *SMALL, "skip_verify=false", L2SWEEP_TEST_REDIS=SECRET
    )
    assert run.exit_code == 0, run.out + run.err
    assert "as text" not in run.out + run.err
    require_unseen(run, tmp_path)
    assert json.loads(run.points["adapter_spec"][0])["password"] == REFERENCE
    (manifest,) = run.results_dir.rglob("manifest.json")
    assert f"+adapter.password={REFERENCE}" in json.loads(manifest.read_text())["arguments"]
    assert REFERENCE in manifest.with_name("config.yaml").read_text()


def test_a_sweep_with_a_reference_is_resumed_without_its_options(
    run_l2sweep_process: RunL2Sweep, redis_port: int, tmp_path: Path
) -> None:
    spec = {"type": "resp", "host": "127.0.0.1", "port": redis_port, "num_workers": 8, "password": REFERENCE}
    options = (f"adapter_json={json.dumps(spec)}", "in_flight=1,2", "zip=[[in_flight,rounds]]", "rounds=1,2")
    limits = ("num_keys=4", "data_size_kb=64", "sweep_id=mine")
    first = run_l2sweep_process("-m", *options, *limits, L2SWEEP_TEST_REDIS=SECRET)
    assert first.exit_code == 0, first.out + first.err
    split(first.results_dir)
    record_path(first.results_dir, "points", "mine.00001.1").unlink()
    again = run_l2sweep_process("resume=latest", L2SWEEP_TEST_REDIS=SECRET)
    assert again.exit_code == 0, again.out + again.err
    assert "1 measured before" in again.out
    require_unseen(again, tmp_path)
    assert list(again.points["status"]) == ["ok", "ok"]


def test_the_keys_of_a_killed_run_are_removed_by_a_run_with_the_same_reference(
    run_l2sweep_process: RunL2Sweep, redis_port: int, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(f"{SECRET}\n")
    spec = {"type": "resp", "host": "127.0.0.1", "port": redis_port, "num_workers": 8}
    spec["password"] = f"${{secret_file:{secret}}}"
    process = start_l2sweep(tmp_path, f"adapter_json={json.dumps(spec)}", "num_keys=64", "rounds=200")
    try:
        with redis.Redis(port=redis_port, password=SECRET) as client:
            wait_for(lambda: client.dbsize() or None)
            process.kill()
            process.communicate()
            other = run_l2sweep_process("adapter=mock", *SMALL)
            assert "refers to a secret" in other.out  # only the same spec may have it read
            assert client.dbsize()
            run = run_l2sweep_process(f"adapter_json={json.dumps(spec)}", *SMALL)
            assert client.dbsize() == 0
    finally:
        process.kill()
        process.communicate()
    assert run.exit_code == 0, run.err
    assert ", left by an earlier run, were removed" in run.out
    require_unseen(run, tmp_path)


def test_an_adapter_that_prints_its_password_in_many_encodings_leaks_it_nowhere(
    run_l2sweep: RunL2Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "adapters"))
    from password_forms import all_forms

    (tmp_path / "secret.txt").write_text(SECRET)
    option = plugin_option(
        "leaking_adapters",
        "LeakingStore",
        base_path=str(tmp_path / "kv"),
        password=f"${{secret_file:{tmp_path}/secret.txt}}",
    )
    run = run_l2sweep("-m", option, "in_flight=1,2", *SMALL)
    assert run.exit_code == 1
    assert "AUTH failed: *** | " in run.log() + "".join(run.rounds["detail"])
    assert "connecting with *** | " in run.log()
    forms = [form.strip("\"'") for form in all_forms(SECRET).split(" | ")]
    assert len(forms) == 9
    require_unseen(run, tmp_path, *forms)


def test_a_secret_is_referred_to_in_a_file_of_the_configuration(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n")
    own = tmp_path / "own" / "adapter"
    own.mkdir(parents=True)
    reference = f"${{secret_file:{tmp_path}/secret.txt}}"
    (own / "mine.yaml").write_text(
        "type: plugin\nmodule_path: leaking_adapters\nclass_name: LeakingStore\nadapter_params:\n"
        f"  base_path: {tmp_path}/kv\n  password: {reference}\n"
    )
    options = ("--config-dir", str(tmp_path / "own"), "adapter=mine", *SMALL)
    run = run_l2sweep(*options)
    assert "connecting with *** | " in run.log()
    shown = run_l2sweep(*options, "--cfg", "job", "--resolve")
    assert f"password: {reference}" in shown.out
    for one in (run, shown):
        require_unseen(one, tmp_path)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (
            f"+adapter.password={REFERENCE}",
            f"adapter.password={REFERENCE}: the environment variable "
            "L2SWEEP_TEST_REDIS is not set or is empty",
        ),
        (
            "+adapter.password=${secret_file:/no/such/file}",
            "adapter.password=${secret_file:/no/such/file}: /no/such/file cannot be read: "
            "No such file or directory",
        ),
        ("sweep_name=${secret:HOME}", "sweep_name: a secret can be used only in the spec of the adapter"),
        ("adapter.type=${secret:HOME}", "adapter.type: must not be a secret, since l2sweep needs to know it"),
    ],
)
def test_a_reference_that_cannot_be_used_is_one_line_before_anything_runs(
    run_l2sweep: RunL2Sweep, tmp_path: Path, option: str, line: str
) -> None:
    run = run_l2sweep("adapter=resp", "adapter.host=h", option)
    assert (run.exit_code, run.err) == (2, f"l2sweep: {line}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_literal_credential_works_and_prints_one_line_that_names_the_better_way(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    option = plugin_option(
        "leaking_adapters", "LeakingStore", base_path=str(tmp_path / "kv"), password=SECRET
    )
    run = run_l2sweep("-m", option, "in_flight=1,2", *SMALL)
    (line,) = [line for line in run.out.splitlines() if "as text" in line]
    assert line == (
        "adapter.adapter_params.password contains a credential as text: ${secret:NAME} or "
        "${secret_file:/PATH} keeps it out of command lines and files (docs/credentials.md)"
    )
    require_unseen(run, tmp_path)


def test_a_shell_command_with_a_password_is_not_written(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    command = f"curl --silent -u user:{SECRET.split()[0]} http://127.0.0.1:9/flush || true"
    cold = ("cache=cold", "cache.method=command", f"cache.command='{command}'")
    run = run_l2sweep("adapter=fs", f"adapter.base_path={tmp_path}/kv", *cold, *SMALL)
    assert "cache.command contains a credential as text" in run.out
    require_unseen(run, tmp_path, SECRET.split()[0])
    (manifest,) = run.results_dir.rglob("manifest.json")
    assert "curl --silent -u user:*** http://127.0.0.1:9/flush" in manifest.read_text()
    assert os.environ.get("L2SWEEP_CACHE_COMMAND") is None
