"""Credentials are found in specs, overrides and texts, and replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from l2sweep.config.adapter.spec import quote_json_override
from l2sweep.credentials import (
    REDACTED,
    hide_from_process_list,
    map_texts,
    redact,
    redact_override,
    scrub,
    secrets_in_text,
    secrets_of,
    strip_credentials,
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
def test_a_field_with_the_name_of_a_credential_is_a_credential(name: str) -> None:
    spec = {"type": "resp", name: SECRET, "host": "h"}
    assert redact(spec) == {"type": "resp", name: REDACTED, "host": "h"}
    assert strip_credentials(spec) == {"type": "resp", "host": "h"}
    assert secrets_of(spec) == {SECRET}


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_field_with_a_similar_name_is_no_credential(name: str) -> None:
    spec = {name: "plain", "inner": {name: 256}}
    assert redact(spec) == spec
    assert strip_credentials(spec) == spec
    assert secrets_of(spec) == set()


@pytest.mark.parametrize("spec", NESTINGS, ids=str)
def test_a_credential_is_found_at_any_depth(spec: dict[str, Any]) -> None:
    assert SECRET in str(spec)
    assert SECRET not in str(redact(spec))
    assert SECRET not in str(strip_credentials(spec))
    assert SECRET not in scrub(str(spec), secrets_of(spec))


def test_an_integer_can_be_a_credential() -> None:
    spec = {"password": 12345678, "nodes": [{"token": 87654321}]}
    assert redact(spec) == {"password": REDACTED, "nodes": [{"token": REDACTED}]}
    assert secrets_of(spec) == {"12345678", "87654321"}


def test_durations_booleans_and_null_are_no_credentials() -> None:
    spec = {"token_ttl": 30, "auth_timeout": 2.5, "auth": False, "password": None}
    assert redact(spec) == spec
    assert strip_credentials(spec) == spec
    assert secrets_of(spec) == set()


def test_only_the_userinfo_of_a_url_is_replaced() -> None:
    assert redact("redis://bob:pw12@h:6379/0?db=1") == f"redis://{REDACTED}@h:6379/0?db=1"
    assert strip_credentials("redis://bob:pw12@h:6379/0") == "redis://h:6379/0"
    assert redact("http://h/path@2x.png") == "http://h/path@2x.png"


def test_an_escaped_password_in_a_url_is_found_escaped_and_unescaped() -> None:
    assert {"p%40ss", "p@ss"} <= secrets_of({"url": "redis://bob:p%40ss@h"})


def test_the_argument_is_not_changed() -> None:
    spec = {"password": SECRET, "nodes": [{"token": SECRET}], "url": f"redis://a:{SECRET}@h"}
    copy = {"password": SECRET, "nodes": [{"token": SECRET}], "url": f"redis://a:{SECRET}@h"}
    redact(spec)
    strip_credentials(spec)
    assert spec == copy


def test_specs_without_credentials_are_equal_if_only_their_credentials_differ() -> None:
    first = {"host": "h", "nodes": [{"password": "a"}], "url": "redis://u:a@h"}
    second = {"host": "h", "nodes": [{"password": "b"}], "url": "redis://u:b@h"}
    assert strip_credentials(first) == strip_credentials(second)
    assert strip_credentials({"host": "h1"}) != strip_credentials({"host": "h2"})


@pytest.mark.parametrize("secrets", [["abcd", "abcdef"], ["abcdef", "abcd"], ["cdef", "abcdef", "bcde"]])
def test_overlapping_secrets_are_replaced_completely(secrets: list[str]) -> None:
    assert scrub("x abcdef y", secrets) == f"x {REDACTED} y"


def test_a_short_secret_is_replaced_only_as_a_whole_word() -> None:
    assert scrub("pw=ab, table abc (ab)", {"ab"}) == f"pw={REDACTED}, table abc ({REDACTED})"


def test_a_longer_secret_is_replaced_inside_words() -> None:
    assert scrub("xhunter2y", {SECRET}) == f"x{REDACTED}y"


def test_a_secret_is_not_a_regular_expression_and_an_empty_one_is_ignored() -> None:
    assert scrub("a+b (.* abbb", {"a+b", "(.*", ""}) == f"{REDACTED} {REDACTED} abbb"


def test_scrub_replaces_the_userinfo_of_every_url() -> None:
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
def test_the_credential_in_json_from_the_environment_is_found(text: str) -> None:
    assert SECRET in secrets_in_text(text)


@pytest.mark.parametrize("is_quoted", [False, True])
def test_an_integer_credential_in_json_is_found(is_quoted: bool) -> None:
    override = 'adapter_json={"password":12345678,"type":"resp"}'
    assert "12345678" in secrets_in_text(quote_json_override(override) if is_quoted else override)


def test_a_quoted_secret_in_json_is_found_without_its_escapes() -> None:
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
def test_an_override_without_a_credential_is_not_changed(override: str) -> None:
    assert redact_override(override) == override


def test_the_command_line_is_not_changed_without_a_secret_in_it() -> None:
    before = Path("/proc/self/cmdline").read_bytes()
    hide_from_process_list(set())
    hide_from_process_list({"a secret that is not in the command line", ""})
    assert Path("/proc/self/cmdline").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('adapter_json={"password": "gr\\u00fcn-hunter2"}', "grün-hunter2"),
        ("adapter={password:a b hunter2,port:1}", "a b hunter2"),
        ('{"password": "one\\ntwo"}', "one\ntwo"),
    ],
)
def test_an_escaped_or_unquoted_secret_is_found_in_full(text: str, secret: str) -> None:
    assert secret in secrets_in_text(text)


def test_a_field_that_names_an_environment_variable_is_no_credential() -> None:
    spec = {"token_env": "HF_TOKEN", "token": SECRET}
    assert redact(spec) == {"token_env": "HF_TOKEN", "token": REDACTED}
    assert strip_credentials(spec) == {"token_env": "HF_TOKEN"}
    assert secrets_of(spec) == {SECRET}


def test_values_are_scrubbed_at_any_depth_and_other_types_are_kept() -> None:
    value = {
        "overrides": [f"adapter.password={SECRET}", 8],
        "nested": {"url": f"redis://a:{SECRET}@h"},
        "on": True,
    }
    assert map_texts(value, lambda text: scrub(text, {SECRET})) == {
        "overrides": [f"adapter.password={REDACTED}", 8],
        "nested": {"url": f"redis://{REDACTED}@h"},
        "on": True,
    }


@pytest.mark.parametrize("content", ["", "1 (python) S 1 2", f"1 (python) S {'0 ' * 60}"])
def test_the_command_line_is_not_changed_if_the_kernel_does_not_tell_where_it_is(
    content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path("/proc/self/cmdline").read_bytes()
    monkeypatch.setattr(Path, "read_text", lambda path: content)
    hide_from_process_list({before.partition(b"\0")[0].decode()})
    assert Path("/proc/self/cmdline").read_bytes() == before
