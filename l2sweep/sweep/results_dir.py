"""The folder of the results: whether it can be written, and the configuration saved in it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from l2sweep.config.options import shown
from l2sweep.config.point import SweepConfig
from l2sweep.credentials import redact, scrub_values
from l2sweep.errors import RequestError
from l2sweep.records.files import POINTS, ROUNDS, files_of_sweep

_SUBFOLDERS = (ROUNDS, POINTS, "sweeps")


def require_writable(results_dir: str) -> None:
    """See that records and logs can be written, and leave nothing behind.

    Raises:
        RequestError: They cannot.
    """
    for folder in (Path(results_dir), *(Path(results_dir) / name for name in _SUBFOLDERS)):
        while not os.path.lexists(folder) and folder != folder.parent:  # a link to nowhere is in the way
            folder = folder.parent
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            reason = f"{folder}: {error.strerror or error}"
            problem = f"results_dir={shown(results_dir)}: must be a folder that can be written ({reason})"
            raise RequestError([problem]) from error


def require_new_sweep(sweep: SweepConfig) -> None:
    """See that no earlier sweep's records would be replaced.

    Raises:
        RequestError: There are records under this id.
    """
    results_dir = Path(sweep.results_dir)
    records = [files_of_sweep(results_dir, data_set, sweep.sweep_id) for data_set in (ROUNDS, POINTS)]
    if sweep_folder(sweep).exists() or any(records):
        raise RequestError(
            [f"sweep_id={sweep.sweep_id}: must be new, and there are records of it in {sweep.results_dir}"]
        )


def sweep_folder(sweep: SweepConfig) -> Path:
    """Return the folder of a sweep's logs and configuration."""
    return Path(sweep.results_dir) / "sweeps" / sweep.sweep_id


def save_configuration(folder: Path, files: Mapping[str, Any], secrets: Collection[str]) -> None:
    """Save what Hydra would have saved, without credentials.

    Args:
        folder: Where the files go; it is made.
        files: From a file's name to plain containers.
        secrets: Texts that must not get into them, whatever the name of the field that holds them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(
            OmegaConf.to_yaml(OmegaConf.create(scrub_values(redact(content), secrets)))
        )


def remove_empty_scratch(sweep: SweepConfig) -> None:
    """Remove the scratch folder unless something was kept in it."""
    with contextlib.suppress(OSError):
        Path(sweep.scratch_dir).rmdir()
