"""docs/from-bench-l2.md names every option of ``lmcache bench l2``, and its default there and here."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from conftest import ROOT
from lmcache.cli.commands import register_commands
from shipped import configuration

from l2sweep.config.options import options_of
from l2sweep.config.point_options import PointOptions
from l2sweep.config.sweep import SweepConfig

DOCUMENT = (ROOT / "docs" / "from-bench-l2.md").read_text()


@dataclass(frozen=True)
class Line:
    """A row of the table: the options of upstream, its default, ours, its default, and the difference."""

    upstream: tuple[str, ...]
    upstream_default: str
    ours: str
    our_default: str
    difference: str


def lines() -> list[Line]:
    found = []
    for text in DOCUMENT.splitlines():
        if text.startswith("| `-"):
            names, *cells = (cell.strip() for cell in text.strip("|").split(" |"))
            upstream_default, ours, our_default, difference = (cell.strip("| ") for cell in cells)
            found.append(
                Line(
                    tuple(re.findall(r"`([^`]+)`", names)),
                    upstream_default.strip("`"),
                    ours.strip("`"),
                    our_default.strip("`"),
                    difference,
                )
            )
    return found


def upstream_parser() -> argparse.ArgumentParser:
    """Return the parser of ``lmcache bench l2``, as the command line of LMCache builds it."""
    parser = argparse.ArgumentParser()
    register_commands(parser.add_subparsers(dest="command"), ["bench", "l2"])
    for name in ("bench", "l2"):
        (choices,) = (one.choices for one in parser._actions if isinstance(one, argparse._SubParsersAction))
        parser = choices[name]
    return parser


def upstream_options() -> Iterator[tuple[tuple[str, ...], str]]:
    for action in upstream_parser()._actions:
        default = "none" if action.default in (None, "", argparse.SUPPRESS) else str(action.default)
        yield tuple(action.option_strings), default.lower() if default in ("True", "False") else default


def test_the_table_has_exactly_the_options_of_upstream_with_their_defaults() -> None:
    assert {line.upstream: line.upstream_default for line in lines()} == dict(upstream_options())
    assert len(lines()) >= 19


@pytest.mark.parametrize("line", lines(), ids=lambda line: line.upstream[-1])
def test_the_option_of_l2sweep_exists_and_has_the_default(line: Line) -> None:
    if line.ours in ("none", "--help"):
        assert line.our_default == ""
        assert line.difference
        return
    defaults = {one.name: one.default for kind in (PointOptions, SweepConfig) for one in options_of(kind)}
    default = defaults.get(line.ours, configuration().get(line.ours))
    assert line.ours in defaults or line.ours == "adapter_json"
    assert line.our_default == (default if isinstance(default, str) else json.dumps(default))


@pytest.mark.parametrize("line", lines(), ids=lambda line: line.upstream[-1])
def test_a_default_that_differs_is_explained(line: Line) -> None:
    assert line.upstream_default == line.our_default or line.difference


def test_the_documents_link_to_the_table() -> None:
    assert (ROOT / "README.md").read_text().count("docs/from-bench-l2.md") >= 2
