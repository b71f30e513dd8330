"""A wheel, built and installed by pip, works from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import l2sweep


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel of the project, without its dependencies, into a new folder."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
    # In another folder: the build writes nothing into the source tree.
    subprocess.run([*command, str(ROOT)], check=True, timeout=300, cwd=target)
    return target


def run_installed(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "L2_ADAPTER_JSON"}
    environment["PYTHONPATH"] = str(installed)
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_wheel_ships_configuration_plugins_and_types(installed: Path) -> None:
    for name in (
        "l2sweep/conf/config.yaml",
        "l2sweep/conf/adapter/fs.yaml",
        "l2sweep/conf/experiment/smoke.yaml",
        "l2sweep/py.typed",
        "l2sweep/analysis/report/page/report.html.j2",
        "l2sweep/analysis/report/page/report.css",
        "l2sweep/analysis/report/page/report.js",
        "hydra_plugins/l2sweep_hydra/launcher.py",
    ):
        assert (installed / name).is_file(), name
    assert not (
        installed / "hydra_plugins" / "__init__.py"
    ).exists()  # a namespace package: plugins of other projects are there, too


def test_an_installed_l2sweep_runs_a_sweep_in_any_folder(installed: Path, tmp_path: Path) -> None:
    done = run_installed(installed, tmp_path, "-m", "l2sweep", "-m", "adapter=mock", "num_keys=2,4")
    assert done.returncode == 0, done.stderr
    where = run_installed(installed, tmp_path, "-c", "import l2sweep; print(l2sweep.__file__)")
    assert where.stdout.startswith(str(installed))
    assert l2sweep.load_points(tmp_path / "results")["status"].tolist() == ["ok", "ok"]


def test_the_console_script_is_the_same_command(installed: Path, tmp_path: Path) -> None:
    script = installed / "bin" / "l2sweep"
    done = run_installed(installed, tmp_path, str(script), "--version")
    assert done.stdout == f"l2sweep {l2sweep.__version__}\n"
    assert run_installed(installed, tmp_path, str(script), "num_keys=0").returncode == 2
