"""Tests of l2sweep.cli.commands.breakeven."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pandas as pd
import pytest
from made_tiers import Rates, tier_rows
from sample_rows import MIB, point_row

from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError
from l2sweep.records.writer import write_point
from l2sweep.sweep.terminal import console

SWEEP = "20261124T000000Z-0000"
# qwen2.5-7b in chunks of 16 tokens: keys of 896 KiB, 64 of them for 1,024 tokens. Cold, then hot.
COLD: Rates = {(896, 16, 1): 100.0, (896, 64, 1): 200.0, (896, 256, 1): 800.0}
HOT: Rates = {(896, 64, 1): 4000.0}
MODEL = ("--model", "qwen2.5-7b", "--chunk-tokens", "16")
SAME = ("adapter_type", "adapter_spec", "num_keys", "in_flight", "data_size_kb", "lmcache_version")


@pytest.fixture(scope="module")
def results_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a cold and a hot curve of fs_native, with lookups."""
    folder = tmp_path_factory.mktemp("results")
    processes = tier_rows(COLD, lookup_keys_s=1000.0)
    processes += tier_rows(HOT, first=len(processes), lookup_keys_s=5000.0, cache_state="warm")
    for index, rows in enumerate(processes):
        point = {name: rows[0][name] for name in SAME}
        write_point(folder, f"{SWEEP}.{index:05d}.1", rows, [point_row(point_index=index, **point)])
    return folder


@pytest.fixture
def ladder(tmp_path: Path) -> Path:
    file = tmp_path / "prefill.csv"
    file.write_text("tokens,seconds\n1024,0.3\n2048,0.62\n4096,1.4\n")
    return file


def breakeven(results_dir: Path, *arguments: str) -> int:
    return run_command(["breakeven", "latest", "--results-dir", str(results_dir), *MODEL, *arguments])


