"""Failures in LMCache during a measurement: its warnings, its errors, and exceptions that end a thread."""

from __future__ import annotations

import logging
import os
import threading

# StoreController._finalize_store logs every key of a failed store, just after the adapter logged the reason.
_LIST_OF_KEYS = "Store task %d to adapter %d failed for keys: %s"


def quiet_environment(log_level: str) -> dict[str, str]:
    """Return the environment variables that limit LMCache's output and turn off its usage report.

    They must be set before LMCache is imported: its loggers, its banner and its usage report read them once.

    Args:
        log_level: Name of the lowest level that LMCache logs.
    """
    return {
        "LMCACHE_LOG_LEVEL": log_level,
        "LMCACHE_DISABLE_BANNER": "1",
        "LMCACHE_TRACK_USAGE": "false",
    }


class LogWatch:
    """Keep the first error that LMCache logged, or the first exception that ended a thread; else a warning.

    The first error names the cause: later ones often follow from it.

    Each logger of LMCache has a handler of its own and does not propagate, so a handler at the root would
    receive nothing. The record factory receives every record.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._error = self._warning = ""
        make_record = logging.getLogRecordFactory()

        def factory(*args: object, **kwargs: object) -> logging.LogRecord:
            record: logging.LogRecord = make_record(*args, **kwargs)
            is_lmcache = record.name.startswith("lmcache") and record.msg != _LIST_OF_KEYS
            if record.levelno >= logging.WARNING and is_lmcache:
                line = _last_line(record)
                with self._lock:
                    if record.levelno >= logging.ERROR:
                        self._error = self._error or line
                    else:
                        self._warning = self._warning or line
            return record

        logging.setLogRecordFactory(factory)
        print_thread_error = threading.excepthook

        def keep_thread_error(hooked: threading.ExceptHookArgs) -> None:
            name = hooked.thread.name if hooked.thread is not None else "a thread"
            with self._lock:
                line = f"{name} ended with {hooked.exc_type.__name__}: {hooked.exc_value}"
                self._error = self._error or line
            print_thread_error(hooked)

        threading.excepthook = keep_thread_error

    def set_level(self, log_level: str) -> None:
        """Set the log level after LMCache was imported: its loggers read the environment only once.

        Args:
            log_level: Name of the lowest level that LMCache logs.
        """
        os.environ.update(quiet_environment(log_level))
        for name, logger in logging.root.manager.loggerDict.items():
            if name.startswith("lmcache") and isinstance(logger, logging.Logger) and logger.handlers:
                logger.setLevel(log_level)
                for handler in logger.handlers:
                    handler.setLevel(log_level)

    def take(self) -> str:
        """Return the first error or exception since the last call, else the first warning; empty if none."""
        with self._lock:
            first = self._error or self._warning
            self._error = self._warning = ""
        return first


def _last_line(record: logging.LogRecord) -> str:
    lines = record.getMessage().strip().splitlines() or [""]
    line = lines[-1].strip()
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        line = f"{line}: {type(error).__name__}: {error}"
    return line
