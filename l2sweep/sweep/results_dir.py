"""The folder of the results: whether it can be written, and the configuration saved in it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from l2sweep.config import SweepConfig
from l2sweep.credentials import redact, scrub_values
from l2sweep.errors import RequestError


def require_writable(results_dir: str) -> None:
    """See that records can be written, and leave nothing behind.

    Raises:
        RequestError: They cannot.
    """
    folder = Path(results_dir)
    while not os.path.lexists(folder) and folder != folder.parent:  # a link to nowhere is in the way
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise RequestError(
            [f"results_dir={results_dir}: must be a folder that can be written ({folder}: {reason})"]
        ) from error


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
