"""Tests of l2sweep.cli.commands.summary.charts, through the command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_clients import client_rows
from made_nights import write_rows
from sample_curves import process_rows
from sample_rows import Row, point_row

from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError
from l2sweep.sweep.terminal import console

KNEE_AT_2 = {1: (40.0, 41.0, 42.0), 2: (96.0, 97.0, 98.0), 4: (99.0, 100.0, 101.0), 8: (98.0, 99.0, 100.0)}
RISING = {1: (10.0,), 2: (20.0,), 4: (40.0,), 8: (80.0,)}
LOAD = "load, MiB/s (median of the processes)"
OF_POINT = ("adapter_type", "adapter_spec", "num_keys", "in_flight", "data_size_kb", "lmcache_version")

Curve = tuple[str, Mapping[int, Sequence[float]], Mapping[str, Any]]


def record(folder: Path, *curves: Curve) -> None:
    """Write one process of three rounds for each throughput of each curve: phase, throughputs, changes."""
    rounds: list[Row] = []
    points: list[Row] = []
    for phase, curve, changes in curves:
        for value, rates in curve.items():
            for rate in rates:
                own = process_rows(len(points), (rate,) * 3, phase, **{"in_flight": value, **changes})
                point = {name: own[0][name] for name in OF_POINT}
                points.append(point_row(point_index=len(points), **point))
                rounds += own
    write_rows(folder, rounds, points)


def plot(folder: Path, *arguments: str) -> int:
    return run_command(["summary", "latest", "--results-dir", str(folder), "--plot", *arguments])


def test_each_phase_has_a_chart_and_each_adapter_a_curve_with_its_knee(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(
        tmp_path,
        ("store", RISING, {}),
        ("load", KNEE_AT_2, {}),
        ("load", RISING, {"type": "fs"}),
        ("load", RISING, {"type": "fio"}),
        ("lookup", KNEE_AT_2, {}),
    )
    assert plot(tmp_path) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("All points: ") or lines[0].startswith("point")
    assert [line for line in lines if line.startswith(("store,", "lookup,", "load,"))] == [
        "store, MiB/s (median of the processes)",
        "lookup, keys/s (median of the processes)",
        LOAD,
    ]
    assert "● fs_native; no knee up to in_flight=8, 80.0 MiB/s" in lines
    loads = lines[lines.index(LOAD) :]
    names = [line for line in loads if re.match("[●▲■] ", line)]
    assert names == [
        "● fio cold",
        "▲ fs cold; no knee up to in_flight=8, 80.0 MiB/s",
        "■ fs_native cold; knee at in_flight=2, 97.0 MiB/s",
    ]
    assert sum(line.count("[■]") for line in loads) == 1
    assert not re.search(r"\[[●▲]\]", "".join(loads))
    assert out.count("[ ] knee: the smallest setting within 5% of the most of its curve") == 1
    assert max(map(len, lines)) <= 120


def test_curves_are_told_apart_by_what_differs_and_by_the_state_of_the_page_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(
        tmp_path,
        ("load", KNEE_AT_2, {"num_workers": 1}),
        ("load", RISING, {"num_workers": 4}),
        ("load", RISING, {"num_workers": 4, "cache_state": "warm"}),
    )
    assert plot(tmp_path) == 0
    names = [line.partition(";")[0][2:] for line in capsys.readouterr().out.splitlines() if ";" in line]
    assert names == [
        "fs_native num_workers=1 cold",
        "fs_native num_workers=4 cold",
        "fs_native num_workers=4 warm",
    ]


def test_over_chooses_what_the_curves_vary_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(
        tmp_path,
        ("load", KNEE_AT_2, {"data_size_kb": 64}),
        ("load", RISING, {"data_size_kb": 256}),
        ("load", RISING, {"data_size_kb": 1024}),
    )
    assert plot(tmp_path, "--over", "size", "--where", "in_flight == 4") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "data_size_kb" in [line.strip() for line in lines]
    assert [line.split() for line in lines if line.split() == ["64", "256", "1024"]]
    with pytest.raises(RequestError, match="over=speed: no setting has it; these sweeps vary "):
        plot(tmp_path, "--over", "speed")
    assert capsys.readouterr().out == ""


def test_a_setting_with_a_failed_process_is_named_and_no_knee(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path, ("load", KNEE_AT_2, {}), ("load", {2: (97.0,)}, {"status": "error"}))
    assert plot(tmp_path) == 0
    out = capsys.readouterr().out
    assert "● fs_native cold; knee at in_flight=4, 100.0 MiB/s; processes failed at in_flight=2" in out


def test_one_setting_makes_a_sentence_and_no_chart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path, ("load", {1: (40.0,)}, {}))
    assert plot(tmp_path) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == "load: no chart: fewer than two values of in_flight were measured, all else being equal"


def test_more_curves_than_markers_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = {1: (40.0,), 2: (60.0,)}
    record(tmp_path, *(("load", two, {"num_workers": number}) for number in range(1, 12)))
    assert plot(tmp_path) == 0
    assert "not shown: 2 more, with less throughput; choose with --where" in capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 80])
def test_a_chart_is_no_wider_than_the_terminal(
    width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PLAIN_WIDTH", width)
    record(tmp_path, ("load", KNEE_AT_2, {"num_workers": 1}), ("load", RISING, {"num_workers": 4}))
    assert plot(tmp_path) == 0
    _, _, chart = capsys.readouterr().out.partition(f"{LOAD}\n")
    assert max(map(len, chart.splitlines())) <= width


def test_markdown_has_the_chart_as_a_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, ("load", KNEE_AT_2, {}))
    assert plot(tmp_path, "--format", "markdown") == 0
    assert f"\n```text\n{LOAD}\n150┤" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--plot", "--format", "json"], "--plot: draws nothing into --format json; use table or markdown"),
        (["--plot", "--format", "csv"], "--plot: draws nothing into --format csv; use table or markdown"),
        (["--over", "size"], "--over size: needs --plot"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RequestError) as raised:
        run_command(["summary", "latest", *arguments])
    assert str(raised.value).startswith(f"summary: {line}")
    assert capsys.readouterr().out == ""


RATES_OF_CLIENTS = {1: (100.0,) * 3, 2: (190.0,) * 3, 4: (192.0,) * 3}


def test_throughput_is_drawn_against_clients_where_they_vary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loads, points = client_rows(RATES_OF_CLIENTS)
    stores, more = client_rows(RATES_OF_CLIENTS, "store", first_index=20)
    write_rows(tmp_path, loads + stores, points + more)
    assert plot(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.split() == ["1", "2", "4"]]
    assert [line.strip() for line in lines].count("clients") >= 2
    assert "● fs cold; knee at clients=2, 190.0 MiB/s" in lines
    assert "● fs; knee at clients=2, 190.0 MiB/s" in lines


def test_curves_over_something_else_are_told_apart_by_their_clients(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds, points = client_rows(RATES_OF_CLIENTS, in_flight=1)
    faster = {clients: tuple(2 * rate for rate in rates) for clients, rates in RATES_OF_CLIENTS.items()}
    more, points_of_more = client_rows(faster, first_index=20, in_flight=4)
    write_rows(tmp_path, rounds + more, points + points_of_more)
    assert plot(tmp_path) == 0
    names = [line.partition(";")[0] for line in capsys.readouterr().out.splitlines() if ";" in line]
    assert names == ["● fs clients=1 cold", "▲ fs clients=2 cold", "■ fs clients=4 cold"]
    assert plot(tmp_path, "--over", "clients", "--phase", "load") == 0
    names = [line.partition(";")[0] for line in capsys.readouterr().out.splitlines() if ";" in line]
    assert names == ["● fs in_flight=1 cold", "▲ fs in_flight=4 cold"]
