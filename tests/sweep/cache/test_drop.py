"""The methods that drop a page cache, and which of them is chosen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2sweep.config.cache import CacheConfig
from l2sweep.errors import BenchError
from l2sweep.sweep.cache import drop
from l2sweep.sweep.cache.drop import CacheDrop, Command, DropCaches, Fadvise, Helper, NoDrop, choose_drop


def cold(**changes: Any) -> CacheConfig:
    return CacheConfig(mode="cold", drop_before=["load"], **changes)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record syncs instead of writing all dirty pages of the machine."""
    recorded: list[str] = []
    monkeypatch.setattr(os, "sync", lambda: recorded.append("sync"))
    return recorded


@pytest.fixture(autouse=True)
def _forget_the_tested_methods() -> Iterator[None]:
    drop._strongest.cache_clear()
    yield
    drop._strongest.cache_clear()


@pytest.fixture
def kernel_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace /proc/sys/vm/drop_caches by a file."""
    file = tmp_path / "drop_caches"
    monkeypatch.setattr(drop, "_DROP_CACHES", file)
    return file


@pytest.fixture
def fake_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a sudo that writes its arguments into a file before all others, and return the file."""
    calls = tmp_path / "calls"
    sudo = tmp_path / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >>{calls}\n[ "$2" != /broken ] || {{ echo no >&2; exit 4; }}\n'
    )
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sudo.parent}:{os.environ['PATH']}")
    return calls


def test_drop_caches_syncs_and_drops_pages_and_metadata(
    monkeypatch: pytest.MonkeyPatch, events: list[str]
) -> None:
    class KernelFile:
        def write_text(self, text: str) -> None:
            events.append(f"write {text}")

    monkeypatch.setattr(drop, "_DROP_CACHES", KernelFile())
    DropCaches().drop(["/mnt/kv"], "ns")
    assert events == ["sync", "write 3"]


def test_drop_caches_is_usable_where_the_file_can_be_written(kernel_file: Path) -> None:
    kernel_file.touch()
    assert DropCaches().why_unusable() == ""
    assert kernel_file.read_text() == ""


def test_drop_caches_names_the_file_that_cannot_be_written(
    kernel_file: Path, events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drop, "_DROP_CACHES", kernel_file / "missing")
    kernel_file.touch()
    assert DropCaches().why_unusable() == f"{kernel_file}/missing: Not a directory"
    with pytest.raises(BenchError, match=r"cache\.method=drop_caches: .*missing: Not a directory"):
        DropCaches().drop([], "ns")


def test_the_helper_is_run_by_sudo_without_a_password(fake_sudo: Path) -> None:
    assert Helper("/some/helper").why_unusable() == ""
    Helper("/some/helper").drop([], "ns")
    assert fake_sudo.read_text() == "-n /some/helper\n" * 2


def test_a_helper_that_fails_is_reported_with_its_last_line(fake_sudo: Path) -> None:
    assert Helper("/broken").why_unusable() == "'/broken' ended with exit code 4: no"
    with pytest.raises(BenchError, match=r"cache\.method=helper: '/broken' ended with exit code 4: no"):
        Helper("/broken").drop([], "ns")


def test_a_helper_is_unusable_without_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Helper("/some/helper").why_unusable() == "sudo: No such file or directory"


def test_fadvise_drops_only_the_files_of_the_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ns@1.data", "ns@2.data", "other@1.data"):
        (tmp_path / name).touch()
    dropped: list[str] = []
    monkeypatch.setattr(drop, "evict", dropped.append)
    Fadvise().drop([str(tmp_path)], "ns")
    assert sorted(dropped) == [f"{tmp_path}/ns@1.data", f"{tmp_path}/ns@2.data"]


def test_fadvise_writes_real_files_and_keeps_their_content(tmp_path: Path) -> None:
    file = tmp_path / "ns@1.data"
    file.write_bytes(b"payload")
    Fadvise().drop([str(tmp_path)], "ns")
    assert file.read_bytes() == b"payload"


