"""The journal of a running point: written and locked before the point stores keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from conftest import ROOT
from fake_process import JOB

from l2sweep.records.owner import Host, is_held
from l2sweep.sweep.state import journal as journal_module
from l2sweep.sweep.state.journal import Journal, JournalEntry, journal_file

HERE = Host("bench-1", "1" * 32, "b" * 8)
VERSION_2 = ROOT / "tests" / "data" / "results_v2" / "sweeps" / "v2-killed" / "running-00002.1.4d8531.json"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return journal_file(tmp_path / "sweeps" / "mine", 7, 2, "0a")


@pytest.fixture
def journal(file: Path) -> Iterator[Journal]:
    journal = Journal(file, JOB, "/venvs/a/bin/python")
    yield journal
    journal.end(keys_remain=False)


def test_a_journal_is_named_by_point_attempt_and_token(file: Path) -> None:
    assert file.name == "running-00007.2.0a.json"


def test_a_journal_contains_the_job_without_credentials(journal: Journal, file: Path) -> None:
    journal.begin()
    assert "hunter2" not in file.read_text()
    entry = JournalEntry.from_json(file.read_text())
    assert entry.job == replace(JOB, adapter_spec={"type": "mock", "password": "***"})
    assert entry.host == Host.here()
    assert entry.python == "/venvs/a/bin/python"


def test_a_journal_is_locked_until_it_ends(journal: Journal, file: Path) -> None:
    journal.begin()
    assert is_held(file)
    journal.end(keys_remain=True)
    assert file.exists()
    assert not is_held(file)


def test_a_journal_is_deleted_if_no_keys_remain(journal: Journal, file: Path) -> None:
    journal.begin()
    journal.end(keys_remain=False)
    assert list(file.parent.iterdir()) == []


def test_a_point_whose_server_goes_with_the_run_has_no_journal(file: Path) -> None:
    journal = Journal(file, JOB, None, is_served=True)
    journal.begin()
    assert not file.parent.exists()
    journal.end(keys_remain=True)


def test_a_point_that_keeps_its_data_has_a_journal_until_it_ends(file: Path) -> None:
    kept = replace(JOB, delete_after=False, fresh_namespace=True, phases=("store", "load"))
    journal = Journal(file, kept, None)
    journal.begin()
    assert JournalEntry.from_json(file.read_text()).is_kept
    journal.end(keys_remain=True)
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("changes", [{"fresh_namespace": False}, {"phases": ("load",)}])
def test_a_point_whose_keys_belong_to_no_run_has_no_journal(file: Path, changes: dict[str, Any]) -> None:
    kept = replace(JOB, delete_after=False, fresh_namespace=True, phases=("store", "load"))
    journal = Journal(file, replace(kept, **changes), None)
    journal.begin()
    journal.end(keys_remain=True)
    assert not file.parent.exists()


def test_a_journal_that_did_not_begin_ends_without_effect(journal: Journal, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text("of another run")
    journal.end(keys_remain=False)
    assert file.read_text() == "of another run"


def test_two_runs_of_the_same_attempt_have_separate_journals(journal: Journal, file: Path) -> None:
    journal.begin()
    other_file = journal_file(file.parent, 7, 2, "0b")
    other = Journal(other_file, JOB, None)
    other.begin()
    other.end(keys_remain=False)
    assert file.exists()
    assert not other_file.exists()


def test_a_full_disk_is_reported_by_begin_and_not_again_by_end(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_full(path: Path) -> BinaryIO:
        return open("/dev/full", "wb")  # noqa: PTH123

    monkeypatch.setattr(journal_module, "open_held", open_full)
    with pytest.raises(OSError, match="No space left on device"):
        journal.begin()
    journal.end(keys_remain=False)


def test_an_entry_is_written_under_todays_names() -> None:
    content = json.loads(JournalEntry(HERE, JOB, None).to_json())
    assert set(content) == {"host", "python", "job"}
    assert JournalEntry.from_json(json.dumps(content)).host == HERE


def test_an_entry_of_schema_version_2_is_read() -> None:
    entry = JournalEntry.from_json(VERSION_2.read_text())
    assert entry.host.name == "bench-1"
    assert entry.job.namespace == "l2sweep-15f19f25e78030ea-v2-killed-2-1-4d8531"
    assert entry.job.workload.num_keys == 256
    assert entry.job.delete_after


def test_an_entry_between_the_two_formats_is_read() -> None:
    content = json.loads(JournalEntry(HERE, JOB, None).to_json())
    content["request"] = content.pop("job")
    assert JournalEntry.from_json(json.dumps(content)).job.workload == JOB.workload


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "3", "null", '{"pid": 1, "started": "5"}', '{"job": {}}', "[" * 100_000, "\0"],
)
def test_another_text_is_not_an_entry(text: str) -> None:
    with pytest.raises(ValueError):
        JournalEntry.from_json(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [("namespace", 3), ("adapter_spec", "text"), ("workload", []), ("phases", [1]), ("delete_after", "no")],
)
def test_a_field_of_another_type_is_not_accepted(field: str, value: object) -> None:
    content = json.loads(JournalEntry(HERE, JOB, None).to_json())
    content["job"][field] = value
    with pytest.raises(ValueError):
        JournalEntry.from_json(json.dumps(content))
