"""The errors in the output of a benchmark process: what native code prints past the loggers of Python.

LMCache's C++ connectors write failed connections and refused passwords to standard error only. The launcher
reads this output anyway, for the log of the point, so finding the errors in it costs the benchmark process
nothing.
"""

from __future__ import annotations

import re
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from l2sweep.bench.messages import RoundMeasured
from l2sweep.credentials import scrub

# An adapter without a server can print thousands of lines a second. The first of them name the cause.
_MOST_ERRORS = 1000
_LONGEST_LINE = 300
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
# LMCache's own format: lmcache/logging.py.
_LMCACHE = re.compile(
    r"^\[[^\]]*\] LMCache (?P<level>[A-Z]+): ?(?P<text>.*?)(?: \([^() ]+:\d+:[\w.]+\))?$", re.DOTALL
)
_ERROR_LEVELS = ("ERROR", "CRITICAL")
_ERROR = re.compile(
    r"error\b|exception\b|fail(ed|ure|s)?\b|fatal|abort(ed|ing)?\b|refused|denied|cannot|could not|unable"
    r"|unreachable|unauthori[sz]ed|forbidden|timed out|no such|not permitted|broken pipe|reset by peer"
    r"|no space|\b(WRONGPASS|NOAUTH|NOPERM|OOM)\b",
    re.IGNORECASE,
)
_NO_ERROR = re.compile(
    r"\b(WARN|WARNING|INFO|DEBUG|TRACE|NOTICE)\b|Warning:|^[IW]\d{4} |^\s*File \""
    r"|^Exception ignored in|^    "  # of a traceback, whose last line says more
)


class OutputErrors:
    """The first error lines in the output of one benchmark process, and when they arrived.

    Args:
        secrets: Texts that are replaced in each line.
        now: Returns the seconds since the epoch.
    """

    def __init__(self, secrets: Collection[str], now: Callable[[], float] = time.time) -> None:
        self._secrets = secrets
        self._now = now
        self._lock = threading.Lock()
        self._arrived_at_s: list[float] = []
        self._texts: list[str] = []

    def add(self, line: bytes) -> None:
        """Keep a line of output if it is an error. Another thread may call this.

        Args:
            line: One line of standard output or standard error.
        """
        if len(self._texts) >= _MOST_ERRORS:
            return
        arrived_at_s = self._now()
        if text := error_in(line.decode(errors="replace")):
            text = scrub(text, self._secrets)[:_LONGEST_LINE]
            with self._lock:
                self._arrived_at_s.append(arrived_at_s)
                self._texts.append(text)

    @property
    def first(self) -> str:
        """The first error of the process, without credentials; empty if there was none."""
        return self._texts[0] if self._texts else ""

    def explain(self, rounds: Sequence[RoundMeasured]) -> list[RoundMeasured]:
        """Return the rounds of the process, with an error line in the detail of each that is not ok.

        The line is the first that arrived after the round started and before the next one did. If there is
        none, it is the first of the process: a connection that is lost is often reported once.

        Args:
            rounds: In the order in which they were measured.
        """
        started = [one.started_at_s for one in rounds]
        return [
            one
            if one.status == "ok"
            else replace(one, detail=with_error(one.detail, self._between(start, _next(started, position))))
            for position, (one, start) in enumerate(zip(rounds, started, strict=True))
        ]

    def _between(self, start_s: float | None, end_s: float | None) -> str:
        with self._lock:
            arrived_at_s, texts = list(self._arrived_at_s), list(self._texts)
        if not texts:
            return ""
        if start_s is not None:
            position = bisect_left(arrived_at_s, start_s)
            if position < len(texts) and (end_s is None or arrived_at_s[position] < end_s):
                return texts[position]
        return texts[0]


def error_in(line: str) -> str:
    """Return the error that a line of output reports, without time and place; empty if it reports none.

    Args:
        line: One line of output.
    """
    line = _COLOUR.sub("", line)
    text = line.strip()
    if known := _LMCACHE.match(text):
        return known["text"].strip() if known["level"] in _ERROR_LEVELS else ""
    if _NO_ERROR.search(line) or not _ERROR.search(text):
        return ""
    return text


def with_error(detail: str, error: str) -> str:
    """Return a detail that ends with an error line, unless it has the line already.

    Args:
        detail: Why a round or a process failed; may be empty.
        error: The error line; empty: none.
    """
    return "; ".join(filter(None, (detail, "" if error in detail else error)))


def _next(started: Sequence[float | None], position: int) -> float | None:
    """Return when the next round started that ran; None if there is none."""
    return next((one for one in started[position + 1 :] if one is not None), None)
