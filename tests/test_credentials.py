"""Credentials never reach a record, a log, a report or a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from l2sweep.config.adapter_spec import quote_json_override
from l2sweep.credentials import (
    REDACTED,
    hide_from_process_list,
    redact,
    redact_override,
    scrub,
    secrets_in_text,
    secrets_of,
    without,
)

SECRET = "hunter2"

CREDENTIAL_NAMES = [
    "password",
    "redis_password",
    "passwd",
    "PASSWORD",
    "secret",
    "token",
    "auth_token",
    "aws_session_token",
    "api_key",
    "apiKey",
    "access_key",
    "aws_access_key_id",
    "aws_secret_access_key",
    "private_key",
    "connection_string",
    "Authorization",
    "credentials",
    "passphrase",
]
LOOK_ALIKES = [
    "chunk_tokens",
    "max_tokens",
    "tokenizer",
    "tokenization",
    "key_prefix",
    "num_keys",
    "enable_key_buffer",
    "bigtable_row_key_template",
    "author",
    "username",
]
NESTINGS: list[Any] = [
    {"inner": {"password": SECRET}},
    {"a": {"b": {"c": {"token": SECRET}}}},
    {"nodes": [{"host": "h", "password": SECRET}]},
    {"nodes": [["x"], [{"secret_key": SECRET}]]},
    {"nodes": ({"api_key": SECRET},)},
    {"passwords": [SECRET, SECRET]},
    {"auth": {"user": "bob", "phrase": SECRET}},
    {"url": f"redis://bob:{SECRET}@h:6379/0"},
    {"urls": [f"redis://:{SECRET}@h:6379", f"s3://{SECRET}@bucket"]},
    {"nodes": [{"peers": {"first": f"http://bob:{SECRET}@h/"}}]},
    {"startup_nodes": f"redis://bob:x@h1,redis://bob:{SECRET}@h2"},
    {"url": f"redis://bob:p@{SECRET}@h:6379/0"},
    {"url": f"redis://bob:p,{SECRET}@h:6379/0"},
]


@pytest.mark.parametrize("name", CREDENTIAL_NAMES)
def test_a_field_with_a_credentials_name_is_hidden_and_left_out_and_known(name: str) -> None:
    spec = {"type": "resp", name: SECRET, "host": "h"}
    assert redact(spec) == {"type": "resp", name: REDACTED, "host": "h"}
    assert without(spec) == {"type": "resp", "host": "h"}
    assert secrets_of(spec) == {SECRET}


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_name_that_only_looks_alike_stays(name: str) -> None:
    spec = {name: "plain", "inner": {name: 256}}
    assert redact(spec) == spec
    assert without(spec) == spec
    assert secrets_of(spec) == set()


@pytest.mark.parametrize("spec", NESTINGS, ids=str)
def test_a_credential_is_hidden_at_any_depth(spec: dict[str, Any]) -> None:
    assert SECRET in str(spec)
    assert SECRET not in str(redact(spec))
    assert SECRET not in str(without(spec))
    assert SECRET not in scrub(str(spec), secrets_of(spec))


def test_an_integer_under_password_is_a_secret() -> None:
    spec = {"password": 12345678, "nodes": [{"token": 87654321}]}
    assert redact(spec) == {"password": REDACTED, "nodes": [{"token": REDACTED}]}
    assert secrets_of(spec) == {"12345678", "87654321"}


def test_a_duration_a_switch_and_nothing_are_no_secrets() -> None:
    spec = {"token_ttl": 30, "auth_timeout": 2.5, "auth": False, "password": None}
    assert redact(spec) == spec
    assert without(spec) == spec
    assert secrets_of(spec) == set()


def test_of_a_url_only_the_userinfo_is_hidden() -> None:
    assert redact("redis://bob:pw12@h:6379/0?db=1") == f"redis://{REDACTED}@h:6379/0?db=1"
    assert without("redis://bob:pw12@h:6379/0") == "redis://h:6379/0"
    assert redact("http://h/path@2x.png") == "http://h/path@2x.png"


def test_an_escaped_password_of_a_url_is_known_as_written_and_as_meant() -> None:
    assert {"p%40ss", "p@ss"} <= secrets_of({"url": "redis://bob:p%40ss@h"})


def test_redacting_and_leaving_out_change_no_argument() -> None:
    spec = {"password": SECRET, "nodes": [{"token": SECRET}], "url": f"redis://a:{SECRET}@h"}
    copy = {"password": SECRET, "nodes": [{"token": SECRET}], "url": f"redis://a:{SECRET}@h"}
    redact(spec)
    without(spec)
    assert spec == copy


def test_without_tells_no_two_passwords_apart_and_every_other_field() -> None:
    first = {"host": "h", "nodes": [{"password": "a"}], "url": "redis://u:a@h"}
    second = {"host": "h", "nodes": [{"password": "b"}], "url": "redis://u:b@h"}
    assert without(first) == without(second)
    assert without({"host": "h1"}) != without({"host": "h2"})


@pytest.mark.parametrize("secrets", [["abcd", "abcdef"], ["abcdef", "abcd"], ["cdef", "abcdef", "bcde"]])
def test_of_overlapping_secrets_no_piece_stays(secrets: list[str]) -> None:
    assert scrub("x abcdef y", secrets) == f"x {REDACTED} y"


def test_a_short_secret_is_replaced_only_where_it_stands_alone() -> None:
    assert scrub("pw=ab, table abc (ab)", {"ab"}) == f"pw={REDACTED}, table abc ({REDACTED})"


def test_a_longer_secret_is_replaced_inside_of_words() -> None:
    assert scrub("xhunter2y", {SECRET}) == f"x{REDACTED}y"


def test_a_secret_is_no_pattern_and_an_empty_one_is_none() -> None:
    assert scrub("a+b (.* abbb", {"a+b", "(.*", ""}) == f"{REDACTED} {REDACTED} abbb"


def test_scrub_hides_userinfo_that_nobody_told_it_of() -> None:
    assert scrub(f"cannot reach redis://u:{SECRET}@h:1", []) == f"cannot reach redis://{REDACTED}@h:1"


@pytest.mark.parametrize(
    "override",
    [
        "adapter.password=hunter2",
        "+adapter.inner.password=hunter2",
        "++adapter.aws_secret_access_key=hunter2/abc+d==",
        "adapter.password='hunter2'",
        'adapter.password="hun, hunter2"',
        "adapter.password=first1,hunter2",
        "adapter.password='first1','hunter2'",
        "adapter.password=choice(first1,hunter2)",
        "adapter={type:resp,password:hunter2}",
        "adapter={type:fault_inject,inner:{password:hunter2}}",
        "adapter.url=redis://bob:hunter2@h:6379/0",
        "adapter.url=redis://bob:p@hunter2@h:6379/0",
        "adapter.auth={user:bob,phrase:hunter2}",
    ],
)
def test_an_override_is_shown_without_its_credential(override: str) -> None:
    shown = redact_override(override)
    assert SECRET not in shown
    assert REDACTED in shown
    assert "adapter" in shown


@pytest.mark.parametrize("is_quoted", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        '{"type": "resp", "password": "hunter2"}',
        '{"type":"resp","password":"hunter2"}',
        '{"password":"hunter2","type":"resp"}',
        '{"type":"fault_inject","inner":{"password":"hunter2"}}',
        '{"type":"x","nodes":[{"token":"hunter2"}]}',
        '{"type":"resp","password":"quote \\" hunter2"}',
        '{"type":"resp","url":"redis://:hunter2@h:6379"}',
        '{"type":"fs"},{"type":"resp","password":"hunter2"}',
        '{"type": "resp", "password": "hunter2"',
        '{"password":"hunter2","type":',
        '{"type":"resp" "password":"hunter2"}',
        "{'type': 'resp', 'password': 'hunter2'}",
    ],
)
def test_json_on_the_command_line_is_shown_without_its_credential(text: str, is_quoted: bool) -> None:
    override = f"adapter_json={text}"
    shown = redact_override(quote_json_override(override) if is_quoted else override)
    assert SECRET not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "resp", "password": "hunter2"}',
        '{"password":"hunter2"}',
        '{"type":"x","inner":{"password":"hunter2"}}',
    ],
)
def test_json_from_the_environment_has_its_credential_found(text: str) -> None:
    assert SECRET in secrets_in_text(text)


@pytest.mark.parametrize("is_quoted", [False, True])
def test_digits_under_password_in_json_are_found(is_quoted: bool) -> None:
    override = 'adapter_json={"password":12345678,"type":"resp"}'
    assert "12345678" in secrets_in_text(quote_json_override(override) if is_quoted else override)


def test_a_secret_in_json_is_known_as_it_is_meant_too() -> None:
    assert 'pa"hunter2' in secrets_in_text('adapter_json={"type": "resp", "password": "pa\\"hunter2"}')
    quoted = quote_json_override('adapter_json={"type": "resp", "password": "it\'s hunter2"}')
    assert "it's hunter2" in secrets_in_text(quoted)


@pytest.mark.parametrize(
    "override",
    [
        "num_keys=8,32",
        "adapter.key_prefix=night",
        "+adapter.chunk_tokens=256",
        "adapter.base_path=/mnt/nvme/kv",
        'adapter_json={"type":"fs","base_path":"/mnt/nvme/kv"}',
        'adapter_json=\'{"type":"fs","base_path":"/mnt/nvme/kv"}\'',
    ],
)
def test_an_override_without_a_credential_is_shown_as_it_is(override: str) -> None:
    assert redact_override(override) == override


def test_a_hidden_secret_is_not_in_the_process_list_and_the_rest_is() -> None:
    shown = command_line_after_hiding([f"adapter.password={SECRET}", "num_keys=8", f"x={SECRET}{SECRET}"])
    assert SECRET.encode() not in shown
    assert b"adapter.password=*******\0" in shown
    assert b"num_keys=8\0" in shown


def test_a_secret_that_is_no_utf_8_is_hidden_from_the_process_list() -> None:
    shown = command_line_after_hiding([b"adapter.password=\xff\xfehunter2"])
    assert b"hunter2" not in shown


def test_hiding_nothing_changes_nothing() -> None:
    before = Path("/proc/self/cmdline").read_bytes()
    hide_from_process_list(set())
    hide_from_process_list({"a secret that is not in the command line", ""})
    assert Path("/proc/self/cmdline").read_bytes() == before


def command_line_after_hiding(arguments: list[str | bytes] | list[str] | list[bytes]) -> bytes:
    """Return what a process's command line reads after it has hidden what follows ``password=`` in it."""
    program = (
        "import sys; from l2sweep.credentials import hide_from_process_list\n"
        "hide_from_process_list({sys.argv[1].partition('=')[2]})\n"
        "sys.stdout.buffer.write(open('/proc/self/cmdline', 'rb').read())"
    )
    root = str(Path(__file__).resolve().parent.parent)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('adapter_json={"password": "gr\\u00fcn-hunter2"}', "grün-hunter2"),
        ("adapter={password:a b hunter2,port:1}", "a b hunter2"),
        ('{"password": "one\\ntwo"}', "one\ntwo"),
    ],
)
def test_a_secret_is_known_as_it_is_meant(text: str, secret: str) -> None:
    assert secret in secrets_in_text(text)


def test_the_name_of_an_environment_variable_is_no_credential() -> None:
    assert redact({"token_env": "HF_TOKEN", "token": "hunter2"}) == {"token_env": "HF_TOKEN", "token": "***"}
