"""Which spec is used, which part of it is a point's identity, and JSON in Hydra's grammar."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from l2sweep.config.adapter.spec import (
    ENVIRONMENT_VARIABLE,
    choose_spec,
    identity,
    quote_json_override,
)
from l2sweep.errors import RequestError

SCRATCH = "results/scratch"
DEFAULT = {"type": "fs", "base_path": SCRATCH}
MOCK = {"type": "mock", "max_size_gb": 4}
RESP = {"type": "resp", "host": "h"}
IN_ENVIRONMENT = {ENVIRONMENT_VARIABLE: json.dumps(RESP)}


def test_without_anything_else_the_default_group_counts() -> None:
    assert choose_spec(DEFAULT, None, [], {}, SCRATCH) == DEFAULT


def test_the_environment_counts_before_the_default_group() -> None:
    assert choose_spec(DEFAULT, None, ["num_keys=8"], IN_ENVIRONMENT, SCRATCH) == RESP


def test_an_empty_environment_variable_is_none() -> None:
    assert choose_spec(DEFAULT, None, [], {ENVIRONMENT_VARIABLE: ""}, SCRATCH) == DEFAULT


def test_adapter_json_counts_before_the_environment() -> None:
    assert choose_spec(DEFAULT, json.dumps(MOCK), [], IN_ENVIRONMENT, SCRATCH) == MOCK


@pytest.mark.parametrize(
    "override", ["adapter=mock", "adapter.max_size_gb=4", "+adapter.x=1", "++adapter.x=1", "~adapter.x"]
)
def test_a_group_from_the_command_line_counts_before_the_environment(override: str) -> None:
    assert choose_spec(MOCK, None, [override], IN_ENVIRONMENT, SCRATCH) == MOCK


def test_the_default_group_named_on_the_command_line_counts_before_the_environment() -> None:
    assert choose_spec(DEFAULT, None, ["adapter=fs"], IN_ENVIRONMENT, SCRATCH) == DEFAULT


def test_a_group_that_an_experiment_chose_counts_before_the_environment() -> None:
    assert choose_spec(MOCK, None, ["experiment=mine"], IN_ENVIRONMENT, SCRATCH) == MOCK


@pytest.mark.parametrize("override", ["adapter=mock", "adapter.base_path=/mnt", "+adapter.use_odirect=true"])
def test_adapter_json_together_with_an_adapter_override_is_refused(override: str) -> None:
    with pytest.raises(RequestError) as refused:
        choose_spec(DEFAULT, json.dumps(MOCK), ["num_keys=8", override], {}, SCRATCH)
    assert "adapter_json" in str(refused.value)
    assert override.lstrip("+").partition("=")[0] in str(refused.value)


def test_a_field_of_a_group_that_is_null_is_left_out() -> None:
    spec = choose_spec({**MOCK, "num_workers": None}, None, ["++adapter.num_workers=null"], {}, SCRATCH)
    assert spec == MOCK


def test_adapter_json_may_be_a_mapping_of_a_file() -> None:
    assert choose_spec(DEFAULT, MOCK, ["adapter_json=x"], {}, SCRATCH) == MOCK


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ('{"type":', "adapter_json"),
        ("[1]", "adapter_json"),
        ('"fs"', "adapter_json"),
        ("null", "adapter_json"),
        ("{}", "adapter_json.type"),
        ('{"type": ""}', "adapter_json.type"),
        ('{"type": 7}', "adapter_json.type"),
    ],
)
def test_a_spec_that_cannot_be_used_is_refused_by_its_options_name(spec: str, named: str) -> None:
    with pytest.raises(RequestError, match=named.replace(".", r"\.")):
        choose_spec(DEFAULT, spec, [], {}, SCRATCH)


def test_a_broken_environment_variable_is_named() -> None:
    with pytest.raises(RequestError, match=ENVIRONMENT_VARIABLE):
        choose_spec(DEFAULT, None, [], {ENVIRONMENT_VARIABLE: "{type: fs}"}, SCRATCH)


def test_the_identity_has_no_credential_and_no_credentials_name() -> None:
    spec = {"type": "resp", "password": "hunter2", "nodes": [{"token": "x"}], "url": "redis://u:p@h"}
    assert identity(spec, SCRATCH) == {"type": "resp", "nodes": [{}], "url": "redis://h"}


@pytest.mark.parametrize("below", ["", "/a/b"])
def test_the_identity_does_not_say_where_the_scratch_folder_is(below: str) -> None:
    def spec(scratch_dir: str) -> dict[str, Any]:
        path = scratch_dir + below
        return {"type": "x", "base_path": path, "inner": {"base_path": path}, "dirs": [path]}

    here, there = identity(spec("results/scratch"), "results/scratch"), identity(spec("/tmp/s"), "/tmp/s")
    assert here == there
    assert "results" not in str(here)


@pytest.mark.parametrize("other", ["/mnt/b", SCRATCH + "2", f"{SCRATCH}/a", f"/mnt/{SCRATCH}"])
def test_the_identity_tells_two_disks_apart(other: str) -> None:
    first = identity(DEFAULT, SCRATCH)
    assert identity({**DEFAULT, "base_path": other}, SCRATCH) != first
    assert identity({**DEFAULT, "base_path": "/mnt/a"}, SCRATCH) != identity(
        {**DEFAULT, "base_path": other}, SCRATCH
    )


def test_a_folder_whose_name_only_begins_like_the_scratch_folders_is_another() -> None:
    spec = {"type": "fs", "base_path": f"{SCRATCH}-2/kv"}
    assert identity(spec, SCRATCH) == spec


ONE_TEXT = [
    '{"type":"fs","base_path":"/mnt/nvme/kv"}',
    ' {"type": "fs", "n": [1, {"a": null}]} ',
    '{"type":\n "fs"}',
    '{"type":"fs","base_path":"it\'s"}',
    '{"type":"fs","base_path":"\'"}',
    r'{"type":"fs","base_path":"c:\\kv\\"}',
    r'{"type":"fs","base_path":"say \"hi\""}',
    r'{"type":"fs","base_path":"a\\' + "'" + 'b"}',
    '{"type":"fs","base_path":"a=b,c:d (e) [f]"}',
    "",
    '{"type":',
    '{"type\\',
    "{type: fs}",
    "x,y",
    '{"type":"fs"},{"type"',
    '{"type":"fs"}{"type":"mock"}',
]


@pytest.mark.parametrize("text", ONE_TEXT)
def test_a_text_passes_through_hydra_as_it_is(text: str) -> None:
    assert as_hydra_reads(f"adapter_json={text}") == [text]


@pytest.mark.parametrize(
    "texts",
    [
        ['{"type":"fs"}', '{"type":"mock"}'],
        ['{"type":"fs","base_path":"it\'s, a"}', '{"type":"fs","base_path":"/b"}', '{"type":"mock"}'],
    ],
)
@pytest.mark.parametrize("separator", [",", ", "])
def test_several_json_texts_are_a_sweep_over_them(texts: list[str], separator: str) -> None:
    assert as_hydra_reads(f"adapter_json={separator.join(texts)}") == texts


@pytest.mark.parametrize(
    "argument",
    [
        "num_keys=8,32",
        "adapter=fs",
        'other_json={"a":1}',
        'adapter_json.x={"a":1}',
        "adapter_json",
        "adapter_json=null",
        'adapter_json=\'{"type":"fs"}\'',
        "--multirun",
        "~adapter_json",
    ],
)
def test_an_argument_that_needs_no_quotes_is_left_alone(argument: str) -> None:
    assert quote_json_override(argument) == argument


def test_an_added_adapter_json_is_quoted_too() -> None:
    assert quote_json_override('++adapter_json={"type":"fs"}') == '++adapter_json=\'{"type":"fs"}\''


def as_hydra_reads(argument: str) -> list[Any]:
    """Return the values that Hydra takes from an argument, one a point of the sweep."""
    parser = OverridesParser.create()
    override = parser.parse_override(quote_json_override(argument))
    assert override.key_or_group == "adapter_json"
    if not override.is_sweep_override():
        return [override.value()]
    # A sweeper writes each value as an override of its own, which is parsed again for the point.
    values = list(override.sweep_string_iterator())
    return [parser.parse_override(f"adapter_json={value}").value() for value in values]
