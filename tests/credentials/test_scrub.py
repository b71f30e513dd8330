"""Property tests: whatever a spec or a text looks like, no secret remains, and nothing else changes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from l2sweep.credentials import (
    REDACTED,
    literal_fields,
    redact,
    redact_override,
    scrub,
    secrets_in_text,
    secrets_of,
    strip_credentials,
)
from l2sweep.errors import shown

FAST = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
ANY_CHARACTER = st.characters(exclude_categories=["Cs"], exclude_characters="*")
# A marker that no other strategy draws, so that it cannot be part of another value by chance.
SECRETS = st.tuples(st.text(ANY_CHARACTER, max_size=6), st.text(ANY_CHARACTER, max_size=6)).map("Zq7".join)
SECRETS = SECRETS.filter(lambda secret: len(secret.strip()) >= 4 and "${" not in secret)
# For what a person types: quotes and white space end an unquoted value.
TYPED = st.text(st.sampled_from("abzXY019_.~!^@/+-%"), max_size=8).map(lambda text: f"Zq7{text}")
PLAIN_NAMES = st.sampled_from(
    ["host", "port", "num_keys", "key_prefix", "nodes", "inner", "use_odirect", "mode"]
)
SECRET_NAMES = st.sampled_from(
    [
        "password",
        "token",
        "api_key",
        "pw",
        "jwt",
        "X-Amz-Signature",
        "session_id",
        "sshKey",
        "passwords",
        "tokens",
    ]
)
PLAIN_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.sampled_from("abcdefgh xyz._/"), max_size=12)
)


def nested(leaf: st.SearchStrategy[Any], names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(names, inside, max_size=3)),
        max_leaves=6,
    )


PLAIN_SPECS = st.dictionaries(PLAIN_NAMES, nested(PLAIN_VALUES, PLAIN_NAMES), max_size=4)
ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": json.dumps,
    "JSON in Unicode": lambda secret: json.dumps(secret, ensure_ascii=False),
    "JSON twice": lambda secret: json.dumps(json.dumps(secret)),
    "repr": repr,
    "bytes": lambda secret: repr(secret.encode()),
    "percent": lambda secret: quote(secret, safe=""),
    "percent but slashes": quote,
    "form": quote_plus,
    "lower case": lambda secret: "".join(
        quote(char, safe="").lower() if char > "z" else char for char in secret
    ),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "basic": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(f"me:{secret}:x".encode()).decode(),
    "hexadecimal": lambda secret: secret.encode().hex().upper(),
}


@FAST
@given(PLAIN_SPECS)
def test_a_spec_without_a_credential_is_not_changed(spec: dict[str, Any]) -> None:
    assert redact(spec) == spec
    assert strip_credentials(spec) == spec
    assert secrets_of(spec) == set()
    assert literal_fields(spec) == []


@FAST
@given(
    PLAIN_SPECS, SECRET_NAMES, SECRETS, st.sampled_from(["field", "list", "inside", "deep", "pair", "url"])
)
def test_no_secret_remains_in_a_spec(spec: dict[str, Any], name: str, secret: str, place: str) -> None:
    hidden: dict[str, Any] = {
        "field": {name: secret},
        "list": {name: ["first", secret]},
        "inside": {name: {"a": {"b": secret}}},
        "deep": {"other": [{"x": [{name: secret}]}]},
        "pair": {"headers": [[name, secret]]},
        "url": {"url": f"redis://user:{quote(secret, safe='')}@host:6379/0"},
    }[place]
    assume(name not in ("passwords", "tokens") or place != "pair")
    whole = {**spec, **hidden}
    for shown_spec in (redact(whole), strip_credentials(whole)):
        assert "Zq7" not in json.dumps(shown_spec)
        assert {key: shown_spec[key] for key in spec if key not in hidden} == {
            key: value for key, value in spec.items() if key not in hidden
        }
    assert redact(redact(whole)) == redact(whole)
    assert "Zq7" not in scrub(json.dumps(whole), secrets_of(whole))
    assert literal_fields(whole) != []


@FAST
@given(st.sampled_from(sorted(ENCODERS)), SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_no_known_secret_remains_in_a_text(encoder: str, secret: str, before: str, after: str) -> None:
    encoded = ENCODERS[encoder](secret)
    assume("Zq7" not in before + after)
    result = scrub(f"{before} {encoded} {after}", {secret})
    assert secret not in result
    assert encoded not in result
    assert "Zq7" not in result
    assert REDACTED in result


@FAST
@given(st.text(max_size=60), st.sets(st.text(max_size=8), max_size=3))
def test_scrubbing_never_raises_and_leaves_no_secret_of_four_characters(text: str, secrets: set[str]) -> None:
    result = scrub(text, secrets)
    for secret in secrets:
        if len(secret) >= 4 and "*" not in secret:
            assert secret not in result
    assert isinstance(redact_override(text), str)
    assert isinstance(secrets_in_text(text), set)


@FAST
@given(
    nested(st.one_of(PLAIN_VALUES, st.text(), st.floats(), st.binary()), st.one_of(SECRET_NAMES, st.text()))
)
def test_redacting_anything_never_raises(value: Any) -> None:
    redact(value)
    strip_credentials(value)
    secrets_of(value)
    literal_fields(value)


@FAST
@given(SECRET_NAMES.filter(lambda name: name != "tokens"), TYPED, st.sampled_from(range(8)))
def test_no_secret_remains_in_an_override(name: str, secret: str, form: int) -> None:
    override = [
        f"+adapter.{name}={secret}",
        f"adapter.{name}='{secret}'",
        f"adapter.{name}=first7,{secret}",
        f"adapter={{type:resp,{name}:{secret},port:1}}",
        f'adapter_json={{"type":"x","inner":{{"{name}":"{secret}"}}}}',
        f"adapter.url=https://h/b?region=eu&{name}={secret}&x=1",
        f"adapter.url=redis://user:{secret}@h:6379/0",
        f"cache.command=flush --{name}={secret} --now",
    ][form]
    assert "Zq7" not in redact_override(override)
    for found in sorted(secrets_in_text(override), key=len, reverse=True):
        override = override.replace(found, "")
    assert "Zq7" not in override


@pytest.mark.parametrize("encoder", sorted(set(ENCODERS) - {"hexadecimal"}))
@pytest.mark.parametrize("secret", ["Zq7-hunter-hunter-hunter", "Zq7" + "x9" * 200])
def test_no_secret_remains_where_a_text_is_cut_off(encoder: str, secret: str) -> None:
    encoded = ENCODERS[encoder](secret)
    for length in range(170, 197):
        result = scrub(shown("-" * length + encoded), {secret})
        left = result.rstrip(".").lstrip("-").rstrip("*")
        assert len(left) <= 11, result  # base64 of "user:" and three characters of the secret


def test_a_text_of_many_backslashes_is_scrubbed_quickly() -> None:
    assert scrub("\\" * 1000 + "a", {"\\" * 10 + "b", '\\"\\"\\"\\"'}) == "\\" * 1000 + "a"
