"""A sweep over two releases of LMCache, and a plugin beside the configuration, as a user has them."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest
from conftest import RunL2Sweep

from l2sweep.cli.command_group import run_command
from l2sweep.config.releases import FOLDER_VARIABLE

INSTALLED = metadata.version("lmcache")
OLDER = "0.5.4" if INSTALLED != "0.5.4" else "0.5.6"
TINY = ("num_keys=2", "rounds=1", "data_size_kb=64")


def test_a_sweep_over_releases_answers_which_one_is_slower(
    run_l2sweep: RunL2Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "envs"))
    assert run_command(["envs", "add", OLDER]) == 0
    run = run_l2sweep("-m", f"release={OLDER},{INSTALLED}", "adapter=mock", *TINY)
    assert run.exit_code == 0, run.out + run.err
    assert run.points["release"].tolist() == run.points["lmcache_version"].tolist() == [OLDER, INSTALLED]
    assert run.points["isolation"].tolist() == ["spawn", "spawn"]
    assert run.points["point_id"].nunique() == 1
    stores = [line for line in run.out.splitlines() if " store " in line and line[:1] != "["]
    assert [OLDER in stores[0], INSTALLED in stores[1]] == [True, True]
    compared = run_l2sweep("compare", "latest", "--by", "release")
    assert compared.exit_code == 0, compared.err
    assert f"release against {min(OLDER, INSTALLED)}" in compared.out
    # The folder of packages is gone, as after an upgrade of Python: one line names the release.
    next((tmp_path / "envs" / OLDER).rglob("l2sweep_base.pth")).unlink()
    broken = run_l2sweep(f"release={OLDER}", "adapter=mock", *TINY)
    assert broken.exit_code == 2
    assert broken.err.startswith(
        f"l2sweep: release={OLDER}: its environment is broken (it cannot import numpy"
    )
    assert broken.err.count("\n") == 1


@pytest.mark.parametrize("python", [(), (f"python={sys.executable}",)], ids=["forked", "python="])
def test_a_plugin_beside_the_configuration_is_found_without_pythonpath(
    run_l2sweep: RunL2Sweep, tmp_path: Path, python: tuple[str, ...]
) -> None:
    conf = tmp_path / "conf"
    (conf / "adapter").mkdir(parents=True)
    (conf / "my_adapters.py").write_text(
        "from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig\n"
        "class Mine(FSL2Adapter):\n"
        "    config_class_name = 'FSL2AdapterConfig'\n"
        "    def __init__(self, config, l1_memory_desc=None):\n"
        "        super().__init__(config)\n"
    )
    (conf / "numpy.py").write_text("raise SystemExit('the wrong numpy')\n")
    (conf / "adapter" / "mine.yaml").write_text(
        "type: plugin\nmodule_path: my_adapters\nclass_name: Mine\n"
        "adapter_params: {base_path: '${scratch_dir}/mine'}\n"
    )
    run = run_l2sweep(f"--config-dir={conf}", "adapter=mine", *TINY, *python)
    assert run.exit_code == 0, run.out + run.err
    assert run.points["isolation"].tolist() == ["spawn" if python else "forkserver"]


@pytest.mark.long
def test_three_releases_measure_three_adapters_and_every_byte_is_checked(
    run_l2sweep: RunL2Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "envs"))
    releases = ("0.5.0", "0.5.3", "0.5.7rc2")
    assert run_command(["envs", "add", *releases]) == 0
    adapters = ("fs", "fs_native", "nixl_posix_static")
    run = run_l2sweep(
        *("-m", f"release={','.join(releases)}", f"adapter={','.join(adapters)}", *TINY),
        *("skip_verify=false", "l1_align_bytes=65536", "lookup_max_hit_rate=0.5"),
    )
    rounds = run.rounds[~run.rounds["is_warmup"]]
    assert (rounds["status"] == "ok").all(), run.out + run.err
    assert len(rounds) == 3 * len(releases) * len(adapters)
    loads = rounds[rounds["phase"] == "load"]
    assert (loads["verified_keys"] == loads["keys_requested"]).all()
    # delete() of fs in 0.5.0 removes nothing, and the point says so.
    failed = run.points[run.points["status"] != "ok"]
    assert failed[["lmcache_version", "adapter_type"]].values.tolist() == [["0.5.0", "fs"]]
    assert failed["keys_left"].tolist() == [4]