def test_fadvise_names_the_file_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> None:
        raise OSError(5, "Input/output error", path)

    (tmp_path / "ns@1.data").touch()
    monkeypatch.setattr(drop, "evict", fail)
    with pytest.raises(BenchError, match=r"cache\.method=fadvise: .*/ns@1\.data: Input/output error"):
        Fadvise().drop([str(tmp_path)], "ns")


def test_fadvise_needs_the_system_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Fadvise().why_unusable() == ""
    monkeypatch.delattr(os, "posix_fadvise")
    assert Fadvise().why_unusable() == "this system has no posix_fadvise"


def test_a_command_is_run_by_a_shell_after_a_sync(tmp_path: Path, events: list[str]) -> None:
    command = Command(f"echo dropped >>{tmp_path}/out", timeout_s=10)
    assert command.why_unusable() == ""
    assert events == []
    command.drop([], "ns")
    assert events == ["sync"]
    assert (tmp_path / "out").read_text() == "dropped\n" * 2


@pytest.mark.parametrize(
    ("command", "timeout_s", "problem"),
    [
        ("exit 3", 10, "'exit 3' ended with exit code 3"),
        ("echo first >&2; echo last >&2; exit 1", 10, "ended with exit code 1: last"),
        ("echo told on stdout; exit 1", 10, "ended with exit code 1: told on stdout"),
        ("exec sleep 30", 0.05, "'exec sleep 30' took more than 0.05 s"),
    ],
)
def test_a_command_that_fails_is_reported(
    events: list[str], command: str, timeout_s: float, problem: str
) -> None:
    assert problem in Command(command, timeout_s).why_unusable()
    with pytest.raises(BenchError) as raised:
        Command(command, timeout_s).drop([], "ns")
    assert str(raised.value).startswith("cache.command: ")
    assert problem in str(raised.value)


def test_no_drop_always_works_and_does_nothing(events: list[str]) -> None:
    assert NoDrop().why_unusable() == ""
    NoDrop().drop(["/mnt/kv"], "ns")
    assert events == []


@pytest.mark.parametrize(
    ("method", "kind", "drops_metadata"),
    [
        ("drop_caches", DropCaches, True),
        ("helper", Helper, True),
        ("fadvise", Fadvise, False),
        ("command", Command, False),
        ("none", NoDrop, False),
    ],
)
def test_the_option_selects_the_method(method: str, kind: type[CacheDrop], drops_metadata: bool) -> None:
    command = "true" if method == "command" else None
    for is_local in (True, False):
        chosen = choose_drop(cold(method=method, command=command), is_local=is_local)
        assert type(chosen) is kind
        assert (chosen.name, chosen.drops_metadata) == (method, drops_metadata)


def test_the_helper_and_the_command_are_those_of_the_options(fake_sudo: Path, tmp_path: Path) -> None:
    choose_drop(cold(method="helper", helper="/my/helper"), is_local=True).why_unusable()
    assert fake_sudo.read_text() == "-n /my/helper\n"
    slow = cold(method="command", command="exec sleep 30", command_timeout_s=0.05)
    assert "took more than" in choose_drop(slow, is_local=True).why_unusable()


@pytest.mark.parametrize(
    ("usable", "kind"),
    [
        ((DropCaches, Helper, Fadvise), DropCaches),
        ((Helper, Fadvise), Helper),
        ((Fadvise,), Fadvise),
        ((), NoDrop),
    ],
)
def test_auto_selects_the_strongest_method_that_works_and_tests_each_once(
    monkeypatch: pytest.MonkeyPatch, usable: tuple[type[CacheDrop], ...], kind: type[CacheDrop]
) -> None:
    tests: list[str] = []

    def why_unusable(self: CacheDrop) -> str:
        tests.append(self.name)
        return "" if isinstance(self, usable) else "not here"

    for method in (DropCaches, Helper, Fadvise):
        monkeypatch.setattr(method, "why_unusable", why_unusable)
    for _ in range(2):
        assert type(choose_drop(cold(method="auto"), is_local=True)) is kind
    assert len(tests) == len(set(tests))


def test_auto_drops_nothing_for_data_on_another_machine() -> None:
    assert type(choose_drop(cold(method="auto"), is_local=False)) is NoDrop
