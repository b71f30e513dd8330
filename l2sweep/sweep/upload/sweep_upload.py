"""The upload of one sweep: claimed at first, continued after each point, completed at the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from l2sweep.errors import L2SweepError, RequestError
from l2sweep.interrupts import requested
from l2sweep.records.reading.intact import ERRORS, reason_of
from l2sweep.records.store.address import StoreAddress
from l2sweep.records.store.claim import Claim, ClaimedError
from l2sweep.records.store.object_store import ObjectStore, StoreError
from l2sweep.records.store.spool import SpooledSweep
from l2sweep.sweep.upload.tries import pause_s, tried

BEGIN_S, STOPPED_S = 10.0, 5.0
"""How long the store is tried: before the first point, and at the end of a sweep that was stopped."""
_ATTEMPTS = 1  # of the client: this module waits between attempts, and other work goes on meanwhile
_LONGEST_SHARE = 0.05  # of the time of a sweep that uploads between its points may take
_SHORT_S = 0.5


class SweepUpload:
    """The upload of a sweep. It happens between points, so that it takes nothing from what is measured.

    Args:
        address: Where the results belong.
        folder: The spool folder.
        sweep_id: The sweep.
        wait_s: How long the store is tried at the end.

    Attributes:
        address: Where the results belong.
        problem: Why something is not uploaded yet; empty if nothing is missing.
    """

    def __init__(self, address: StoreAddress, folder: Path, sweep_id: str, wait_s: float) -> None:
        self.address = address
        self.sweep_id = sweep_id
        self.problem = ""
        self._wait_s = wait_s
        self._store = ObjectStore(address, _ATTEMPTS)
        self._claim = Claim(self._store, sweep_id)
        self._sweep = SpooledSweep(self._store, folder, sweep_id)
        self._failures = 0
        self._next_s = 0.0

    @contextlib.contextmanager
    def begun(self, *, resumes: bool) -> Iterator[None]:
        """Claim the sweep for the block, and fetch what is needed to resume it.

        The claim is put, so this also shows whether the bucket exists, and whether the credentials suffice.

        Args:
            resumes: Whether the sweep may exist already.

        Raises:
            RequestError: The store cannot be used, another process runs the sweep, or a new sweep exists.
        """
        try:
            if reason := tried(self._store.why_no_bucket, BEGIN_S):  # some stores make one that is missing
                raise RequestError([f"results_dir={self.address.url}: {reason}"])
            tried(self._claim.acquire, BEGIN_S)
        except StoreError as error:
            raise RequestError([f"results_dir={error}"]) from error
        try:
            self._bring_up_to_date(resumes=resumes)
            yield
        finally:
            self._claim.release()

    def after_point(self) -> None:
        """Put what was recorded since the last call. Do nothing while the store is known to be away."""
        began_s = time.monotonic()
        if began_s < self._next_s:
            return
        self._publish(for_s=0)
        took_s = time.monotonic() - began_s
        if self._failures:
            self._next_s = time.monotonic() + max(took_s / _LONGEST_SHARE, pause_s(self._failures))
        elif took_s > _SHORT_S:
            self._next_s = time.monotonic() + took_s / _LONGEST_SHARE

    def finish(self) -> None:
        """Put everything that is not in the store yet. Then ``problem`` says why something is missing."""
        self._publish(for_s=min(STOPPED_S, self._wait_s) if requested() else self._wait_s)

    def what_is_missing(self) -> str:
        """Return one line that says what is not in the store, why, and which command uploads it."""
        files = len(self._sweep.pending())
        count = f"{files} file{'s' if files != 1 else ''} of this sweep"
        return f"{count} not in {self.address.url} yet ({self.problem}): {upload_command(self.address)}"

    def _publish(self, for_s: float) -> None:
        try:
            tried(self._publish_once, for_s)
        except KeyboardInterrupt:
            self.problem = "the upload was stopped"
        except ClaimedError as error:
            self.problem = str(error)
        except StoreError as error:
            self._failures += 1
            self.problem = error.reason
        except ERRORS as error:
            self.problem = reason_of(error)
        else:
            self._failures = 0
            self.problem = ""

    def _publish_once(self) -> None:
        self._claim.require_held()
        self._sweep.publish(self._claim.require_held)

    def _bring_up_to_date(self, *, resumes: bool) -> None:
        try:
            tried(self._sweep.fetch if resumes else self._sweep.load, BEGIN_S)
        except L2SweepError as error:
            raise RequestError([f"results_dir={error}"]) from error
        if not resumes and self._sweep.counted.objects:
            raise RequestError(
                [f"sweep_id={self.sweep_id}: must be new, but {self.address.url} already contains this sweep"]
            )


def upload_command(address: StoreAddress) -> str:
    """Return the command that uploads what is missing in a store."""
    return f"l2sweep upload {address.url}"
