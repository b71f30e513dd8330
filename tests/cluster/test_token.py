"""The secret that the workers of a sweep share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from l2sweep.cluster.token import secret_token
from l2sweep.errors import RequestError

TOKEN = "0123456789abcdef"


def problem(environment: dict[str, str], token_file: str | None) -> str:
    with pytest.raises(RequestError) as raised:
        secret_token(environment, token_file)
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)
    return str(raised.value)


def written(folder: Path, text: str, mode: int = 0o600) -> str:
    file = folder / "token"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_the_environment_has_the_token() -> None:
    assert secret_token({"L2SWEEP_TOKEN": f" {TOKEN}\n"}, None) == TOKEN


def test_a_file_has_the_token_and_wins_over_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, f"{TOKEN}{TOKEN}\n")
    assert secret_token({"L2SWEEP_TOKEN": TOKEN}, file) == TOKEN + TOKEN


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_that_only_its_user_can_read_is_accepted(tmp_path: Path, mode: int) -> None:
    assert secret_token({}, written(tmp_path, TOKEN, mode)) == TOKEN


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o644, 0o620])
def test_a_file_that_others_can_read_or_write_is_refused_with_its_mode(tmp_path: Path, mode: int) -> None:
    said = problem({}, written(tmp_path, TOKEN, mode))
    assert said.endswith(f"must be a file that only you can read (chmod 600), and has mode {mode:04o}")
    assert TOKEN not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, TOKEN)
    os.chown(file, 1234, 1234)
    assert problem({}, file).endswith("must belong to you, and belongs to user 1234")


def test_a_pipe_can_be_given_as_bash_does_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, TOKEN.encode())
    os.close(writing)
    assert secret_token({}, f"/dev/fd/{reading}") == TOKEN
    os.close(reading)


def test_a_missing_token_says_how_to_make_one() -> None:
    assert problem({}, None) == (
        "L2SWEEP_TOKEN: must be set on every host, or --token-file given: "
        "for example the output of: openssl rand -hex 16"
    )


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert problem({}, str(tmp_path / "no")) == (
        f"--token-file {tmp_path / 'no'}: must be a file that can be read: No such file or directory"
    )
    assert "Is a directory" in problem({}, str(tmp_path))


@pytest.mark.parametrize(
    "text", ["", "short", TOKEN[1:], f"{TOKEN[1:]} \n", "x" * 4097, f"{TOKEN}é", f"{TOKEN}\tx"]
)
def test_a_token_of_the_wrong_size_or_with_other_characters_is_refused_and_not_shown(
    tmp_path: Path, text: str
) -> None:
    for said in (problem({"L2SWEEP_TOKEN": text}, None), problem({}, written(tmp_path, text))):
        assert "must have 16 to 4096 printable ASCII characters, and has " in said
        assert len(text) < 2 or text.strip() not in said
