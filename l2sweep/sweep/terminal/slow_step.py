"""Say that a step is running, if it takes long enough for a user to wonder."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

AFTER_S = 2.0
"""A step that takes less is not worth a line."""


@contextlib.contextmanager
def told_if_slow(text: str, tell: Callable[[str], None], after_s: float = AFTER_S) -> Iterator[None]:
    """Tell what the block does, once, if it has not ended in time.

    Args:
        text: What it does.
        tell: Called with the text, in another thread.
        after_s: Seconds to wait.
    """
    timer = threading.Timer(after_s, tell, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # a line that is being printed is whole before the next one
