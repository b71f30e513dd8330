"""A step that takes long is told once."""

from __future__ import annotations

import threading

from l2sweep.sweep.terminal.slow_step import told_if_slow


def test_a_slow_step_is_told_once() -> None:
    told: list[str] = []
    has_told = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        has_told.set()

    with told_if_slow("compacting 3 points ...", tell, after_s=0):
        assert has_told.wait(60)
    assert told == ["compacting 3 points ..."]


def test_a_fast_step_says_nothing() -> None:
    told: list[str] = []
    with told_if_slow("compacting 3 points ...", told.append, after_s=3600):
        pass
    assert told == []
