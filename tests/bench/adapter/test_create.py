"""Adapters from specs: which specs are refused, and whose keys are deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faulty_fs import NeverDeleting
from lmcache.cli.commands.bench.l2_adapter_bench.data import make_object_keys
from lmcache.v1.distributed import l2_adapters
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig
from small_job import NAMESPACE, fs_spec, mock_spec, small_buffer

from l2sweep.bench.adapter import create as module
from l2sweep.bench.adapter.create import (
    can_delete,
    create,
    delete,
    import_adapter_module,
    lookup_arguments,
    object_keys,
    parse_spec,
)
from l2sweep.errors import BenchError, RequestError

OpenAdapter = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"type": "nope"}, "adapter.type: 'nope' is not an adapter type of this LMCache; known: "),
        ({"type": "a.b"}, "adapter.type: 'a.b' is not an adapter type"),
        ({"type": ""}, "adapter.type: '' is not an adapter type"),
        ({"type": "fs"}, "adapter=fs: base_path must be a non-empty string"),
        ({"type": "fs", "base_path": 7}, "adapter=fs: base_path must be a non-empty string"),
        (
            {"type": "fs", "base_path": "kv", "use_odirect": "yes"},
            "adapter=fs: use_odirect must be a boolean",
        ),
        ({"type": "mock", "max_size_gb": -1}, "adapter=mock: "),
        ({"type": "fs", "base_path": "kv", "affinity_tag": ""}, "adapter=fs: affinity_tag must be"),
        (
            {"type": "fs", "base_path": "kv", "bas_path": "x"},
            "adapter.bas_path: LMCache's fs adapter does not read this field",
        ),
        (
            {"type": "fault_inject", "inner": {"type": "nope"}},
            "adapter=fault_inject: unknown L2 adapter type 'nope'",
        ),
        (
            {"type": "fault_inject", "inner": {"type": "fs", "base_path": "kv", "speed": 1}},
            "adapter.inner.speed: LMCache's fault_inject adapter does not read this field",
        ),
    ],
    ids=str,
)
def test_a_wrong_spec_is_refused_with_the_option_and_the_reason(spec: dict[str, Any], problem: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_spec(spec)
    (sentence,) = refused.value.problems
    assert sentence.startswith(problem)
    assert "--l2-adapter" not in sentence


def test_each_field_that_lmcache_does_not_read_is_a_problem() -> None:
    with pytest.raises(RequestError) as refused:
        parse_spec({"type": "fs", "base_path": "kv", "one": 1, "two": 2})
    assert len(refused.value.problems) == 2


def test_lmcaches_configuration_object_has_the_values_of_the_spec() -> None:
    config = parse_spec({"type": "fs", "base_path": "kv", "read_ahead_size": 4096, "affinity_tag": "x"})
    assert (config.base_path, config.read_ahead_size, config.affinity_tag) == ("kv", 4096, "x")


def test_parsing_a_spec_creates_nothing(tmp_path: Path) -> None:
    parse_spec(fs_spec(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_is_created_from_its_spec(open_adapter: OpenAdapter, tmp_path: Path) -> None:
    assert type(open_adapter(fs_spec(tmp_path))).__name__ == "FSL2Adapter"
    assert type(open_adapter(mock_spec())).__name__ == "MockL2Adapter"
    assert (tmp_path / "kv").is_dir()


def test_an_adapter_that_cannot_be_created_is_an_error_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "kv").write_text("a file, and not a folder")
    with pytest.raises(BenchError, match=r"^the adapter could not be created: FileExistsError: "):
        create(parse_spec(fs_spec(tmp_path)), small_buffer())


def test_keys_are_those_of_lmcache_bench_l2() -> None:
    assert object_keys(range(5, 8), "bench-model") == make_object_keys(3, "bench-model", key_offset=5)


def test_delete_removes_the_given_keys_and_no_other(
    open_adapter: OpenAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = open_adapter(fs_spec(tmp_path))
    for key in object_keys(range(6), NAMESPACE) + object_keys([0], "other"):
        adapter._key_to_path(key).write_bytes(b"x")
    monkeypatch.setattr(module, "_KEYS_PER_DELETE", 2)
    delete(adapter, range(5), NAMESPACE)
    left = [
        adapter._key_to_path(key).name for key in [*object_keys([5], NAMESPACE), *object_keys([0], "other")]
    ]
    assert sorted(path.name for path in (tmp_path / "kv").iterdir()) == sorted(left)


def test_deleting_keys_that_are_not_stored_is_allowed(open_adapter: OpenAdapter, tmp_path: Path) -> None:
    delete(open_adapter(fs_spec(tmp_path)), range(3), NAMESPACE)
    delete(open_adapter(mock_spec()), [], NAMESPACE)


def test_an_adapter_can_delete_if_it_overrides_the_method_of_the_base_class(
    open_adapter: OpenAdapter, tmp_path: Path
) -> None:
    inner = {"type": "fault_inject", "rate": 0.0, "inner": fs_spec(tmp_path)}
    for spec in (fs_spec(tmp_path), mock_spec(), inner):
        assert can_delete(open_adapter(spec))
    never = NeverDeleting(tmp_path)
    assert not can_delete(never)
    never.close()


def test_the_inner_adapter_of_fault_inject_decides_whether_it_can_delete(
    open_adapter: OpenAdapter, tmp_path: Path
) -> None:
    adapter = open_adapter({"type": "fault_inject", "rate": 0.0, "inner": fs_spec(tmp_path)})
    adapter._inner.close()
    adapter._inner = NeverDeleting(tmp_path)
    assert not can_delete(adapter)


def test_a_lookup_gets_the_arguments_of_the_installed_release(open_adapter: OpenAdapter) -> None:
    (layouts,) = lookup_arguments(open_adapter(mock_spec()), 4096)
    assert list(layouts) == [0]
    assert [list(shape) for shape in layouts[0].shapes] == [[4096]]


def test_a_lookup_gets_the_arguments_of_earlier_releases(tmp_path: Path) -> None:
    class Release04(FSL2Adapter):
        def submit_lookup_and_lock_task(self, keys: Any) -> int:  # type: ignore[override]
            raise NotImplementedError

    class Release050(FSL2Adapter):
        def submit_lookup_and_lock_task(self, keys: Any, layout_desc: Any) -> int:
            raise NotImplementedError

    found = {}
    for kind in (Release04, Release050):
        adapter = kind(FSL2AdapterConfig(str(tmp_path / "kv")))
        found[kind] = lookup_arguments(adapter, 4096)
        adapter.close()
    assert found[Release04] == ()
    assert [list(shape) for shape in found[Release050][0].shapes] == [[4096]]


def test_a_module_that_cannot_be_imported_is_a_problem_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needy_type_l2_adapter.py").write_text("import a_missing_package")
    monkeypatch.setattr(l2_adapters, "__path__", [*l2_adapters.__path__, str(tmp_path)])
    problem = import_adapter_module("needy-type")
    assert problem == (
        "adapter.type: 'needy-type' cannot be imported here: No module named 'a_missing_package'"
    )
    assert import_adapter_module("fs") == ""
