"""Print warnings of l2sweep as one line each."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Collection, Iterator
from typing import Any

from l2sweep.credentials import scrub
from l2sweep.errors import UnreadableRecordsWarning, printable


@contextlib.contextmanager
def warnings_as_lines(secrets: Collection[str]) -> Iterator[None]:
    """Print each warning about records as one line to standard error during the block, each text once.

    Args:
        secrets: Texts that must not be printed.
    """
    printed: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", UnreadableRecordsWarning)
        show_others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if not issubclass(category, UnreadableRecordsWarning):
                show_others(message, category, *place, **more)
                return
            line = f"l2sweep: {printable(scrub(str(message), secrets))}"
            if line in printed or sys.stderr is None:
                return
            printed.add(line)
            with contextlib.suppress(OSError, ValueError):  # a closed output must not stop a sweep
                print(line, file=sys.stderr)

        warnings.showwarning = show
        yield
