"""OutputErrors: the first error line of a process, and that of a round."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_process import round_measured

from l2sweep.bench.messages import RoundMeasured
from l2sweep.process.output_errors import OutputErrors, error_in, with_error

AUTH = "[LMCache Connector Worker Error] AUTH failed: -WRONGPASS invalid username-password pair"


class Clock:
    """Returns the time that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def errors_at(*lines: tuple[float, str]) -> OutputErrors:
    """Return the errors of a process whose lines arrived at these times."""
    clock = Clock()
    errors = OutputErrors({"hunter2"}, clock)
    for clock.now_s, line in lines:
        errors.add(line.encode())
    return errors


def failed(started_at_s: float | None, detail: str = "0 of 2 keys stored") -> RoundMeasured:
    return replace(round_measured(), status="error", detail=detail, started_at_s=started_at_s)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (f"{AUTH}\n", AUTH),
        (
            "[LMCache GET] key a@1 failed: socket recv failed",
            "[LMCache GET] key a@1 failed: socket recv failed",
        ),
        ("connection failed", "connection failed"),
        (
            "\x1b[31;20m[2026-11-30 09:00:00,123] LMCache ERROR:\x1b[0m disk is full \x1b[3m"
            "(fs_l2_adapter.py:12:lmcache.v1.distributed)\x1b[0m\n",
            "disk is full",
        ),
        ("OSError: [Errno 22] Invalid argument", "OSError: [Errno 22] Invalid argument"),
        (
            "\x1b[33m[2026-11-30 09:00:00,123] LMCache WARNING:\x1b[0m it failed \x1b[3m(a.py:1:lm)\x1b[0m",
            "",
        ),
        ("[2026-11-30 09:00:00,123] LMCache INFO: no error so far", ""),
        ("/x/torch.py:1: UserWarning: failed to initialise numpy", ""),
        ("I1130 09:00:00.000000 1 nixl.cpp:4] no failed transfer", ""),
        ('  File "/x/error.py", line 3, in failed', ""),
        ("Traceback (most recent call last):", ""),
        ("    raise RuntimeError(\n", ""),
        ("connected to 127.0.0.1", ""),
        ("", ""),
    ],
)
def test_a_line_is_an_error_by_its_level_or_by_its_words(line: str, error: str) -> None:
    assert error_in(line) == error


def test_a_round_that_failed_has_the_first_error_line_of_its_own_time() -> None:
    errors = errors_at((1.5, "connection failed"), (2.5, AUTH), (2.6, "socket send failed"))
    first, second = errors.explain([failed(1.0), failed(2.0)])
    assert first.detail == "0 of 2 keys stored; connection failed"
    assert second.detail == f"0 of 2 keys stored; {AUTH}"
    assert errors.first == "connection failed"


def test_a_round_without_a_line_of_its_own_has_the_first_of_the_process() -> None:
    errors = errors_at((0.5, AUTH), (3.5, "socket send failed"))
    details = [one.detail for one in errors.explain([failed(1.0), failed(None), failed(3.0)])]
    assert details == [
        f"0 of 2 keys stored; {AUTH}",
        f"0 of 2 keys stored; {AUTH}",
        "0 of 2 keys stored; socket send failed",
    ]


def test_a_round_that_is_ok_and_a_line_that_is_there_already_stay_as_they_are() -> None:
    errors = errors_at((1.5, "connection failed"))
    rounds = [round_measured(), failed(1.0, "store: connection failed, twice")]
    assert errors.explain(rounds) == rounds
    assert OutputErrors(set()).explain([failed(1.0)]) == [failed(1.0)]


def test_an_error_line_has_no_credentials_and_is_not_long() -> None:
    errors = errors_at((1.0, f"AUTH failed for hunter2 {'x' * 1000}"))
    assert errors.first.startswith("AUTH failed for *** xxx")
    assert len(errors.first) == 300


def test_only_the_first_thousand_errors_are_kept() -> None:
    errors = errors_at(*((float(number), f"error {number}") for number in range(1002)))
    assert errors.explain([failed(1001.0)])[0].detail == "0 of 2 keys stored; error 0"


def test_an_empty_detail_becomes_the_error() -> None:
    assert with_error("", "connection failed") == "connection failed"
    assert with_error("", "") == ""
