"""Tests of l2sweep.cli.nightly.run. The sweep is replaced by a function that writes its records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest
from sample_rows import point_row, round_row

from l2sweep.cli.nightly import run as module
from l2sweep.cli.nightly.run import LOG, dry_run, run_nightly
from l2sweep.cli.nightly.settings import NightlySettings
from l2sweep.records.writer import write_point
from l2sweep.sweep.state.manifest import Manifest

Sweep = Callable[[Sequence[str], IO[bytes]], int]


def sweep(code: int = 0, printed: str = "", *statuses: str, planned: int | None = None) -> Sweep:
    """Return a sweep that measures an fs point for each status, of ``planned`` points."""

    def run(arguments: Sequence[str], output: IO[bytes]) -> int:
        given = dict(argument.split("=", 1) for argument in arguments)
        results_dir, sweep_id = Path(given["results_dir"]), given["sweep_id"]
        for index, status in enumerate(statuses):
            own: dict[str, Any] = {
                "sweep_id": sweep_id,
                "started_at": datetime.now(UTC),
                "point_index": index,
            }
            rows = [round_row("load", number, **own) for number in (2, 3, 4)] if status == "ok" else []
            point = point_row(**own, status=status, detail="it broke", phase="load")
            write_point(results_dir, f"{sweep_id}.{index:05}.1", rows, [point])
        entries = [
            {"index": index, "repeat": 0, "point_id": "0" * 16, "overrides": ["adapter=fs"]}
            for index in range(len(statuses) if planned is None else planned)
        ]
        if entries:
            folder = results_dir / "sweeps" / sweep_id
            folder.mkdir(parents=True)
            Manifest(sweep_id, [], [], entries).save(folder)
        output.write(printed.encode())
        return code

    return run


@pytest.fixture
def settings(tmp_path: Path) -> NightlySettings:
    return NightlySettings(tmp_path / "nights")


def log_of(settings: NightlySettings) -> list[str]:
    return (settings.results_dir / LOG).read_text().splitlines()


def test_a_quiet_night_prints_nothing_and_is_logged(
    settings: NightlySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_nightly(settings, sweep(0, "", "ok", planned=2)) == 0  # the budget ended it early
    assert capsys.readouterr() == ("", "")
    summary, last = log_of(settings)
    assert "1 points measured, 0 failed, 0 warm" in summary
    assert last.endswith(": no problems")


def test_failed_points_are_named_once_with_the_command_to_go_on(
    settings: NightlySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_nightly(settings, sweep(1, "", "ok", "crashed")) == 1
    out, _ = capsys.readouterr()
    assert out.count("1 points failed") == out.count("it broke") == 1
    assert "\nTo measure the points that are left (1): " in out
    assert log_of(settings)[-1].endswith(": 1 points failed")


def test_what_the_sweep_printed_is_added_once(
    settings: NightlySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = "l2sweep: rounds/x.parquet cannot be read\nl2sweep: rounds/x.parquet was ignored\n"
    assert run_nightly(settings, sweep(1, printed, "ok")) == 1
    out, _ = capsys.readouterr()
    assert "- rounds/x.parquet cannot be read\n" in out  # the reason, as nothing else is wrong
    assert "The sweep printed:\n  l2sweep: rounds/x.parquet was ignored\n" in out
    assert out.count("cannot be read") == 1
    assert "points that are left" not in out


@pytest.mark.parametrize(
    ("run", "code", "problem"),
    [
        (sweep(1, "l2sweep: another sweep runs\n"), 1, "nothing was recorded: another sweep runs"),
        (sweep(137), 1, "nothing was recorded: the sweep ended with exit code 137"),
        (sweep(137, "", "ok", planned=3), 1, "the sweep ended with exit code 137"),
        (sweep(130, "", "ok", "stopped"), 130, "stopped"),
        (sweep(130), 130, "stopped before the first point was measured"),
    ],
)
def test_each_end_of_the_sweep_has_its_words(
    settings: NightlySettings, run: Sweep, code: int, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_nightly(settings, run) == code
    out, _ = capsys.readouterr()
    assert [line for line in out.splitlines() if line.startswith("- ")] == [f"- {problem}"]
    assert log_of(settings)[-1].endswith(f": {problem}")


def test_a_refused_request_creates_nothing(
    settings: NightlySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_nightly(settings, sweep(2, "l2sweep: rounds=0: must be larger\n")) == 2
    out, _ = capsys.readouterr()
    assert "\n- nothing was run: rounds=0: must be larger\n" in out
    assert "Log of all nights" not in out
    assert not settings.results_dir.exists()


def test_a_refused_request_is_a_line_of_the_log_of_earlier_nights(settings: NightlySettings) -> None:
    assert run_nightly(settings, sweep(0, "", "ok")) == 0
    assert run_nightly(settings, sweep(2, "l2sweep: rounds=0: must be larger\n")) == 2
    assert log_of(settings)[-1].endswith(": nothing was run: rounds=0: must be larger")


def test_a_verdict_that_fails_is_logged(settings: NightlySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "_outcome", broken)
    with pytest.raises(ZeroDivisionError):
        run_nightly(settings, sweep(0, "", "ok"))
    assert log_of(settings)[-1].endswith("it cannot be judged: ZeroDivisionError()")


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    settings: NightlySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    def plan(arguments: Sequence[str], output: IO[bytes]) -> int:
        assert arguments[-2:] == ["quiet=false", "dry_run=true"]
        output.write(b"4 points\nl2sweep: a warning\n")
        return 0

    assert dry_run(settings, plan) == 0
    assert capsys.readouterr() == ("4 points\n", "l2sweep: a warning\n")
    assert not settings.results_dir.exists()
