"""The list of adapter types, from the messages of a benchmark process."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import ROOT

from l2sweep.bench.messages import Accepted, AdapterDescribed, Message
from l2sweep.cli.command_group import run_command
from l2sweep.cli.commands.adapters import catalog
from l2sweep.cli.commands.adapters.catalog import config_name, example
from l2sweep.config.adapter.kinds import ADAPTER_KINDS
from l2sweep.errors import BenchError, RequestError

FIELD = {"name": "host", "type": "str", "default": None, "is_required": True, "help": "server"}
TOLD: list[Message] = [
    Accepted("0.5.6", "2.6.0", "3.11.7"),
    AdapterDescribed("nixl_store", "No module named 'nixl'", "nixl", []),
    AdapterDescribed("resp", "", "", [FIELD]),
    AdapterDescribed("s3", "No module named 'awscrt.auth'", "awscrt.auth", []),
    AdapterDescribed("new_type", "OSError: libx.so.1", "", []),
]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """The messages of the benchmark process, which a test may change."""
    messages = list(TOLD)
    monkeypatch.setattr(catalog, "run_unrecorded", lambda *_: messages)
    return messages


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    assert run_command(["adapters", "--format", "json", *arguments]) == 0
    return {row["type"]: row for row in json.loads(capsys.readouterr().out)}


@pytest.mark.usefixtures("told")
def test_a_type_is_usable_or_says_what_is_missing_and_how_to_get_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = rows(capsys)
    assert (found["resp"]["state"], found["resp"]["install"]) == ("usable", "")
    assert found["nixl_store"]["state"] == "missing: nixl"
    assert found["nixl_store"]["install"].startswith("pip install --no-deps nixl")
    assert found["s3"]["install"] == "pip install awscrt"
    assert found["new_type"]["state"] == "missing: OSError: libx.so.1"


@pytest.mark.usefixtures("told")
def test_a_type_has_its_traits_its_fields_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    resp = rows(capsys)["resp"]
    assert resp["fields"] == [FIELD]
    assert (resp["reconnects"], resp["lookup_answered_by"], resp["data"]) == (False, "server", "server")
    assert resp["secret_fields"] == ["password"]
    assert resp["example"] == "python -m l2sweep adapter=resp adapter.host=HOST"


def test_one_type_is_shown_with_its_fields(told: list[Message], capsys: pytest.CaptureFixture[str]) -> None:
    told[1:] = [TOLD[2]]
    assert run_command(["adapters", "resp"]) == 0
    out = capsys.readouterr().out
    assert "state: usable\n" in out
    assert "reconnects: no\n" in out
    assert "host" in out.partition("\n\n")[2]


def test_a_type_that_lmcache_does_not_have_is_one_line(told: list[Message]) -> None:
    told[1:] = []
    with pytest.raises(RequestError, match="adapters: TYPE rsp: must be an adapter type: aerospike, ") as one:
        run_command(["adapters", "rsp"])
    assert "\n" not in str(one.value)


def test_a_process_without_an_answer_is_an_error(told: list[Message]) -> None:
    told.clear()
    with pytest.raises(BenchError, match="ended without an answer"):
        run_command(["adapters"])


def test_each_example_names_a_file_of_conf() -> None:
    for name in set(ADAPTER_KINDS) - {"control", "fio"}:
        command = example(name)
        assert f"adapter={config_name(name)}" in command
        assert (ROOT / "conf" / "adapter" / f"{config_name(name)}.yaml").is_file()
    assert "allow_destructive=true" in example("raw_block")
    assert example("unheard_of") == """python -m l2sweep adapter_json='{"type": "unheard_of"}'"""
