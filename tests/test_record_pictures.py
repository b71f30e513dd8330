"""Tests of scripts/record_pictures.py."""

from __future__ import annotations

import importlib.util
import io
from types import ModuleType

import pytest
from conftest import ROOT
from rich.console import Console
from rich.live import Live


@pytest.fixture(scope="module")
def record_pictures() -> ModuleType:
    path = ROOT / "scripts" / "record_pictures.py"
    spec = importlib.util.spec_from_file_location("record_pictures", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_progress_bar_that_was_erased_is_not_in_the_picture(record_pictures: ModuleType) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=40, color_system="standard")
    console.print("before")
    with Live("a bar\nof two lines", console=console, transient=True, auto_refresh=False) as live:
        live.refresh()
        console.print("[red]between[/red]")
        live.update("another bar\nof\nthree lines", refresh=True)
    console.print("after")
    printed = stream.getvalue()
    assert "another bar" in printed
    assert record_pictures.last_screen(printed) == "before\n\x1b[31mbetween\x1b[0m\nafter"


def test_line_ends_of_a_terminal_are_line_ends(record_pictures: ModuleType) -> None:
    assert record_pictures.last_screen("one\r\n\r\ntwo\r\n") == "one\n\ntwo"


def test_the_picture_of_the_documents_names_no_folder_of_a_machine() -> None:
    svg = (ROOT / "docs" / "pictures" / "sweep.svg").read_text()
    assert "points&#160;measured" in svg
    assert not any(part in svg for part in ("/tmp", "/home", "/root", "/var", "https://cdn"))
