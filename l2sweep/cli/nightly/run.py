"""Run a night: the sweep, the verdict, the log, and the message if there is a problem."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from l2sweep.cli.nightly.settings import NightlySettings
from l2sweep.cli.nightly.sweep_process import run_sweep
from l2sweep.errors import STOPPED, BenchError, RequestError, UnreadableRecordsWarning, printable

if TYPE_CHECKING:
    from l2sweep.cli.nightly.verdict import Verdict

RunSweep = Callable[[Sequence[str], IO[bytes]], int]
"""Runs a sweep: gets its arguments and a file for what it prints, and returns its exit code."""
LOG = "nightly.log"
_ERROR = "l2sweep: "


@dataclass(frozen=True)
class _Ended:
    """How the sweep ended.

    Attributes:
        exit_code: Its exit code.
        printed: The lines that it printed.
    """

    exit_code: int
    printed: tuple[str, ...]

    @property
    def error(self) -> str:
        """The first error that it printed; else its exit code."""
        errors = [line.removeprefix(_ERROR) for line in self.printed if line.startswith(_ERROR)]
        return errors[0] if errors else f"the sweep ended with exit code {self.exit_code}"


@dataclass(frozen=True)
class _Outcome:
    """The outcome of a night.

    Attributes:
        exit_code: The exit code of the command.
        problems: One sentence for each problem; empty on a quiet night.
        verdict: What the records say; None if there is no verdict.
        notes: What else the log gets.
        points_left: Number of points that can still be measured.
    """

    exit_code: int
    problems: tuple[str, ...] = ()
    verdict: Verdict | None = None
    notes: tuple[str, ...] = ()
    points_left: int = 0


def run_nightly(settings: NightlySettings, run: RunSweep = run_sweep) -> int:
    """Run the sweep of a night and judge it. Print nothing if there is no problem.

    Args:
        settings: The settings of the night.
        run: Runs the sweep.

    Returns:
        The exit code: 0 without a problem, 1 with one, 2 if the request is wrong and nothing was run, 130 if
        the sweep was stopped.
    """
    sweep_id = f"night-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
    ended = _run_sweep(settings.sweep_arguments(sweep_id), run)
    try:
        outcome = _outcome(settings, sweep_id, ended)
    except BaseException as error:
        _write_log(settings, sweep_id, _Outcome(BenchError.exit_code, (f"it cannot be judged: {error!r}",)))
        raise
    _write_log(settings, sweep_id, outcome)
    if outcome.exit_code:
        _print_message(settings, sweep_id, outcome, ended)
    return outcome.exit_code


def dry_run(settings: NightlySettings, run: RunSweep = run_sweep) -> int:
    """Print what the sweep of a night would run, and return the exit code.

    Args:
        settings: The settings of the night.
        run: Runs the sweep.
    """
    arguments = [*settings.sweep_arguments("night-dry-run"), "quiet=false", "dry_run=true"]
    ended = _run_sweep(arguments, run)
    for line in ended.printed:
        print(line, file=sys.stderr if line.startswith(_ERROR) else sys.stdout)
    return ended.exit_code


def _run_sweep(arguments: Sequence[str], run: RunSweep) -> _Ended:
    with tempfile.TemporaryFile() as output:
        exit_code = run(arguments, output)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return _Ended(exit_code, tuple(line for line in text.splitlines() if line.strip()))


def _outcome(settings: NightlySettings, sweep_id: str, ended: _Ended) -> _Outcome:
    """Judge what the sweep has recorded, and remove old nights."""
    if ended.exit_code == RequestError.exit_code:
        return _Outcome(ended.exit_code, (f"nothing was run: {ended.error}",))
    from l2sweep.cli.nightly.summary import NightRecords, prune_nights
    from l2sweep.cli.nightly.verdict import judge

    is_stopped = ended.exit_code == STOPPED
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnreadableRecordsWarning)
        try:
            records = NightRecords.of(settings.results_dir, sweep_id)
        except (FileNotFoundError, KeyError):
            if is_stopped:
                return _Outcome(STOPPED, ("stopped before the first point was measured",))
            return _Outcome(BenchError.exit_code, (f"nothing was recorded: {ended.error}",))
        verdict = judge(records, settings.limits)
        left = records.points_left()
        notes = prune_nights(records, settings.kept)
    notes += [str(one.message) for one in caught if issubclass(one.category, UnreadableRecordsWarning)]
    problems = verdict.problems
    if is_stopped:
        problems = ("stopped",)
    elif ended.exit_code not in (0, BenchError.exit_code) or (ended.exit_code and not problems):
        problems = (ended.error, *problems)
    exit_code = STOPPED if is_stopped else BenchError.exit_code if problems else 0
    return _Outcome(exit_code, problems, verdict, tuple(notes), left)


def _write_log(settings: NightlySettings, sweep_id: str, outcome: _Outcome) -> None:
    """Add the outcome to the log. A request that was refused creates nothing, and so no log either."""
    log = settings.results_dir / LOG
    if outcome.exit_code == RequestError.exit_code and not log.is_file():
        return
    settings.results_dir.mkdir(parents=True, exist_ok=True)
    verdict = outcome.verdict.lines if outcome.verdict else ()
    last = f"{datetime.now(UTC):%Y-%m-%d %H:%MZ} {sweep_id}: {'; '.join(outcome.problems) or 'no problems'}"
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"{printable(line)}\n" for line in [*verdict, *outcome.notes, last])


def _print_message(settings: NightlySettings, sweep_id: str, outcome: _Outcome, ended: _Ended) -> None:
    """Print each problem once, with the numbers behind it and what to do next."""
    from l2sweep.cli.nightly.message import print_tables

    print(f"l2sweep: the night {sweep_id} has a problem:")
    for problem in outcome.problems:
        print(f"- {printable(problem)}")
    if outcome.verdict and outcome.exit_code != STOPPED:
        print_tables(outcome.verdict)
    said = "\n".join(outcome.problems)
    others = [line for line in ended.printed if line.removeprefix(_ERROR) not in said]
    if others:
        print("\nThe sweep printed:")
        print("\n".join(f"  {printable(line)}" for line in others))
    for note in outcome.notes:
        print(printable(note))
    if (settings.results_dir / LOG).is_file():
        print(f"\nLog of all nights: {settings.results_dir / LOG}")
    if outcome.verdict and outcome.verdict.failed:
        print(f"Logs of the points: {settings.results_dir / 'sweeps' / sweep_id}")
    if outcome.points_left:
        path = os.environ.get("PYTHONPATH")
        environment = f"PYTHONPATH={shlex.quote(path)} " if path else ""
        resume = ["-m", "l2sweep", f"resume={sweep_id}", f"results_dir={settings.results_dir}"]
        print(
            f"To measure the points that are left ({outcome.points_left}): "
            f"{environment}{shlex.join([sys.executable, *resume])}"
        )
