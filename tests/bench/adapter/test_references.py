"""References to secrets are resolved, and those that cannot be resolved are explained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from l2sweep.bench.adapter.references import REFERENCE, has_reference, resolve, unresolvable, values_of
from l2sweep.errors import RequestError


@pytest.fixture(autouse=True)
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set one variable of the environment."""
    monkeypatch.setenv("L2SWEEP_TEST_SECRET", "pa ss\\1")
    monkeypatch.setenv("L2SWEEP_TEST_EMPTY", "")
    monkeypatch.delenv("L2SWEEP_TEST_NONE", raising=False)


def test_a_variable_of_the_environment_is_resolved_at_any_depth() -> None:
    spec = {
        "type": "x",
        "port": 6379,
        "password": "${secret:L2SWEEP_TEST_SECRET}",
        "nodes": [{"url": "redis://u:${secret:L2SWEEP_TEST_SECRET}@h"}],
    }
    assert resolve(spec) == {
        "type": "x",
        "port": 6379,
        "password": "pa ss\\1",
        "nodes": [{"url": "redis://u:pa ss\\1@h"}],
    }
    assert spec["password"] == "${secret:L2SWEEP_TEST_SECRET}"


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"hunter2", "hunter2"), (b"hunter2\n", "hunter2"), (b"hunter2\r\n", "hunter2"), (b" a\n\n", " a\n")],
)
def test_a_file_is_resolved_without_one_line_break_at_its_end(
    tmp_path: Path, content: bytes, value: str
) -> None:
    file = tmp_path / "my redis-1.txt"
    file.write_bytes(content)
    link = tmp_path / "link"
    link.symlink_to(file)  # secrets of Kubernetes are links
    assert resolve({"password": f"${{secret_file:{file}}}"}) == {"password": value}
    assert resolve({"password": f"${{secret_file:{link}}}"}) == {"password": value}


def test_a_value_that_looks_like_a_reference_is_not_resolved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L2SWEEP_TEST_OTHER", "${secret:L2SWEEP_TEST_SECRET}")
    assert resolve({"a": "${secret:L2SWEEP_TEST_OTHER}"}) == {"a": "${secret:L2SWEEP_TEST_SECRET}"}


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("${secret:L2SWEEP_TEST_NONE}", "the environment variable L2SWEEP_TEST_NONE is not set or is empty"),
        (
            "${secret:L2SWEEP_TEST_EMPTY}",
            "the environment variable L2SWEEP_TEST_EMPTY is not set or is empty",
        ),
        ("${secret:}", "must be ${secret:NAME} with the name of an environment variable"),
        ("${secret:a b}", "must be ${secret:NAME} with the name of an environment variable"),
        ("${secret_file:redis}", "must be ${secret_file:/PATH} with an absolute path"),
        ("${secret_file:/no/such/file}", "/no/such/file cannot be read: No such file or directory"),
        ("${secret_file:/proc}", "/proc cannot be read: Is a directory"),
        ("${secret_file:/dev/null}", "/dev/null is not a regular file"),
    ],
)
def test_a_secret_that_cannot_be_read_is_explained(reference: str, reason: str) -> None:
    spec = {"inner": {"password": reference}}
    assert unresolvable(spec) == [f"adapter.inner.password={reference}: {reason}"]
    with pytest.raises(RequestError) as raised:
        resolve(spec)
    assert raised.value.problems == (f"adapter.inner.password={reference}: {reason}",)
    assert values_of(reference) == set()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\n", "is empty"), (b"\xff\xfehunter2", "is not a text in UTF-8"), (b"x" * 70000, "more than 65536")],
)
def test_a_file_that_is_no_secret_is_explained_without_its_content(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "file").write_bytes(content)
    (problem,) = unresolvable({"password": f"${{secret_file:{tmp_path}/file}}"})
    assert reason in problem
    assert "hunter2" not in problem


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (problem,) = unresolvable({"password": f"${{secret_file:{tmp_path}/pipe}}"})
    assert problem.endswith("is not a regular file")


@pytest.mark.parametrize(
    "text",
    [
        "${secret:NAME}",
        "${ secret : NAME }",
        "$\\{secret\\:NAME\\}",
        "${secret_file:/run/secrets/redis}",
        "$\\{secret_file\\:/run/secrets/redis\\}",
        "${secret_file:${oc.env:HOME}/redis}",
        "${secret_file:'/run/my secrets/redis'}",
    ],
)
def test_every_notation_of_a_reference_is_recognised(text: str) -> None:
    assert REFERENCE.fullmatch(text)
    assert has_reference({"nodes": [f"redis://u:{text}@h"]})


@pytest.mark.parametrize(
    "text", ["${oc.env:NAME}", "secret:NAME", "$secret", "${secrets:x}", "${a.secret:x}"]
)
def test_other_texts_are_no_references(text: str) -> None:
    assert not has_reference({"password": text})
    assert resolve({"password": text}) == {"password": text}


def test_the_values_of_a_text_are_found() -> None:
    text = "+adapter.password=$\\{secret\\:L2SWEEP_TEST_SECRET\\} and ${secret:L2SWEEP_TEST_NONE}"
    assert values_of(text) == {"pa ss\\1"}
