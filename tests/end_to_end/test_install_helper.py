"""scripts/install_helper.sh refuses what it must not install, with one line and exit code 2."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, require

SCRIPT = ROOT / "scripts" / "install_helper.sh"


def refusal(*command: str | Path) -> str:
    """Run a command that must end with exit code 2, and return its only line."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ("-u", "must be the name of a user, starting with a letter or '_'"),
        ("--help", "must be the name of a user"),
        ("0", "must be the name of a user"),
        ("1000", "must be the name of a user"),
        ("#1000", "must be the name of a user"),
        ("%wheel", "must be the name of a user"),
        ("", "must be the name of a user"),
        ("root ALL", "must contain only letters, digits"),
        ("root\nALL", "must contain only letters, digits"),
        ("ALL", "must not be a word in capital letters"),
        ("l2sweep-no-such-user", "must be an existing user"),
    ],
)
def test_what_is_not_the_name_of_a_user_is_refused(user: str, reason: str) -> None:
    assert reason in refusal(SCRIPT, user)


@pytest.mark.parametrize("arguments", [(), ("root", "root")])
def test_one_argument_is_needed(arguments: tuple[str, ...]) -> None:
    assert "must have one argument" in refusal(SCRIPT, *arguments)


@pytest.mark.parametrize("kind", ["folder", "link", "missing"])
def test_the_helper_must_be_a_regular_file(root: None, tmp_path: Path, kind: str) -> None:
    script = Path(shutil.copy(SCRIPT, tmp_path))
    helper = tmp_path / "l2sweep-drop-caches"
    if kind == "folder":
        helper.mkdir()
    elif kind == "link":
        helper.symlink_to("/bin/true")
    assert refusal(script, "nobody") == f"install_helper.sh: {helper} must be a regular file"


@pytest.mark.parametrize("made_by", ["mkdir", "ln -s /bin/true"])
def test_a_folder_or_link_in_place_of_the_installed_helper_is_refused(root: None, made_by: str) -> None:
    require(shutil.which("unshare"), "unshare is missing (Debian: util-linux)")
    helper = "/usr/local/sbin/l2sweep-drop-caches"
    # The mount exists only in a namespace of this command.
    script = f'mount -t tmpfs none /usr/local/sbin && {made_by} {helper} && exec "$0" nobody'
    line = refusal("unshare", "--mount", "sh", "-c", script, SCRIPT)
    assert line == f"install_helper.sh: {helper} must be a regular file, or missing: remove it first"
    assert not os.path.lexists(helper) or Path(helper).is_file()
