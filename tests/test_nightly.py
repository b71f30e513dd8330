"""The nightly sweep as cron starts it: a bare environment, the lock, a real cron daemon, sudo's helper."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

import l2sweep

SCRIPTS = ROOT / "scripts"
on_a_machine_to_spare = pytest.mark.skipif(
    os.environ.get("L2SWEEP_TEST_SYSTEM") != "1",
    reason="changes the machine (cron, sudo): L2SWEEP_TEST_SYSTEM=1 allows it, as CI does",
)
SMALL = (
    "budget.disk_gb=0.05 rounds=1 repeats=1 hydra.sweeper.params.data_size_kb=4096 "
    "hydra.sweeper.params.in_flight=2"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with l2sweep checked out in it, and a night that takes seconds."""
    home = tmp_path / "home"
    (home / ".config" / "l2sweep").mkdir(parents=True)
    (home / "l2sweep").symlink_to(ROOT)
    (home / "tmp").mkdir()
    configure(home)
    return home


def configure(home: Path, options: str = SMALL, more: str = "") -> None:
    (home / ".config" / "l2sweep" / "nightly.conf").write_text(
        f"python={shlex.quote(sys.executable)}\noptions=({options})\nexport TMPDIR={home}/tmp\n{more}\n"
    )


def crontab_line() -> tuple[str, str]:
    """Return the schedule and the command of crontab.example."""
    (line,) = (
        line
        for line in (SCRIPTS / "crontab.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    *schedule, command = line.split(maxsplit=5)
    return " ".join(schedule), command


def as_cron_does(home: Path) -> list[str]:
    """Return a command that runs the line of crontab.example as cron(8) does."""
    environment = [f"HOME={home}", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "LOGNAME=root", "LANG=C"]
    return ["env", "-i", *environment, "/bin/sh", "-c", crontab_line()[1]]


def run(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(as_cron_does(home), cwd=home, capture_output=True, text=True, timeout=300)


def test_the_line_of_the_crontab_measures_a_night_and_prints_nothing(home: Path) -> None:
    assert len(crontab_line()[0].split()) == 5
    for expected_nights in (1, 2):
        done = run(home)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        log = (home / "l2sweep-nights" / "nightly.log").read_text().splitlines()
        assert len(log) == 2 * expected_nights
    assert "4 points measured, 0 failed, 0 warm" in log[-2]
    assert "fio load " in log[-2]
    assert " of the last 1 nights)" in log[-2]
    assert "mock store " in log[-2]
    assert log[-1].endswith("all is well")
    points = l2sweep.load_points(home / "l2sweep-nights")
    assert points["sweep_id"].nunique() == 2
    loads = points[points["phase"] == "load"]
    assert set(loads["adapter_type"]) == {"fs", "fs_native", "fio"}
    assert set(loads["cache_state"]) == {"cold"}
    assert points.groupby("point_id")["sweep_id"].nunique().eq(2).all()  # the same points every night


def test_a_night_that_meets_another_sweep_says_who_it_is(home: Path) -> None:
    lock = home / "tmp" / "l2sweep.lock"
    holder = {"sweep_id": "the-other-one", "pid": os.getpid(), "since": "2026-11-24T02:30:00+00:00"}
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(holder, file)
        file.flush()
        done = run(home)
        assert done.returncode == 1
        assert "another sweep runs on this host: sweep the-other-one" in done.stdout
        assert (
            "nothing was recorded: l2sweep: another sweep"
            in (home / "l2sweep-nights" / "nightly.log").read_text()
        )
        configure(home, more="lock=wait")
        waiting = subprocess.Popen(as_cron_does(home), stdout=subprocess.PIPE, text=True)
        time.sleep(4)
        assert waiting.poll() is None
        fcntl.flock(file, fcntl.LOCK_UN)
    out, _ = waiting.communicate(timeout=300)
    assert (waiting.returncode, out) == (0, "")


def test_what_is_wrong_is_printed_with_the_way_to_go_on(home: Path) -> None:
    configure(home, f"{SMALL} only=load")  # there is nothing to load
    done = run(home)
    assert done.returncode == 1
    assert "went wrong" in done.stdout
    assert "points failed" in done.stdout
    assert "resume=night-" in done.stdout
    assert "failed, 0 warm" in (home / "l2sweep-nights" / "nightly.log").read_text()
    configure(home, "num_keys=none")
    wrong = run(home)
    assert wrong.returncode == 2
    assert "num_keys=none: must be an integer" in wrong.stdout


def test_a_night_that_is_stopped_keeps_what_it_measured(home: Path) -> None:
    configure(home, f"{SMALL} repeats=200")
    script = [SCRIPTS / "nightly_cold.sh"]
    process = subprocess.Popen(script, env={"HOME": str(home)}, stdout=subprocess.PIPE, text=True)
    nights = home / "l2sweep-nights"
    for _ in range(1200):
        if len(list(nights.glob("points/*.parquet"))) >= 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "resume=night-" in out
    assert (l2sweep.load_points(nights)["status"] == "ok").sum() >= 2


def test_a_night_that_could_run_next_to_nothing_is_not_well(home: Path) -> None:
    configure(home, f"{SMALL} num_keys=100")  # none but the harness control is within the budget
    done = run(home)
    assert done.returncode == 1
    assert "points were left out: writes 1.68 GB, more than budget.disk_gb=0.05" in done.stdout
    configure(home, more="keep_nights=1")
    wrong = run(home)
    assert wrong.returncode == 2
    assert "nothing was run: l2sweep: night: keep_nights=1: must be an integer of at least 2" in wrong.stdout
    assert len(list((home / "l2sweep-nights" / "sweeps").iterdir())) == 1


def test_a_configuration_whose_last_test_fails_is_no_error_and_no_silence(home: Path) -> None:
    configure(home, more="[ -d /nowhere ] && scratch_dir=/nowhere")
    done = run(home)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def cron() -> Iterator[None]:
    """Run a real cron daemon, unless one runs already."""
    daemon = None
    if subprocess.run(["pgrep", "-x", "cron"], capture_output=True).returncode:
        daemon = subprocess.Popen(["cron", "-f"])
    yield
    if daemon is not None:
        daemon.terminate()
        daemon.wait()


@on_a_machine_to_spare
def test_a_real_cron_daemon_runs_the_line(home: Path, cron: None) -> None:
    _, command = crontab_line()
    earlier = subprocess.run(["crontab", "-l"], capture_output=True, text=True)
    # The line as it stands but for its time, and for the home, which cron takes from the user database.
    table = f"HOME={home}\n* * * * *  {command}\n"
    subprocess.run(["crontab", "-"], input=table, text=True, check=True)
    log = home / "l2sweep-nights" / "nightly.log"
    try:
        for _ in range(180):
            if log.is_file() and "all is well" in log.read_text():
                break
            time.sleep(1)
    finally:
        restore = ["crontab", "-"] if earlier.returncode == 0 else ["crontab", "-r"]
        subprocess.run(restore, input=earlier.stdout, text=True, check=True)
    assert "4 points measured, 0 failed, 0 warm" in log.read_text()


@pytest.fixture
def helper_user() -> Iterator[str]:
    """Return a user of its own, and remove everything that installing the helper left."""
    name = "l2sweep-test"
    subprocess.run(["useradd", "--no-create-home", name], check=True)
    yield name
    subprocess.run(["userdel", name], check=True)
    for path in ("/etc/sudoers.d/l2sweep", "/usr/local/sbin/l2sweep-drop-caches"):
        Path(path).unlink(missing_ok=True)


@on_a_machine_to_spare
def test_the_helper_is_all_that_its_user_may_run(helper_user: str, tmp_path: Path) -> None:
    installed = subprocess.run(
        [SCRIPTS / "install_helper.sh", helper_user], capture_output=True, text=True, check=True
    )
    assert installed.stdout == f"{helper_user} may run: sudo -n /usr/local/sbin/l2sweep-drop-caches\n"
    helper = Path("/usr/local/sbin/l2sweep-drop-caches")
    assert (helper.stat().st_uid, helper.stat().st_mode & 0o777) == (0, 0o755)
    assert Path("/etc/sudoers.d/l2sweep").stat().st_mode & 0o777 == 0o440

    def sudo(*command: str) -> int:
        as_user = ["runuser", "-u", helper_user, "--", "sudo", "-n", *command]
        return subprocess.run(as_user, capture_output=True).returncode

    file = tmp_path / "file"
    file.write_bytes(os.urandom(1 << 20))
    assert sudo(str(helper)) == 0
    from l2sweep.bench.page_cache import residency

    found = residency([str(file)], "x")
    assert found is not None
    assert found.resident_pages == 0
    assert sudo(str(helper), "an-argument") != 0
    assert sudo("/bin/sh", "-c", "true") != 0


@on_a_machine_to_spare
def test_a_helper_that_others_could_change_is_not_installed(helper_user: str) -> None:
    folder = Path("/usr/local/sbin")
    mode = folder.stat().st_mode & 0o7777
    folder.chmod(0o777)
    try:
        done = subprocess.run([SCRIPTS / "install_helper.sh", helper_user], capture_output=True, text=True)
    finally:
        folder.chmod(mode)
    assert done.returncode == 1
    assert "others than root could change what sudo runs" in done.stderr
    assert not Path("/etc/sudoers.d/l2sweep").exists()


def test_the_helper_takes_no_argument() -> None:
    done = subprocess.run([SCRIPTS / "l2sweep-drop-caches", "x"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "l2sweep-drop-caches: takes no argument\n")


def test_the_timer_and_the_service_belong_together() -> None:
    service = (SCRIPTS / "l2sweep-nightly.service").read_text()
    assert "nightly_cold.sh" in service
    assert "OnCalendar=" in (SCRIPTS / "l2sweep-nightly.timer").read_text()
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(SCRIPTS / "l2sweep-nightly.timer")],
            capture_output=True,
            text=True,
        )
        assert "Unknown" not in done.stderr
