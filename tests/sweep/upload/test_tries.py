from __future__ import annotations

import pytest

from l2sweep.records.store.object_store import StoreError
from l2sweep.sweep.upload import tries
from l2sweep.sweep.upload.tries import LONGEST_PAUSE_S, pause_s, tried


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses, which take no time here."""
    now = [0.0]
    found: list[float] = []

    def sleep(seconds: float) -> None:
        found.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(tries.time, "sleep", sleep)
    monkeypatch.setattr(tries.time, "monotonic", lambda: now[0])
    return found


def failing(times: int, *, is_away: bool = True) -> object:
    left = [times]

    def call() -> str:
        if left[0]:
            left[0] -= 1
            raise StoreError("s3://b", "on purpose", is_away=is_away)
        return "done"

    return call


def test_pauses_double_up_to_a_limit_and_differ() -> None:
    for failures in range(1, 100):
        longest = min(LONGEST_PAUSE_S, 0.25 * 2 ** (failures - 1))
        found = {pause_s(failures) for _ in range(20)}
        assert len(found) > 1
        assert all(longest / 2 <= pause <= longest for pause in found)


def test_a_store_that_comes_back_is_tried_until_then(pauses: list[float]) -> None:
    assert tried(failing(5), 60) == "done"  # type: ignore[arg-type]
    assert len(pauses) == 5
    assert 4 < sum(pauses) < 8


def test_a_store_that_stays_away_is_tried_for_a_bounded_time(pauses: list[float]) -> None:
    with pytest.raises(StoreError):
        tried(failing(10**6), 60)  # type: ignore[arg-type]
    assert 15 < sum(pauses) <= 60


def test_without_time_there_is_one_try(pauses: list[float]) -> None:
    with pytest.raises(StoreError):
        tried(failing(1), 0)  # type: ignore[arg-type]
    assert pauses == []


def test_what_another_try_does_not_change_is_not_tried_again(pauses: list[float]) -> None:
    with pytest.raises(StoreError):
        tried(failing(1, is_away=False), 60)  # type: ignore[arg-type]
    assert pauses == []


def test_a_user_who_asked_to_stop_does_not_wait(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "requested", lambda: True)
    with pytest.raises(StoreError):
        tried(failing(1), 60)  # type: ignore[arg-type]
    assert pauses == []
