"""References to secrets stay where credentials are replaced, and their values are found and replaced."""

from __future__ import annotations

from typing import Any

import pytest

from l2sweep.credentials import (
    REDACTED,
    differ_only_in_credentials,
    literal_fields,
    literal_secrets,
    redact,
    redact_override,
    redact_text,
    scrub,
    secrets_in_text,
    secrets_of,
    strip_credentials,
)

VALUE = "xK9-hunter2"
REFERENCE = "${secret:L2SWEEP_TEST_SECRET}"
SPECS: list[dict[str, Any]] = [
    {"password": REFERENCE},
    {"nodes": [{"token": REFERENCE}]},
    {"passwords": [REFERENCE, REFERENCE]},
    {"auth": {"user": REFERENCE, "on": True}},
    {"url": f"redis://bob:{REFERENCE}@h:6379/0"},
    {"url": f"redis://:{REFERENCE}@h:6379/0"},
    {"headers": {"Authorization": f"Bearer {REFERENCE}"}},
    {"headers": [f"Authorization: Bearer {REFERENCE}"]},
    {"headers": [["Authorization", f"Bearer {REFERENCE}"]]},
    {"headers": [{"name": "Authorization", "value": f"Bearer {REFERENCE}"}]},
    {"endpoint": f"https://h/b?token={REFERENCE}"},
    {"type": "valkey", "username": REFERENCE},
    {"dsn": f"host=h password={REFERENCE} port=5"},
    {"password": "${secret_file:/run/secrets/redis}"},
]


@pytest.fixture(autouse=True)
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variable that the references name."""
    monkeypatch.setenv("L2SWEEP_TEST_SECRET", VALUE)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_reference_stays_and_its_value_is_known(spec: dict[str, Any]) -> None:
    assert redact(spec) == spec
    assert literal_secrets(spec) == set()
    assert literal_fields(spec) == []
    assert secrets_of(spec) == ({VALUE} if REFERENCE in str(spec) else set())
    assert "secret" not in str(strip_credentials(spec))


@pytest.mark.parametrize(
    "override",
    [
        f"+adapter.password={REFERENCE}",
        f"+adapter.password='{REFERENCE}'",
        f"+adapter.password={REFERENCE},'{REFERENCE}'",
        "+adapter.password=$\\{secret\\:L2SWEEP_TEST_SECRET\\}",
        f"adapter={{type:resp,password:{REFERENCE}}}",
        f'adapter_json={{"type":"resp","password":"{REFERENCE}"}}',
        f'adapter_json=\'{{"type":"resp","password":"{REFERENCE}"}}\'',
        f"adapter.url=redis://bob:{REFERENCE}@h",
        "+adapter.password=${secret_file:${oc.env:HOME}/redis}",
    ],
)
def test_an_override_with_a_reference_is_not_changed_so_that_it_can_be_repeated(override: str) -> None:
    assert redact_override(override) == override
    assert secrets_in_text(override) == (set() if "secret_file" in override else {VALUE})


def test_a_text_beside_a_reference_is_still_a_credential() -> None:
    assert redact({"password": f"abc{REFERENCE}"}) == {"password": REDACTED}
    assert redact({"auth": {"first": "hunter2", "second": REFERENCE}}) == {
        "auth": {"first": REDACTED, "second": REFERENCE}
    }
    assert "hunter2" not in redact_override(f"adapter.password=hunter2{REFERENCE}")


def test_a_spec_with_a_reference_is_the_same_point_as_with_the_credential_itself() -> None:
    spec = {"type": "resp", "password": VALUE, "url": f"redis://u:{VALUE}@h"}
    other = {"type": "resp", "password": REFERENCE, "url": f"redis://u:{REFERENCE}@h"}
    assert strip_credentials(spec) == strip_credentials(other) == {"type": "resp", "url": "redis://h"}
    assert strip_credentials({"a": f"x-{REFERENCE}"}) == {"a": "x-"}


def test_specs_that_differ_only_in_credentials_and_references() -> None:
    written = {"type": "resp", "password": REDACTED, "url": f"redis://{REDACTED}@h"}
    given = {"type": "resp", "password": REFERENCE, "url": f"redis://u:{REFERENCE}@h"}
    assert differ_only_in_credentials(given, written)
    assert not differ_only_in_credentials({**given, "port": 1}, written)
    assert not differ_only_in_credentials({"type": "resp", "url": f"redis://u:{REFERENCE}@h"}, written)


def test_the_fields_with_a_literal_credential_are_named() -> None:
    spec = {"type": "x", "inner": {"password": "a1", "port": 1}, "url": "redis://u:p@h", "token": REFERENCE}
    assert literal_fields(spec) == ["adapter.inner.password", "adapter.url"]
    assert literal_fields({"type": "valkey", "username": "a1"}) == ["adapter.username"]


def test_a_secret_of_several_lines_is_replaced_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----"
    for line in ("loading MIIEvQIBADANBg", "kqhkiG9w0BAQEF,"):
        assert REDACTED in scrub(line, secrets_of({"private_key": key}))


def test_yaml_is_shown_without_credentials_and_with_references() -> None:
    text = f"""adapter:
  type: resp
  password: hunter2
  passwords:
  - hunter2
  - other7
  tokens:
    a: hunter2
  headers:
  - - Authorization
    - Bearer hunter2
  - name: X-Api-Key
    value: hunter2
  token: {REFERENCE}
num_keys: 32
"""
    shown = redact_text(text)
    assert "hunter2" not in shown
    assert "other7" not in shown
    assert shown.count(REDACTED) == 6
    assert f"  token: {REFERENCE}\nnum_keys: 32\n" in shown
