"""One client of an attempt at a point: its job, its journal, and whether its keys may remain."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from l2sweep.bench.job import Job
from l2sweep.process.bench_process import REMOVAL_SILENCE_S
from l2sweep.process.report import ProcessReport
from l2sweep.process.starter import StartProcess
from l2sweep.sweep.rows import PointColumns
from l2sweep.sweep.state.journal import Journal
from l2sweep.sweep.state.leftovers import Removal, remove_keys


@dataclass
class Client:
    """One client of an attempt.

    Attributes:
        job: Its whole job, with its own namespace.
        journal: Records its keys.
        columns: The values that all of its rows share.
        keys_remain: Whether it may have keys that should be deleted.
    """

    job: Job
    journal: Journal
    columns: PointColumns
    keys_remain: bool = field(default=False, init=False)
    _has_stored: bool = field(default=False, init=False)

    def begin_process(self) -> None:
        """Take note that a process starts, which may leave keys."""
        self.keys_remain = self.job.delete_after

    def end_process(self, report: ProcessReport) -> None:
        """Take note of what the process did with its keys.

        Args:
            report: The report of the process; an empty one if it was not started.
        """
        finished = report.finished
        self._has_stored = self._has_stored or report.created is not None
        are_settled = finished is not None and (finished.keys_removed or finished.keys_stay)
        self.keys_remain = self.job.delete_after and self._has_stored and not are_settled

    def remove_keys(self, python: str | None, start: StartProcess) -> None:
        """Delete the keys that its processes left.

        Args:
            python: Path of the interpreter that runs the process; None: the interpreter of the launcher.
            start: Starts a benchmark process.

        Raises:
            KeyboardInterrupt: The user asked to stop.
        """
        self.keys_remain = remove_keys(self.job, python, start, REMOVAL_SILENCE_S) is Removal.FAILED

    def end(self) -> None:
        """End the journal; it stays if keys remain."""
        with contextlib.suppress(OSError):  # on a disk that became read-only, the journal stays
            self.journal.end(self.keys_remain)