def test_every_number_follows_from_the_parquet_rows(
    results_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recompute each number with plain pandas, from the rows and the published shape of the model."""
    prices = ("--gpu-hour", "2.5", "--gb-month", "0.02")
    assert breakeven(results_dir, *prices, "--gpu", "a100-80gb", "--mfu", "0.4-0.5", "--format", "csv") == 0
    printed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    rows = pd.concat(map(pd.read_parquet, sorted(results_dir.rglob("rounds/**/*.parquet"))))
    rows = rows[~rows["is_warmup"]]
    by = ["temperature", "num_keys"]
    loads, lookups = rows[rows["phase"] == "load"], rows[rows["phase"] == "lookup"]
    loads = loads.assign(temperature=loads["cache_state"], rate=loads["bytes_ok"] / MIB / loads["duration_s"])
    lookups = lookups.assign(
        temperature=lookups["cache_state"], rate=lookups["keys_requested"] / lookups["duration_s"]
    )
    rates, found = loads.groupby(by)["rate"].median(), lookups.groupby(by)["rate"].median()
    token_bytes = 2 * 28 * 4 * 128 * 2
    assert len(printed) == 2 * 8
    known = 0
    for row in printed:
        tokens, state = int(row["tokens"]), {"cold": "cold", "hot": "warm"}[row["at"]]
        keys = tokens // 16
        size = tokens * token_bytes
        assert int(row["num_keys"]) == keys
        assert int(row["loaded_bytes"]) == size
        work = 2 * 6_525_288_448 * tokens + 2 * 28 * 3584 * tokens**2
        prefill = {"fast": work / (0.5 * 312e12), "slow": work / (0.4 * 312e12)}
        for name, seconds in prefill.items():
            assert float(row[f"prefill_{name}_s"]) == pytest.approx(seconds)
            assert float(row[f"needed_{name}_gb_s"]) == pytest.approx(size / seconds / 1e9)
        measured = rates[state]
        if not measured.index.min() <= keys <= measured.index.max():
            assert row["load_s"] == row["basis"] == row["faster"] == ""
            assert row["not_known"]
            continue
        known += 1
        if keys in measured.index:
            assert row["basis"] == "measured"
            rate, lookup = measured[keys], found[state][keys]
        else:
            below, above = (
                measured.index[measured.index < keys].max(),
                measured.index[measured.index > keys].min(),
            )
            assert row["basis"] == f"interpolated: {below} keys, {above} keys"
            share = math.log(keys / below) / math.log(above / below)
            rate = measured[below] ** (1 - share) * measured[above] ** share
            lookup = found[state][below] ** (1 - share) * found[state][above] ** share
        transfer, seek, copy = size / MIB / rate, keys / lookup, size / 32e9
        assert float(row["rate_mib_s"]) == pytest.approx(rate)
        assert float(row["request_gb_s"]) == pytest.approx(rate * MIB / 1e9)
        assert float(row["transfer_s"]) == pytest.approx(transfer)
        assert float(row["lookup_s"]) == pytest.approx(seek)
        assert float(row["h2d_s"]) == pytest.approx(copy)
        load = transfer + seek + copy
        assert float(row["load_s"]) == pytest.approx(load)
        assert float(row["load_low_s"]) < load < float(row["load_high_s"])
        for name, seconds in prefill.items():
            assert float(row[f"both_{name}_s"]) == pytest.approx(load * seconds / (load + seconds))
            saved = 2.5 / 3600 * (seconds - load)
            reuses = 0.02 * size / 1e9 / saved if saved > 0 else ""
            shown = row[f"reuses_{name}_a_month"]
            assert (float(shown) if shown else "") == (pytest.approx(reuses) if reuses else "")
    assert known == 4  # cold: 1k, 2k and 4k tokens; hot: 1k


def test_the_table_names_each_length_and_what_is_not_measured(
    results_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert breakeven(results_dir) == 0
    out = capsys.readouterr().out
    joined = " ".join(out.split())
    assert max(map(len, out.partition("\n\n")[0].splitlines())) <= 120
    assert (
        "qwen2.5-7b: 57,344 bytes a token, keys of 896 KiB, 1 for 16 tokens; 1 request at a time." in joined
    )
    assert "Nothing was measured on a GPU." in joined
    assert "interpolated: 64 keys, 256 keys" in joined
    assert "Not measured at 8,192 to 131,072 tokens: 512 keys of 896 KiB in flight: only 16 to 256" in joined
    assert next(line.split()[:2] for line in out.splitlines() if line.startswith("cold ")) == [
        "cold",
        "1,024",
    ]
    assert "load, fs_native, cold" in out
    assert "prefill, assumed MFU 60%" in out


def test_cold_and_hot_are_answered_apart(results_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert breakeven(results_dir, "--format", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["at"] for one in answer["break_even"]] == ["cold", "hot"]
    assert answer["break_even"][1]["fast_prefill"]["first_known_tokens"] == 1024
    assert breakeven(results_dir, "--at", "hot", "--format", "json") == 0
    assert [one["at"] for one in json.loads(capsys.readouterr().out)["break_even"]] == ["hot"]


def test_a_ladder_of_ones_own_is_fitted_and_its_residuals_are_shown(
    results_dir: Path, ladder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert breakeven(results_dir, "--prefill", str(ladder)) == 0
    out = capsys.readouterr().out
    assert "1,024 tokens: 0.3 s, the fit says" in out
    assert "* extrapolated: the ladder of prefills does not reach this length" in out
    assert breakeven(results_dir, "--prefill", str(ladder), "--format", "json") == 0
    fit = json.loads(capsys.readouterr().out)["prefill"]
    assert [rung["tokens"] for rung in fit["ladder"]] == [1024, 2048, 4096]
    for rung in fit["ladder"]:
        seconds = fit["fast"]["alpha_s"] * rung["tokens"] + fit["fast"]["beta_s"] * rung["tokens"] ** 2
        assert rung["fit_s"] == pytest.approx(seconds)
        assert rung["residual_fraction"] == pytest.approx(rung["seconds"] / seconds - 1)


def test_the_copy_to_the_device_can_overlap(results_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, seconds in (
        ((), 1024 * 57344 / 64e9),
        (("--h2d", "1"), 1024 * 57344 / 1e9),
        (("--overlap",), 0),
    ):
        assert breakeven(results_dir, *arguments, "--format", "json") == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["lengths"][0]["h2d_s"] == pytest.approx(seconds)


def test_markdown_has_a_table_and_the_chart_in_a_block(
    results_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert breakeven(results_dir, "--format", "markdown") == 0
    out = capsys.readouterr().out
    assert "| cold | 1,024 |" in out
    assert "```text\n" in out


def test_a_narrow_terminal_gets_narrow_lines(
    results_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PLAIN_WIDTH", 80)
    assert breakeven(results_dir) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith("not shown for lack")] == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--at", "claimed"], r"breakeven: no load is claimed \(processes: 9 cold, 3 warm\)"),
        (
            ["--where", "cache_state == 'warm'", "--at", "cold"],
            r"breakeven: no load is cold \(processes: 3 warm\); run",
        ),
        (["--model", "gpt"], "breakeven: --model: 'gpt' is not one of 'deepseek-v3', 'llama-3.1-405b'"),
        (["--gpu", "h1"], "breakeven: --gpu: 'h1' is not one of 'a100-80gb', 'a800'"),
        (["--tp", "3"], "breakeven: --tp 3: must divide the 4 KV heads of qwen2.5-7b or be their multiple"),
        (["--chunk-tokens", "1", "--tp", "8"], "breakeven: --chunk-tokens 1: .* must be a multiple of 4 KiB"),
        (["--mfu", "0"], "breakeven: --mfu: 0 must be a share of the peak above 0 and up to 1"),
        (["--mfu", "0.6-0.3"], "breakeven: --mfu: 0.6-0.3 must be a share of the peak"),
        (["--mfu", "30%-x"], "breakeven: --mfu: 30%-x must be a share of the peak"),
        (["--mfu", "1.1"], "breakeven: --mfu: 1.1 must be a share of the peak"),
        (["--h2d", "0"], "breakeven: --h2d: 0"),
        (["--h2d", "nan"], "breakeven: --h2d: 'nan' is not a number"),
        (["--h2d", "3", "--overlap"], "breakeven: --h2d and --overlap contradict each other"),
        (["--gpu-hour", "2"], "breakeven: --gpu-hour and --gb-month must be given together"),
        (["--compute", "fp8", "--gpu", "a800"], "breakeven: --compute fp8: --gpu a800 has no FP8; use bf16"),
        (["--concurrency", "0"], "breakeven: --concurrency: 0 is not in the range"),
        (["--prefill", "no/such/file"], "breakeven: --prefill no/such/file: cannot be read: No such file"),
        (["model=llama-3.1-8b"], "breakeven: model=llama-3.1-8b: .* --model llama-3.1-8b"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(results_dir: Path, arguments: list[str], line: str) -> None:
    with pytest.raises(RequestError, match=line) as refused:
        breakeven(results_dir, *arguments)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "line 1: must name the columns tokens,seconds; tokens is missing"),
        ("tokens,time\n1,2\n", "line 1: must name the columns tokens,seconds; seconds is missing"),
        ("tokens,seconds\n1024,0.1\n2048,fast\n", "line 3: seconds fast: must be a number above 0"),
        ("tokens,seconds\n1024,-1\n", "line 2: seconds -1: must be a number above 0"),
        ("tokens,seconds\n1024,inf\n", "line 2: seconds inf: must be a number above 0"),
        ("tokens,seconds\n1024\n", "line 2: seconds : must be a number above 0"),
        ("tokens,seconds\n10.5,1\n", "line 2: tokens 10.5: must be a whole number"),
        ("tokens,seconds\n1024,1\n1024,2\n", "must have lines with two lengths or more"),
    ],
)
def test_a_ladder_with_an_error_is_refused_with_its_line(
    results_dir: Path, tmp_path: Path, text: str, line: str
) -> None:
    file = tmp_path / "prefill.csv"
    file.write_text(text)
    with pytest.raises(RequestError, match=f"^breakeven: --prefill {file}: {line}") as refused:
        breakeven(results_dir, "--prefill", str(file))
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("option", [("--mfu", "0.5"), ("--compute", "bf16")])
def test_what_is_assumed_has_no_place_beside_a_ladder(
    results_dir: Path, ladder: Path, option: tuple[str, ...]
) -> None:
    with pytest.raises(RequestError, match="are for an assumed prefill: leave them out with --prefill"):
        breakeven(results_dir, "--prefill", str(ladder), *option)


def test_a_folder_without_sweeps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="has no recorded sweep"):
        breakeven(tmp_path)
