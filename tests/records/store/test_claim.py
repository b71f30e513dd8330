from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
from file_stores import SWEEP, FailingStore

from l2sweep.records.owner import Owner
from l2sweep.records.store import claim
from l2sweep.records.store.claim import Claim, ClaimedError, claims_on
from l2sweep.records.store.object_store import StoreError

FOLDER = f"sweeps/{SWEEP}/claims"


@pytest.fixture
def store(tmp_path: Path) -> FailingStore:
    return FailingStore(tmp_path)


def put_claim(store: FailingStore, **changes: object) -> str:
    """Put a claim of another host."""
    owner = json.loads(Owner.of_this_process(SWEEP).to_json())
    owner = {**owner, "host": {"name": "far", "machine_id": "1", "boot_id": "2"}, **changes}
    store.put(f"{FOLDER}/other.json", json.dumps(owner).encode())
    return f"process {owner['pid']} on host far"


def test_one_process_claims_a_sweep_and_another_is_refused_until_it_is_released(store: FailingStore) -> None:
    first = Claim(store, SWEEP)
    first.acquire()
    with pytest.raises(ClaimedError, match=f"sweep mine is being run by process {os.getpid()} on host"):
        Claim(store, SWEEP).acquire()
    first.require_held()
    assert [seen.owner.pid for seen in claims_on(store, SWEEP)] == [os.getpid()]
    first.release()
    assert store.names(FOLDER) == []
    second = Claim(store, SWEEP)
    second.acquire()
    second.release()


def test_never_two_of_many_processes_hold_a_claim(tmp_path: Path) -> None:
    begin = threading.Barrier(4)
    holders: list[int] = []
    most: list[int] = []

    def race() -> None:
        own = Claim(FailingStore(tmp_path), SWEEP)
        begin.wait()
        for _ in range(5):
            try:
                own.acquire()
            except ClaimedError:
                continue
            holders.append(1)
            most.append(len(holders))
            time.sleep(0.001)
            holders.pop()
            own.release()
            return

    for _ in range(10):
        threads = [threading.Thread(target=race) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(most) == {1}
    assert FailingStore(tmp_path).names(FOLDER) == []


def test_the_claim_of_a_process_of_this_host_that_died_is_replaced(store: FailingStore) -> None:
    owner = json.loads(Owner.of_this_process(SWEEP).to_json())
    store.put(f"{FOLDER}/dead.json", json.dumps({**owner, "started_ticks": 1}).encode())
    assert claims_on(store, SWEEP) == []
    own = Claim(store, SWEEP)
    own.acquire()
    assert len(store.names(FOLDER)) == 1
    own.release()


def test_the_claim_of_another_host_is_respected_until_it_expires(store: FailingStore, tmp_path: Path) -> None:
    named = put_claim(store)
    with pytest.raises(ClaimedError, match=f"{named} since .* its claim expires after 3 minutes"):
        Claim(store, SWEEP).acquire()
    old = time.time() - claim.EXPIRES_S - 10
    os.utime(tmp_path / FOLDER / "other.json", (old, old))
    own = Claim(store, SWEEP)
    own.acquire()
    assert len(store.names(FOLDER)) == 1
    own.release()


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 10_000])
def test_a_claim_that_cannot_be_read_is_respected(store: FailingStore, content: bytes) -> None:
    store.put(f"{FOLDER}/other.json", content)
    with pytest.raises(ClaimedError, match="is being run by another process"):
        Claim(store, SWEEP).acquire()
    assert store.names(FOLDER) == ["other.json"]


def test_a_process_whose_claim_was_taken_over_says_by_whom(store: FailingStore) -> None:
    own = Claim(store, SWEEP)
    own.acquire()
    store.delete(f"{FOLDER}/{store.names(FOLDER)[0]}")
    named = put_claim(store)
    with pytest.raises(ClaimedError, match=f"sweep mine was taken over by {named}"):
        own.require_held()
    own.release()


def test_a_claim_that_is_renewed_late_yields_to_another(
    store: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Claim(store, SWEEP)
    own.acquire()
    put_claim(store)
    own._renew_once()  # in time: the other process withdraws its claim
    own.require_held()
    own._renewed_s -= claim.EXPIRES_S
    own._renew_once()
    with pytest.raises(ClaimedError):
        own.require_held()
    assert store.names(FOLDER) == ["other.json"]
    own.release()


def test_a_claim_is_put_again_by_a_thread(store: FailingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "RENEWED_EVERY_S", 0.01)
    put_again = threading.Event()
    own = Claim(store, SWEEP)
    own.acquire()
    count = sum(request.startswith("put") for request in store.requests)

    def note(request: str) -> bool:
        if request.startswith("put"):
            put_again.set()
        return False

    store.is_away = note
    assert put_again.wait(60)
    own.release()
    assert count == 1


def test_no_claim_stays_if_the_store_goes_away_while_it_is_acquired(store: FailingStore) -> None:
    store.is_away = lambda request: request.startswith("get")
    put_claim(store)
    with pytest.raises(StoreError):
        Claim(store, SWEEP).acquire()
    assert store.names(FOLDER) == ["other.json"]
