"""hydra/launcher=ray: the rows are those without Ray, nothing of it is in a measured process; its faults."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from conftest import RunL2Sweep, l2sweep_environment, require, start_l2sweep, wait_for
from ray_nodes import RayNodes, ray_nodes

import l2sweep
from l2sweep.bench.adapter.lmcache_log import quiet_environment

pytestmark = pytest.mark.long
TINY = ("adapter=fs", "num_keys=8", "data_size_kb=64", "skip_verify=false", "lookup_max_hit_rate=1")
ON_RAY = "hydra/launcher=ray"
MARK = "L2SWEEP_TEST_MARK"
CONTROL = ("adapter=control", "adapter.adapter_params.service_ms=50", "num_keys=4", "data_size_kb=4")
START_S = 300  # Ray has many processes
A_LONG_POINT = (*CONTROL, "rounds=2000")


@pytest.fixture(autouse=True)
def _ray() -> None:
    require(find_spec("ray"), "ray is not installed: pip install 'l2sweep[ray]'")


@pytest.fixture
def mark() -> Iterator[str]:
    """Return a text for the environment of a command, by which every process that it starts is found."""
    text = secrets.token_hex(8)
    yield text
    for pid in marked(text):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def nodes() -> Iterator[Callable[[int], RayNodes]]:
    """Start a Ray with so many nodes on this machine, and connect the commands of the test to it."""
    folder = Path(tempfile.mkdtemp(prefix="l2r-", dir="/tmp"))  # a socket has a short path
    with contextlib.ExitStack() as held:
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        yield lambda count: held.enter_context(ray_nodes(folder, count))


def marked(text: str) -> list[int]:
    """Return the processes with a mark in the environment with which they were started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={text}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def environment(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return dict(pair.partition("=")[::2] for pair in pairs if "=" in pair)


def shape(rows: pd.DataFrame) -> dict[str, str]:
    return {name: str(kind) for name, kind in rows.dtypes.items()}


def has_log(started: subprocess.Popen[str], folder: Path, point: str) -> int | None:
    """Whether a point has a log, so that it runs; fail if the command has ended."""
    if started.poll() is not None:
        pytest.fail("it has ended: " + "".join(started.communicate()))
    return 1 if list(folder.glob(f"results/sweeps/*/{point}*.log")) else None


def ray_folder(text: str) -> Path:
    """Return the folder of the local Ray that a marked command has started."""
    (raylet,) = [pid for pid in marked(text) if "/raylet/raylet " in command(pid)]
    (folder,) = {part.partition("=")[2] for part in command(raylet).split() if "--session_dir=" in part}
    return Path(folder).parent


def none_left(text: str) -> int | None:
    return None if marked(text) else 1


def test_a_local_ray_gives_the_rows_of_a_sweep_without_it(
    run_l2sweep: RunL2Sweep, run_l2sweep_process: RunL2Sweep, tmp_path: Path, mark: str
) -> None:
    alone, below_ray = tmp_path / "alone", tmp_path / "ray"
    alone.mkdir()
    below_ray.mkdir()
    without = run_l2sweep("-m", "clients=1,2,4", *TINY, cwd=alone)
    run = run_l2sweep_process("-m", ON_RAY, "clients=1,2,4", *TINY, cwd=below_ray, **{MARK: mark})
    assert (without.exit_code, run.exit_code) == (0, 0), run.out + run.err
    assert run.err == ""
    assert "ray" not in run.out.lower().replace(str(below_ray), "")
    for here, there in ((run.rounds, without.rounds), (run.points, without.points)):
        assert set(here["status"]) == {"ok"}
        assert list(here.columns) == list(there.columns)
        assert len(here) == len(there)
        assert sorted(here["point_id"]) == sorted(there["point_id"])
    loads = run.rounds[(run.rounds["phase"] == "load") & ~run.rounds["is_warmup"]]
    assert (loads["verified_keys"] == 8).all()
    wait_for(lambda: none_left(mark))


def test_nothing_of_ray_is_inside_a_measured_process_and_ctrl_c_ends_everything(
    tmp_path: Path, mark: str
) -> None:
    started = start_l2sweep(tmp_path, ON_RAY, *A_LONG_POINT, **{MARK: mark})
    try:
        wait_for(lambda: has_log(started, tmp_path, "point-00000"), START_S)

        def found(text: str) -> list[int]:
            return [pid for pid in marked(mark) if text in command(pid)]

        (worker,) = found(" worker --rendezvous ")
        token = environment(worker)["L2SWEEP_TOKEN"]
        assert len(token) >= 16
        for pid in (worker, *found("l2sweep.bench")):
            assert not [name for name in environment(pid) if name.startswith(("RAY_", "SPT_"))]
            added = environment(pid).keys() - environment(started.pid).keys()
            assert added <= {"L2SWEEP_TOKEN", "PYTHONUNBUFFERED", *quiet_environment("WARNING")}
            assert "/ray/" not in Path(f"/proc/{pid}/maps").read_text()
            assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, started.pid)
            score = Path(f"/proc/{started.pid}/oom_score_adj").read_text()
            assert Path(f"/proc/{pid}/oom_score_adj").read_text() == score
        assert "L2SWEEP_TOKEN" not in environment(found("l2sweep.bench")[0])
        assert not [pid for pid in marked(mark) if token in command(pid)]
        folder = ray_folder(mark)
        logs = [file for file in folder.rglob("*") if file.is_file()]
        assert logs
        assert not [file for file in logs if token.encode() in file.read_bytes()]
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=120)
    finally:
        started.kill()
    assert started.returncode == 130, out + err
    assert "ray" not in err.lower()
    wait_for(lambda: none_left(mark))
    assert not folder.exists()
    assert list(tmp_path.glob("results/points/**/*.parquet"))


