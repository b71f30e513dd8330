"""The nightly sweep as cron starts it: a small environment, the lock, a cron daemon, the helper for sudo."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT

import l2sweep
from l2sweep.records.owner import Owner

SCRIPTS = ROOT / "scripts"
changes_the_machine = pytest.mark.skipif(
    os.environ.get("L2SWEEP_TEST_SYSTEM") != "1",
    reason="changes the machine (cron, sudo): L2SWEEP_TEST_SYSTEM=1 allows it, as CI does",
)
SMALL = (
    "budget.disk_gb=0.05 rounds=1 repeats=1 hydra.sweeper.params.data_size_kb=4096 "
    "hydra.sweeper.params.in_flight=2 report=false"
)

# With one key of a submit, the control has time to copy it while other tests run.
ONE_POINT = f"{SMALL} hydra.sweeper.params.adapter=control hydra.sweeper.params.cache=hot".replace(
    "budget.disk_gb=0.05", "budget.disk_gb=0.02"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Create a home folder with a checkout of l2sweep, and settings for a night of a few seconds."""
    home = tmp_path / "home"
    (home / ".config" / "l2sweep").mkdir(parents=True)
    (home / "l2sweep").symlink_to(ROOT)
    (home / "tmp").mkdir()
    configure(home)
    return home


def configure(home: Path, options: str = SMALL, more: str = "") -> None:
    (home / ".config" / "l2sweep" / "nightly.conf").write_text(
        f"python={shlex.quote(sys.executable)}\noptions=({options})\nexport TMPDIR={home}/tmp\n"
        f"export L2SWEEP_LOCK_DIR={home}/tmp\n"
        # Other tests run at the same time and slow down the controls.
        f"min_control_fraction=0\nmax_control_error_percent=inf\n{more}\n"
    )


