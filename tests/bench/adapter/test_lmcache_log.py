"""The first failure in LMCache during a measurement."""

from __future__ import annotations

import logging
import threading

import pytest
from lmcache.logging import init_logger

from l2sweep.bench.adapter.lmcache_log import LogWatch, quiet_environment


def test_the_environment_turns_off_the_usage_report_and_the_banner() -> None:
    assert quiet_environment("ERROR") == {
        "LMCACHE_LOG_LEVEL": "ERROR",
        "LMCACHE_DISABLE_BANNER": "1",
        "LMCACHE_TRACK_USAGE": "false",
    }


def test_the_first_error_is_returned_once(log: LogWatch) -> None:
    logger = init_logger("lmcache.test")
    logger.setLevel(logging.DEBUG)
    assert log.take() == ""
    logger.warning("first")
    logger.error("second: %s", "a value")
    logger.error("third, which follows from the second")
    logger.info("fourth")
    assert log.take() == "second: a value"
    assert log.take() == ""


def test_without_an_error_the_first_warning_is_returned(log: LogWatch) -> None:
    logger = init_logger("lmcache.test")
    logger.warning("first")
    logger.warning("second")
    assert log.take() == "first"
    assert log.take() == ""


def test_loggers_of_other_packages_are_ignored(log: LogWatch) -> None:
    logging.getLogger("other").warning("not of LMCache")
    assert log.take() == ""


def test_the_last_line_of_a_message_is_kept(log: LogWatch) -> None:
    init_logger("lmcache.test").error("help:\n  one\n  two\n")
    assert log.take() == "two"


def test_an_empty_message_is_no_failure(log: LogWatch) -> None:
    init_logger("lmcache.test").error("")
    assert log.take() == ""


def test_a_logged_exception_is_appended(log: LogWatch) -> None:
    try:
        raise OSError("no space left")
    except OSError:
        init_logger("lmcache.test").exception("store failed")
    assert log.take() == "store failed: OSError: no space left"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_that_ends_a_thread_is_kept(log: LogWatch) -> None:
    def fail() -> None:
        raise RuntimeError("out of luck")

    thread = threading.Thread(target=fail, name="store-worker")
    thread.start()
    thread.join()
    assert log.take() == "store-worker ended with RuntimeError: out of luck"


def test_the_level_of_existing_loggers_can_be_changed(log: LogWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in quiet_environment("WARNING").items():
        monkeypatch.setenv(name, value)
    ours, other = init_logger("lmcache.test"), logging.getLogger("other.test")
    other.setLevel("WARNING")
    log.set_level("DEBUG")
    assert ours.level == logging.DEBUG
    assert {handler.level for handler in ours.handlers} == {logging.DEBUG}
    assert other.level == logging.WARNING
    assert init_logger("lmcache.later").level == logging.DEBUG
    log.set_level("WARNING")
    assert ours.level == logging.WARNING