def test_no_process_of_a_local_ray_outlives_a_launcher_that_is_killed(tmp_path: Path, mark: str) -> None:
    started = start_l2sweep(tmp_path, ON_RAY, *A_LONG_POINT, **{MARK: mark})
    try:
        wait_for(lambda: has_log(started, tmp_path, "point-00000"), START_S)
        folder = ray_folder(mark)
    finally:
        started.kill()
        started.communicate()
    wait_for(lambda: none_left(mark), START_S)
    assert not folder.exists()


def test_nodes_of_a_cluster_measure_points_together_and_share_the_others(
    run_l2sweep_process: RunL2Sweep, nodes: Callable[[int], RayNodes], mark: str
) -> None:
    cluster = nodes(2)
    several = {**cluster.environment, MARK: mark}
    at = f"ray_address={cluster.address}"
    refused = run_l2sweep_process(ON_RAY, at, "hosts=3", "cluster.wait_s=3", *TINY, **several)
    assert refused.exit_code == 2
    assert refused.err == f"l2sweep: hosts=3: Ray at {cluster.address} has 2 nodes\n"
    assert not refused.results_dir.exists()

    run = run_l2sweep_process(
        *("-m", ON_RAY, at, "hosts=1,2", "clients=1,2", "repeats=2", "cluster.size=2", "lock=off", *TINY),
        **several,
    )
    assert run.exit_code == 0, run.out + run.err
    rounds, points = run.rounds, run.points
    assert set(rounds["status"]) == set(points["status"]) == {"ok"}
    together = rounds[rounds["hosts"] == 2]
    assert together["host"].nunique() == 2
    assert set(together.groupby(["repeat", "clients", "phase", "round"])["client"].nunique()) <= {2, 4}
    loads = rounds[(rounds["phase"] == "load") & ~rounds["is_warmup"]]
    assert (loads["verified_keys"] == 8).all()
    apart = points[points["hosts"].fillna(1) == 1]
    assert apart["host"].nunique() == 2
    wait_for(lambda: 1 if not [pid for pid in marked(mark) if " worker --" in command(pid)] else None)


def test_a_sweep_whose_ray_is_gone_says_so_and_can_be_resumed(
    run_l2sweep_process: RunL2Sweep, tmp_path: Path, nodes: Callable[[int], RayNodes], mark: str
) -> None:
    cluster = nodes(1)
    started = start_l2sweep(
        *(tmp_path, "-m", ON_RAY, f"ray_address={cluster.address}", "rounds=1,2000,2", *CONTROL),
        **cluster.environment,
        **{MARK: mark},
    )
    try:
        wait_for(lambda: has_log(started, tmp_path, "point-00001"), START_S)
        cluster.kill(0)
        out, err = started.communicate(timeout=200)
    finally:
        started.kill()
    assert started.returncode == 1, out + err
    assert f"Ray at {cluster.address} is gone" in out + err
    points = l2sweep.load_points(tmp_path / "results").sort_values("point_index")
    assert points["status"].tolist()[0] == "ok"
    assert "ok" not in points["status"].tolist()[1:]
    wait_for(lambda: none_left(mark))
    resumed = run_l2sweep_process(
        "-m", "resume=latest", "retry_failed=false", ON_RAY, "ray_address=null", **{MARK: mark}
    )
    points = resumed.points.sort_values("point_index")
    assert points["point_index"].tolist() == [0, 1, 2], resumed.out + resumed.err
    assert points["status"].tolist()[2] == "ok"


def test_the_launcher_of_another_package_with_the_same_name_is_neither_used_nor_replaced(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "hydra_plugins" / "hydra_ray_launcher"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "ray_launcher.py").write_text(
        "from hydra.core.config_store import ConfigStore\n"
        "node = {'_target_': 'hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher', 'ray': {}}\n"
        "ConfigStore.instance().store(group='hydra/launcher', name='ray', node=node, provider='other')\n"
    )
    other = tmp_path / "application.py"
    other.write_text(
        "import hydra\nhydra.main(version_base='1.3', config_path=None)(lambda config: None)()\n"
    )
    assert "engine: ray" in shown_configuration(tmp_path, "-m", "l2sweep")
    assert "hydra_plugins.hydra_ray_launcher." in shown_configuration(tmp_path, str(other))


def shown_configuration(folder: Path, *program: str) -> str:
    given = l2sweep_environment(folder)
    done = subprocess.run(
        [sys.executable, *program, "--cfg", "hydra", ON_RAY],
        env={**given, "PYTHONPATH": f"{folder}:{given['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return done.stdout
