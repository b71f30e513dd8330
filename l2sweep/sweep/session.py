"""The session of a sweep: its locks, its services, the fork server and the exit code of all its points."""

from __future__ import annotations

import contextlib
import secrets
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import STOPPED, BenchError
from l2sweep.interrupts import deferred, interruptible
from l2sweep.process.starter import ProcessStarter
from l2sweep.records.reading.presence import Recorded, lost_records
from l2sweep.records.storage.compaction import NotCompactedError, compact_sweep
from l2sweep.services.started import StartedServices
from l2sweep.sweep.checks.probe import probe_problem
from l2sweep.sweep.state.host_lock import host_lock
from l2sweep.sweep.state.manifest import Manifest, sweep_folder
from l2sweep.sweep.state.sweep_lock import sweep_lock
from l2sweep.sweep.terminal.slow_step import told_if_slow
from l2sweep.sweep.upload.sweep_upload import SweepUpload

if TYPE_CHECKING:
    from l2sweep.sweep.runs import Crew
    from l2sweep.sweep.terminal.view import SweepView


class SweepSession:
    """The sweep that this process runs. Hydra's plugins get it from :func:`current_session`.

    A grid is prepared and run once. A search prepares and runs one trial after another in the same session.

    Args:
        starter: Starts the benchmark processes, and is not closed with the session.

    Attributes:
        starter: Starts the benchmark processes.
        new_sweep_id: Id of a sweep without ``sweep_id``: date, time (UTC) and four random hexadecimal digits.
        manifest: The manifest of the sweep; None until it is saved.
        view: Shows the sweep; None until the first point is planned.
        sweep: The options of the sweep; None until the first point is planned.
        recorded: The records of all points that are measured. They are looked for at the end.
        upload: Uploads the sweep into the store that ``results_dir`` names; None: it names a folder.
        has_run_to_end: Whether the last grid or trial ended by itself, without a stop or an error.
        crew: The hosts that run the points; None: this host alone.
        exit_code: Exit code so far. 0: everything was measured, 1: something failed, 130: stopped.
    """

    def __init__(self, starter: ProcessStarter) -> None:
        self._held = contextlib.ExitStack()
        self._has_begun = False
        self._locked_at_s: float | None = None
        self._services: StartedServices | None = None
        self.starter = starter
        self.new_sweep_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        self.manifest: Manifest | None = None
        self.view: SweepView | None = None
        self.sweep: SweepConfig | None = None
        self.recorded: list[Recorded] = []
        self.has_run_to_end = False
        self.crew: Crew | None = None
        self.exit_code = 0
        self.upload: SweepUpload | None = None

    def __enter__(self) -> SweepSession:
        """Become the current session. Each lock is acquired when it is first needed."""
        global _current
        _current = self
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the services, and release the locks."""
        global _current
        _current = None
        self._held.close()

    def begin(self) -> None:
        """Let a signal only stop the running step until the session ends. Do nothing at the second call.

        Before, a signal ends this process: nothing exists yet that must be saved or removed.
        """
        if not self._has_begun:
            self._has_begun = True
            self._held.enter_context(deferred())

    def begin_upload(self, upload: SweepUpload, *, resumes: bool) -> None:
        """Claim the sweep in its store until the session ends.

        Args:
            upload: The upload.
            resumes: Whether the sweep may exist already.

        Raises:
            RequestError: The store cannot be used, or another process runs the sweep.
        """
        self._held.enter_context(upload.begun(resumes=resumes))
        self.upload = upload

    def upload_recorded(self) -> None:
        """Upload what was recorded, between two points. That a store is away is told once."""
        if self.upload is None:
            return
        was_away = bool(self.upload.problem)
        self.upload.after_point()
        if self.upload.problem and not was_away:
            self._note(f"Not uploaded yet, and tried again later: {self.upload.problem}")

    def lock(self, sweep: SweepConfig) -> None:
        """Acquire the lock of the host and start the time budget. Do nothing at the second call.

        Args:
            sweep: The options of the sweep. ``lock`` says what to do if another sweep holds the lock.

        Raises:
            HostBusyError: Another sweep holds the lock.
        """
        if self._locked_at_s is None:
            with interruptible():  # lock=wait
                self._held.enter_context(host_lock(sweep.lock, sweep.sweep_id))
            self._locked_at_s = time.monotonic()

    def lock_sweep(self, folder: Path) -> None:
        """Acquire the lock of the sweep, whatever the option ``lock`` says about the lock of the host.

        Args:
            folder: Folder of the sweep, which exists.

        Raises:
            RequestError: Another process runs this sweep, or may run it.
        """
        with deferred():
            self._held.enter_context(sweep_lock(folder))

    def services(self, sweep: SweepConfig) -> StartedServices:
        """Return the services of the sweep, which run until the session ends.

        Args:
            sweep: The options of the sweep.
        """
        if self._services is None:
            services = StartedServices(Path(sweep.scratch_dir), probe_problem, sweep_folder(sweep))
            self._services = self._held.enter_context(services)
        return self._services

    def is_over_budget(self, budget_minutes: float | None) -> bool:
        """Whether the time budget is used up, so that no further point may start.

        Args:
            budget_minutes: The budget in minutes, counted from :meth:`lock`; None: no limit.
        """
        if budget_minutes is None or self._locked_at_s is None:
            return False
        return time.monotonic() - self._locked_at_s > budget_minutes * 60

    def join(self, hosts: AbstractContextManager[Crew]) -> None:
        """Let several hosts run the points, until the session ends.

        Args:
            hosts: Gathers the hosts, and lets them go.
        """
        self.crew = self._held.enter_context(hosts)

    def note(self, exit_code: int) -> None:
        """Add the exit code of a point to the exit code of the session.

        Args:
            exit_code: Exit code of the point. 2 (LMCache refused the spec) counts as 1, because a command
                that ends with 2 has run nothing.
        """
        if exit_code:
            self.exit_code = STOPPED if STOPPED in (exit_code, self.exit_code) else BenchError.exit_code

    def finish(self) -> None:
        """Check that all records can be read back, and show the result of the whole sweep."""
        if self.view is None:
            return
        # First: another machine may have measured a point again, and what counts in the store first stays.
        # That can be told file by file, and no more when the files were compacted.
        self._finish_upload()
        compacts = self.has_run_to_end and (self.upload is None or not self.upload.problem)
        count = len({(one.results_dir, one.sweep_id, one.point_index) for one in self.recorded})
        step = "compacting" if compacts else "reading back"
        has_compacted = False
        with told_if_slow(f"{step} the records of {count:,} points ...", self._note):
            lost = lost_records(self.recorded)
            if compacts and not lost:
                has_compacted = self._compact()
                lost = lost_records(self.recorded) if has_compacted else lost
        if lost:
            self.note(BenchError.exit_code)
            self.view.lost(lost)
        if has_compacted:
            self._finish_upload()
        self.view.finished()
        if self.upload is not None and self.upload.problem:
            self._note(self.upload.what_is_missing())

    def _finish_upload(self) -> None:
        if self.upload is None:
            return
        with told_if_slow(f"uploading the records to {self.upload.address.url} ...", self._note):
            self.upload.finish()
        if self.upload.problem:
            self.note(BenchError.exit_code)

    def _compact(self) -> bool:
        """Compact the records, and return whether files were replaced. A sweep never fails because of it."""
        has_replaced = False
        for results_dir, sweep_id in dict.fromkeys((one.results_dir, one.sweep_id) for one in self.recorded):
            try:
                compacted = compact_sweep(results_dir, sweep_id)
            except NotCompactedError as error:
                self._note(f"The records stay in several files: {error}")
                continue
            has_replaced = has_replaced or compacted.files_before > 0
            for path, reason in compacted.damaged.items():
                self._note(f"{path} cannot be read ({reason}) and stays beside the compacted records")
        return has_replaced

    def _note(self, text: str) -> None:
        assert self.view is not None
        self.view.note(text)


_current: SweepSession | None = None


def current_session() -> SweepSession:
    """Return the open session.

    Raises:
        RuntimeError: No session is open.
    """
    if _current is None:
        raise RuntimeError("no session is open: start l2sweep from its command line")
    return _current