def crontab_line() -> tuple[str, str]:
    """Return the schedule and the command in crontab.example."""
    (line,) = (
        line
        for line in (SCRIPTS / "crontab.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    *schedule, command = line.split(maxsplit=5)
    return " ".join(schedule), command


def cron_command(home: Path) -> list[str]:
    """Return a command that runs the command in crontab.example like cron(8)."""
    environment = [f"HOME={home}", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "LOGNAME=root", "LANG=C"]
    return ["env", "-i", *environment, "/bin/sh", "-c", crontab_line()[1]]


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = cron_command(home)
    command[-1] = shlex.join([*shlex.split(command[-1].replace("$HOME", str(home))), *arguments])
    return subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300)


def test_a_night_without_problems_prints_nothing(home: Path) -> None:
    assert len(crontab_line()[0].split()) == 5
    for expected_lines in (2, 2 + 3):  # the second night is compared with the first
        done = run(home)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        log = (home / "l2sweep-nights" / "nightly.log").read_text().splitlines()
        assert len(log) == expected_lines
    assert "4 points measured, 0 failed, 0 warm" in log[-3]
    assert "fio load " in log[-3]
    assert " of the last 1 nights)" in log[-3]
    assert re.search(r"control store \d+ MiB/s, \d+\.\d\d % off theory", log[-3])
    assert log[-2].startswith("nothing slower: ")
    assert log[-1].endswith(": no problems")
    points = l2sweep.load_points(home / "l2sweep-nights")
    assert points["sweep_id"].nunique() == 2
    loads = points[points["phase"] == "load"]
    assert set(loads["adapter_type"]) == {"fs", "fs_native", "fio"}
    assert set(loads["cache_state"]) == {"cold"}
    assert points.groupby("point_id")["sweep_id"].nunique().eq(2).all()  # the same points every night


def test_a_night_during_another_sweep_names_that_sweep(home: Path) -> None:
    lock = home / "tmp" / "l2sweep.lock"
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Owner.of_this_process("the-other-one").write(file)
        done = run(home)
        assert done.returncode == 1
        assert "another sweep runs on this host: sweep the-other-one" in done.stdout
        assert "nothing was recorded: another sweep" in (home / "l2sweep-nights" / "nightly.log").read_text()
        configure(home, ONE_POINT, "lock=wait")
        waiting = subprocess.Popen(cron_command(home), stdout=subprocess.PIPE, text=True)
        time.sleep(4)
        assert waiting.poll() is None
        fcntl.flock(file, fcntl.LOCK_UN)
    out, _ = waiting.communicate(timeout=300)
    assert (waiting.returncode, out) == (0, "")


def test_a_problem_is_printed_with_the_command_to_resume(home: Path) -> None:
    configure(home, f"{SMALL} only=load")  # nothing was stored, so every load fails
    done = run(home)
    assert done.returncode == 1
    first, *lines = done.stdout.splitlines()
    assert re.fullmatch(r"l2sweep: the night night-\S+ has a problem:", first)
    assert lines[0] == "- 4 points failed"
    assert done.stdout.count("0 of 4 keys loaded") == 3  # fio has words of its own
    assert len([line for line in lines if "points failed" in line]) == 1
    assert "To measure the points that are left (4): " in done.stdout
    assert " resume=night-" in done.stdout
    assert "failed, 0 warm" in (home / "l2sweep-nights" / "nightly.log").read_text()
    configure(home, "num_keys=none")
    wrong = run(home)
    assert wrong.returncode == 2
    assert "num_keys=none: must be an integer" in wrong.stdout
    assert "points that are left" not in wrong.stdout


def test_a_stopped_night_keeps_what_it_measured(home: Path) -> None:
    configure(home, f"{SMALL} repeats=200")
    script = [SCRIPTS / "nightly_cold.sh"]
    process = subprocess.Popen(script, env={"HOME": str(home)}, stdout=subprocess.PIPE, text=True)
    nights = home / "l2sweep-nights"
    for _ in range(1200):
        if len(list(nights.glob("points/*/*/*.parquet"))) >= 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "\n- stopped\n" in out
    assert "resume=night-" in out
    assert (l2sweep.load_points(nights)["status"] == "ok").sum() >= 2


def test_skipped_points_are_a_problem_and_wrong_settings_run_nothing(home: Path) -> None:
    configure(home, f"{SMALL} num_keys=100")  # only the control is within the budget
    done = run(home)
    assert done.returncode == 1
    assert "points were skipped: writes 1.68 GB, more than budget.disk_gb=0.05" in done.stdout
    configure(home, more="keep_nights=1")
    wrong = run(home)
    assert wrong.returncode == 2
    assert wrong.stderr == "l2sweep: nightly: --keep-nights: 1 is not in the range x>=2\n"
    assert len(list((home / "l2sweep-nights" / "sweeps").iterdir())) == 1


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("--bogus=3", "--bogus: no such option; see --help"),
        ("please", "please: must be an option of the sweep, as name=value"),
        ("keep_nights=3", "keep_nights=3: is given as --keep-nights"),
        ("--lock=maybe", "--lock: 'maybe' is not one of 'fail', 'wait', 'off'"),
    ],
)
def test_an_unknown_argument_runs_nothing(home: Path, argument: str, line: str) -> None:
    done = run(home, argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"l2sweep: nightly: {line}\n"
    assert not (home / "l2sweep-nights").exists()


def test_help_and_a_dry_run_run_nothing(home: Path) -> None:
    helped = run(home, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "--keep-nights" in helped.stdout
    planned = run(home, "--dry-run", "--", "repeats=2")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "8 points in " in planned.stdout
    assert not (home / "l2sweep-nights").exists()


def test_an_interpreter_that_is_missing_is_named(home: Path) -> None:
    configure(home, more="python=/nowhere/python")
    done = run(home)
    assert done.returncode == 2
    assert "nothing was run: /nowhere/python cannot be run" in done.stdout


def test_a_failing_test_in_the_settings_does_not_end_the_script(home: Path) -> None:
    configure(home, ONE_POINT, "[ -d /nowhere ] && scratch_dir=/nowhere")
    done = run(home)
    assert (done.returncode, done.stdout) == (0, "")


@contextmanager
def crontab(table: str) -> Iterator[None]:
    """Install a crontab, and put back the earlier one at the end."""
    earlier = subprocess.run(["crontab", "-l"], capture_output=True, text=True)
    subprocess.run(["crontab", "-"], input=table, text=True, check=True)
    yield
    restore = ["crontab", "-"] if earlier.returncode == 0 else ["crontab", "-r"]
    subprocess.run(restore, input=earlier.stdout, text=True, check=True)


@contextmanager
def cron_daemon() -> Iterator[None]:
    """Run a cron daemon, unless one is running."""
    daemon = None
    if subprocess.run(["pgrep", "-x", "cron"], capture_output=True).returncode:
        daemon = subprocess.Popen(["cron", "-f"])
    yield
    if daemon is not None:
        daemon.terminate()
        daemon.wait()


@changes_the_machine
def test_a_cron_daemon_runs_the_crontab_line(home: Path) -> None:
    _, command = crontab_line()
    # The line with another time, and with HOME, which cron would take from the user database.
    table = f"HOME={home}\n* * * * *  {command}\n"
    log = home / "l2sweep-nights" / "nightly.log"
    log.parent.mkdir()
    log.touch()
    # cron reads a crontab again when the second in which its folder changed is another one: a crontab that is
    # installed in the second in which cron starts may never be read.
    with crontab(table), cron_daemon():
        for _ in range(180):
            if "no problems" in log.read_text():
                break
            time.sleep(1)
    assert "4 points measured, 0 failed, 0 warm" in log.read_text()


@pytest.fixture
def helper_user() -> Iterator[str]:
    """Create a user, and remove the user and the installed helper at the end."""
    name = "l2sweep-test"
    subprocess.run(["useradd", "--no-create-home", name], check=True)
    yield name
    subprocess.run(["userdel", name], check=True)
    for path in ("/etc/sudoers.d/l2sweep", "/usr/local/sbin/l2sweep-drop-caches"):
        Path(path).unlink(missing_ok=True)


@changes_the_machine
@pytest.mark.alone  # it drops the page cache of the machine
def test_the_user_may_run_only_the_helper(helper_user: str, tmp_path: Path) -> None:
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


@changes_the_machine
def test_a_helper_that_other_users_could_change_is_not_installed(helper_user: str) -> None:
    folder = Path("/usr/local/sbin")
    mode = folder.stat().st_mode & 0o7777
    folder.chmod(0o777)
    try:
        done = subprocess.run([SCRIPTS / "install_helper.sh", helper_user], capture_output=True, text=True)
    finally:
        folder.chmod(mode)
    assert done.returncode == 1
    assert "users other than root could change what sudo runs" in done.stderr
    assert not Path("/etc/sudoers.d/l2sweep").exists()


def test_the_helper_refuses_arguments() -> None:
    done = subprocess.run([SCRIPTS / "l2sweep-drop-caches", "x"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "l2sweep-drop-caches: takes no argument\n")


def test_the_timer_starts_the_service_whose_failure_is_mailed() -> None:
    service = (SCRIPTS / "l2sweep-nightly.service").read_text()
    assert "nightly_cold.sh" in service
    assert "OnFailure=l2sweep-mail@%n.service" in service
    assert "OnCalendar=" in (SCRIPTS / "l2sweep-nightly.timer").read_text()
    if shutil.which("systemd-analyze"):
        for unit in ("l2sweep-nightly.timer", "l2sweep-mail@night.service"):
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", str(SCRIPTS / unit)], capture_output=True, text=True
            )
            assert "Unknown" not in done.stderr
            assert "rejected" not in done.stderr


def test_the_mail_has_what_the_failed_run_printed(tmp_path: Path) -> None:
    (line,) = (
        line.removeprefix("ExecStart=/bin/sh -c ")
        for line in (SCRIPTS / "l2sweep-mail@.service").read_text().splitlines()
        if line.startswith("ExecStart=")
    )
    for name, body in {"journalctl": 'echo "journal $*"', "mail": 'cat; echo "mail $*"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    # What systemd does to the line: quotes, specifiers, $$.
    (command,) = shlex.split(line)
    command = command.replace("%i", "l2sweep-nightly.service").replace("%H", "host").replace("$$", "$")
    own = {"PATH": f"{tmp_path}:/usr/bin:/bin", "MAILTO": "me", "MONITOR_INVOCATION_ID": "77"}
    done = subprocess.run(["/bin/sh", "-c", command], env=own, capture_output=True, text=True, check=True)
    journal, mail = done.stdout.splitlines()
    assert journal.endswith("--unit=l2sweep-nightly.service _SYSTEMD_INVOCATION_ID=77")
    assert mail == "mail -s l2sweep on host: l2sweep-nightly.service me"
