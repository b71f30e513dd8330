"""Names of credentials are told from names that only look like them."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import lmcache
import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from l2sweep.bench.job import Job
from l2sweep.config.reference import every_option
from l2sweep.credentials import (
    is_credential_name,
    redact,
    redact_override,
    secrets_in_text,
    strip_credentials,
)
from l2sweep.records import schema

ADAPTERS = Path(lmcache.__file__).parent / "v1" / "distributed" / "l2_adapters"
# All names in the sources of LMCache's adapters that belong to credentials. The others are fields of a spec,
# of a status, variables of the environment, and names inside the code. The two
# keys are of objects, and in no spec.
CREDENTIALS_OF_LMCACHE = {
    "LMCACHE_AEROSPIKE_PASSWORD",
    "LMCACHE_RESP_PASSWORD",
    "HF_TOKEN",
    "Key",
    "key",
    "NextContinuationToken",
    "continuation_token",
    "aws_access_key_id",
    "aws_secret_access_key",
    "credentials_path",
    "password",
    "token",
}
NO_CREDENTIALS = [
    *(
        "num_keys",
        "key_prefix",
        "key_size",
        "key_bytes",
        "pinned",
        "pinned_object_count",
        "keyspace",
        "signal",
    ),
    *("keys", "max_keys", "cache_key", "row_key", "partition_key", "object_key", "public_key", "sample_keys"),
    *("passes", "num_passes", "max_pass", "bypass", "compass", "pass_count", "passthrough", "first_pass"),
    *("pin_memory", "pinning", "spin", "pwhash", "design", "signed", "assign", "significant", "hmacs_size"),
    *(
        "signature_version",
        "cookie_size",
        "otp_length",
        "token_env",
        "password_env",
        "TOKEN_ENV_VAR",
        "jwt_ttl",
    ),
    *(
        "session",
        "session_timeout",
        "bearers",
        "keyboard",
        "monkey",
        "chunk_tokens",
        "max_tokens",
        "tokenizer",
    ),
    *("sid_count", "sidecar", "authority", "credit", "username", "userinfo", "compression_method"),
]


def names_in_lmcache() -> set[str]:
    """Return every text that could be a field's name, and every argument, in the sources of the adapters."""
    names: set[str] = set()
    for file in ADAPTERS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                names.add(node.value)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
    return names


def test_no_field_of_an_adapter_of_lmcache_is_taken_for_a_credential() -> None:
    names = names_in_lmcache()
    assert {"num_workers", "key_prefix", "enable_key_buffer", "token_env", "pinned_object_count"} <= names
    found = {name for name in names if is_credential_name(name)}
    assert found <= CREDENTIALS_OF_LMCACHE
    assert {"password", "token", "aws_secret_access_key"} <= found


def test_no_option_and_no_column_of_l2sweep_is_taken_for_a_credential() -> None:
    options = {part for option in every_option() for part in option.name.split(".")}
    columns = {*schema.ROUNDS.names, *schema.POINTS.names}
    names = options | columns | {field.name for field in fields(Job)}
    assert len(names) > 100
    assert [name for name in names if is_credential_name(name)] == []


def test_the_configuration_that_is_shipped_is_not_changed() -> None:
    for file in (ROOT / "conf").rglob("*.yaml"):
        content = OmegaConf.to_container(OmegaConf.load(file))
        assert redact(content) == content
        assert strip_credentials(content) == content


@pytest.mark.parametrize("name", NO_CREDENTIALS)
def test_a_name_that_only_looks_like_one_is_no_credential(name: str) -> None:
    assert not is_credential_name(name)
    spec = {"type": "fs", name: "plain-value", "inner": {name: 7}}
    assert redact(spec) == spec
    assert strip_credentials(spec) == spec
    override = f"+adapter.{name}=plain-value"
    assert redact_override(override) == override
    assert secrets_in_text(override) == set()


@pytest.mark.parametrize(
    "command",
    [
        "ssh -p 22 storage sync",
        "mkdir -p /mnt/kv",
        "cp -a /mnt/kv /mnt/copy",
        "redis-cli -h h -p 6379 memory purge",
        "sudo -u redis redis-cli flushall",
        'curl -u "user:$STORAGE_PASSWORD" http://h/flush',
        "curl -H 'Authorization: Bearer ${secret:TOKEN}' http://h/flush",
        "REDISCLI_AUTH=$REDIS_PASSWORD redis-cli flushall",
        "docker run -p 8080:80 --rm image",
        "ssh storage 'echo 3 > /proc/sys/vm/drop_caches'",
        "curl http://h:8080/a@b",
        "tar --exclude=key -cf kv.tar /mnt/kv",
    ],
)
def test_a_command_without_a_credential_is_not_changed(command: str) -> None:
    assert redact_override(f"cache.command={command}") == f"cache.command={command}"


@pytest.mark.parametrize(
    "value", [{"tokens": 256}, {"tokens": [1, 2]}, {"max_tokens": {"a": 1}}, {"auth": False}, {"pin": None}]
)
def test_numbers_of_tokens_booleans_and_null_are_no_credentials(value: dict[str, object]) -> None:
    assert redact(value) == value
    assert strip_credentials(value) == value
