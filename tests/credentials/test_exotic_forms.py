"""Credentials in unusual places and encodings reach no file, no message and no line of a run."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from shipped import point

from l2sweep.bench.messages import Finished, Note, Refused
from l2sweep.cli.hydra_app.configuration import secrets_of_requests
from l2sweep.config.adapter.spec import identity, quote_json_override
from l2sweep.config.cache import CacheConfig
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.credentials import redact_override, secrets_in_text
from l2sweep.process.log import PointLog
from l2sweep.process.report import ProcessReport
from l2sweep.process.supervisor import _scrubbed
from l2sweep.records.environment import Machine, Storage
from l2sweep.records.owner import Host
from l2sweep.sweep.cache.coldness import CacheEvidence
from l2sweep.sweep.cache.drop import Command
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.prepare import save_configuration
from l2sweep.sweep.rows import PointColumns
from l2sweep.sweep.state.journal import JournalEntry
from l2sweep.sweep.state.manifest import Manifest
from l2sweep.sweep.terminal.naming import describe

SECRET = "xK9-hunter2"
ODD = "p\"w'\\ä /+%&=2"  # every encoding changes it

FIELDS: dict[str, dict[str, Any]] = {
    "headers as pairs": {"headers": [["Accept", "json"], ["Authorization", f"Bearer {SECRET}"]]},
    "one header as a pair": {"headers": [["X-Api-Key", SECRET]]},
    "headers in turn": {"headers": ["Accept", "json", "X-Auth-Token", SECRET]},
    "headers as lines": {"headers": ["Accept: json", f"Authorization: Bearer {SECRET}"]},
    "headers as a text": {"extra": f"Accept: json\nCookie: session={SECRET}; lang=en"},
    "headers as a mapping": {"headers": {"Proxy-Authorization": f"Basic {SECRET}"}},
    "name and value": {"headers": [{"name": "Authorization", "value": SECRET}]},
    "key and value": {
        "metadata": [{"key": "x-api-key", "value": SECRET}, {"key": "Accept", "value": "json"}]
    },
    "value before name": {"extra": [{"value": SECRET, "name": "password"}]},
    "cookie": {"cookie": SECRET},
    "set-cookie": {"headers": {"Set-Cookie": f"sid={SECRET}"}},
    "token in a query": {"endpoint": f"https://h/bucket?region=eu&token={SECRET}"},
    "signature of S3": {"endpoint": f"https://h/b?X-Amz-Expires=60&X-Amz-Signature={SECRET}"},
    "signature of Azure": {"endpoint": f"https://h/b?sv=2024&sig={SECRET}&se=1"},
    "signature of GCS": {"endpoint": f"https://h/b?GoogleAccessId=me&Signature={SECRET}"},
    "query inside a text": {"note": f"first fetch https://h/b?api_key={SECRET} and then wait"},
    "tokens": {"tokens": {"first": SECRET, "second": "b" + SECRET}},
    "list of tokens": {"tokens": [SECRET]},
    "second password": {"passwords": ["first-one", SECRET]},
    "password with slash": {"url": f"redis://bob:pa/{SECRET}@h:6379/0"},
    "password with slash and at": {"url": f"redis://bob:p@a/{SECRET}@h:6379/0"},
    "swapped user name of valkey": {"type": "valkey", "startup_nodes": "h:1", "username": SECRET},
    "connection text": {"dsn": f"host=h port=5 password={SECRET} dbname=kv"},
    "semicolons": {"dsn": f"Server=h;Database=kv;Pwd={SECRET};Timeout=5"},
    "JSON inside a text": {"options": json.dumps({"auth": {"password": SECRET}})},
    "JSON inside JSON": {"options": json.dumps({"inner": json.dumps({"password": SECRET})})},
    "repr inside a text": {"options": repr({"host": "h", "password": SECRET})},
    "environment as lines": {"env": ["PATH=/bin", f"REDISCLI_AUTH={SECRET}"]},
    "environment": {"env": {"SSHPASS": SECRET}},
    "arguments": {"args": ["--host", "h", "--password", SECRET]},
    "joined arguments": {"args": ["--host=h", f"--auth-token={SECRET}"]},
    "basic authentication": {
        "headers": [f"Authorization: Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}"]
    },
    "token of its own": {"note": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"},
    **{
        name: {name: SECRET}
        for name in (
            *("pass", "redis_pass", "pw", "pwd", "db_pw", "key", "ssh_key", "signing_key", "jwt", "bearer"),
            *("sig", "hmac", "pin", "otp", "session_id", "sessionId", "userPin", "sshKey", "X-Amz-Signature"),
        )
    },
}
TOKEN = FIELDS["token of its own"]["note"]
COMMANDS = {
    "curl": f"curl -u user:{SECRET} http://h/flush",
    "curl, quoted": f'curl -u "user:{SECRET}" http://h/flush',
    "curl, joined": f"curl -uuser:{SECRET} http://h/flush",
    "curl, long": f"curl --user user:{SECRET} http://h/flush",
    "header": f'curl -H "Authorization: Bearer {SECRET}" http://h/flush',
    "header of a key": f"curl -H 'X-Api-Key: {SECRET}' http://h/flush",
    "password=": f"flush --password={SECRET} --now",
    "password": f"flush --password {SECRET} --now",
    "-p": f"flush -p {SECRET} --now",
    "-p of mysql": f"mysql -uroot -p{SECRET} -e 'flush tables'",
    "-a of redis-cli": f"redis-cli -h h -p 6379 -a {SECRET} flushall",
    "environment": f"REDISCLI_AUTH={SECRET} redis-cli flushall",
    "exported": f"export PGPASSWORD='{SECRET}'; psql -c 'discard all'",
    "sshpass": f"sshpass -p {SECRET} ssh h sync",
    "URL": f"curl https://me:{SECRET}@h/flush",
    "query": f"curl 'https://h/flush?access_token={SECRET}'",
}
ENCODINGS = {
    "plain": ODD,
    "JSON": json.dumps(ODD),
    "JSON without ASCII": json.dumps(ODD, ensure_ascii=False),
    "JSON twice": json.dumps(json.dumps(ODD)),
    "repr": repr(ODD),
    "repr of bytes": repr(ODD.encode()),
    "percent": quote(ODD, safe=""),
    "percent with slash": quote(ODD),
    "percent in lower case": quote(ODD, safe="").replace("%C3%A4", "%c3%a4").replace("%2F", "%2f"),
    "form": quote_plus(ODD),
    "percent twice": quote(quote(ODD)),
    "base64": base64.b64encode(ODD.encode()).decode(),
    "base64 with user": base64.b64encode(b"user:" + ODD.encode()).decode(),
    "base64 with longer user": base64.b64encode(b"bob:" + ODD.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(b"me:" + ODD.encode() + b":x").decode(),
    "hexadecimal": ODD.encode().hex(),
    "JSON of a percent": json.dumps("redis://u:" + quote(ODD, safe="") + "@h"),
    "HTML": "&lt;p&gt;p&quot;w&#x27;\\ä /+%&amp;=2",
    "shell": "'p\"w'\"'\"'\\ä /+%&=2'",
}


def written(config: PointConfig, arguments: list[str], folder: Path) -> dict[str, str]:
    """Return what a run of a point writes and shows, by its place."""
    spec = dict(config.adapter_spec)
    planned = PlannedPoint(0, 0, 0, config, attempt=1)
    plan = Plan((planned,), ())
    configuration = {
        "adapter": spec,
        "cache": {"command": config.cache.command},
        "hydra": {"overrides": {"task": arguments}, "job": {"override_dirname": ",".join(arguments)}},
    }
    save_configuration(folder / "config.yaml", configuration, secrets_of_requests([config]))
    Manifest.of("mine", arguments, [], plan).save(folder)
    log = PointLog(folder / "point.log", secrets_of_requests([config]))
    log.open()
    log.write(f"connecting with {json.dumps(spec)}\n".encode())
    log.close()
    job = config.job("test")
    sweep, machine = SweepConfig(sweep_id="mine"), Machine("h", "Linux", "EPYC", 8, 2**36)
    columns = PointColumns(sweep, machine, None, planned, job, Storage("ext4", "/", "rw", "sda"), "a.log")
    outcome = ("failed", f"refused: {spec}")
    row = columns.point_row("all", ProcessReport(), outcome, datetime.now(UTC), CacheEvidence(), None)
    texts = (Refused(f"bad {spec}"), Note(f"{spec}"), Finished(1, json.dumps(spec), 1))
    messages = [_scrubbed(message, secrets_of_requests([config])) for message in texts]
    return {
        **{file.name: file.read_text() for file in folder.iterdir()},
        "journal": JournalEntry(Host.here(), job, None).to_json(),
        "row": str(row),
        "messages": str(messages),
        "terminal": describe(config, ["adapter_json", "cache.command"]),
        "identity": json.dumps(identity(spec, "scratch")),
        "overrides": str([redact_override(argument) for argument in arguments]),
    }


def shown_in_process_list(argument: str) -> str:
    """Return what a list of processes shows of an argument after hide_from_process_list()."""
    for secret in sorted(secrets_in_text(argument), key=len, reverse=True):
        argument = argument.replace(secret, "*" * len(secret))
    return argument


@pytest.mark.parametrize("name", FIELDS)
def test_a_credential_in_a_spec_is_written_nowhere(name: str, tmp_path: Path) -> None:
    spec = {"type": "mine", **FIELDS[name]}
    secret = TOKEN if name == "token of its own" else SECRET
    assert secret in json.dumps(spec) or name == "basic authentication"
    argument = f"adapter_json={json.dumps(spec)}"
    config = replace(point(), adapter_spec=spec, overrides=(quote_json_override(argument),))
    places = written(config, [quote_json_override(argument)], tmp_path)
    encoded = base64.b64encode(f"me:{SECRET}".encode()).decode()
    assert [place for place, text in places.items() if secret in text or encoded in text] == []
    for shown in (argument, quote_json_override(argument)):
        assert secret not in shown_in_process_list(shown)
        assert encoded not in shown_in_process_list(shown)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_credential_in_a_shell_command_is_written_nowhere(name: str, tmp_path: Path) -> None:
    command = COMMANDS[name]
    cache = replace(CacheConfig(), mode="cold", method="command", command=command)
    for argument in (f"cache.command={command}", f"cache.command={hydra_escaped(command)}"):
        config = replace(point(), cache=cache, overrides=(argument,))
        places = written(config, [argument], tmp_path)
        assert [place for place, text in places.items() if SECRET in text] == []
        assert SECRET not in shown_in_process_list(argument)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_error_of_a_shell_command_shows_no_credential(name: str) -> None:
    command = COMMANDS[name]
    problem = Command(f"echo {quote(SECRET)} >&2; exit 3; {command}", 10).why_unusable()
    assert "exit code 3" in problem
    assert SECRET not in problem


def test_the_process_list_does_not_show_a_shell_command() -> None:
    problem = Command("tr '\\0' ' ' < /proc/$$/cmdline >&2; exit 3; : unseen", 10).why_unusable()
    assert "exit code 3: /bin/sh -c eval" in problem
    assert "unseen" not in problem.partition("exit code 3")[2]


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_known_secret_is_found_in_every_encoding(name: str, tmp_path: Path) -> None:
    config = replace(point(), adapter_spec={"type": "resp", "password": ODD})
    text = f"the server refused <{ENCODINGS[name]}> at once"
    log = PointLog(tmp_path / "point.log", secrets_of_requests([config]))
    log.open()
    log.write(text.encode())
    log.close()
    (message,) = [_scrubbed(Note(text), secrets_of_requests([config]))]
    for shown in ((tmp_path / "point.log").read_text(), message.text):
        assert "***" in shown
        assert ENCODINGS[name].strip("'\"") not in shown
        assert shown.startswith("the server refused <")
        assert shown.endswith("> at once")


def hydra_escaped(value: str) -> str:
    """Return a value as Hydra writes it into the overrides of a point."""
    return "".join(f"\\{char}" if char in "\\()[]{}:=, \t\"'" else char for char in value)
