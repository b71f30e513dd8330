"""Root uses a results folder in which another user prepared everything that l2sweep reads or writes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import RunL2Sweep
from sample_rows import point_row
from shipped import point

from l2sweep.records.owner import Host
from l2sweep.records.writer import write_point
from l2sweep.sweep.state.journal import JournalEntry, journal_file
from l2sweep.sweep.state.manifest import Manifest
from l2sweep.sweep.state.owned_files import FileIdentity

NOBODY = 65534
FOLDERS = ("sweeps", "rounds", "points")
TINY = ("num_keys=2", "data_size_kb=64", "rounds=1")


@dataclass(frozen=True)
class Prepared:
    """A folder that another user prepared.

    Attributes:
        results: The results folder.
        precious: A folder with files that nobody may change, delete or replace.
        temporary: The folder for temporary files, with a link in place of the lock of the host.
        marker: A file that exists if anything of the other user was executed.
    """

    results: Path
    precious: Path
    temporary: Path
    marker: Path

    def prepare(self) -> None:
        """Plant everything."""
        for folder in (self.results, *(self.results / name for name in FOLDERS), self.temporary):
            folder.mkdir(parents=True)
        (self.precious / "kv").mkdir(parents=True)
        for name in ("file", "lock", "log", "row", "device"):
            (self.precious / name).write_text(f"precious {name}")
        self._plant_manifest()
        self._plant_journals()
        self._plant_links()
        self._plant_rows()
        device = self.precious / "device"
        owned = {str(device): asdict(FileIdentity.of(device))}  # type: ignore[arg-type]
        (self.results / "owned_files.json").write_text(json.dumps(owned))

    def _plant_manifest(self) -> None:
        evil = self.results.parent / "evil.sh"
        evil.write_text(f"#!/bin/sh\ntouch {self.marker}\n")
        evil.chmod(0o755)
        folder = self.results / "sweeps" / "evil"
        folder.mkdir()
        command = f"cache.command='touch {self.marker}'"
        overrides = ["adapter=fs", f"python={evil}", "cache=cold", "cache.method=command", command, *TINY]
        Manifest("evil", overrides, [], []).save(folder)
        os.utime(folder / "manifest.json", (time.time() + 1e6,) * 2)

    def _plant_journals(self) -> None:
        base = str(self.precious / "kv")
        fs = {"type": "fs", "base_path": base}
        plugin = {
            "type": "plugin",
            "module_path": "faulty_adapters",
            "class_name": "HangingStore",
            "adapter_params": {"base_path": base},
        }
        self._plant_journal(0, fs, f"{self.results.parent}/evil.sh")
        self._plant_journal(1, fs, None)
        self._plant_journal(2, plugin, None)
        self._plant_journal(3, fs, None, namespace="bench-model")
        folder = self.results / "sweeps" / "evil"
        os.mkfifo(journal_file(folder, 4, 1, "0a0a0a"), 0o644)
        journal_file(folder, 5, 1, "0a0a0a").symlink_to(self.precious / "file")

    def _plant_journal(
        self, index: int, spec: dict[str, Any], python: str | None, namespace: str | None = None
    ) -> None:
        job = point(adapter=spec, num_keys=2, data_size_kb=64, namespace=namespace).job(
            f"evil-{index}-1-0a0a0a"
        )
        file = journal_file(self.results / "sweeps" / "evil", index, 1, "0a0a0a")
        file.write_text(JournalEntry(Host.here(), job, python).to_json())
        for end in (".data", ".tmp"):
            for key in range(2):
                name = f"{job.namespace}@{key:#010x}@0@{key.to_bytes(16, 'big').hex()}{end}"
                (self.precious / "kv" / name).write_text("precious")

    def _plant_links(self) -> None:
        (self.temporary / "l2sweep.lock").symlink_to(self.precious / "lock")
        (self.results / "sweeps" / "mine").symlink_to(self.precious)
        (self.results / "sweeps" / "nowhere").symlink_to(self.precious / "new")
        (self.results / "sweeps" / "night-1").symlink_to(self.precious)
        here = Host.here()
        system = f"{here.name.replace('.', '_')}-{here.machine_id[:8]}.{here.boot_id[:8]}"
        for folder in ("rounds", "points"):
            name = f".root-1.00000.1.{system}.tmp"  # without a random part
            (self.results / folder / name).symlink_to(self.precious / "row")

    def _plant_rows(self) -> None:
        for number, sweep_id in enumerate(["../../precious", "night-1", "night-2", "night-3"]):
            started_at = datetime(2026, 11, 1 + number, tzinfo=UTC)
            row = {
                "sweep_id": sweep_id,
                "sweep_name": "default",
                "started_at": started_at,
                "status": "failed",
            }
            name = sweep_id if number else "night"
            write_point(self.results, f"{name}.{number:05d}.1", [], [point_row(**row)])

    def give_away(self, kept: set[Path]) -> None:
        """Let another user own everything except some folders, which every user can write to."""
        for path in (self.results, *self.results.rglob("*"), *self.temporary.rglob("*")):
            if path not in kept:
                os.lchown(path, NOBODY, NOBODY)
        for path in (self.results, self.temporary, *(self.results / name for name in FOLDERS)):
            path.chmod(0o1777)

    def content(self) -> dict[str, object]:
        """Return what must stay: each path with its kind, owner, mode and content."""
        found: dict[str, object] = {}
        for top in (self.precious, self.results / "sweeps", self.results / "points"):
            for path in top.rglob("[!.]*"):  # links with temporary names may be removed themselves
                status = path.lstat()
                text = str(path.readlink()) if path.is_symlink() else ""
                if stat.S_ISREG(status.st_mode):
                    text = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path)] = (status.st_mode, status.st_uid, status.st_ino, text)
        return found


@pytest.fixture
def prepared(tmp_path: Path, root: None) -> Prepared:
    prepared = Prepared(
        tmp_path / "results", tmp_path / "precious", tmp_path / "shared" / "tmp", tmp_path / "executed"
    )
    prepared.prepare()
    return prepared


@pytest.mark.parametrize(
    "owns_folders", [True, False], ids=["nobody owns the folders", "root owns the folders"]
)
def test_nothing_of_another_user_is_executed_followed_or_deleted(
    run_l2sweep: RunL2Sweep, prepared: Prepared, owns_folders: bool
) -> None:
    folders = {prepared.results, *(prepared.results / name for name in FOLDERS)}
    prepared.give_away(kept=set() if owns_folders else folders)
    before = prepared.content()
    device = f'adapter_json={{"type": "raw_block", "device_path": "{prepared.precious}/device"}}'
    commands = {
        ("adapter=mock", *TINY, "sweep_id=root-1"): 2 if owns_folders else 0,
        ("adapter=mock", *TINY, "sweep_id=mine"): 2,
        ("adapter=mock", *TINY, "sweep_id=nowhere"): 2,
        ("resume=latest",): 2 if owns_folders else 0,  # root's own sweep
        ("-m", "resume=latest"): 2 if owns_folders else 0,
        ("-m", "resume=evil"): 2,
        (device, *TINY): 2,
        ("status",): 0,
        ("night", "--sweep-id=night-3", "--keep-nights=2"): 1,  # its point failed
        ("clean",): 2 if owns_folders else 0,
    }
    output = ""
    for command, exit_code in commands.items():
        run = run_l2sweep(*command)
        output += run.out + run.err
        assert run.exit_code == exit_code, (command, run.out, run.err)
        assert "internal error" not in run.err
        if exit_code == 2:
            assert len(run.err.splitlines()) == 1
        now = prepared.content()
        assert {path: now.get(path) for path in before} == before, command
        assert not prepared.marker.exists(), command
    assert not [path for path in now if path.startswith(str(prepared.precious)) and path not in before]
    folder = "results" if owns_folders else "results/sweeps/evil"
    reason = f"its folder {folder}: it belongs to user {NOBODY}"
    names = [path.name for path in (prepared.results / "sweeps" / "evil").iterdir()]
    assert len(names) == 7
    for name in names:
        assert f"results/sweeps/evil/{name} is ignored: {reason}" in output
    assert "points/date=2026-11-01/night/night.00000.1.parquet" in output  # its row names ../../precious


def test_a_planted_lock_of_the_host_is_neither_followed_nor_removed(
    run_l2sweep: RunL2Sweep, prepared: Prepared
) -> None:
    prepared.give_away(kept={prepared.results, *(prepared.results / name for name in FOLDERS)})
    before = prepared.content()
    run = run_l2sweep("adapter=mock", *TINY, TMPDIR=str(prepared.temporary))
    assert run.exit_code == 2, run.out + run.err
    assert "l2sweep.lock cannot be locked: it is a symbolic link" in run.err
    assert prepared.content() == before
    assert (prepared.temporary / "l2sweep.lock").is_symlink()
