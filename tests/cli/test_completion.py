"""Completion scripts for the shell."""

from __future__ import annotations

from l2sweep.cli.completion import completion_script


def test_the_script_covers_the_command_and_the_module() -> None:
    script = completion_script("install=bash")
    assert script is not None
    assert "complete -o nospace -o default -F _l2sweep_completion l2sweep python python3" in script
    assert "night" in script
    assert completion_script("uninstall=bash") is not None


def test_other_requests_are_answered_by_hydra() -> None:
    assert completion_script("query=bash") is None
    assert completion_script("install=fish") is None
