"""The claim of a process on a sweep in a store: one process at a time measures a sweep and puts its objects.

A store has no locks. A process puts an object of its own, ``sweeps/ID/claims/TOKEN.json``, and then lists the
claims. If there is another one, it withdraws its own. Two processes that do this at the same time see each
other's claim, because a list that begins after a put has ended contains the object: S3, Google Cloud Storage
and local file systems guarantee that. So never do both hold a claim; both may be refused.

A claim is put again every half a minute. One that is much older than a new claim, by the clock of the store,
belonged to a process that died, or that is cut off from the store. Such a process notices that its claim is
gone, or that there is another one, and puts nothing any more.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from dataclasses import dataclass

from l2sweep.errors import RequestError
from l2sweep.records.owner import Owner
from l2sweep.records.store.counted import SWEEPS
from l2sweep.records.store.object_store import ObjectStore, StoreError

RENEWED_EVERY_S = 30.0
EXPIRES_S = 180.0
_LAST_ANSWER_S = 15.0  # a request that the store does not answer takes less


class ClaimedError(RequestError):
    """Another process has a claim on the sweep."""


class Claim:
    """A claim on a sweep. It is put again by a thread until it is released.

    Args:
        store: The store.
        sweep_id: The sweep.
    """

    def __init__(self, store: ObjectStore, sweep_id: str) -> None:
        self._store = store
        self._sweep_id = sweep_id
        self._folder = f"{SWEEPS}/{sweep_id}/claims"
        self._name = f"{secrets.token_hex(8)}.json"
        self._renewed_s = 0.0
        self._is_lost = False
        self._is_released = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="claim", daemon=True)

    def acquire(self) -> None:
        """Put the claim.

        Raises:
            ClaimedError: Another process runs the sweep, or may run it.
            StoreError: The store did not do it.
        """
        self._put()
        try:
            self._require_alone()
        except BaseException:
            with contextlib.suppress(StoreError):
                self._store.delete(self._key)
            raise
        self._thread.start()

    def require_held(self) -> None:
        """Check that no other process has taken the sweep over.

        Raises:
            ClaimedError: Another process has.
            StoreError: The store did not tell.
        """
        names = self._store.names(self._folder)
        if self._is_lost or self._name not in names:
            raise ClaimedError([f"sweep {self._sweep_id} was taken over by {self._others(names)}"])

    def release(self) -> None:
        """Delete the claim. If the store is away, it expires."""
        self._is_released.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_ANSWER_S)
        with contextlib.suppress(StoreError):
            self._store.delete(self._key)

    @property
    def _key(self) -> str:
        return f"{self._folder}/{self._name}"

    def _put(self) -> None:
        self._store.put(self._key, Owner.of_this_process(self._sweep_id).to_json())
        self._renewed_s = time.monotonic()

    def _renew(self) -> None:
        while not self._is_released.wait(RENEWED_EVERY_S):
            with contextlib.suppress(StoreError, ClaimedError):
                self._renew_once()

    def _renew_once(self) -> None:
        self.require_held()
        is_late = time.monotonic() - self._renewed_s > EXPIRES_S / 2
        self._put()
        if is_late and self._store.names(self._folder) != [self._name]:
            # Another process took the claim for expired, perhaps just before this one was put again.
            self._is_lost = True
            self._store.delete(self._key)

    def _require_alone(self) -> None:
        ages = self._store.ages_ns(self._folder)
        own = ages.pop(self._name, 0)
        for name, put_ns in ages.items():
            key = f"{self._folder}/{name}"
            owner = _owner(self._store, key)
            if own - put_ns > EXPIRES_S * 1e9 or (owner is not None and owner.has_ended):
                self._store.delete(key)
                continue
            raise ClaimedError(
                [
                    f"sweep {self._sweep_id} is being run by {owner or 'another process'}: wait until it "
                    f"ends; if it has died, its claim expires after {EXPIRES_S / 60:.0f} minutes"
                ]
            )

    def _others(self, names: list[str]) -> str:
        owners = (_owner(self._store, f"{self._folder}/{name}") for name in names)
        return next((str(owner) for owner in owners if owner is not None), "another process")


@dataclass(frozen=True)
class SeenClaim:
    """A claim on a sweep, as another process sees it.

    Attributes:
        owner: The process that put it.
        put_ns: When it was put the last time, in nanoseconds since 1970, by the clock of the store.
    """

    owner: Owner
    put_ns: int


def claims_on(store: ObjectStore, sweep_id: str) -> list[SeenClaim]:
    """Return the claims on a sweep, without those of processes of this host that have ended.

    Args:
        store: The store.
        sweep_id: The sweep.

    Raises:
        StoreError: The store did not tell.
    """
    folder = f"{SWEEPS}/{sweep_id}/claims"
    found = ((_owner(store, f"{folder}/{name}"), put_ns) for name, put_ns in store.ages_ns(folder).items())
    return [SeenClaim(owner, put_ns) for owner, put_ns in found if owner is not None and not owner.has_ended]


def _owner(store: ObjectStore, key: str) -> Owner | None:
    try:
        return Owner.from_json(store.get(key))
    except FileNotFoundError:  # it was released just now
        return None
