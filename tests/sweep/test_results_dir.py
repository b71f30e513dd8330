"""The folder of the results is looked at before anything runs, and what is saved there has no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from test_config import configuration

from l2sweep.config.point import SweepConfig, read_sweep
from l2sweep.credentials import secrets_of
from l2sweep.errors import RequestError
from l2sweep.sweep.results_dir import (
    remove_empty_scratch,
    require_writable,
    save_configuration,
    sweep_folder,
)


def read(file: Path) -> Any:
    """Return what OmegaConf finds in a file, interpolations as they are written."""
    return OmegaConf.to_container(OmegaConf.load(file))


def sweep(tmp_path: Path) -> SweepConfig:
    return read_sweep(
        configuration(results_dir=str(tmp_path), sweep_id="a-1", scratch_dir=str(tmp_path / "scratch"))
    )


@pytest.mark.parametrize("below", [".", "not/yet", "not/../yet"])
def test_a_folder_that_can_be_written_is_accepted_and_left_as_it_is(tmp_path: Path, below: str) -> None:
    require_writable(str(tmp_path / below))
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_is_looked_for_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    require_writable("results")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("results_dir", ["/proc/results", "/sys/results", "/dev/null", "/dev/null/results"])
def test_a_folder_that_cannot_be_written_is_refused_by_name(results_dir: str) -> None:
    with pytest.raises(RequestError, match=f"results_dir={results_dir}: must be") as refused:
        require_writable(results_dir)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("below", ["file", "file/results"])
def test_a_file_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RequestError, match="results_dir="):
        require_writable(str(tmp_path / below))
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("below", ["link", "link/results"])
def test_a_link_to_nowhere_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "unmounted")
    with pytest.raises(RequestError, match="results_dir="):
        require_writable(str(tmp_path / below))


def test_a_sweeps_folder_carries_its_id(tmp_path: Path) -> None:
    assert sweep_folder(sweep(tmp_path)) == tmp_path / "sweeps" / "a-1"


def test_what_is_saved_is_the_configuration(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "config.yaml": {
            "num_keys": 8,
            "adapter": {"base_path": "${scratch_dir}", "host": "???"},
            "only": None,
        },
        "overrides.yaml": ["num_keys=8,32", "+adapter.x=1"],
    }
    save_configuration(tmp_path / "sweeps" / "a", files, set())
    assert {path.name for path in (tmp_path / "sweeps" / "a").iterdir()} == set(files)
    for name, content in files.items():
        assert read(tmp_path / "sweeps" / "a" / name) == content


SECRETS = [
    "hunter2",
    "correct horse battery staple, and on and on, for far more than the eighty columns of a line of YAML",
    "it's a 'secret'",
    'say "secret"',
    "back\\slash",
    "line\nbreak",
    "tab\tstop",
    "grün-geheim",
    "secret: yes # no",
    "null",
    "12345678",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_saved_however_yaml_would_write_it(tmp_path: Path, secret: str) -> None:
    adapter = {"type": "resp", "nodes": [{"password": secret}]}
    content = {
        "adapter": adapter,
        "hydra": {
            "overrides": {"task": [f"x={secret}", secret]},
            "description": f"<{secret}> twice {secret}",
        },
    }
    save_configuration(tmp_path, {"config.yaml": content}, secrets_of(adapter))
    assert read(tmp_path / "config.yaml") == {
        "adapter": {"type": "resp", "nodes": [{"password": "***"}]},
        "hydra": {"overrides": {"task": ["x=***", "***"]}, "description": "<***> twice ***"},
    }


def test_a_credentials_field_is_hidden_although_nobody_told_its_secret(tmp_path: Path) -> None:
    save_configuration(tmp_path, {"config.yaml": {"adapter": {"password": "hunter2", "host": "h"}}}, set())
    assert read(tmp_path / "config.yaml") == {"adapter": {"password": "***", "host": "h"}}


def test_a_scratch_folder_is_removed_only_when_nothing_was_kept(tmp_path: Path) -> None:
    remove_empty_scratch(sweep(tmp_path))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "kept").write_text("x")
    remove_empty_scratch(sweep(tmp_path))
    assert (scratch / "kept").read_text() == "x"
    (scratch / "kept").unlink()
    remove_empty_scratch(sweep(tmp_path))
    assert not scratch.exists()
