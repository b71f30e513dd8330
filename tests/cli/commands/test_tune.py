"""Tests of l2sweep.cli.commands.tune."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sample_curves import process_rows
from sample_rows import MIB, point_row

from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError
from l2sweep.records.writer import write_point
from l2sweep.sweep.terminal import console

SWEEP = "20261124T000000Z-0000"
CURVE = {1: (40.0, 41.0, 42.0), 2: (96.0, 97.0, 98.0), 4: (99.0, 100.0, 101.0)}
FIO = {1: (200.0, 201.0, 202.0), 4: (609.0, 610.0, 611.0)}


@pytest.fixture(scope="module")
def results_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a cold curve of fs_native, and fio with 4 and 16 threads."""
    folder = tmp_path_factory.mktemp("results")
    index = 0
    for adapter, table in (("fs_native", CURVE), ("fio", FIO)):
        for in_flight, rates in table.items():
            for rate in rates:
                changes: dict[str, Any] = {
                    "type": adapter,
                    "in_flight": in_flight,
                    "block_device_read_bytes": 2 * MIB,
                    "block_device_reads": 20,
                    "block_device_read_time_s": 0.03,
                }
                rows = process_rows(index, (rate, rate), **changes)
                same = ("adapter_type", "adapter_spec", "num_keys", "in_flight", "lmcache_version")
                point = {name: rows[0][name] for name in same}
                write_point(folder, f"{SWEEP}.{index:05d}.1", rows, [point_row(point_index=index, **point)])
                index += 1
    return folder


def tune(results_dir: Path, *arguments: str) -> int:
    return run_command(["tune", "latest", "--results-dir", str(results_dir), *arguments])


def test_the_recommendation_comes_first_and_then_the_curve_with_the_knee_marked(
    results_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(results_dir) == 0
    lines = capsys.readouterr().out.splitlines()
    text, _, table = "\n".join(lines).partition("\n\n")
    assert "in_flight=2 (2 to 2) is enough: 97.0 MiB/s (96.0 to 98.0), within 5% of the most, 100.0" in text
    assert "fio reaches 3.0x with 16" not in text  # 8 keys are in flight there, and fio had 4 and 16 threads
    assert "Limit not known: fio was not measured with 8 keys in flight" in " ".join(text.split())
    marked = [line for line in table.splitlines() if line.rstrip().endswith("knee")]
    (knee,) = marked
    assert knee.split()[:6] == ["fs_native", "defaults", "256", "4", "2", "97.0"]
    assert max(map(len, lines)) <= 120


def test_a_narrow_terminal_gets_narrow_lines_and_a_narrow_table(
    results_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PLAIN_WIDTH", 60)
    assert tune(results_dir) == 0
    *lines, note = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert note.startswith("not shown for lack of width: of best fio, at device, of fio")
    assert any(line.split()[:6] == ["fs_native", "defaults", "256", "4", "2", "97.0"] for line in lines)


def test_every_number_of_the_curve_follows_from_the_parquet_rows(
    results_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(results_dir, "--format", "csv") == 0
    printed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    rows = pd.concat(map(pd.read_parquet, sorted(results_dir.rglob("rounds/**/*.parquet"))))
    rows = rows[(rows["phase"] == "load") & ~rows["is_warmup"]]
    keys = ["adapter_type", "in_flight"]
    names = ["bytes_ok", "duration_s", "block_device_read_time_s", "block_device_reads"]
    sums = rows.groupby([*keys, "point_index"])[names].sum()
    rates = (sums["bytes_ok"] / MIB / sums["duration_s"]).groupby(keys).median()
    device = sums.groupby(keys).sum()
    assert len(printed) == len(rates) == 5
    for row in printed:
        place = (row["adapter_type"], int(row["in_flight"]))
        assert float(row["rate"]) == pytest.approx(rates[place])
        depth = device.loc[place, "block_device_read_time_s"] / device.loc[place, "duration_s"]
        assert float(row["queue_depth"]) == pytest.approx(depth)
        latency_s = device.loc[place, "block_device_read_time_s"] / device.loc[place, "block_device_reads"]
        assert float(row["device_latency_s"]) == pytest.approx(latency_s)
        if place in (("fs_native", 1), ("fs_native", 4)):
            assert float(row["fio_share"]) == pytest.approx(rates[place] / rates["fio", place[1]])
            assert float(row["fio_best_share"]) == pytest.approx(rates[place] / rates["fio"].max())
            assert row["fio_best_threads"] == "16"
        assert row["is_knee"] == str(place == ("fs_native", 2))


def test_json_has_the_sentences_and_the_curve(results_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune(results_dir, "--format", "json", "--within", "0.5") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["recommendation"][0].startswith("fs_native (LMCache 0.5.6")
    assert [row["in_flight"] for row in answer["curve"] if row["is_knee"]] == [2]
    assert [row["fio_share"] for row in answer["curve"] if row["adapter_type"] == "fio"] == [None, None]


def test_markdown_has_a_table(results_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune(results_dir, "--format", "markdown") == 0
    assert "| fs_native | defaults | 256 | 4 | 2 | 97.0 | 96.0 to 98.0 | 3 |" in capsys.readouterr().out


def test_rows_can_be_filtered(results_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune(results_dir, "--where", "in_flight >= 4") == 0
    out = capsys.readouterr().out
    assert "no other in_flight was measured without a failure" in out
    assert "Limited by LMCache: 16% (16% to 17%) of fio with 16 in flight, as here." in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--at", "hot"], r"tune: no load is hot \(processes: 15 cold\); run a sweep with cache=hot"),
        (["--for", "store"], "tune: no store was measured in these sweeps"),
        (["--over", "speed"], "over=speed: no setting has it; these sweeps vary in_flight"),
        (["--within", "100%"], "tune: .*--within: 100% must be below 100%"),
        (["--within", "x"], "tune: .*x must be a percentage"),
        (["--at", "warm"], "tune: --at: 'warm' is not one of 'cold', 'hot'"),
        (["--where", "in_flight > 900"], "tune: no load was measured in these sweeps"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(results_dir: Path, arguments: list[str], line: str) -> None:
    with pytest.raises(RequestError, match=line) as refused:
        tune(results_dir, *arguments)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_folder_without_sweeps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="has no recorded sweep"):
        tune(tmp_path)
