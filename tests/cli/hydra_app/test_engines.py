"""hydra/launcher=ray: which requests are refused, before any process of Ray is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.cli.application import main


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["ray_address=auto"], "ray_address=auto: needs hydra/launcher=ray"),
        (
            ["hydra/launcher=ray", "ray_address=ray://head:10001"],
            "ray_address=ray://head:10001: must be auto, HOST:PORT, or null",
        ),
        (
            ["hydra/launcher=ray", "service=redis"],
            "service=redis: must be none with hydra/launcher=ray: it serves one host",
        ),
        (["hydra/launcher=ray", "fleet=true"], "fleet=true: needs cluster.size, the number of hosts"),
        (
            ["hydra/launcher=ray", "hosts=3", "cluster.size=2"],
            "hosts=3: must be at most cluster.size=2",
        ),
        (["hydra/launcher=basic"], "hydra/launcher=basic: must be l2sweep or ray"),
        (
            ["hydra.launcher.engine=slurm"],
            "hydra.launcher.engine=slurm: must be local or ray; hydra/launcher chooses it",
        ),
    ],
)
def test_a_request_that_ray_cannot_run_is_refused(
    arguments: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dry_run=true", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"l2sweep: {problem}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.1:6379", "[fd00::1]:6379"])
def test_the_plan_of_a_sweep_on_ray_is_shown_without_ray(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = ["hydra/launcher=ray", f"ray_address='{address}'", "hosts=1,2"]
    assert main(["-m", "dry_run=true", "adapter=mock", *chosen]) == 0
    assert capsys.readouterr().err == ""
