"""Rows as a table, Markdown, CSV and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from l2sweep.cli.row_output import Column, json_text, number, print_rows

COLUMNS = (Column("name", "name", is_number=False), Column("rate_mib_per_s", "MiB/s", number(1)))
ROWS = [
    {"name": "fs|a", "rate_mib_per_s": 12.345},
    {"name": "fs\x1b[31m", "rate_mib_per_s": float("nan")},
]


def printed(output_format: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_rows(ROWS, COLUMNS, output_format)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_table_shows_rounded_numbers_and_escapes_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printed("table", capsys) == [
        "name        MiB/s",
        "fs|a         12.3",
        "fs\\x1b[31m      -",
    ]


def test_markdown_escapes_the_separator(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("markdown", capsys)[:3] == ["| name | MiB/s |", "| --- | ---: |", "| fs\\|a | 12.3 |"]


def test_csv_and_json_keep_all_digits_and_name_the_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("csv", capsys)[:2] == ["name,rate_mib_per_s", "fs|a,12.345"]
    print_rows(ROWS, COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == [
        {"name": "fs|a", "rate_mib_per_s": 12.345},
        {"name": "fs\x1b[31m", "rate_mib_per_s": None},
    ]


def test_a_table_is_not_cut_off_where_it_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows([{"name": "x" * 300}], COLUMNS, "table")
    assert "x" * 300 in capsys.readouterr().out


def test_json_takes_numpy_values_and_times() -> None:
    value = {"a": np.float64("nan"), "b": np.array([1, 2]), "c": datetime(2026, 1, 2, tzinfo=UTC)}
    assert json.loads(json_text(value)) == {"a": None, "b": [1, 2], "c": "2026-01-02T00:00:00+00:00"}
