"""The table of adapter types: complete, and in agreement with what hides credentials."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from conftest import ROOT

from l2sweep import credentials
from l2sweep.analysis.control import CONTROL
from l2sweep.bench.job import FIO
from l2sweep.config.adapter.kinds import ADAPTER_KINDS, INDEX

OF_LMCACHE = set(ADAPTER_KINDS) - {CONTROL, FIO}


def registered_types() -> set[str]:
    """Return the adapter types of the installed LMCache, which is read and not imported."""
    spec = importlib.util.find_spec("lmcache")
    assert spec is not None
    (package,) = spec.submodule_search_locations or []
    files = (Path(package) / "v1" / "distributed" / "l2_adapters").glob("*_l2_adapter.py")
    pattern = re.compile(r"^register_l2_adapter_type\(\s*\"([\w-]+)\"", re.MULTILINE)
    return {name for file in files for name in pattern.findall(file.read_text())}


def test_each_type_that_lmcache_registers_is_known() -> None:
    assert registered_types() == OF_LMCACHE
    assert len(OF_LMCACHE) == 21


@pytest.mark.parametrize("name", sorted(OF_LMCACHE))
def test_each_type_has_a_file_in_conf(name: str) -> None:
    text = (ROOT / "conf" / "adapter" / f"{name.replace('-', '_')}.yaml").read_text()
    assert text.startswith("# ")
    assert f"\ntype: {name}\n" in text


@pytest.mark.parametrize("name", sorted(ADAPTER_KINDS))
def test_the_secret_fields_of_a_type_are_redacted_by_their_names(name: str) -> None:
    for field in ADAPTER_KINDS[name].secret_fields:
        shown = credentials.redact({"type": name, field: "hunter2"})
        assert "hunter2" not in str(shown), field


@pytest.mark.parametrize("name", sorted(ADAPTER_KINDS))
def test_the_facts_of_a_type_do_not_contradict_each_other(name: str) -> None:
    kind = ADAPTER_KINDS[name]
    assert not kind.has_page_cache or kind.is_local
    assert kind.place == "memory" or not kind.keeps_data_in_process
    assert kind.lookup_answered_by != INDEX or kind.is_local
    assert kind.reconnects is None or not kind.is_local
    assert ("lookup" in kind.phases) or kind.lookup_answered_by is None
    assert not kind.is_destructive or kind.place == "device"
