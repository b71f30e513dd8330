"""Interrupts: where the first signal is raised, what the second does, and which handlers are restored."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from l2sweep import interrupts

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with Python's handlers and no interrupt, and restore everything."""
    monkeypatch.setattr(interrupts, "_STATE", interrupts._State())
    before = {number: signal.getsignal(number) for number in HANDLED}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, unexpected)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class LeftError(Exception):
    """The process would have been left."""


def unexpected(number: int, frame: object) -> None:
    pytest.fail("a signal arrived while none was handled")


def leave() -> None:
    raise LeftError


def send(number: signal.Signals = signal.SIGTERM) -> None:
    signal.raise_signal(number)  # unlike os.kill(), always to this thread


@pytest.mark.parametrize("number", HANDLED)
def test_a_signal_before_a_sweep_has_begun_ends_the_process(number: signal.Signals) -> None:
    with interrupts.handled(leave):
        assert not interrupts.requested()
        with pytest.raises(LeftError):
            send(number)
        with pytest.raises(LeftError), interrupts.interruptible():
            send(number)


@pytest.mark.parametrize("number", HANDLED)
def test_a_deferred_signal_is_not_raised_but_known(number: signal.Signals) -> None:
    with interrupts.handled(leave), interrupts.deferred():
        send(number)
        assert interrupts.requested()


def test_a_signal_is_raised_inside_interruptible_although_the_rest_is_deferred() -> None:
    with interrupts.handled(leave), interrupts.deferred():
        with pytest.raises(KeyboardInterrupt), interrupts.interruptible():
            send()
        with interrupts.interruptible():  # it was raised before, and is not raised again
            pass


def test_a_deferred_signal_is_raised_once_at_the_next_interruptible_wait() -> None:
    entered = []
    with interrupts.handled(leave), interrupts.deferred():
        send()
        with pytest.raises(KeyboardInterrupt), interrupts.interruptible():
            entered.append("first")
        with interrupts.interruptible():
            entered.append("second")
    assert entered == ["second"]


def test_a_pending_interrupt_that_is_cleared_is_not_raised_but_known() -> None:
    with interrupts.handled(leave), interrupts.deferred():
        send()
        interrupts.clear_pending()
        with interrupts.interruptible():
            pass
        assert interrupts.requested()


def test_interruptible_inside_deferred_restores_the_deferral_also_after_an_error() -> None:
    with interrupts.handled(leave), interrupts.deferred():
        with pytest.raises(OSError, match="broken"), interrupts.interruptible():
            raise OSError("broken")
        send()  # deferred again
        assert interrupts.requested()


def test_the_end_of_an_inner_deferral_keeps_the_outer_one() -> None:
    with interrupts.handled(leave), interrupts.deferred():
        with interrupts.deferred():
            pass
        send()
        assert interrupts.requested()


def test_after_a_deferral_a_signal_ends_the_process() -> None:
    with interrupts.handled(leave):
        with interrupts.deferred():
            pass
        with pytest.raises(LeftError):
            send()


@pytest.mark.parametrize("second", HANDLED)
def test_the_second_signal_hurries_with_one_line_and_the_third_ends_the_process(
    second: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with interrupts.handled(leave), interrupts.deferred():
        send()
        assert not interrupts.hurried()
        send(second)
        assert interrupts.hurried()
        with pytest.raises(LeftError):
            send()
    line = "l2sweep: stopping at once: the next run removes the keys of the running point\n"
    assert capfd.readouterr().err == line


def test_a_second_signal_is_raised_in_the_next_wait() -> None:
    with interrupts.handled(leave), interrupts.deferred():
        with pytest.raises(KeyboardInterrupt), interrupts.interruptible():
            send()
        send()
        with pytest.raises(KeyboardInterrupt), interrupts.interruptible():
            pass


def test_a_step_that_the_first_signal_asks_for_is_ended_by_the_second() -> None:
    with interrupts.handled(leave), interrupts.deferred(), interrupts.only_when_hurried():
        with interrupts.interruptible():
            send()
        with pytest.raises(KeyboardInterrupt), interrupts.interruptible():
            send()


def test_the_previous_handlers_are_restored_also_after_an_error() -> None:
    with interrupts.handled(leave):
        assert signal.getsignal(signal.SIGTERM) is not unexpected
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is unexpected
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(OSError, match="broken"), interrupts.handled(leave):
        raise OSError("broken")
    assert signal.getsignal(signal.SIGTERM) is unexpected
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])  # a background job; nohup
def test_a_signal_that_is_ignored_stays_ignored(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
    with interrupts.handled(leave):
        send(number)
        assert not interrupts.requested()
    assert signal.getsignal(number) is signal.SIG_IGN


def test_a_command_inside_a_process_that_handles_signals_handles_them_itself() -> None:
    with interrupts.handled(lambda: pytest.fail("the outer one")), interrupts.handled(leave):
        for number in HANDLED:
            with pytest.raises(LeftError):
                send(number)


def test_an_interrupt_of_an_earlier_run_is_forgotten() -> None:
    with interrupts.handled(leave), interrupts.deferred():
        send()
    with interrupts.handled(leave), interrupts.deferred():
        assert not interrupts.requested()
        with interrupts.interruptible():
            pass


def test_ignored_signals_do_nothing() -> None:
    interrupts.ignore()
    for number in HANDLED:
        send(number)
    assert not interrupts.requested()


def test_ignored_signals_stay_ignored_when_the_block_ends() -> None:
    # The interpreter takes most of a second to shut down. A default handler would end it with a raw signal.
    with interrupts.handled(leave):
        interrupts.ignore()
    for number in HANDLED:
        send(number)
        assert signal.getsignal(number) is signal.SIG_IGN
